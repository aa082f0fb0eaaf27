import { BinaryReader, BinaryWriter, DecodeError } from '@concordat/std';
import { LedgerError } from './errors.ts';
import { heightLimit, viewLimit } from './header.ts';
import { pageBlocks } from './tree-pages.ts';

/** Where a view begins in the ledger. */
export interface ViewStart {
  readonly view: number;
  /** Height of its first block. */
  readonly fromHeight: number;
  /** Seqno of the first transaction of that block. */
  readonly firstSeqno: number;
}

/**
 * What a node must know of its history to go on after a height: whole pages by their digests, and
 * each block after them (docs/format/snapshot.md).
 */
export interface HistorySummary {
  readonly height: number;
  /** Seqno after the last transaction. */
  readonly nextSeqno: number;
  /** In increasing order of view and height. */
  readonly views: readonly ViewStart[];
  /** Root of each whole page, 32 bytes each. */
  readonly pageRoots: Buffer;
  /** SHA-256 of each whole page's bytes, 32 bytes each. */
  readonly pageDigests: Buffer;
  /** First seqno of each whole page. */
  readonly pageSeqnos: readonly number[];
  /** Roots of the blocks after the last whole page, 32 bytes each. */
  readonly blockRoots: Buffer;
  /** Number of transactions of each of these blocks. */
  readonly counts: readonly number[];
}

const magic = Buffer.from('CCDTHIS1', 'latin1');

/** The summary's bytes; one encoding for each summary. */
export function encodeHistorySummary(summary: HistorySummary): Buffer {
  const { views, pageRoots, pageDigests, pageSeqnos, blockRoots, counts } = summary;
  const writer = new BinaryWriter(
    64 + views.length * 24 + pageSeqnos.length * 72 + counts.length * 36,
  )
    .raw(magic)
    .u64(summary.height)
    .u64(summary.nextSeqno)
    .u32(views.length);
  for (const { view, fromHeight, firstSeqno } of views) {
    writer.u64(view).u64(fromHeight).u64(firstSeqno);
  }
  for (const [page, seqno] of pageSeqnos.entries()) {
    const [from, to] = [page * 32, page * 32 + 32];
    writer.raw(pageRoots.subarray(from, to)).raw(pageDigests.subarray(from, to)).u64(seqno);
  }
  for (const [at, count] of counts.entries()) {
    writer.raw(blockRoots.subarray(at * 32, at * 32 + 32)).u32(count);
  }
  return writer.take();
}

/**
 * Reads a summary strictly; whether it is of the right history is for the snapshot's digest.
 * @throws LedgerError MALFORMED
 */
export function decodeHistorySummary(bytes: Uint8Array): HistorySummary {
  const reader = new BinaryReader(bytes);
  try {
    if (!magic.equals(reader.raw(8))) throw malformed('is of no version known here');
    const height = reader.u64();
    const nextSeqno = reader.u64();
    if (height < 1 || height >= heightLimit) throw malformed('is of no height');
    const views = readViews(reader, height);
    const pages = readPages(reader, Math.floor(height / pageBlocks));
    const blocks = readBlocks(reader, height % pageBlocks);
    reader.end();
    const summary = { height, nextSeqno, views, ...pages, ...blocks };
    requireSeqnos(summary);
    return summary;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw malformed(error.message);
  }
}

function readViews(reader: BinaryReader, height: number): ViewStart[] {
  const count = reader.u32();
  if (count === 0 || count > reader.remaining / 24) throw malformed('has views beyond its end');
  const views: ViewStart[] = [];
  let last: ViewStart = { view: 0, fromHeight: 0, firstSeqno: 0 };
  for (let i = 0; i < count; i++) {
    const view = { view: reader.u64(), fromHeight: reader.u64(), firstSeqno: reader.u64() };
    const first = i === 0;
    const placed = first
      ? view.fromHeight === 1 && view.firstSeqno === 1
      : view.fromHeight > last.fromHeight && view.firstSeqno > last.firstSeqno;
    if (!placed || view.view <= last.view || view.view >= viewLimit || view.fromHeight > height) {
      throw malformed('has views out of order');
    }
    views.push(view);
    last = view;
  }
  return views;
}

function readPages(reader: BinaryReader, count: number) {
  if (count > reader.remaining / 72) throw malformed('ends within its pages');
  const pageRoots = Buffer.allocUnsafeSlow(count * 32);
  const pageDigests = Buffer.allocUnsafeSlow(count * 32);
  const pageSeqnos: number[] = [];
  for (let page = 0; page < count; page++) {
    pageRoots.set(reader.raw(32), page * 32);
    pageDigests.set(reader.raw(32), page * 32);
    pageSeqnos.push(reader.u64());
  }
  return { pageRoots, pageDigests, pageSeqnos };
}

function readBlocks(reader: BinaryReader, count: number) {
  const blockRoots = Buffer.allocUnsafeSlow(count * 32);
  const counts: number[] = [];
  for (let at = 0; at < count; at++) {
    blockRoots.set(reader.raw(32), at * 32);
    counts.push(reader.u32());
  }
  return { blockRoots, counts };
}

/** Seqnos rise with the heights: every block has a transaction, and they add up to the last. */
function requireSeqnos({ height, nextSeqno, views, pageSeqnos, counts }: HistorySummary): void {
  let [at, seqno] = [1, 1];
  const reach = (fromHeight: number, firstSeqno: number): void => {
    const exact = fromHeight === at;
    if (exact ? firstSeqno !== seqno : firstSeqno - seqno < fromHeight - at) {
      throw malformed('has seqnos that do not rise with its heights');
    }
    [at, seqno] = [fromHeight, firstSeqno];
  };
  const places = [
    ...views.map(({ fromHeight, firstSeqno }) => ({ fromHeight, firstSeqno })),
    ...pageSeqnos.map((firstSeqno, page) => ({ fromHeight: page * pageBlocks + 1, firstSeqno })),
  ];
  places.push(...tailPlaces(height, nextSeqno, counts));
  places.sort((a, b) => a.fromHeight - b.fromHeight);
  for (const { fromHeight, firstSeqno } of places) reach(fromHeight, firstSeqno);
}

/** First seqno of every block after the last whole page, counted back from the end. */
function tailPlaces(height: number, nextSeqno: number, counts: readonly number[]) {
  const places = [{ fromHeight: height + 1, firstSeqno: nextSeqno }];
  let seqno = nextSeqno;
  for (let at = counts.length - 1; at >= 0; at--) {
    seqno -= counts[at] as number;
    places.push({ fromHeight: height - counts.length + at + 1, firstSeqno: seqno });
  }
  return places;
}

const malformed = (what: string): LedgerError =>
  new LedgerError('MALFORMED', `a history summary ${what}`);
