import { nodeIdOf } from '@concordat/crypto';
import { type AttestedNode, getNode, type NodeEntry, nodeJoins } from '@concordat/governance';
import type { TransactionSet } from '@concordat/kv';
import { CodedError, equalBytes, fromHex, type NodeId } from '@concordat/std';
import { type RecordedWrites, tableNames } from './framework-tables.ts';
import { judgeEvidence } from './recorded-evidence.ts';
import type { AdministrativeBlock, Deed, RehearsalContext } from './rehearsal.ts';

/**
 * Lets a node join as the block says it did: with a certificate of the network, evidence that still
 * proves what it proved then, and a place in the node list. Undefined when the rules refuse it.
 */
export function rehearseJoin(
  set: TransactionSet,
  joining: { readonly block: AdministrativeBlock; readonly entry: NodeEntry },
  context: RehearsalContext,
): Deed | undefined {
  const { findings } = context;
  const { block, entry } = joining;
  if (!isEndorsed(entry, context)) return undefined;
  const proved = judgeEvidence(set, joining, context);
  const verdict = proved ?? claimed(entry);
  const join = (replaces: NodeId | undefined): unknown => {
    const { nodeId, certificate, encryptionKey } = entry;
    const asked = { nodeId, certificate: certificate as string, verdict, encryptionKey };
    return nodeJoins(set, replaces ? { ...asked, replaces } : asked);
  };
  const refusal = joinLikeRecorded(set, { recorded: block.recorded, entry, join });
  if (refusal) {
    const { code: cause, message } = refusal;
    findings.defect('nodes', 'NODE_CHANGE_REFUSED', { message, cause });
    return undefined;
  }
  findings.examined('nodes', 'joined');
  return { kind: 'join', epochFor: [], joined: entry.nodeId };
}

/** What the record says of the node; what it may claim is told where its evidence is judged. */
const claimed = ({ platform, measurement, platformKey }: NodeEntry): AttestedNode => ({
  platform: platform ?? '',
  measurement: measurement ?? '',
  platformKey: platformKey ?? '',
  debug: false,
});

/** Whether the network endorsed the certificate for the key the node is named by. */
export function isEndorsed(entry: NodeEntry, { replay, findings }: RehearsalContext): boolean {
  const publicKey = fromHex(entry.publicKey);
  const endorsed = replay.endorsedKey(entry) && publicKey && nodeIdOf(publicKey) === entry.nodeId;
  if (endorsed) {
    findings.examined('nodes', 'certificates');
    return true;
  }
  const message = `the network did not issue the certificate of node ${entry.nodeId} for its key`;
  findings.defect('nodes', 'UNENDORSED_CERTIFICATE', { message });
  return false;
}

/**
 * Whose place a node asked for is not recorded when that one was itself about to take another's:
 * every place that could be meant is tried.
 */
function joinLikeRecorded(
  set: TransactionSet,
  attempt: {
    readonly recorded: RecordedWrites;
    readonly entry: NodeEntry;
    readonly join: (replaces: NodeId | undefined) => unknown;
  },
): CodedError | undefined {
  const { recorded, entry, join } = attempt;
  const others = [...recorded.rows(tableNames.nodes).keys()].filter((id) => id !== entry.nodeId);
  const listed = getNode(set, entry.nodeId) !== undefined;
  const places = listed ? [undefined] : [entry.replaces, ...(others as NodeId[])];
  let refusal: CodedError | undefined;
  let joins: NodeId | undefined | 'none' = 'none';
  for (const place of places) {
    const mark = set.checkpoint();
    try {
      join(place);
      if (joins === 'none') joins = place;
      if (nodesAre(set, recorded)) return undefined;
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      refusal ??= error;
    }
    set.revert(mark);
  }
  if (joins === 'none') return refusal;
  // None gives what was recorded: the comparison will say where it differs.
  join(joins);
  return undefined;
}

function nodesAre(set: TransactionSet, recorded: RecordedWrites): boolean {
  const table = set.table(tableNames.nodes);
  return [...recorded.rows(tableNames.nodes)].every(([nodeId, value]) => {
    const row = table.get(nodeId);
    return row !== undefined && value !== undefined && equalBytes(row, value);
  });
}
