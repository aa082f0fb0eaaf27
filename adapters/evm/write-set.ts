import type { MemoryViews } from './exchange.ts';
import type { EvmSink } from './host.ts';

const removed = 0xffff_ffff;

/** Hands the net changes of a transaction, as `finish` left them in memory, to a sink. */
export function readWriteSet({ bytes, view }: MemoryViews, start: number, sink: EvmSink): void {
  const accounts = view.getUint32(start, true);
  const slots = view.getUint32(start + 4, true);
  const codes = view.getUint32(start + 8, true);
  let at = start + 12;
  for (let i = 0; i < accounts; i++) {
    const key = bytes.latin1Slice(at, at + 20);
    const length = view.getUint32(at + 20, true);
    at += 24;
    if (length === removed) {
      sink.putAccount(key, undefined);
    } else {
      sink.putAccount(key, copyOf(bytes, at, length));
      at += length;
    }
  }
  for (let i = 0; i < slots; i++) {
    const keyLength = view.getUint32(at, true);
    const key = bytes.latin1Slice(at + 4, at + 4 + keyLength);
    at += 4 + keyLength;
    const length = view.getUint32(at, true);
    at += 4;
    sink.putSlot(key, length === 0 ? undefined : copyOf(bytes, at, length));
    at += length;
  }
  for (let i = 0; i < codes; i++) {
    const key = bytes.latin1Slice(at, at + 32);
    const length = view.getUint32(at + 32, true);
    at += 36;
    sink.putCode(key, Uint8Array.prototype.slice.call(bytes, at, at + length));
    at += length;
  }
}

/** A copy of a few bytes: from Node's pool, which is faster than a buffer of its own. */
function copyOf(bytes: Buffer, at: number, length: number): Uint8Array {
  const copy = Buffer.allocUnsafe(length);
  for (let i = 0; i < length; i++) copy[i] = bytes[at + i] as number;
  return copy;
}
