import { setImmediate as nextTurn } from 'node:timers/promises';
import { KvError } from '@concordat/kv';
import { type SessionKey, type VerifiedBlock, verifyChain } from '@concordat/ledger';
import type { Epoch } from '@concordat/std';
import { AuditorError } from './errors.ts';
import { type Damage, LedgerDamage } from './ledger-damage.ts';
import { blocksPerTurn, LedgerReading } from './ledger-reading.ts';
import { type LedgerCount, Tally } from './tally.ts';

/** Which ledger an offline tool works on, and against what. */
export interface OfflineLedger {
  /** Directory with the chunk files of a node, or a copy of it. */
  readonly directory: string;
  /** PEM of the network certificate: what makes it the ledger of this network. */
  readonly networkCertificate: string;
  /** `view.seqno` of a transaction known from elsewhere, for example a receipt. */
  readonly expectedTransaction?: string;
  /** Called now and then. */
  readonly onProgress?: (progress: OfflineProgress) => void;
}

/** How far an offline tool got. */
export interface OfflineProgress {
  /** What is done: blocks are read, or epochs worked on. */
  readonly stage: 'reading' | 'sharing' | 'combining';
  /** Bytes of chunk files, or epochs. */
  readonly done: number;
  readonly total: number;
  readonly transactions: number;
}

/** A ledger that was read to its end, all of it one signed history. */
export interface LedgerRead {
  readonly reading: LedgerReading;
  readonly networkId: string;
  readonly networkName: string;
  readonly count: LedgerCount;
  /** Committed transactions are known to follow: from where, in words; absent when none are known. */
  readonly missing?: string;
}

/**
 * Reads a whole ledger, verifying every block: its place, its leader's signature and, with the key of
 * its epoch, its tag and every leaf. Whatever does not hold ends the reading.
 * @param body is given each block once it holds and, if administrative, is taken up
 * @throws AuditorError LEDGER_UNREADABLE, INVALID_NETWORK_CERTIFICATE, INVALID_PARAMETER;
 *   LEDGER_DAMAGED with details.height, code, file
 */
export async function readLedger(
  ledger: OfflineLedger,
  sessionKey: (epoch: Epoch) => SessionKey | undefined,
  body?: (block: VerifiedBlock, reading: LedgerReading) => Promise<void> | undefined,
): Promise<LedgerRead> {
  const reading = new LedgerReading(ledger);
  const { files, replay } = reading;
  const tally = new Tally(ledger.expectedTransaction);
  let transactions = 0;
  const report = (): void => {
    const { bytesRead: done, totalBytes: total } = files;
    ledger.onProgress?.({ stage: 'reading', done, total, transactions });
  };
  try {
    const nodeKey = replay.nodeKey.bind(replay);
    for (const block of verifyChain(foreseen(reading), { nodeKey, sessionKey })) {
      const { header, publicWrites } = block;
      if (header.source === 0) replay.accept(header.height, publicWrites);
      tally.add(block);
      transactions += header.count;
      const written = body?.(block, reading);
      if (written) await written;
      if (header.height % blocksPerTurn !== 0) continue;
      report();
      await nextTurn();
    }
    return finished(reading, { tally, report });
  } catch (error) {
    throw damaged(reading, error);
  }
}

function finished(
  reading: LedgerReading,
  { tally, report }: { tally: Tally; report: () => void },
): LedgerRead {
  report();
  const { network } = reading.replay;
  if (!network) throw new AuditorError('LEDGER_UNREADABLE', 'the ledger holds no whole block');
  const { networkId, constitution } = network;
  const missing = missingAfter(reading, tally);
  const count = tally.report();
  return { reading, networkId, networkName: constitution.name, count, ...(missing && { missing }) };
}

/** What the expected transaction says is missing: a ledger that ends early is whole up to there. */
function missingAfter({ files }: LedgerReading, tally: Tally): string | undefined {
  try {
    tally.finish(files.height);
    return undefined;
  } catch (error) {
    if (!(error instanceof LedgerDamage) || error.code !== 'ENDS_EARLY') throw error;
    return error.message;
  }
}

function* foreseen({ files, replay }: LedgerReading): Generator<Uint8Array> {
  for (const block of files) {
    replay.foresee(block);
    yield block;
  }
}

function damaged(reading: LedgerReading, error: unknown): unknown {
  if (error instanceof AuditorError) return error;
  const { height, code, file, message } = damageOf(reading, error);
  const where = file === undefined ? '' : ` (${file})`;
  const why = `at block ${height}${where} the ledger is damaged: ${message}`;
  return new AuditorError('LEDGER_DAMAGED', why, { height, code, ...(file && { file }) });
}

/** Writes without their form are damage too, which only their reader meets; any other is thrown on. */
function damageOf(reading: LedgerReading, error: unknown): Damage {
  if (!(error instanceof KvError)) return reading.damageOf(error);
  const { height, file } = reading.files;
  const message = `block ${height}: ${error.message}`;
  return { height, code: 'MALFORMED', message, ...(file !== undefined && { file }) };
}
