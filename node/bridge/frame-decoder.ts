import { viewOf } from '@concordat/std';
import { BridgeError } from './errors.ts';

/** One frame as received: its type and a view of its body in the received memory. */
export interface Frame {
  readonly type: number;
  readonly body: Buffer;
}

/** Largest frame either side accepts unless told otherwise, in bytes (type and body). */
export const defaultMaxFrameBytes = 64 * 1024 * 1024;

/**
 * Cuts a byte stream into frames `u32 length | u8 type | body`, where length counts type and body.
 * A frame that lies within one chunk is a view of it; a frame that straddles chunks is joined once,
 * when its last byte is there, so memory follows what was received and not what was announced.
 */
export class FrameDecoder {
  readonly #maxBytes: number;
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** Bytes that must be held before anything can be decided: 4 until the length is known. */
  #neededBytes = 4;

  constructor(maxBytes: number = defaultMaxFrameBytes) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes of an incomplete frame held back so far. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /**
   * Takes the next chunk and returns the frames it completes, in order. After a throw the stream
   * has no known frame boundary any more: close the connection.
   * @throws BridgeError FRAME_TOO_LARGE, EMPTY_FRAME
   */
  push(chunk: Uint8Array): Frame[] {
    let bytes = viewOf(chunk);
    if (this.#heldBytes > 0) {
      this.#held.push(bytes);
      this.#heldBytes += bytes.length;
      if (this.#heldBytes < this.#neededBytes) return [];
      bytes = this.#join();
    }
    const frames: Frame[] = [];
    let at = 0;
    this.#neededBytes = 4;
    while (bytes.length - at >= 4) {
      const length = bytes.readUInt32BE(at);
      this.#checkLength(length);
      const end = at + 4 + length;
      if (end > bytes.length) {
        this.#neededBytes = 4 + length;
        break;
      }
      frames.push({ type: bytes[at + 4] as number, body: bytes.subarray(at + 5, end) });
      at = end;
    }
    if (at < bytes.length) {
      this.#held.push(at === 0 ? bytes : bytes.subarray(at));
      this.#heldBytes = bytes.length - at;
    }
    return frames;
  }

  /**
   * Call when the stream has ended: a frame may not be cut in the middle.
   * @throws BridgeError TRUNCATED_STREAM
   */
  end(): void {
    if (this.#heldBytes === 0) return;
    throw new BridgeError('TRUNCATED_STREAM', 'the stream ended inside a frame', {
      heldBytes: this.#heldBytes,
    });
  }

  #checkLength(length: number): void {
    if (length === 0) throw new BridgeError('EMPTY_FRAME', 'a frame without a type');
    if (length > this.#maxBytes) {
      throw new BridgeError(
        'FRAME_TOO_LARGE',
        `frame of ${length} bytes where at most ${this.#maxBytes} are allowed`,
        { length, maxBytes: this.#maxBytes },
      );
    }
  }

  #join(): Buffer {
    const joined = this.#held.length === 1 ? this.#held[0]! : Buffer.concat(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    return joined;
  }
}
