import { type Constitution, certificatesOf } from '@concordat/governance';
import { Names } from './constitution-names.ts';
import { short } from './sandbox/node-tuple.ts';
import { renderTable } from './terminal.ts';

/** The membership list. */
export const actorTable = ({ actors }: Pick<Constitution, 'actors'>): string =>
  renderTable(
    ['actor', 'kind', 'roles', 'id'],
    actors.map(({ name, kind, roles, actorId }) => [
      name,
      kind.join(', '),
      roles.join(', '),
      short(actorId),
    ]),
  );

/**
 * By which certificates the actors of a membership list speak, their digests whole: who approves the
 * list compares them, and a beginning can be found that is another certificate's as well.
 */
export const actorCertificateTable = ({ actors }: Pick<Constitution, 'actors'>): string =>
  renderTable(
    ['actor', 'certificate', 'in use'],
    actors.flatMap((actor) =>
      certificatesOf(actor).map(({ fingerprint, untilSeconds }) => [
        actor.name,
        fingerprint,
        untilSeconds === undefined ? '' : `until ${new Date(untilSeconds * 1000).toISOString()}`,
      ]),
    ),
  );

/** The VN list; `leader` is the id of the node that leads. */
export function nodeTable(constitution: Constitution, leader?: string): string {
  const names = new Names(constitution);
  return renderTable(
    ['node', 'of', 'status', 'address', 'id'],
    constitution.nodes.map((node) => [
      node.name,
      names.of(node.actorId),
      node.nodeId === leader ? `${node.status}, leads` : (node.retired ?? node.status),
      node.address,
      short(node.nodeId),
    ]),
  );
}
