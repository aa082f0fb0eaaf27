import type { TLSSocket } from 'node:tls';
import { Connection, type ConnectionOptions } from './connection.ts';
import { explainFailure } from './connection-failure.ts';
import { SdkError } from './errors.ts';

/** The Upgrade token of framed streams. */
export const streamProtocol = 'concordat-stream/1';

/** How to open a framed stream. */
export interface FrameClientOptions extends ConnectionOptions {
  /** The endpoint, for example `/kv/stream`. */
  readonly path: string;
  /** Requests unanswered at once; default 100,000. */
  readonly maxInFlight?: number;
  /** Body bytes of an answer; default 16 MiB. */
  readonly maxFrameBytes?: number;
  /** Milliseconds without a byte while requests are unanswered, then TIMEOUT; default 60,000. */
  readonly stallTimeoutMs?: number;
}

/** Gets the body of the answer, a view into received bytes, or why there is none. */
export type FrameCallback = (error: SdkError | undefined, body: Buffer) => void;

const headerBytes = 8;
const slabBytes = 64 * 1024;
const maxWaitingBytes = 64 * 1024 * 1024;
const stallTicks = 5;
const noBody = Buffer.alloc(0);

/**
 * Many requests in flight over one connection: `concordat-stream/1`, frames of u32 length (of what
 * follows) | u32 id | body. Requests of one turn are packed into one slab and leave as one write,
 * so that a request costs a few microseconds. Ids are positions in a dense table of callbacks.
 */
export class FrameClient {
  /** Called once, when the stream is over for whatever reason. */
  onClose: (why: SdkError) => void = () => {};
  readonly #socket: TLSSocket;
  readonly #address: string;
  readonly #maxInFlight: number;
  readonly #maxFrameBytes: number;
  readonly #callbacks: (FrameCallback | undefined)[] = [];
  readonly #free: number[] = [];
  #inFlight = 0;
  #slab: Buffer = Buffer.allocUnsafeSlow(slabBytes);
  #start = 0;
  #at = 0;
  #flushing = false;
  #congested = false;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #needed = 4;
  #over: SdkError | undefined;
  readonly #stallTimer: NodeJS.Timeout;
  #progress = false;
  #quietTicks = 0;

  /** Use {@link openFrameClient}. */
  constructor(socket: TLSSocket, head: Buffer, options: FrameClientOptions) {
    this.#socket = socket;
    this.#address = options.address;
    this.#maxInFlight = options.maxInFlight ?? 100_000;
    this.#maxFrameBytes = options.maxFrameBytes ?? 16 * 1024 * 1024;
    const stallTimeoutMs = options.stallTimeoutMs ?? 60_000;
    this.#stallTimer = setInterval(() => this.#watch(stallTimeoutMs), stallTimeoutMs / stallTicks);
    this.#stallTimer.unref();
    socket.setNoDelay(true);
    socket.setTimeout(0);
    socket.on('error', (error) => this.#finish(explainFailure(error, this.#address)));
    socket.on('close', () => this.#finish(this.#lost()));
    socket.on('end', () => this.#finish(this.#lost()));
    socket.on('drain', () => {
      this.#congested = false;
    });
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    if (head.length > 0) this.#received(head);
    socket.resume();
  }

  /** Requests sent and not answered. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Whether the stream is over. */
  get isClosed(): boolean {
    return this.#over !== undefined;
  }

  /** Bytes that {@link reserve} gave a place in. */
  get outgoing(): Buffer {
    return this.#slab;
  }

  /** Sends a request; the body is copied. */
  request(body: Uint8Array, callback: FrameCallback): void {
    const at = this.reserve(body.length, callback);
    if (at >= 0) this.#slab.set(body, at);
  }

  /** Sends a request and waits for its answer. @throws SdkError */
  ask(body: Uint8Array): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.request(body, (error, answer) => (error ? reject(error) : resolve(answer)));
    });
  }

  /**
   * Sends a request whose body the caller writes itself, at once, into {@link outgoing} at the
   * returned position. Negative when it was refused (TOO_MANY_IN_FLIGHT, CLOSED and so on): then
   * nothing is to be written, and the callback is told in a later turn.
   */
  reserve(bodyBytes: number, callback: FrameCallback): number {
    if (this.#over || this.#congested || this.#inFlight >= this.#maxInFlight) {
      const error = this.#over ?? tooMany();
      process.nextTick(() => callback(error, noBody));
      return -1;
    }
    const id = this.#free.pop() ?? this.#callbacks.length;
    this.#callbacks[id] = callback;
    this.#inFlight += 1;
    const size = headerBytes + bodyBytes;
    if (this.#slab.length - this.#at < size) {
      this.#flush();
      this.#slab = Buffer.allocUnsafeSlow(Math.max(slabBytes, size));
      this.#start = 0;
      this.#at = 0;
    }
    const slab = this.#slab;
    const at = this.#at;
    slab.writeUInt32BE(bodyBytes + 4, at);
    slab.writeUInt32BE(id, at + 4);
    this.#at = at + size;
    if (!this.#flushing) {
      this.#flushing = true;
      process.nextTick(flushTurn, this);
    }
    return at + headerBytes;
  }

  /** Writes what this turn collected; for the end of the turn. */
  flush(): void {
    this.#flushing = false;
    this.#flush();
  }

  #flush(): void {
    if (this.#at === this.#start || this.#over) return;
    const bytes = this.#slab.subarray(this.#start, this.#at);
    this.#start = this.#at;
    if (!this.#socket.write(bytes) && this.#socket.writableLength > maxWaitingBytes) {
      this.#congested = true;
    }
  }

  #received(chunk: Buffer): void {
    this.#progress = true;
    let bytes = chunk;
    if (this.#heldBytes > 0) {
      this.#held.push(chunk);
      this.#heldBytes += chunk.length;
      if (this.#heldBytes < this.#needed) return;
      bytes = Buffer.concat(this.#held, this.#heldBytes);
      this.#held = [];
      this.#heldBytes = 0;
    }
    this.#cut(bytes);
  }

  #cut(bytes: Buffer): void {
    let at = 0;
    this.#needed = 4;
    while (bytes.length - at >= 4) {
      const length = bytes.readUInt32BE(at);
      if (length < 4 || length - 4 > this.#maxFrameBytes) {
        this.#finish(unexpected(`a frame of ${length} bytes`));
        return;
      }
      const end = at + 4 + length;
      if (end > bytes.length) {
        this.#needed = 4 + length;
        break;
      }
      if (!this.#answered(bytes.readUInt32BE(at + 4), bytes.subarray(at + headerBytes, end))) {
        return;
      }
      at = end;
    }
    if (at < bytes.length) {
      this.#held.push(bytes.subarray(at));
      this.#heldBytes = bytes.length - at;
    }
  }

  /** False once the stream is over. */
  #answered(id: number, body: Buffer): boolean {
    const callback = this.#callbacks[id];
    if (callback === undefined) {
      this.#finish(unexpected(`an answer to request ${id}, which was not asked`));
      return false;
    }
    this.#callbacks[id] = undefined;
    this.#free.push(id);
    this.#inFlight -= 1;
    callback(undefined, body);
    return this.#over === undefined;
  }

  #watch(stallTimeoutMs: number): void {
    const quiet = this.#inFlight > 0 && !this.#progress;
    this.#quietTicks = quiet ? this.#quietTicks + 1 : 0;
    this.#progress = false;
    if (this.#quietTicks <= stallTicks) return;
    const why = `${this.#address}: no byte within ${stallTimeoutMs} ms`;
    this.#finish(new SdkError('TIMEOUT', why, { stallTimeoutMs }));
  }

  #lost(): SdkError {
    return new SdkError('CONNECTION_LOST', `${this.#address}: the node ended the stream`);
  }

  #finish(why: SdkError): void {
    if (this.#over) return;
    this.#over = why;
    clearInterval(this.#stallTimer);
    this.#socket.destroy();
    this.#held = [];
    const unanswered = this.#callbacks.filter((callback) => callback !== undefined);
    this.#callbacks.length = 0;
    this.#inFlight = 0;
    for (const callback of unanswered) callback(why, noBody);
    this.onClose(why);
  }

  /** Ends the stream; requests not answered fail with CLOSED, though they may take effect. */
  close(): void {
    this.#finish(new SdkError('CLOSED', `the client of ${this.#address} was closed`));
  }
}

const flushTurn = (client: FrameClient): void => client.flush();

const unexpected = (what: string): SdkError =>
  new SdkError('UNEXPECTED_ANSWER', `the node sent ${what}`);

const tooMany = (): SdkError =>
  new SdkError('TOO_MANY_IN_FLIGHT', 'too many requests are unanswered; this one was not sent');

/**
 * Opens a framed stream.
 * @throws SdkError as a request of {@link Connection}; the code a node refused the upgrade with
 */
export async function openFrameClient(options: FrameClientOptions): Promise<FrameClient> {
  const { path, ...connection } = options;
  const { socket, head } = await new Connection(connection).upgrade(path, streamProtocol);
  return new FrameClient(socket, head, options);
}
