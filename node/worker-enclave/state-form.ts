import { sectionChunkBytes } from '@concordat/kv';
import { BinaryReader, BinaryWriter, DecodeError, utf8 } from '@concordat/std';

// A worker's section of a snapshot (docs/format/snapshot.md): a head, what each adapter keeps
// beside its tables, and the store.

/** What the first chunk of a worker's section says. */
export interface StateHead {
  /** Of the last block whose writes are in it, whoever's block that was. */
  readonly height: number;
  /** In that block's header, milliseconds since 1970. */
  readonly timeMs: number;
  /** Of each adapter that keeps anything, in order of id. */
  readonly memories: readonly { readonly adapterId: string; readonly bytes: number }[];
}

const magic = utf8('CCDTWRK1');
const maxAdapters = 1_024;
const maxIdBytes = 64;

/** The name of what is kept beside an adapter's kept answers; no adapter has it as its id. */
export const answersMemory = (adapterId: string): string => `${adapterId}.answers`;

/** The first chunk. */
export function encodeStateHead({ height, timeMs, memories }: StateHead): Uint8Array {
  const writer = new BinaryWriter().raw(magic).u64(height).u64(timeMs).u16(memories.length);
  for (const { adapterId, bytes } of memories) writer.text(adapterId).u64(bytes);
  return writer.take();
}

/** @throws DecodeError */
export function decodeStateHead(chunk: Uint8Array): StateHead {
  const reader = new BinaryReader(chunk);
  if (!reader.raw(magic.length).equals(magic)) {
    throw new DecodeError('INVALID', 'it does not begin as the state of a worker');
  }
  const [height, timeMs, count] = [reader.u64(), reader.u64(), reader.u16()];
  if (count > maxAdapters) throw new DecodeError('TOO_LARGE', `${count} adapters`);
  const memories: { adapterId: string; bytes: number }[] = [];
  for (let at = 0; at < count; at++) {
    const [adapterId, bytes] = [reader.text(maxIdBytes), reader.u64()];
    if (bytes === 0 || adapterId <= (memories.at(-1)?.adapterId ?? '')) {
      throw new DecodeError('INVALID', 'the adapters are not those that keep something, in order');
    }
    memories.push({ adapterId, bytes });
  }
  reader.end();
  return { height, timeMs, memories };
}

/** Chunks that so many bytes make. */
export const chunksOf = (bytes: number): number => Math.ceil(bytes / sectionChunkBytes);

/** Length of a chunk of so many bytes: the last one is shorter, or as long. */
export const chunkLength = (bytes: number, index: number): number =>
  Math.min(sectionChunkBytes, bytes - index * sectionChunkBytes);

/**
 * Cuts parts of any length into chunks. Undefined stands for a step that finished no chunk.
 * @throws DecodeError when the parts have another length in all than was said
 */
export function* cutParts(
  parts: Iterable<Uint8Array>,
  bytes: number,
): Generator<Uint8Array | undefined> {
  let [had, index, at] = [0, 0, 0];
  let chunk = Buffer.allocUnsafeSlow(chunkLength(bytes, 0));
  for (const part of parts) {
    had += part.length;
    if (had > bytes) break;
    for (let from = 0; from < part.length; ) {
      const taken = Math.min(part.length - from, chunk.length - at);
      chunk.set(part.subarray(from, from + taken), at);
      from += taken;
      at += taken;
      if (at < chunk.length) continue;
      yield chunk;
      index += 1;
      at = 0;
      chunk = Buffer.allocUnsafeSlow(Math.max(0, chunkLength(bytes, index)));
    }
    yield undefined;
  }
  if (had !== bytes) throw new DecodeError('INVALID', `${had} bytes of memory instead of ${bytes}`);
}
