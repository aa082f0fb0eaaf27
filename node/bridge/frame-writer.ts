import type { Writable } from 'node:stream';
import type { EncodedFrame } from './frame-builder.ts';

/** How a {@link FrameWriter} behaves. */
export interface FrameWriterOptions {
  /** Bytes waiting, here and in the socket, above which `send` asks to stop. Default 4 MiB. */
  readonly highWaterBytes?: number;
  /** Called once after `send` returned false and what waited has been written. */
  readonly onDrain?: () => void;
}

/**
 * Collects the frames sent within one turn of the event loop and hands them to the socket in one
 * `writev`. Parts are passed on by reference: do not change them after `send`.
 */
export class FrameWriter {
  readonly #socket: Writable;
  readonly #highWaterBytes: number;
  readonly #onDrain: (() => void) | undefined;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #scheduled = false;
  #askedToStop = false;

  constructor(socket: Writable, options: FrameWriterOptions = {}) {
    this.#socket = socket;
    this.#highWaterBytes = options.highWaterBytes ?? 4 * 1024 * 1024;
    this.#onDrain = options.onDrain;
    socket.on('drain', () => this.#drained());
  }

  /** Bytes not yet taken by the operating system. */
  get waitingBytes(): number {
    return this.#pendingBytes + this.#socket.writableLength;
  }

  /**
   * Sends one frame with the others of this turn. Returns false when enough is waiting: the frame
   * is taken, but the caller should send no more of what it can hold back until `onDrain`.
   * Frames for a closed socket are dropped: its owner learns of the end from the socket.
   */
  send(frame: EncodedFrame): boolean {
    if (this.#socket.destroyed || this.#socket.writableEnded) return true;
    for (const part of frame) this.#append(part);
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(this.#flushTurn);
    }
    if (this.waitingBytes <= this.#highWaterBytes) return true;
    this.#askedToStop = true;
    return false;
  }

  /** Writes what was collected now instead of at the end of the turn. */
  flush(): void {
    const parts = this.#pending;
    if (parts.length === 0) return;
    this.#pending = [];
    this.#pendingBytes = 0;
    const socket = this.#socket;
    if (socket.destroyed || socket.writableEnded) return;
    if (parts.length === 1) {
      socket.write(parts[0]);
    } else {
      socket.cork();
      for (const part of parts) socket.write(part);
      socket.uncork();
    }
  }

  /** Writes what was collected and ends the socket's writable side. */
  end(): void {
    this.flush();
    this.#socket.end();
  }

  readonly #flushTurn = (): void => {
    this.#scheduled = false;
    this.flush();
    // A socket that took everything at once never says 'drain'.
    if (this.#askedToStop && !this.#socket.writableNeedDrain) this.#drained();
  };

  /** Joins a part with the one before it when they are neighbours in memory. */
  #append(part: Uint8Array): void {
    this.#pendingBytes += part.length;
    const last = this.#pending.at(-1);
    if (
      last !== undefined &&
      last.buffer === part.buffer &&
      last.byteOffset + last.length === part.byteOffset
    ) {
      const joined = Buffer.from(
        part.buffer as ArrayBuffer,
        last.byteOffset,
        last.length + part.length,
      );
      this.#pending[this.#pending.length - 1] = joined;
    } else {
      this.#pending.push(part);
    }
  }

  #drained(): void {
    if (!this.#askedToStop || this.waitingBytes > this.#highWaterBytes) return;
    this.#askedToStop = false;
    this.#onDrain?.();
  }
}
