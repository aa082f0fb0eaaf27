import { assert, BinaryWriter, type Height, viewOf } from '@concordat/std';
import { LedgerError } from './errors.ts';

// A chunk is a file of consecutive blocks, written by a host and read by everyone
// (docs/format/chunk.md). It has no checksum: blocks authenticate themselves.

/** The last character is the version of the format. */
const magic = Buffer.from('CCDTLDG1', 'latin1');

/** Bytes of a chunk's header. */
export const chunkHeaderBytes = 16;
/** Bytes of a frame before its block: u32 length. */
export const frameHeaderBytes = 4;
/** Longest block a frame may hold. */
export const maxFrameBytes = 2 ** 28;

/** The first bytes of a chunk whose first block has this height. */
export const encodeChunkHeader = (firstHeight: number): Buffer =>
  new BinaryWriter(chunkHeaderBytes).raw(magic).u64(firstHeight).take();

/** What precedes a block in a chunk: its length. */
export function encodeFrameHeader(block: Uint8Array): Buffer {
  assert(block.length > 0 && block.length <= maxFrameBytes, `block of ${block.length} bytes`);
  return new BinaryWriter(frameHeaderBytes).u32(block.length).take();
}

/** One block within a chunk. */
export interface ChunkFrame {
  /** Position of the frame in the chunk, bytes. */
  readonly offset: number;
  /** Height by position; whether the block says the same is for its verification. */
  readonly height: Height;
  /** A view into the chunk. */
  readonly block: Uint8Array;
}

/** What a chunk's bytes hold. */
export interface ChunkScan {
  readonly firstHeight: Height;
  readonly frames: readonly ChunkFrame[];
  /** Where the last whole frame ends. */
  readonly validBytes: number;
  /** Bytes after it, as a crash leaves them: part of a frame, or zeros. 0 in a whole chunk. */
  readonly tornBytes: number;
}

/**
 * Finds the blocks of a chunk; none is verified.
 * @throws LedgerError MALFORMED when it is no chunk, or a frame has an impossible length
 */
export function scanChunk(chunk: Uint8Array): ChunkScan {
  const bytes = viewOf(chunk);
  const firstHeight = readChunkHeader(bytes);
  const frames: ChunkFrame[] = [];
  let at = chunkHeaderBytes;
  while (bytes.length - at >= frameHeaderBytes) {
    const length = bytes.readUInt32BE(at);
    if (length === 0 && isZeroFrom(bytes, at)) break;
    const height = (firstHeight + frames.length) as Height;
    if (length === 0 || length > maxFrameBytes) {
      throw new LedgerError('MALFORMED', `impossible length of block ${height} in its chunk`, {
        height,
        offset: at,
      });
    }
    const from = at + frameHeaderBytes;
    if (length > bytes.length - from) break;
    frames.push({ offset: at, height, block: bytes.subarray(from, from + length) });
    at = from + length;
  }
  return { firstHeight, frames, validBytes: at, tornBytes: bytes.length - at };
}

function readChunkHeader(bytes: Buffer): Height {
  if (bytes.length < chunkHeaderBytes || bytes.compare(magic, 0, 8, 0, 8) !== 0) {
    throw new LedgerError('MALFORMED', 'not a chunk of a ledger in a version known here');
  }
  const height = bytes.readUInt32BE(8) * 0x1_0000_0000 + bytes.readUInt32BE(12);
  if (!Number.isSafeInteger(height) || height === 0) {
    throw new LedgerError('MALFORMED', 'a chunk begins at no height');
  }
  return height as Height;
}

function isZeroFrom(bytes: Buffer, from: number): boolean {
  for (let i = from; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** What a chunk's file name says. */
export interface ChunkName {
  readonly firstHeight: Height;
  /** Present when the chunk is complete and every block in it committed: it never changes again. */
  readonly lastHeight?: Height;
}

/** The file name: `ledger_<first>.chunk`, or `ledger_<first>-<last>.committed.chunk`. */
export const chunkName = ({ firstHeight, lastHeight }: ChunkName): string =>
  lastHeight === undefined
    ? `ledger_${firstHeight}.chunk`
    : `ledger_${firstHeight}-${lastHeight}.committed.chunk`;

const namePattern = /^ledger_([1-9]\d{0,14})(?:-([1-9]\d{0,14})\.committed)?\.chunk$/;

/** Reads a chunk's file name; undefined when it is not one. */
export function parseChunkName(name: string): ChunkName | undefined {
  const match = namePattern.exec(name);
  if (match === null) return undefined;
  const firstHeight = Number(match[1]) as Height;
  if (match[2] === undefined) return { firstHeight };
  const lastHeight = Number(match[2]) as Height;
  return lastHeight < firstHeight ? undefined : { firstHeight, lastHeight };
}
