import { Duplex } from 'node:stream';
import type { ExternalToManager } from '@concordat/bridge';
import { ExternalError } from './external-call.ts';

/** Of one frame. */
const maxFrameBytes = 256 * 1024;
/** Turns of the event loop in which TLS and HTTP take what they have read to its end. */
const turnsToRead = 3;

/**
 * A connection to a system outside of the network, as the manager has the host open it: bytes that
 * nobody but the system may believe or read before TLS has said so. What comes is bounded by the
 * manager, so it is never held back.
 */
export class ExternalConnection extends Duplex {
  readonly #id: number;
  readonly #send: (message: ExternalToManager) => void;
  readonly #opened = Promise.withResolvers<void>();
  #isOver = false;
  #hasEnded = false;

  /** Asks for it; {@link opened} says when it is there. */
  constructor(id: number, system: string, send: (message: ExternalToManager) => void) {
    super({ allowHalfOpen: true, decodeStrings: true });
    this.#id = id;
    this.#send = send;
    this.#opened.promise.catch(() => undefined);
    this.on('error', () => undefined);
    send({ kind: 'external', id, step: 'open', system });
  }

  /** @throws ExternalError of the manager's code */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  /** The host has connected it. */
  receiveOpened(): void {
    this.#opened.resolve();
  }

  /** Bytes of the system. */
  receive(data: Uint8Array): void {
    // A view of the received chunk, which it would keep whole.
    if (!this.destroyed) this.push(Buffer.from(data));
  }

  /**
   * The system sends no more, says the host, who can say so at any time: it is no end of what TLS
   * carries (RFC 8446, section 6.1), which TLS alone announces. What has come is still read.
   */
  receiveEnd(): void {
    this.#hasEnded = true;
    this.#loseOnceRead(turnsToRead);
  }

  /** What lies here may be the rest of a whole answer, and what was read last is on its way. */
  #loseOnceRead(turns: number): void {
    setImmediate(() => {
      if (this.destroyed) return;
      if (this.readableLength > 0) this.#loseOnceRead(turnsToRead);
      else if (turns > 0) this.#loseOnceRead(turns - 1);
      else this.destroy(new ExternalError('EXTERNAL_CONNECTION_LOST', 'the connection has ended'));
    });
  }

  /** The manager has closed it. */
  receiveClosed(error: ExternalError): void {
    this.#isOver = true;
    this.#opened.reject(error);
    // What came before an end may be a whole answer: that is for its reader to find.
    if (this.#hasEnded && error.code === 'EXTERNAL_CONNECTION_LOST') return;
    setImmediate(() => this.destroy(error));
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    for (let at = 0; at < chunk.length && !this.#isOver; at += maxFrameBytes) {
      const data = chunk.subarray(at, at + maxFrameBytes);
      this.#send({ kind: 'external', id: this.#id, step: 'data', data });
    }
    done();
  }

  override _final(done: () => void): void {
    if (!this.#isOver) this.#send({ kind: 'external', id: this.#id, step: 'end' });
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#isOver) this.#send({ kind: 'external', id: this.#id, step: 'close' });
    this.#isOver = true;
    this.#opened.reject(new ExternalError('EXTERNAL_CONNECTION_LOST', 'it was given up'));
    done(error);
  }
}
