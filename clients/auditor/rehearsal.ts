import type { PlatformVerifier } from '@concordat/attestation';
import {
  type Constitution,
  type EpochReason,
  type NodeEntry,
  nodeRetired,
  nodeTrusted,
  readConstitution,
} from '@concordat/governance';
import type { TransactionSet } from '@concordat/kv';
import { type BlockHeader, blockFlags } from '@concordat/ledger';
import { CodedError, equalBytes, fromUtf8, type NodeId, utf8 } from '@concordat/std';
import type { CeremonyPhases } from './ceremony-phases.ts';
import { rehearseCeremonies } from './ceremony-rehearsal.ts';
import { configurationUnder, configurationValue } from './configuration.ts';
import { rehearseEpoch } from './epoch-rehearsal.ts';
import { rehearseExpiry } from './expiry-rehearsal.ts';
import type { AuditClass, DefectCode, Findings } from './findings.ts';
import { isFormError } from './form-error.ts';
import { RecordedWrites, tableNames } from './framework-tables.ts';
import { rehearseJoin } from './join-rehearsal.ts';
import type { LedgerReplay } from './ledger-replay.ts';
import { rehearseMessages } from './message-rehearsal.ts';
import { rehearseNetworkKey } from './network-key-rehearsal.ts';
import { rehearseRestoration, stageIn } from './recovery-rehearsal.ts';

/** One administrative block that the chain has accepted. */
export interface AdministrativeBlock {
  readonly header: BlockHeader;
  /** It is the first one of its view. */
  readonly opensView: boolean;
  /** Its one transaction. */
  readonly recorded: RecordedWrites;
}

/** What a rehearsal works with. */
export interface RehearsalContext {
  readonly replay: LedgerReplay;
  readonly findings: Findings;
  readonly verifiers: readonly PlatformVerifier[];
  /** Height of the block whose history root this is, if it is a recent one. */
  readonly heightOfRoot: (root: Uint8Array) => number | undefined;
  /** How long leaders have waited in key ceremonies. */
  readonly phases: CeremonyPhases;
  /** Application transactions so far. */
  readonly applicationTransactions: () => number;
}

/** What was done in a block, as far as the rest of its writes follow from it. */
export interface Deed {
  readonly kind:
    | 'genesis'
    | 'messages'
    | 'expiry'
    | 'join'
    | 'trust'
    | 'departure'
    | 'ceremony'
    | 'restoration'
    | 'opening';
  /** Reasons why an epoch must begin; none if it need not. */
  readonly epochFor: readonly EpochReason[];
  /** The node that joined. */
  readonly joined?: NodeId;
}

/**
 * Executes an administrative block anew on the state before it and compares what follows with what
 * was recorded, byte for byte. Whatever the block recorded is not the outcome of a signed message
 * or of the framework's own rules is a defect (paper: Voting; Network Constitution).
 */
export function rehearse(block: AdministrativeBlock, context: RehearsalContext): void {
  const { findings, replay } = context;
  const { header, recorded } = block;
  try {
    replay.rehearse(header.height, (set) => {
      const before = readConstitution(set);
      const deed = withCeremonies(set, perform(set, block, context), { block, context });
      if (deed) completeAndCompare(set, { block, before, deed }, context);
    });
  } catch (error) {
    if (!isFormError(error)) throw error;
    findings.defect('governance', 'MALFORMED_BLOCK', { message: error.message });
  }
  findings.examined('governance', 'administrativeBlocks');
  const messages = recorded.rows(tableNames.messages).size;
  if (messages > 0) findings.examined('governance', 'messages', messages);
}

/** Does what the block says was done; undefined when the rules refuse it. */
function perform(
  set: TransactionSet,
  block: AdministrativeBlock,
  context: RehearsalContext,
): Deed | undefined {
  const { recorded } = block;
  if (recorded.rows(tableNames.messages).size > 0) {
    return rehearseMessages(set, block, context.findings);
  }
  const changed = changedNodes(set, recorded);
  const joined = changed.find(({ entry }) => entry.status === 'learning');
  if (joined) return rehearseJoin(set, { block, entry: joined.entry }, context);
  const trusted = changed.find(({ entry }) => entry.status === 'trusted');
  if (trusted) return rehearseTrust(set, trusted.entry, context);
  const departed = changed.find(({ entry }) => entry.retired === 'departed');
  if (departed) return rehearseDeparture(set, departed.entry, context.findings);
  const expiry = rehearseExpiry(set, block, context);
  if (expiry) return expiry;
  const stage = stageIn(recorded);
  if (!stage) return { kind: 'opening', epochFor: [] };
  const { findings, applicationTransactions } = context;
  const isRight = rehearseRestoration(set, stage, { there: applicationTransactions(), findings });
  return isRight ? { kind: 'restoration', epochFor: [] } : undefined;
}

/** Takes the steps of key ceremonies after the deed; a key that is new asks for an epoch. */
export function withCeremonies(
  set: TransactionSet,
  deed: Deed | undefined,
  { block, context }: { readonly block: AdministrativeBlock; readonly context: RehearsalContext },
): Deed | undefined {
  const steps = deed && rehearseCeremonies(set, block, context);
  if (!deed || !steps) return undefined;
  if (!steps.any) return deed;
  const kind = deed.kind === 'opening' ? 'ceremony' : deed.kind;
  const isKey = steps.freshKey && deed.kind !== 'genesis';
  return { ...deed, kind, epochFor: isKey ? [...deed.epochFor, 'key'] : deed.epochFor };
}

/** Nodes whose status a block changed. */
function changedNodes(set: TransactionSet, recorded: RecordedWrites) {
  const before = set.table(tableNames.nodes);
  const changed: { readonly entry: NodeEntry }[] = [];
  for (const [nodeId, value] of recorded.rows(tableNames.nodes)) {
    if (!value) continue;
    const entry = JSON.parse(fromUtf8(value)) as NodeEntry;
    const known = before.get(nodeId);
    const status = known && (JSON.parse(fromUtf8(known)) as NodeEntry).status;
    if (status !== entry.status) changed.push({ entry });
  }
  return changed;
}

function rehearseTrust(
  set: TransactionSet,
  { nodeId }: NodeEntry,
  { findings }: RehearsalContext,
): Deed | undefined {
  if (!set.table(tableNames.evidence).has(nodeId)) {
    const message = `node ${nodeId} became trusted, and no evidence of it was recorded`;
    findings.defect('evidence', 'EVIDENCE_MISSING', { message });
  }
  if (!allowed(findings, () => nodeTrusted(set, nodeId))) return undefined;
  findings.examined('nodes', 'trusted');
  return { kind: 'trust', epochFor: [] };
}

function rehearseDeparture(
  set: TransactionSet,
  { nodeId }: NodeEntry,
  findings: Findings,
): Deed | undefined {
  if (!allowed(findings, () => nodeRetired(set, nodeId))) return undefined;
  findings.observe('node-departed', `node ${nodeId} left in good order, without a vote`);
  return { kind: 'departure', epochFor: [] };
}

/** Asks the rules of a node's life; a refusal is a defect. */
function allowed(findings: Findings, change: () => unknown): boolean {
  try {
    change();
    return true;
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    const { code: cause, message } = error;
    findings.defect('nodes', 'NODE_CHANGE_REFUSED', { message, cause });
    return false;
  }
}

/** What is judged once the deed itself is done. */
export interface Completion {
  readonly block: AdministrativeBlock;
  /** The constitution before the block; absent at the genesis. */
  readonly before?: Constitution;
  readonly deed: Deed;
}

/** Adds what the framework writes with every deed, and compares the whole with the record. */
export function completeAndCompare(
  set: TransactionSet,
  completion: Completion,
  context: RehearsalContext,
): void {
  const { block, before, deed } = completion;
  const { recorded, header } = block;
  const { findings } = context;
  const after = readConstitution(set);
  const networkId = context.replay.network?.networkId ?? '';
  const question = { block, deed, after, networkId, ...(before && { before }) };
  rehearseEpoch(set, question, findings);
  rehearseNetworkKey(set, question, findings);
  takeEvidence(set, completion, findings);
  const changed = !before || configurationValue(before) !== configurationValue(after);
  if (changed) {
    const table = set.table(tableNames.configuration);
    table.set('current', utf8(configurationValue(after)));
    table.set('since', utf8(String(header.height)));
  }
  const openings = set.table(tableNames.openings);
  const previous = openings.get('height');
  if (previous) openings.set('previous', previous);
  openings.set('height', utf8(String(header.height)));
  const expected = set.takeWriteSet().publicWrites;
  if (!equalBytes(expected, recorded.bytes)) {
    compare(new RecordedWrites(expected), recorded, { deed, findings });
  }
  if (((header.flags & blockFlags.reconfiguration) !== 0) !== changed) {
    const message = changed
      ? `${configurationUnder(after).voters.length} nodes vote from here on, and the block is not marked`
      : 'the block is marked as a change of the voters and changes none';
    findings.defect('nodes', 'WRONG_CONFIGURATION', { message });
  }
}

/** Evidence is recorded of a node that joins, and of no other; what it proves is judged there. */
function takeEvidence(set: TransactionSet, { block, deed }: Completion, findings: Findings): void {
  for (const [nodeId, value] of block.recorded.rows(tableNames.evidence)) {
    if (value && nodeId === deed.joined) set.table(tableNames.evidence).set(nodeId, value);
    else {
      const message = `evidence of node ${nodeId}, which does not join in this block`;
      findings.defect('evidence', 'UNEXPECTED_EVIDENCE', { message });
    }
  }
}

/** Names the first difference of each class. */
function compare(
  expected: RecordedWrites,
  recorded: RecordedWrites,
  { deed, findings }: { readonly deed: Deed; readonly findings: Findings },
): void {
  const told = new Set<AuditClass>();
  // The node list comes first: the configuration follows from it.
  for (const table of new Set([tableNames.nodes, ...recorded.tables, ...expected.tables])) {
    const { of, code } = classOf(table, deed);
    // Told where epochs and evidence are judged.
    const isTold = code === 'WRONG_EPOCH' || code === 'INVALID_NETWORK_KEY' || of === 'evidence';
    if (isTold || told.has(of)) continue;
    const message = difference(table, expected.rows(table), recorded.rows(table));
    if (message === undefined) continue;
    told.add(of);
    findings.defect(of, code, { message });
  }
}

function difference(
  table: string,
  expected: ReadonlyMap<string, Uint8Array | undefined>,
  recorded: ReadonlyMap<string, Uint8Array | undefined>,
): string | undefined {
  for (const key of new Set([...recorded.keys(), ...expected.keys()])) {
    const [should, is] = [expected.get(key), recorded.get(key)];
    const same = should && is ? equalBytes(should, is) : should === is;
    if (same && expected.has(key) === recorded.has(key)) continue;
    const where = `${table}, key ${JSON.stringify(key.slice(0, 100))}`;
    if (!recorded.has(key)) return `${where}: what follows was not written`;
    if (!expected.has(key)) return `${where}: written, and nothing in the block asks for it`;
    return `${where}: another value than what follows`;
  }
  return undefined;
}

const ceremonyTables: ReadonlySet<string> = new Set([
  tableNames.holders,
  tableNames.ceremonies,
  tableNames.ceremonyEvents,
  tableNames.sharings,
  tableNames.keys,
]);

function classOf(table: string, deed: Deed): { of: AuditClass; code: DefectCode } {
  if (table === tableNames.nodes) return { of: 'nodes', code: 'UNDECIDED_NODE_CHANGE' };
  if (table === tableNames.configuration) return { of: 'nodes', code: 'WRONG_CONFIGURATION' };
  if (table === tableNames.evidence) return { of: 'evidence', code: 'UNEXPECTED_EVIDENCE' };
  if (table === tableNames.epoch || table === tableNames.epochKeys) {
    return { of: 'keys', code: 'WRONG_EPOCH' };
  }
  if (table === tableNames.networkKey) return { of: 'keys', code: 'INVALID_NETWORK_KEY' };
  if (table === tableNames.keyGrants) return { of: 'keys', code: 'WRONG_GRANT' };
  if (ceremonyTables.has(table)) return { of: 'keys', code: 'WRONG_CEREMONY' };
  if (deed.kind === 'genesis') return { of: 'governance', code: 'WRONG_GENESIS' };
  const code = deed.kind === 'messages' ? 'WRONG_OUTCOME' : 'UNDECIDED_CHANGE';
  return { of: 'governance', code };
}
