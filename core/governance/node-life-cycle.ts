import { fromPem, nodeIdOf, spkiOf } from '@concordat/crypto';
import type { ReadView, TransactionSet } from '@concordat/kv';
import { assert, type NodeId, toHex } from '@concordat/std';
import type { NodeEntry } from './constitution.ts';
import { GovernanceError } from './errors.ts';
import { Field } from './field.ts';
import {
  requireOwnAddresses,
  requireQuorumsMeet,
  requireTrustedNode,
  trustedNodes,
} from './laws.ts';
import { defaultPolicy } from './policies.ts';
import { readRow, readRows, tables, writeRow } from './tables.ts';

/** What verified evidence says of a node; a verdict of core/attestation has this shape. */
export interface AttestedNode {
  readonly platform: string;
  /** Hex, 32 bytes. */
  readonly measurement: string;
  /** Hex, 32 bytes: SHA-256 of the platform key's SPKI. */
  readonly platformKey: string;
  readonly debug: boolean;
}

/** A node that asks to join, its evidence already verified. */
export interface JoiningNode {
  /** SHA-256 of the certificate's public key. */
  readonly nodeId: NodeId;
  /** PEM of the node certificate, endorsed by the network. */
  readonly certificate: string;
  readonly verdict: AttestedNode;
  /** 65-byte uncompressed P-256 point, hex: the one its evidence vouches for. */
  readonly encryptionKey: string;
  /** The predecessor whose place it asks to take; also the place of one that departed. */
  readonly replaces?: NodeId;
}

/**
 * Lets a node in as `learning`: one that a vote admitted or, when the policy `rejoin` is
 * automatic, a restarted VN in the place of its predecessor: same actor, address and platform
 * key. Its code and TEE must be in the manifests either way. A refusal leaves no trace.
 * @throws GovernanceError NODE_NOT_ADMITTED, WRONG_NODE_STATUS, REJOIN_REFUSED,
 *   NODE_NOT_AS_ADMITTED, UNLISTED_MEASUREMENT, UNLISTED_TEE, DEBUG_ENCLAVE, ADDRESS_TAKEN,
 *   INVALID_ACTION
 */
export function nodeJoins(set: TransactionSet, joining: JoiningNode): NodeEntry {
  return atomically(set, () => {
    const publicKey = readJoiningKey(joining);
    requireListed(set, joining.verdict);
    const listed = readRow(set, tables.nodes, joining.nodeId);
    const place: Place = listed
      ? requireAdmitted(listed, joining.verdict)
      : takePlace(set, joining);
    const { measurement, platform, platformKey } = joining.verdict;
    const entry: NodeEntry = {
      ...place,
      nodeId: joining.nodeId,
      publicKey,
      encryptionKey: joining.encryptionKey,
      certificate: joining.certificate,
      measurement,
      platform,
      platformKey,
      status: 'learning',
    };
    writeRow(set, tables.nodes, entry.nodeId, entry);
    requireAddresses(set);
    return entry;
  });
}

/**
 * Makes a node that caught up a full part of the network; its predecessor retires with it.
 * @throws GovernanceError NODE_NOT_FOUND, WRONG_NODE_STATUS, UNSAFE_QUORUMS
 */
export function nodeTrusted(set: TransactionSet, nodeId: NodeId): NodeEntry {
  return atomically(set, () => {
    const node = requireNode(set, nodeId);
    requireStatus(node, ['learning']);
    const entry: NodeEntry = { ...node, status: 'trusted' };
    writeRow(set, tables.nodes, nodeId, entry);
    const predecessor = node.replaces && readRow(set, tables.nodes, node.replaces);
    if (predecessor && predecessor.status !== 'retired') retire(set, predecessor, 'replaced');
    requireQuorumsMeet(set);
    return entry;
  });
}

/**
 * Retires a node that leaves in good order; one in its place may rejoin.
 * @throws GovernanceError NODE_NOT_FOUND, WRONG_NODE_STATUS, LAST_TRUSTED_NODE, UNSAFE_QUORUMS
 */
export function nodeRetired(set: TransactionSet, nodeId: NodeId): NodeEntry {
  return atomically(set, () => {
    const node = requireNode(set, nodeId);
    requireStatus(node, ['learning', 'trusted']);
    const trustedBefore = trustedNodes(set);
    const entry = retire(set, node, 'departed');
    requireTrustedNode(set, trustedBefore);
    requireQuorumsMeet(set);
    return entry;
  });
}

function atomically<Result>(set: TransactionSet, change: () => Result): Result {
  const mark = set.checkpoint();
  try {
    return change();
  } catch (error) {
    set.revert(mark);
    throw error;
  }
}

function readJoiningKey(joining: JoiningNode): string {
  new Field(joining.encryptionKey, 'encryptionKey', 'INVALID_ACTION').point();
  const [der] = fromPem(joining.certificate);
  assert(der !== undefined, 'a joining node without certificate');
  const spki = spkiOf(der);
  assert(nodeIdOf(spki) === joining.nodeId, 'the node certificate is for another key');
  return toHex(spki);
}

function requireListed(view: ReadView, verdict: AttestedNode): void {
  const { measurement, platform } = verdict;
  if (readRow(view, tables.code, measurement)?.role !== 'manager') {
    throw new GovernanceError(
      'UNLISTED_MEASUREMENT',
      'the code manifest lists no manager enclave of that measurement',
      { measurement },
    );
  }
  if (!readRow(view, tables.tees, platform)) {
    throw new GovernanceError('UNLISTED_TEE', 'the TEE manifest does not list that platform', {
      platform,
    });
  }
  if (verdict.debug) throw new GovernanceError('DEBUG_ENCLAVE', 'the enclave can be debugged');
}

function requireAdmitted(node: NodeEntry, { measurement, platform }: AttestedNode): NodeEntry {
  requireStatus(node, ['admitted']);
  const isSame =
    (node.measurement ?? measurement) === measurement && (node.platform ?? platform) === platform;
  if (isSame) return node;
  throw new GovernanceError(
    'NODE_NOT_AS_ADMITTED',
    'the node runs other code or on another platform than the vote that admitted it named',
    { nodeId: node.nodeId, measurement, platform },
  );
}

type Place = Pick<
  NodeEntry,
  'actorId' | 'name' | 'address' | 'adminAddress' | 'applicationAddresses'
> &
  Partial<NodeEntry>;

/** The part of its predecessor's entry a successor takes over. */
function takePlace(set: TransactionSet, joining: JoiningNode): Place {
  const { nodeId, replaces, verdict } = joining;
  const named = replaces && readRow(set, tables.nodes, replaces);
  const predecessor = named && newestInPlaceOf(set, named);
  if (!predecessor) {
    throw new GovernanceError(
      'NODE_NOT_ADMITTED',
      'the node is not in the VN list: propose it, and try again once the vote is through',
      { nodeId },
    );
  }
  const refuse = (why: string): never => {
    throw new GovernanceError('REJOIN_REFUSED', why, { nodeId, replaces });
  };
  const policy = readRow(set, tables.policies, 'rejoin') ?? defaultPolicy('rejoin');
  if (policy !== 'automatic') refuse('the policy rejoin asks for a vote');
  if (predecessor.status === 'admitted') refuse('the predecessor never joined');
  if (predecessor.status === 'retired' && predecessor.retired !== 'departed') {
    refuse(`the predecessor was ${predecessor.retired}`);
  }
  if (predecessor.platformKey !== verdict.platformKey) refuse('it is on another platform');
  for (const [, node] of [...readRows(set, tables.nodes)]) {
    if (node.replaces !== predecessor.nodeId) continue;
    if (node.status === 'trusted') refuse('another node took the place of the predecessor');
    // A successor that failed while it was learning gives way to the next attempt.
    if (node.status === 'learning') retire(set, node, 'replaced');
  }
  const root = predecessor.status === 'learning' ? predecessor.replaces : undefined;
  if (predecessor.status === 'learning') retire(set, predecessor, 'replaced');
  const { actorId, name, address, adminAddress, applicationAddresses } = predecessor;
  const inherited = { actorId, name, address, adminAddress, applicationAddresses };
  return { ...inherited, replaces: root ?? predecessor.nodeId };
}

/**
 * The launch that has the place of a retired one now, or had it last: a VN whose disk was put back to
 * an older state names the launch it knew then.
 */
function newestInPlaceOf(view: ReadView, named: NodeEntry): NodeEntry {
  if (named.status !== 'retired') return named;
  const successors = new Map<string, NodeEntry[]>();
  for (const [, node] of readRows(view, tables.nodes)) {
    if (node.replaces === undefined) continue;
    successors.set(node.replaces, [...(successors.get(node.replaces) ?? []), node]);
  }
  const launches = new Set([named]);
  for (const { nodeId } of launches) {
    for (const next of successors.get(nodeId) ?? []) launches.add(next);
  }
  const all = [...launches];
  return (
    all.find(({ status }) => status === 'trusted') ??
    // A place that a vote took away stays away, whichever of its launches is named.
    all.find(({ retired }) => retired === 'removed') ??
    all.findLast(({ retired }) => retired === 'departed') ??
    all.find(({ status }) => status === 'learning') ??
    named
  );
}

function requireNode(view: ReadView, nodeId: NodeId): NodeEntry {
  const node = readRow(view, tables.nodes, nodeId);
  if (!node) throw new GovernanceError('NODE_NOT_FOUND', 'no such node', { nodeId });
  return node;
}

function requireStatus(node: NodeEntry, statuses: readonly NodeEntry['status'][]): void {
  if (statuses.includes(node.status)) return;
  throw new GovernanceError('WRONG_NODE_STATUS', `the node is ${node.status}`, {
    nodeId: node.nodeId,
    status: node.status,
  });
}

function retire(
  set: TransactionSet,
  node: NodeEntry,
  reason: NonNullable<NodeEntry['retired']>,
): NodeEntry {
  const entry: NodeEntry = { ...node, status: 'retired', retired: reason };
  writeRow(set, tables.nodes, node.nodeId, entry);
  return entry;
}

const requireAddresses = (view: ReadView): void =>
  requireOwnAddresses(Array.from(readRows(view, tables.nodes), ([, node]) => node));

/** The node an identity names, in any status; undefined when none was ever listed. */
export const getNode = (view: ReadView, nodeId: string): NodeEntry | undefined =>
  readRow(view, tables.nodes, nodeId);
