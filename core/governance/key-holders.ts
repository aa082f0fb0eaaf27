import { type SigningKey, verifySignature } from '@concordat/crypto';
import { maxHolders, requireHolderKey, toElement } from '@concordat/keys';
import type { ReadView, TransactionSet } from '@concordat/kv';
import { type ActorId, emptyBytes, fromBase64, fromHex, toBase64, utf8 } from '@concordat/std';
import { canonicalJson } from './canonical-json.ts';
import { isMember } from './constitution.ts';
import { GovernanceError } from './errors.ts';
import type { HolderRegistration } from './key-rows.ts';
import { memberIds, networkInfo } from './state.ts';
import { readRow, readRows, tables, writeRow } from './tables.ts';

/** What a node signs to register its actor's holder key: canonical JSON in UTF-8. */
export const holderStatement = (
  networkId: string,
  registration: Omit<HolderRegistration, 'signature'>,
): Uint8Array => {
  const { actorId, nodeId, number, encryptionKey, proof } = registration;
  const type = 'concordat.holder.v1';
  return utf8(canonicalJson({ type, networkId, actorId, nodeId, number, encryptionKey, proof }));
};

/** Signs a registration with the node's key. */
export const signHolderRegistration = (
  networkId: string,
  registration: Omit<HolderRegistration, 'signature'>,
  nodeKey: Pick<SigningKey, 'sign'>,
): HolderRegistration => ({
  ...registration,
  signature: toBase64(nodeKey.sign(holderStatement(networkId, registration))),
});

/**
 * Records the key that an actor's enclaves receive shares with. A new one takes the place of the old:
 * its actor lost its share, or wants to be rid of it, and gets another by a resharing.
 * @throws GovernanceError NOT_A_HOLDER, BAD_NODE_SIGNATURE; KeysError INVALID_ELEMENT,
 *   INVALID_HOLDER_KEY
 */
export function registerHolder(set: TransactionSet, registration: HolderRegistration): void {
  const { actorId, nodeId, number, encryptionKey, proof, signature } = registration;
  const refusal = (why: string): GovernanceError =>
    new GovernanceError('NOT_A_HOLDER', why, { actorId, nodeId });
  const actor = readRow(set, tables.actors, actorId);
  if (!actor || !isMember(actor)) throw refusal('only members hold shares');
  const node = readRow(set, tables.nodes, nodeId);
  if (node?.actorId !== actorId || node.status !== 'trusted') {
    throw refusal('only a trusted node of the member registers its holder key');
  }
  const known = readRow(set, tables.holders, actorId)?.number ?? 0;
  if (number !== known + 1) throw refusal(`registration ${number} after ${known}`);
  const { networkId } = networkInfo(set);
  const signed = holderStatement(networkId, registration);
  const nodePublicKey = fromHex(node.publicKey) as Uint8Array;
  if (!verifySignature(nodePublicKey, signed, fromBase64(signature) ?? emptyBytes)) {
    const why = 'the registration is not signed by the node it names';
    throw new GovernanceError('BAD_NODE_SIGNATURE', why, { actorId, nodeId });
  }
  const element = toElement(fromHex(encryptionKey) ?? emptyBytes);
  requireHolderKey({ networkId, actor: actorId }, element, fromHex(proof) ?? emptyBytes);
  for (const [, other] of readRows(set, tables.holders)) {
    if (other.encryptionKey === encryptionKey) throw refusal('that key is registered already');
  }
  writeRow(set, tables.holders, actorId, {
    actorId,
    nodeId,
    number,
    encryptionKey,
    proof,
    signature,
  });
}

/** The registration of an actor in force; undefined when there is none. */
export const holderRegistrationOf = (
  view: ReadView,
  actorId: string,
): HolderRegistration | undefined => readRow(view, tables.holders, actorId);

/** Who is to hold a share. */
export interface Candidate {
  readonly actorId: ActorId;
  /** Hex. */
  readonly encryptionKey: string;
}

/** Members with a holder key, whether their nodes are there or not. */
export function memberHolders(view: ReadView): Candidate[] {
  const members = memberIds(view);
  const holders = Array.from(readRows(view, tables.holders), ([, holder]) => holder);
  return holders.filter(({ actorId }) => members.has(actorId));
}

/** Members with a holder key and a trusted node: those that can deal, and give decryption shares. */
export function holdersWithNode(view: ReadView): Candidate[] {
  const withNode = new Set<string>();
  for (const [, { actorId, status }] of readRows(view, tables.nodes)) {
    if (status === 'trusted') withNode.add(actorId);
  }
  return memberHolders(view).filter(({ actorId }) => withNode.has(actorId));
}

/**
 * Who is to hold a share of the shared key: members that registered a holder key and have a trusted
 * node, or hold a share already (a member whose nodes are down keeps its say). By actor id; with more
 * than 255, those that hold one first.
 * @param present actors that hold a share of the newest key
 */
export function candidateHolders(view: ReadView, present: ReadonlySet<string>): Candidate[] {
  const withNode = new Set<string>();
  for (const [, node] of readRows(view, tables.nodes)) {
    if (node.status === 'trusted') withNode.add(node.actorId);
  }
  const candidates: Candidate[] = [];
  for (const [actorId, { encryptionKey }] of readRows(view, tables.holders)) {
    const actor = readRow(view, tables.actors, actorId);
    if (!actor || !isMember(actor)) continue;
    if (!withNode.has(actorId) && !present.has(actorId)) continue;
    candidates.push({ actorId: actor.actorId, encryptionKey });
  }
  const first = candidates.filter(({ actorId }) => present.has(actorId));
  const rest = candidates.filter(({ actorId }) => !present.has(actorId));
  return [...first, ...rest].slice(0, maxHolders).sort((a, b) => (a.actorId < b.actorId ? -1 : 1));
}
