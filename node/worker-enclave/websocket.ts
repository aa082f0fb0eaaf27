import type { RawData, WebSocket } from 'ws';
import type { WebSocketLike } from './adapter.ts';
import type { WorkerLimits } from './limits.ts';

const nothing = (): void => {};

/** A `ws` connection as endpoints see it: pinged, bounded, closed with a reason. */
export class LimitedWebSocket implements WebSocketLike {
  onMessage: (data: Buffer, isBinary: boolean) => void = nothing;
  onClose: () => void = nothing;
  readonly path: string;
  readonly #socket: WebSocket;
  readonly #limits: WorkerLimits;
  #answered = true;

  constructor(socket: WebSocket, path: string, limits: WorkerLimits) {
    this.path = path;
    this.#socket = socket;
    this.#limits = limits;
    const ping = setInterval(() => this.#ping(), limits.pingIntervalMs).unref();
    socket.on('pong', () => {
      this.#answered = true;
    });
    socket.on('message', (data: RawData, isBinary: boolean) => {
      this.onMessage(toBuffer(data), isBinary);
    });
    // `ws` closes the connection after an error; there is nothing to add to that.
    socket.on('error', nothing);
    socket.on('close', () => {
      clearInterval(ping);
      this.onClose();
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
