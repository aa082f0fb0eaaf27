import type { RawData, WebSocket } from 'ws';
import type { Refused, WebSocketLike } from './adapter.ts';
import { HeldMessages } from './held-messages.ts';
import type { WorkerLimits } from './limits.ts';
import type { ReadCallback } from './read-gate.ts';

const nothing = (): void => {};
/** "Try again later", of the registry that RFC 6455 section 11.7 sets up. */
const tryAgainLater = 1013;

/** A `ws` connection as endpoints see it: pinged, bounded, closed with a reason. */
export class LimitedWebSocket implements WebSocketLike {
  onMessage: (data: Buffer, isBinary: boolean) => void = nothing;
  onRefused: (data: Buffer, isBinary: boolean, refused: Refused) => void;
  onClose: () => void = nothing;
  readonly path: string;
  readonly #socket: WebSocket;
  readonly #limits: WorkerLimits;
  #answered = true;

  /** @param whenCurrent given when messages are held until the state is current */
  constructor(
    socket: WebSocket,
    path: string,
    { limits, whenCurrent }: { limits: WorkerLimits; whenCurrent?: (done: ReadCallback) => void },
  ) {
    this.path = path;
    this.#socket = socket;
    this.#limits = limits;
    this.onRefused = (_data, _isBinary, { code }) => this.close(tryAgainLater, code);
    const ping = setInterval(() => this.#ping(), limits.pingIntervalMs).unref();
    socket.on('pong', () => {
      this.#answered = true;
    });
    const held = whenCurrent && this.#hold(whenCurrent);
    socket.on('message', (data: RawData, isBinary: boolean) => {
      if (held) held.push(toBuffer(data), isBinary);
      else this.onMessage(toBuffer(data), isBinary);
    });
    // `ws` closes the connection after an error; there is nothing to add to that.
    socket.on('error', nothing);
    socket.on('close', () => {
      clearInterval(ping);
      held?.close();
      this.onClose();
    });
  }

  #hold(whenCurrent: (done: ReadCallback) => void): HeldMessages {
    return new HeldMessages(whenCurrent, {
      onMessage: (data, isBinary) => this.onMessage(data, isBinary),
      onRefused: (data, isBinary, refused) => this.onRefused(data, isBinary, refused),
      hold: (full) => (full ? this.#socket.pause() : this.#socket.resume()),
    });
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  send(data: string | Uint8Array): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#socket.bufferedAmount > this.#limits.maxWebSocketBufferBytes) {
      this.#socket.terminate();
      return;
    }
    this.#socket.send(data);
  }

  close(code = 1000, reason = ''): void {
    this.#socket.close(code, reason);
  }

  #ping(): void {
    if (!this.#answered) {
      this.#socket.terminate();
      return;
    }
    this.#answered = false;
    this.#socket.ping();
  }
}

function toBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
