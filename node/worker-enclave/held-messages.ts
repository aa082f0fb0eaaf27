import type { Refused } from './adapter.ts';
import type { ReadCallback } from './read-gate.ts';

interface Message {
  readonly data: Buffer;
  readonly isBinary: boolean;
  /** Absent while it is held. */
  outcome?: { readonly refused: Refused | undefined };
}

/** What held messages are handed on to. */
export interface MessageSink {
  readonly onMessage: (data: Buffer, isBinary: boolean) => void;
  readonly onRefused: (data: Buffer, isBinary: boolean, refused: Refused) => void;
  /** Asks for no more messages, or for more again. */
  readonly hold: (full: boolean) => void;
}

/** Messages and bytes of one connection that wait before it is read no further. */
const maxMessages = 256;
const maxBytes = 4 * 1024 * 1024;

/**
 * The messages of a WebSocket that was opened for linearizable reads: each waits until the state is
 * current, and they are handed on in the order they came.
 */
export class HeldMessages {
  readonly #whenCurrent: (done: ReadCallback) => void;
  readonly #sink: MessageSink;
  #queue: Message[] = [];
  #bytes = 0;
  #full = false;
  #closed = false;

  constructor(whenCurrent: (done: ReadCallback) => void, sink: MessageSink) {
    this.#whenCurrent = whenCurrent;
    this.#sink = sink;
  }

  /** Takes a message. */
  push(data: Buffer, isBinary: boolean): void {
    const message: Message = { data, isBinary };
    this.#queue.push(message);
    this.#bytes += data.length;
    this.#pace();
    this.#whenCurrent((refused) => {
      message.outcome = { refused };
      this.#handOn();
    });
  }

  /** Drops everything: the connection is gone. */
  close(): void {
    this.#closed = true;
    this.#queue = [];
  }

  #handOn(): void {
    let count = 0;
    for (const message of this.#queue) {
      if (message.outcome === undefined) break;
      count += 1;
    }
    if (count === 0) return;
    const ready = this.#queue.slice(0, count);
    this.#queue = this.#queue.slice(count);
    for (const { data, isBinary, outcome } of ready) {
      if (this.#closed) return;
      this.#bytes -= data.length;
      const refused = outcome?.refused;
      if (refused) this.#sink.onRefused(data, isBinary, refused);
      else this.#sink.onMessage(data, isBinary);
    }
    this.#pace();
  }

  #pace(): void {
    const full = this.#queue.length >= maxMessages || this.#bytes >= maxBytes;
    if (full === this.#full) return;
    this.#full = full;
    this.#sink.hold(full);
  }
}
