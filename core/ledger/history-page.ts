import { assert, BinaryReader, BinaryWriter, DecodeError, viewOf } from '@concordat/std';
import { LedgerError } from './errors.ts';
import type { BlockHeader } from './header.ts';
import { pageBlocks } from './tree-pages.ts';

// A page is what the history says of 4,096 blocks (docs/format/snapshot.md): a node hands it to its
// host once all of them are committed, keeps its digest, and asks for it when it is needed.

/** What a page says. */
export interface HistoryPage {
  /** From 0: page n is about the blocks n × 4,096 + 1 to (n + 1) × 4,096. */
  readonly page: number;
  /** Of the first transaction of each block, in order. */
  readonly firstSeqnos: Float64Array;
  /** Seqno after the last transaction. */
  readonly nextSeqno: number;
  /** Block roots in order, 32 bytes each. */
  readonly roots: Buffer;
}

const magic = Buffer.from('CCDTPAG1', 'latin1');

/** Bytes of a page: 144 KiB and 24. */
export const historyPageBytes = 24 + pageBlocks * 36;

/** The page's bytes. */
export function encodeHistoryPage({ page, firstSeqnos, nextSeqno, roots }: HistoryPage): Buffer {
  assert(firstSeqnos.length === pageBlocks && roots.length === pageBlocks * 32, 'part of a page');
  const writer = new BinaryWriter(historyPageBytes).raw(magic).u64(page);
  writer.u64(firstSeqnos[0] as number);
  for (let at = 0; at < pageBlocks; at++) {
    const next = at + 1 < pageBlocks ? (firstSeqnos[at + 1] as number) : nextSeqno;
    writer.u32(next - (firstSeqnos[at] as number));
  }
  return writer.raw(roots).take();
}

/**
 * The page that the headers of its blocks make: for a page that was lost, from the blocks, or to
 * give it to a node that has neither. It proves nothing.
 * @param headers of all blocks of the page, in order
 */
export function historyPageOf(
  headers: readonly Pick<BlockHeader, 'height' | 'firstSeqno' | 'count' | 'blockRoot'>[],
): Buffer {
  const [first, last] = [headers[0], headers.at(-1)];
  assert(first !== undefined && last !== undefined, 'a page without blocks');
  const page = (first.height - 1) / pageBlocks;
  assert(Number.isInteger(page) && headers.length === pageBlocks, 'part of a page');
  return encodeHistoryPage({
    page,
    firstSeqnos: Float64Array.from(headers, ({ firstSeqno }) => firstSeqno),
    nextSeqno: last.firstSeqno + last.count,
    roots: Buffer.concat(headers.map(({ blockRoot }) => blockRoot)),
  });
}

/**
 * Reads a page's bytes; whether it is of one's own history is for its digest.
 * @throws LedgerError MALFORMED
 */
export function decodeHistoryPage(bytes: Uint8Array): HistoryPage {
  const reader = new BinaryReader(bytes);
  try {
    if (bytes.length !== historyPageBytes || !magic.equals(reader.raw(8))) {
      throw new LedgerError('MALFORMED', 'not a history page in a version known here');
    }
    const page = reader.u64();
    let nextSeqno = reader.u64();
    const firstSeqnos = new Float64Array(pageBlocks);
    for (let at = 0; at < pageBlocks; at++) {
      const count = reader.u32();
      if (count === 0) throw new LedgerError('MALFORMED', 'a history page of an empty block');
      firstSeqnos[at] = nextSeqno;
      nextSeqno += count;
    }
    if (firstSeqnos[0] === 0 || !Number.isSafeInteger(nextSeqno)) {
      throw new LedgerError('MALFORMED', 'a history page of seqnos out of range');
    }
    const roots = viewOf(bytes).subarray(reader.position);
    return { page, firstSeqnos, nextSeqno, roots };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new LedgerError('MALFORMED', `a history page ${error.message}`);
  }
}
