import { viewOf } from '@concordat/std';
import { HostError } from './errors.ts';

/** Bytes before the first frame of a chunk: magic and first height. */
export const chunkHeaderBytes = 16;
/** Bytes before each block: its length. */
export const frameHeaderBytes = 4;
/** Largest block a chunk may hold, in bytes. */
export const maxBlockBytes = 256 * 1024 * 1024;

const magic = Buffer.from('CCDTLDG1', 'latin1');

/** What a chunk's file name says. `last` is there once the chunk is committed. */
export interface ChunkName {
  readonly first: number;
  readonly last?: number;
}

/** File name of a chunk (docs/format/chunk.md). */
export const formatChunkName = ({ first, last }: ChunkName): string =>
  last === undefined ? `ledger_${first}.chunk` : `ledger_${first}-${last}.committed.chunk`;

/** Reads a chunk's file name; undefined when it is not one. */
export function parseChunkName(name: string): ChunkName | undefined {
  const match = /^ledger_([1-9]\d{0,14})(?:-([1-9]\d{0,14})\.committed)?\.chunk$/.exec(name);
  if (!match) return undefined;
  const first = Number(match[1]);
  return match[2] === undefined ? { first } : { first, last: Number(match[2]) };
}

/** The 16 bytes at the start of a chunk. */
export function encodeChunkHeader(first: number): Buffer {
  const header = Buffer.alloc(chunkHeaderBytes);
  magic.copy(header);
  header.writeBigUInt64BE(BigInt(first), 8);
  return header;
}

/**
 * Checks the 16 bytes at the start of a chunk against its name.
 * @throws HostError LEDGER_DAMAGED
 */
export function checkChunkHeader(header: Uint8Array, first: number): void {
  const bytes = viewOf(header);
  if (bytes.length < chunkHeaderBytes || !bytes.subarray(0, 8).equals(magic)) {
    throw new HostError('LEDGER_DAMAGED', `chunk of height ${first} has no chunk header`, {
      first,
    });
  }
  if (bytes.readBigUInt64BE(8) !== BigInt(first)) {
    throw new HostError('LEDGER_DAMAGED', `chunk named ${first} says another first height`, {
      first,
    });
  }
}
