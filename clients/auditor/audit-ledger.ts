import { setImmediate as nextTurn } from 'node:timers/promises';
import { type PlatformVerifier, virtualVerifier } from '@concordat/attestation';
import { certificateFingerprint, sha256 } from '@concordat/crypto';
import { type Constitution, constitutionDigest } from '@concordat/governance';
import { toHex } from '@concordat/std';
import { BlockAudit } from './block-audit.ts';
import type { NodeReport, OrganisationReport, ProposalReport } from './chronicle.ts';
import type { WorkerContents } from './contents-count.ts';
import type { EpochKeys } from './epoch-keys.ts';
import { type ClassVerdict, Findings, type Observations } from './findings.ts';
import { isFormError } from './form-error.ts';
import type { EpochBeginningReport, KeysReport } from './key-chronicle.ts';
import type { LeaderReport } from './leadership.ts';
import { blocksPerTurn, LedgerReading } from './ledger-reading.ts';
import { type GivenReceipt, type ReceiptReport, ReceiptSearch } from './receipt-search.ts';
import { type EpochReport, type LedgerCount, Tally } from './tally.ts';

/** Which ledger to audit, and against what. */
export interface LedgerAudit {
  /** Directory with the chunk files of a node, running or not, or a copy of it. */
  readonly directory: string;
  /** PEM of the network certificate: what makes it the ledger of this network. */
  readonly networkCertificate: string;
  /** Keys of the epochs that may be read: their contents are verified too. */
  readonly epochKeys?: EpochKeys;
  /** Receipts whose transactions must be in the ledger. */
  readonly receipts?: readonly GivenReceipt[];
  /** `view.seqno` of a transaction that must be in the ledger. */
  readonly expectedTransaction?: string;
  /** Platforms whose evidence can be judged here; default all that are known. */
  readonly verifiers?: readonly PlatformVerifier[];
  /** Called now and then. */
  readonly onProgress?: (progress: AuditProgress) => void;
}

/** How far an audit got. */
export interface AuditProgress {
  readonly blocks: number;
  readonly transactions: number;
  /** Bytes of chunk files read, and of all there are. */
  readonly bytes: number;
  readonly totalBytes: number;
}

/** What an audit found, up to where the chain ends or breaks. */
export interface AuditReport extends Omit<LedgerCount, 'epochs'> {
  /** Version of this form. */
  readonly version: 1;
  /** There is no defect. */
  readonly ok: boolean;
  /** Absent when the genesis block was refused. */
  readonly network?: {
    readonly networkId: string;
    readonly name: string;
    /** Hex SHA-256 of its certificate's DER. */
    readonly certificate: string;
    /** Digest of the constitution in force at the end, hex. */
    readonly constitutionDigest: string;
  };
  /** Each with how it began; absent where no block that was examined did begin it. */
  readonly epochs: readonly (EpochReport & { readonly begun?: EpochBeginningReport })[];
  /** Of the blocks that could be opened, by worker. */
  readonly contents: readonly WorkerContents[];
  readonly keys: KeysReport;
  /** Bytes of the ledger's chunk files. */
  readonly bytes: number;
  readonly chunks: number;
  /** Bytes after the last whole block of a chunk still being written; no defect. */
  readonly tornBytes: number;
  /** What was found, class by class, in the order of {@link auditClasses}. */
  readonly classes: readonly ClassVerdict[];
  readonly leaders: readonly LeaderReport[];
  readonly organisations: readonly OrganisationReport[];
  readonly nodes: readonly NodeReport[];
  readonly proposals: readonly ProposalReport[];
  readonly receipts: readonly ReceiptReport[];
  /** What is unusual and no defect, by kind. */
  readonly observations: readonly Observations[];
}

/**
 * Examines a ledger from its files alone: chain, signatures and leaves; every administrative block
 * executed anew; nodes, leaders, evidence, keys, clocks, receipts. It goes on after a defect as
 * long as the chain holds. Memory grows with governance, not with the ledger.
 * @throws AuditorError LEDGER_UNREADABLE, INVALID_NETWORK_CERTIFICATE, WRONG_NETWORK,
 *   INVALID_PARAMETER
 */
export async function auditLedger(options: LedgerAudit): Promise<AuditReport> {
  const reading = new LedgerReading(options);
  const { files, replay } = reading;
  const findings = new Findings();
  const tally = new Tally(options.expectedTransaction);
  const receipts = new ReceiptSearch(options.receipts ?? [], options.networkCertificate, findings);
  const { verifiers = [virtualVerifier] } = options;
  const audit = new BlockAudit({ replay, findings, verifiers });
  let transactions = 0;
  try {
    for (const block of reading.blocks((leader) => replay.endorsedNode(leader)?.publicKeySpki)) {
      const { height } = block.header;
      findings.at(height, files.file);
      audit.block(block);
      receipts.block(block.header, block.historyRoot);
      tally.add(block);
      transactions += block.header.count;
      if (height % blocksPerTurn !== 0) continue;
      const { bytesRead: bytes, totalBytes } = files;
      options.onProgress?.({ blocks: height, transactions, bytes, totalBytes });
      await nextTurn();
    }
    tally.finish(files.height);
  } catch (error) {
    findings.add({ class: 'chain', ...reading.damageOf(error) });
  }
  findings.at(files.height, undefined);
  if (files.tornBytes > 0) {
    findings.observe('torn-end', `${files.tornBytes} bytes of a block that was being written`);
  }
  findRepeatedKeys(options.epochKeys, { audit, tally, findings });
  return reportOf(reading, { findings, tally, audit, receipts });
}

/** A session key seals one epoch; whoever has two of them sees whether they are one. */
function findRepeatedKeys(
  epochKeys: EpochKeys | undefined,
  { audit, tally, findings }: Pick<Examined, 'audit' | 'tally' | 'findings'>,
): void {
  const opened = new Set(
    tally.report().epochs.flatMap(({ epoch, contents }) => (contents ? epoch : [])),
  );
  const seen = new Map<string, number>();
  for (const { epoch, key } of epochKeys?.keys ?? []) {
    if (!opened.has(epoch)) continue;
    const name = toHex(sha256(key));
    const earlier = seen.get(name);
    seen.set(name, epoch);
    if (earlier === undefined) continue;
    const message = `epochs ${earlier} and ${epoch} have one session key`;
    const height = audit.keys.epoch(epoch)?.height ?? 0;
    findings.add({ class: 'keys', code: 'REPEATED_EPOCH_KEY', height, message });
  }
}

interface Examined {
  readonly findings: Findings;
  readonly tally: Tally;
  readonly audit: BlockAudit;
  readonly receipts: ReceiptSearch;
}

function reportOf(
  { files, replay, networkCertificate }: LedgerReading,
  { findings, tally, audit, receipts }: Examined,
): AuditReport {
  const located = receipts.finish();
  const counted = tally.report();
  const closed = counted.epochs.filter(({ contents }) => !contents);
  if (closed.length > 0) {
    const blocks = closed.reduce((sum, epoch) => sum + epoch.blocks, 0);
    const message = `the contents of ${blocks} blocks stayed closed: no key of their epochs`;
    findings.observe('contents-closed', message);
  }
  const network = readable(() => replay.network);
  const epochs = counted.epochs.map((epoch) => {
    const begun = audit.keys.epoch(epoch.epoch);
    return { ...epoch, ...(begun && { begun }) };
  });
  return {
    version: 1,
    ok: findings.clean,
    ...(network && { network: networkOf(network, networkCertificate) }),
    ...counted,
    epochs,
    contents: audit.contents.report(),
    keys: audit.keys.report((actorId) => audit.chronicle.nameOf(actorId)),
    bytes: files.totalBytes,
    chunks: files.chunkCount,
    tornBytes: files.tornBytes,
    classes: findings.verdicts(),
    leaders: audit.leadership.report(),
    organisations: audit.chronicle.organisations(),
    nodes: readable(() => audit.chronicle.nodes(replay.state)) ?? [],
    proposals: readable(() => audit.chronicle.proposals(replay.state)) ?? [],
    receipts: located,
    observations: findings.observations(),
  };
}

const networkOf = (
  { networkId, constitution }: { networkId: string; constitution: Constitution },
  certificate: Uint8Array,
) => ({
  networkId,
  name: constitution.name,
  certificate: certificateFingerprint(certificate),
  constitutionDigest: constitutionDigest(constitution),
});

/** What a state that was tampered with may not have in its form. */
function readable<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (!isFormError(error)) throw error;
    return undefined;
  }
}
