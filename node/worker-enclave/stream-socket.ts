import { Duplex } from 'node:stream';

/** Where a stream's bytes go: frames to the manager. */
export interface StreamWire {
  data(id: number, bytes: Uint8Array): void;
  end(id: number): void;
  reset(id: number): void;
  pause(id: number): void;
  resume(id: number): void;
  /** Whether the manager takes frames; while not, writes wait for `drained`. */
  isCongested(): boolean;
}

/** Takes a stream's bytes straight, past the Duplex machinery. */
export interface RawSink {
  onData(bytes: Buffer): void;
  onEnd(): void;
  onClose(): void;
}

/** Time a client has to read the last answer and close, milliseconds. */
const lingerMs = 2_000;

/**
 * One decrypted application connection, as the manager hands it over, with what node:http asks of a
 * socket. `takeOver` turns it into a plain byte channel for framed streams.
 */
export class StreamSocket extends Duplex {
  readonly id: number;
  /** node:http treats it like the TLS connection it is, one enclave further out. */
  readonly encrypted = true;
  readonly remoteAddress = undefined;
  readonly #wire: StreamWire;
  #sink: RawSink | undefined;
  #paused = false;
  #pressed = false;
  #gone = false;
  #ended = false;
  #held: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timeoutMs = 0;

  constructor(id: number, wire: StreamWire) {
    super({ allowHalfOpen: true, decodeStrings: true, highWaterMark: 64 * 1024 });
    this.id = id;
    this.#wire = wire;
  }

  /** Bytes from the client. */
  receive(bytes: Buffer): void {
    if (this.destroyed) return;
    this.#touch();
    if (this.#sink !== undefined) {
      this.#sink.onData(bytes);
    } else if (!this.push(bytes) && !this.#paused) {
      this.#paused = true;
      this.#wire.pause(this.id);
    }
  }

  /** The client sends no more. */
  receiveEnd(): void {
    if (this.destroyed) return;
    if (this.#sink !== undefined) this.#sink.onEnd();
    else this.push(null);
  }

  /** The connection is gone. */
  receiveReset(): void {
    this.#gone = true;
    this.destroy();
  }

  /** The manager takes frames again. */
  drained(): void {
    const held = this.#held;
    this.#held = undefined;
    held?.();
  }

  /** Gives bytes to a sink from now on; returns what was read ahead. */
  takeOver(sink: RawSink): Buffer {
    this.setTimeout(0);
    const ahead: Buffer[] = [];
    for (let chunk = this.read(); chunk !== null; chunk = this.read()) ahead.push(chunk as Buffer);
    this.#sink = sink;
    if (this.#paused) {
      this.#paused = false;
      this.#wire.resume(this.id);
    }
    this.once('close', () => sink.onClose());
    return Buffer.concat(ahead);
  }

  /** Sends bytes straight to the manager; they must not change afterwards. */
  sendRaw(bytes: Uint8Array): void {
    if (!this.destroyed) this.#wire.data(this.id, bytes);
  }

  /** Holds the client's bytes back at the manager, or lets them come. Only after `takeOver`. */
  press(high: boolean): void {
    if (this.destroyed || high === this.#pressed) return;
    this.#pressed = high;
    if (high) this.#wire.pause(this.id);
    else this.#wire.resume(this.id);
  }

  override _read(): void {
    if (!this.#paused || this.#gone) return;
    this.#paused = false;
    this.#wire.resume(this.id);
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#send(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    for (const { chunk } of chunks) if (!this.#gone) this.#wire.data(this.id, chunk);
    this.#settle(done);
  }

  override _final(done: () => void): void {
    if (!this.#gone) this.#wire.end(this.id);
    this.#ended = true;
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.#timer);
    if (!this.#gone) this.#leave(error === null && this.#ended);
    this.drained();
    done(error);
  }

  /** As net.Socket: emits `timeout` after so long without traffic; 0 turns it off. */
  setTimeout(timeoutMs: number, onTimeout?: () => void): this {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timeoutMs = timeoutMs;
    if (timeoutMs > 0) {
      if (onTimeout !== undefined) this.once('timeout', onTimeout);
      this.#timer = setTimeout(() => this.emit('timeout'), timeoutMs).unref();
    } else if (onTimeout !== undefined) {
      this.off('timeout', onTimeout);
    }
    return this;
  }

  /** As net.Socket. */
  get timeout(): number {
    return this.#timeoutMs;
  }

  /** Nothing to set on a stream between enclaves. */
  setNoDelay(): this {
    return this;
  }

  /** Nothing to set on a stream between enclaves. */
  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  /** As net.Socket: closes once everything written has left. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  /** A reset at once would overtake what the client has not read yet of an orderly end. */
  #leave(orderly: boolean): void {
    this.#gone = true;
    const { id } = this;
    const wire = this.#wire;
    if (!orderly) {
      wire.reset(id);
      return;
    }
    if (this.#paused || this.#pressed) wire.resume(id);
    setTimeout(() => wire.reset(id), lingerMs).unref();
  }

  #send(bytes: Uint8Array, done: () => void): void {
    this.#touch();
    if (!this.#gone) this.#wire.data(this.id, bytes);
    this.#settle(done);
  }

  #settle(done: () => void): void {
    if (this.#gone || !this.#wire.isCongested()) done();
    else this.#held = done;
  }

  #touch(): void {
    if (this.#timeoutMs > 0) this.#timer?.refresh();
  }
}
