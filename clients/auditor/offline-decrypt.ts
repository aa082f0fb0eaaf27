import { decodeWriteSet, type Write } from '@concordat/kv';
import type { BlockHeader, VerifiedBlock } from '@concordat/ledger';
import { formatTransactionId, toBase64, toHex } from '@concordat/std';
import type { EpochKeys } from './epoch-keys.ts';
import { AuditorError } from './errors.ts';
import { type OfflineLedger, readLedger } from './offline-reading.ts';
import type { LedgerCount } from './tally.ts';

/** What a ledger is decrypted with, and where its lines go. */
export interface Decryption extends OfflineLedger {
  readonly epochKeys: EpochKeys;
  /**
   * Takes whole lines, each with its line feed: one transaction as JSON. What it returns is waited
   * for, so nothing piles up however slow the reader.
   */
  readonly write: (lines: string) => Promise<void> | undefined;
}

/** What was decrypted. */
export interface DecryptionReport extends LedgerCount {
  readonly networkId: string;
  readonly networkName: string;
  /** Bytes of the ledger's blocks. */
  readonly bytes: number;
  /** Bytes after the last whole block of a chunk still being written; no damage. */
  readonly tornBytes: number;
  /** Up to this height the names of files say that blocks are committed. */
  readonly committedHeight: number;
  /** Committed transactions are known to follow: from where, in words; absent when none are known. */
  readonly missing?: string;
  /** Blocks whose epoch's key was not given: of them only public writes were written. */
  readonly closedBlocks: number;
  /** Transactions in those. */
  readonly closedTransactions: number;
}

/** One transaction, as a line of JSON has it (docs/format/recovery-files.md). */
interface TransactionLine {
  /** `view.seqno` */
  readonly id: string;
  readonly height: number;
  readonly epoch: number;
  /** ISO 8601, of the block: the leader's clock. */
  readonly time: string;
  /** 0 the framework's own, from 1 the worker. */
  readonly source: number;
  /** Hex; absent when the application claims nothing. */
  readonly claims?: string;
  /** The key of its epoch was not given: private writes are missing. */
  readonly closed?: true;
  readonly writes: readonly WriteLine[];
}

interface WriteLine {
  readonly table: string;
  /** The key as UTF-8 text; else `keyBase64`. */
  readonly key?: string;
  readonly keyBase64?: string;
  readonly value?: string;
  readonly valueBase64?: string;
  readonly deleted?: true;
}

/**
 * Decrypts a whole ledger, verifying every block: its place, its leader's signature, its tag and every
 * leaf. Each block's transactions are written once it holds, so a damaged ledger yields what precedes
 * the damage. Nothing is kept: memory does not grow with the ledger.
 * @throws AuditorError WRONG_NETWORK when the keys are of another network; LEDGER_DAMAGED with
 *   details.height, code, file; LEDGER_UNREADABLE, INVALID_NETWORK_CERTIFICATE, INVALID_PARAMETER
 */
export async function decryptLedger(decryption: Decryption): Promise<DecryptionReport> {
  const { epochKeys, write } = decryption;
  const keys = new Map(epochKeys.keys.map((key) => [key.epoch, key]));
  let closedBlocks = 0;
  let closedTransactions = 0;
  const done = await readLedger(
    decryption,
    (epoch) => keys.get(epoch),
    (block, { replay }) => {
      if (block.header.height === 1) requireNetwork(epochKeys, replay.network?.networkId);
      if (!block.transactions) {
        closedBlocks += 1;
        closedTransactions += block.header.count;
      }
      return write(linesOf(block));
    },
  );
  const { reading, networkId, networkName, count, missing } = done;
  const { bytesRead: bytes, tornBytes, committedHeight } = reading.files;
  const closed = { closedBlocks, closedTransactions };
  return {
    ...count,
    networkId,
    networkName,
    bytes,
    tornBytes,
    committedHeight,
    ...(missing && { missing }),
    ...closed,
  };
}

function requireNetwork(epochKeys: EpochKeys, networkId: string | undefined): void {
  if (epochKeys.networkId === networkId) return;
  const why = `the epoch keys are of network ${epochKeys.networkId}, the ledger is of ${networkId}`;
  throw new AuditorError('WRONG_NETWORK', why, { networkId: epochKeys.networkId });
}

function linesOf({ header, publicWrites, transactions }: VerifiedBlock): string {
  let lines = '';
  for (let index = 0; index < header.count; index++) {
    const opened = transactions?.[index];
    const writes = writesOf(publicWrites[index]).concat(writesOf(opened?.privateWrites));
    const line: TransactionLine = {
      ...placeOf(header, index),
      ...(opened?.claimsDigest && { claims: toHex(opened.claimsDigest) }),
      ...(!transactions && { closed: true }),
      writes,
    };
    lines += `${JSON.stringify(line)}\n`;
  }
  return lines;
}

const placeOf = ({ view, firstSeqno, height, epoch, timeMs, source }: BlockHeader, at: number) => ({
  id: formatTransactionId(view, firstSeqno + at),
  height,
  epoch,
  time: isoTime(timeMs),
  source,
});

/** A leader's clock may say anything that a header has room for. */
const isoTime = (timeMs: number): string =>
  timeMs <= 8.64e15 ? new Date(timeMs).toISOString() : String(timeMs);

function writesOf(writeSet: Uint8Array | undefined): WriteLine[] {
  if (!writeSet || writeSet.length === 0) return [];
  return Array.from(decodeWriteSet(writeSet), writeLine);
}

function writeLine({ table, key, value }: Write): WriteLine {
  const named = { table, ...textOrBase64('key', Buffer.from(key, 'latin1')) };
  if (!value) return { ...named, deleted: true };
  return { ...named, ...textOrBase64('value', value) };
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes as text where they are UTF-8, so that people can read them, else in base64. */
function textOrBase64<Name extends 'key' | 'value'>(name: Name, bytes: Uint8Array): object {
  try {
    return { [name]: decoder.decode(bytes) };
  } catch {
    return { [`${name}Base64`]: toBase64(bytes) };
  }
}
