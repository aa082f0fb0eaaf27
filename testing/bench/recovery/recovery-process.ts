/**
 * One recovery offline in a process of its own, so that its processor time and peak memory are its
 * alone. Argument: JSON of `RecoveryJob`.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  combineOffline,
  decryptLedger,
  eraseCopies,
  makeShares,
  offlineRequesterOf,
  openCopy,
  readKeyRecord,
} from '@concordat/auditor';
import { importEncryptionKey } from '@concordat/crypto';
import { decodeRecoveryShare } from '@concordat/keys';

/** Which ledger, and with which copies. */
export interface RecoveryJob {
  readonly directory: string;
  readonly networkCertificateFile: string;
  /** Recovery copies, as text, sealed to the key. */
  readonly copies: readonly string[];
  /** PEM. */
  readonly key: string;
}

/** What one part took. */
export interface PartCost {
  readonly ms: number;
  /** Processor time of all threads, milliseconds. */
  readonly cpuMs: number;
}

/** What it printed. */
export interface RecoveryAnswer {
  readonly blocks: number;
  readonly transactions: number;
  readonly bytes: number;
  readonly epochs: number;
  /** Bytes of decrypted lines. */
  readonly written: number;
  readonly read: PartCost;
  /** Of all copies together. */
  readonly share: PartCost;
  readonly combine: PartCost;
  readonly decrypt: PartCost;
  readonly peakBytes: number;
}

async function run(job: RecoveryJob): Promise<RecoveryAnswer> {
  const { directory } = job;
  const networkCertificate = readFileSync(job.networkCertificateFile, 'utf8');
  const opener = { key: importEncryptionKey(job.key) };
  const read = await timed(() => readKeyRecord({ directory, networkCertificate }));
  const record = read.result;
  const requester = offlineRequesterOf(record);
  const opened = job.copies.map((text) => openCopy(record, decodeRecoveryShare(text), opener));
  const how = { requester, entropy: (bytes: number) => randomBytes(bytes) };
  const shared = await timed(() =>
    Promise.all(opened.map((copy) => makeShares(record, copy, how))),
  );
  eraseCopies(opened);
  const combined = await timed(() => combineOffline(record, shared.result, { requester }));
  const { keys: epochKeys } = combined.result;
  if (epochKeys.keys.length !== record.newestEpoch) throw new Error('an epoch stays closed');
  let written = 0;
  const write = (lines: string): undefined => {
    written += Buffer.byteLength(lines);
  };
  const decrypted = await timed(() =>
    decryptLedger({ directory, networkCertificate, epochKeys, write }),
  );
  const { blocks, transactions, bytes, closedBlocks } = decrypted.result;
  if (closedBlocks > 0) throw new Error('a block stays closed');
  return {
    blocks,
    transactions,
    bytes,
    epochs: record.newestEpoch,
    written,
    read: read.cost,
    share: shared.cost,
    combine: combined.cost,
    decrypt: decrypted.cost,
    peakBytes: process.resourceUsage().maxRSS * 1024,
  };
}

async function timed<Result>(
  work: () => Promise<Result>,
): Promise<{ readonly result: Result; readonly cost: PartCost }> {
  const before = process.cpuUsage();
  const startedMs = performance.now();
  const result = await work();
  const ms = performance.now() - startedMs;
  const { user, system } = process.cpuUsage(before);
  return { result, cost: { ms, cpuMs: (user + system) / 1000 } };
}

process.stdout.write(
  `${JSON.stringify(await run(JSON.parse(process.argv[2] ?? '') as RecoveryJob))}\n`,
);
