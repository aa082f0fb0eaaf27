import { viewOf } from '@concordat/std';

/**
 * Byte strings in one buffer of their own, to be handed from thread to thread: u32 count, u32 length
 * each, then the bytes, in the machine's own order.
 */
export function joinParts(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const headBytes = 4 + 4 * parts.length;
  let total = headBytes;
  for (const part of parts) total += part.length;
  const joined = new Uint8Array(new ArrayBuffer(total));
  const head = new Uint32Array(joined.buffer, 0, 1 + parts.length);
  head[0] = parts.length;
  let at = headBytes;
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index] as Uint8Array;
    head[index + 1] = part.length;
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Views of what {@link joinParts} joined; undefined when the bytes are not of that form. */
export function splitParts(joined: Uint8Array): Uint8Array[] | undefined {
  if (joined.length < 4 || joined.byteOffset % 4 !== 0) return undefined;
  const bytes = viewOf(joined);
  const count = new Uint32Array(joined.buffer, joined.byteOffset, 1)[0] as number;
  let at = 4 + 4 * count;
  if (at > joined.length) return undefined;
  const lengths = new Uint32Array(joined.buffer, joined.byteOffset + 4, count);
  const parts = new Array<Uint8Array>(count);
  for (let index = 0; index < count; index++) {
    const end = at + (lengths[index] as number);
    if (end > joined.length) return undefined;
    parts[index] = bytes.subarray(at, end);
    at = end;
  }
  return at === joined.length ? parts : undefined;
}
