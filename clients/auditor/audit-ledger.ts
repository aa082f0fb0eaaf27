import { setImmediate as nextTurn } from 'node:timers/promises';
import { type PlatformVerifier, virtualVerifier } from '@concordat/attestation';
import { certificateFingerprint, sha256 } from '@concordat/crypto';
import { type Constitution, constitutionDigest } from '@concordat/governance';
import type { VerifiedBlock } from '@concordat/ledger';
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
import { readImage } from './reexecution-image.ts';
import { type ReexecutionReport, ReexecutionRun } from './reexecution-run.ts';
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
  /**
   * Directory of a worker image that executes applications' transactions anew, in a process of its
   * own: they take the epoch keys from the first block on.
   */
  readonly reexecuteWith?: string;
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
  /** Absent when nothing was to be executed anew. */
  readonly reexecution?: ReexecutionReport;
  /** What is unusual and no defect, by kind. */
  readonly observations: readonly Observations[];
}

/**
 * Examines a ledger from its files alone: chain, signatures and leaves; every administrative block
 * executed anew; nodes, leaders, evidence, keys, clocks, receipts. It goes on after a defect as
 * long as the chain holds. Memory grows with governance, not with the ledger.
 * @throws AuditorError LEDGER_UNREADABLE, INVALID_NETWORK_CERTIFICATE, WRONG_NETWORK,
 *   INVALID_PARAMETER, INVALID_IMAGE, REEXECUTION_FAILED
 */
export async function auditLedger(options: LedgerAudit): Promise<AuditReport> {
  const { reexecuteWith } = options;
  if (reexecuteWith === undefined) return audit(options, new Findings());
  const findings = new Findings();
  const image = await readImage(reexecuteWith, process.execPath);
  const run = new ReexecutionRun(image, findings);
  try {
    return await audit(options, findings, run);
  } finally {
    run.abandon();
  }
}

async function audit(
  options: LedgerAudit,
  findings: Findings,
  run?: ReexecutionRun,
): Promise<AuditReport> {
  const reading = new LedgerReading(options);
  const { files, replay } = reading;
  const tally = new Tally(options.expectedTransaction);
  const receipts = new ReceiptSearch(options.receipts ?? [], options.networkCertificate, findings);
  const { verifiers = [virtualVerifier] } = options;
  const examination = new BlockAudit({ replay, findings, verifiers });
  let transactions = 0;
  try {
    for (const block of reading.blocks((leader) => replay.endorsedNode(leader)?.publicKeySpki)) {
      const { height } = block.header;
      findings.at(height, files.file);
      examination.block(block);
      receipts.block(block.header, block.historyRoot);
      if (run) await reexecute(run, block, reading);
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
  findRepeatedKeys(options.epochKeys, { audit: examination, tally, findings });
  const reexecution = await run?.finish();
  if (reexecution) findUnlistedImage(reexecution, reading, findings);
  const examined = { findings, tally, audit: examination, receipts };
  return reportOf(reading, { ...examined, ...(reexecution && { reexecution }) });
}

/** An application's block is executed under the configuration of its time. */
async function reexecute(
  run: ReexecutionRun,
  block: VerifiedBlock,
  { replay, files }: LedgerReading,
): Promise<void> {
  if (block.header.source !== 0) return run.block(block, files.file);
  const network = readable(() => replay.network);
  if (network) await run.configure(network.constitution.adapters);
}

/** Other code may come to the same, or to something else, for reasons of its own. */
function findUnlistedImage(
  { image, measurement }: ReexecutionReport,
  { replay }: LedgerReading,
  findings: Findings,
): void {
  const manifest = readable(() => replay.network)?.constitution.codeManifest ?? [];
  if (manifest.some((entry) => entry.measurement === measurement)) return;
  const message = `image ${image} (${measurement}) is not in the code manifest in force at the end`;
  findings.observe('image-unlisted', message);
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
  readonly reexecution?: ReexecutionReport;
}

function reportOf(
  { files, replay, networkCertificate }: LedgerReading,
  { findings, tally, audit, receipts, reexecution }: Examined,
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
    ...(reexecution && { reexecution }),
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
