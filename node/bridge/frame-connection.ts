import type { Duplex } from 'node:stream';
import { CodedError } from '@concordat/std';
import type { EncodedFrame } from './frame-builder.ts';
import { type Frame, FrameDecoder } from './frame-decoder.ts';
import { FrameWriter } from './frame-writer.ts';

/** What the owner of a framed connection handles. */
export interface FrameConnectionOptions {
  /** Largest frame accepted, in bytes. Default 64 MiB. */
  readonly maxFrameBytes?: number;
  /** Bytes waiting to be written above which `send` returns false. Default 4 MiB. */
  readonly highWaterBytes?: number;
  /** One frame, in order. A throw of a coded error closes the connection and reaches `onClose`. */
  readonly onFrame: (frame: Frame) => void;
  /** After the last frame of one received chunk: the place to act on many frames at once. */
  readonly onTurn?: () => void;
  /** Called once after `send` returned false and what waited has been written. */
  readonly onDrain?: () => void;
  /** Called once. The error is undefined after an orderly end between two frames. */
  readonly onClose: (error: Error | undefined) => void;
}

/** A socket that carries frames both ways. */
export class FrameConnection {
  readonly socket: Duplex;
  readonly #writer: FrameWriter;
  readonly #options: FrameConnectionOptions;
  readonly #decoder: FrameDecoder;
  #failure: Error | undefined;
  #closed = false;

  constructor(socket: Duplex, options: FrameConnectionOptions) {
    this.socket = socket;
    this.#options = options;
    this.#decoder = new FrameDecoder(options.maxFrameBytes);
    this.#writer = new FrameWriter(socket, {
      ...(options.highWaterBytes === undefined ? {} : { highWaterBytes: options.highWaterBytes }),
      ...(options.onDrain === undefined ? {} : { onDrain: options.onDrain }),
    });
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    socket.on('end', () => this.#ended());
    socket.on('error', (error) => this.close(error));
    socket.on('close', () => this.#finish());
  }

  /** Bytes not yet taken by the operating system. */
  get waitingBytes(): number {
    return this.#writer.waitingBytes;
  }

  /** Sends one frame; false asks the caller to hold back until `onDrain`. */
  send(frame: EncodedFrame): boolean {
    return this.#writer.send(frame);
  }

  /** Writes what was collected in this turn now. */
  flush(): void {
    this.#writer.flush();
  }

  /** Writes what was collected, then ends. */
  end(): void {
    this.#writer.end();
  }

  /** Closes at once; what was not written is lost. */
  close(error?: Error): void {
    this.#failure ??= error;
    this.socket.destroy();
  }

  #received(chunk: Buffer): void {
    if (this.socket.destroyed) return;
    try {
      for (const frame of this.#decoder.push(chunk)) {
        this.#options.onFrame(frame);
        if (this.socket.destroyed) return;
      }
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      this.close(error);
      return;
    }
    this.#options.onTurn?.();
  }

  #ended(): void {
    try {
      this.#decoder.end();
      this.#writer.end();
    } catch (error) {
      this.close(error as CodedError);
    }
  }

  #finish(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.onClose(this.#failure);
  }
}
