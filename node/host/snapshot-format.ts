import type { FileHandle } from 'node:fs/promises';
import { maxSnapshotChunkBytes } from '@concordat/bridge';

// The file of one snapshot (docs/format/snapshot-file.md): a header, the chunks, and behind them
// where each begins.

const magic = Buffer.from('CCDTSNF1', 'latin1');
const endMagic = Buffer.from('CCDTSNFE', 'latin1');

/** Bytes before the first chunk: magic and height. */
export const snapshotHeaderBytes = 16;
/** Bytes of the end behind the offsets: number of chunks and magic. */
const endBytes = 12;
const offsetBytes = 8;

/** Most chunks of one snapshot: a TiB of state. */
export const maxSnapshotChunks = 2 ** 20;

const finishedName = /^snapshot_([1-9]\d{0,14})\.snapshot$/;

/** File name of a snapshot: under way, finished, or found damaged. */
export const formatSnapshotName = (
  height: number,
  state: 'partial' | 'snapshot' | 'damaged',
): string => `snapshot_${height}.${state}`;

/** Height of a finished snapshot's file; undefined when the name is another. */
export function parseSnapshotName(name: string): number | undefined {
  const match = finishedName.exec(name);
  return match ? Number(match[1]) : undefined;
}

/** The first bytes of a snapshot's file. */
export function encodeSnapshotHeader(height: number): Buffer {
  const header = Buffer.alloc(snapshotHeaderBytes);
  magic.copy(header);
  header.writeBigUInt64BE(BigInt(height), 8);
  return header;
}

/** The last bytes of a finished one. @param offsets of each chunk, ascending */
export function encodeSnapshotEnd(offsets: readonly number[]): Buffer {
  const end = Buffer.alloc(offsets.length * offsetBytes + endBytes);
  let at = 0;
  for (const offset of offsets) at = end.writeBigUInt64BE(BigInt(offset), at);
  at = end.writeUInt32BE(offsets.length, at);
  endMagic.copy(end, at);
  return end;
}

/**
 * Where the chunks of a finished snapshot's file begin, and behind them where the last one ends;
 * undefined when the file is not whole.
 */
export async function readSnapshotOffsets(
  file: FileHandle,
  height: number,
): Promise<Float64Array | undefined> {
  const { size } = await file.stat();
  if (size < snapshotHeaderBytes + endBytes) return undefined;
  const header = await readAt(file, 0, snapshotHeaderBytes);
  if (!header.equals(encodeSnapshotHeader(height))) return undefined;
  const end = await readAt(file, size - endBytes, endBytes);
  const count = end.readUInt32BE(0);
  if (!end.subarray(4).equals(endMagic) || count < 1 || count > maxSnapshotChunks) return undefined;
  const tableAt = size - endBytes - count * offsetBytes;
  if (tableAt < snapshotHeaderBytes) return undefined;
  const table = await readAt(file, tableAt, count * offsetBytes);
  const offsets = new Float64Array(count + 1);
  for (let index = 0; index < count; index++) {
    offsets[index] = Number(table.readBigUInt64BE(index * offsetBytes));
  }
  offsets[count] = tableAt;
  return areOffsets(offsets) ? offsets : undefined;
}

function areOffsets(offsets: Float64Array): boolean {
  if (offsets[0] !== snapshotHeaderBytes) return false;
  for (let index = 1; index < offsets.length; index++) {
    const bytes = offsets[index]! - offsets[index - 1]!;
    if (!(bytes >= 1 && bytes <= maxSnapshotChunkBytes)) return false;
  }
  return true;
}

/** So many bytes of a file; fewer where it ends. */
export async function readAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let had = 0;
  while (had < length) {
    const { bytesRead } = await file.read(bytes, had, length - had, at + had);
    if (bytesRead === 0) break;
    had += bytesRead;
  }
  return bytes.subarray(0, had);
}
