import type { Constitution } from '@concordat/governance';
import type { NodeId } from '@concordat/std';
import type { ManagerError } from './errors.ts';

/** What is asked of a node about whom it waits for. */
export interface WaitingNode {
  readonly self: NodeId;
  /** By whose node list it goes. */
  readonly constitution: Pick<Constitution, 'actors' | 'nodes'> | undefined;
  connected(nodeId: NodeId): boolean;
}

/**
 * Whom a node waits for that lacks decryption shares, in the words of an operator: actors by name, and
 * what is the matter with each.
 * @param why KEY_SHARES_MISSING
 */
export function missingConsent(node: WaitingNode, why: ManagerError): string {
  const { missing, actors: failed } = why.details as {
    readonly missing?: number;
    readonly actors?: Readonly<Record<string, string>>;
  };
  const { actors = [], nodes = [] } = node.constitution ?? {};
  const trusted = nodes.filter(({ status }) => status === 'trusted');
  const own = trusted.find(({ nodeId }) => nodeId === node.self)?.actorId;
  const waitedFor: string[] = [];
  for (const { actorId, name } of actors) {
    const theirs = trusted.filter((entry) => entry.actorId === actorId);
    if (actorId === own || theirs.length === 0) continue;
    const code = failed?.[actorId];
    if (!theirs.some(({ nodeId }) => node.connected(nodeId))) {
      waitedFor.push(`${name} (no node of it is up)`);
    } else if (code) waitedFor.push(`${name} (${code})`);
  }
  if (missing === undefined || waitedFor.length === 0) return `${why.code}: ${why.message}`;
  return `${why.code}: waiting for decryption shares of ${missing} more of ${waitedFor.join(', ')}`;
}
