import { assert } from '@concordat/std';

/** One encoded frame: parts to be written back to back, header first. */
export type EncodedFrame = readonly Uint8Array[];

/** A byte string at least this long becomes a part of its own instead of being copied. */
const scatterBytes = 4096;
const slabBytes = 64 * 1024;

/**
 * Builds frames into shared slabs: small fields are copied once, long byte strings are passed by
 * reference. Frames built one after another lie side by side in memory, so that a writer can join
 * them without copying. The caller must not change a byte string it passed in.
 */
export class FrameBuilder {
  #slab: Buffer = Buffer.allocUnsafeSlow(slabBytes);
  #start = 0;
  #at = 0;
  #parts: Uint8Array[] = [];
  #partsBytes = 0;

  /** Starts a frame of this type; what an abandoned frame left behind is dropped. */
  begin(type: number): this {
    this.#parts = [];
    this.#partsBytes = 0;
    if (this.#slab.length - this.#at < 1024) {
      this.#slab = Buffer.allocUnsafeSlow(slabBytes);
      this.#at = 0;
    }
    this.#start = this.#at;
    return this.u32(0).u8(type);
  }

  /** One byte. */
  u8(value: number): this {
    const at = this.#room(1);
    this.#slab[at] = value;
    return this;
  }

  /** One byte: 1 or 0. */
  flag(value: boolean): this {
    return this.u8(value ? 1 : 0);
  }

  /** Four bytes, big-endian. */
  u32(value: number): this {
    const at = this.#room(4);
    this.#slab.writeUInt32BE(value, at);
    return this;
  }

  /** Eight bytes, big-endian, of a safe non-negative integer. */
  u64(value: number): this {
    assert(Number.isSafeInteger(value) && value >= 0, `u64 out of range: ${value}`);
    const at = this.#room(8);
    this.#slab.writeUInt32BE(Math.floor(value / 0x1_0000_0000), at);
    this.#slab.writeUInt32BE(value % 0x1_0000_0000, at + 4);
    return this;
  }

  /** u16 byte length, then UTF-8. */
  text(text: string): this {
    const length = Buffer.byteLength(text, 'utf8');
    assert(length <= 0xffff, 'text longer than 65,535 bytes');
    const at = this.#room(2 + length);
    this.#slab.writeUInt16BE(length, at);
    this.#slab.write(text, at + 2, length, 'utf8');
    return this;
  }

  /** Bytes without a length. */
  raw(bytes: Uint8Array): this {
    if (bytes.length >= scatterBytes) {
      this.#cut();
      this.#parts.push(bytes);
      this.#partsBytes += bytes.length;
    } else {
      const at = this.#room(bytes.length);
      this.#slab.set(bytes, at);
    }
    return this;
  }

  /** u32 length, then the bytes. */
  bytes(bytes: Uint8Array): this {
    return this.u32(bytes.length).raw(bytes);
  }

  /** The finished frame. */
  finish(): EncodedFrame {
    this.#cut();
    const parts = this.#parts;
    const length = this.#partsBytes - 4;
    assert(length <= 0xffff_ffff, 'frame longer than its length field can say');
    (parts[0] as Buffer).writeUInt32BE(length, 0);
    this.#parts = [];
    return parts;
  }

  #cut(): void {
    if (this.#at === this.#start) return;
    this.#parts.push(this.#slab.subarray(this.#start, this.#at));
    this.#partsBytes += this.#at - this.#start;
    this.#start = this.#at;
  }

  #room(bytes: number): number {
    const at = this.#at;
    if (at + bytes <= this.#slab.length) {
      this.#at = at + bytes;
      return at;
    }
    const open = at - this.#start;
    const slab = Buffer.allocUnsafeSlow(Math.max(slabBytes, (open + bytes) * 2));
    this.#slab.copy(slab, 0, this.#start, at);
    this.#slab = slab;
    this.#start = 0;
    this.#at = open + bytes;
    return open;
  }
}

/** The process's builder. Encoders are synchronous and finish the frame they begin. */
export const frameBuilder = new FrameBuilder();
