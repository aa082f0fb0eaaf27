import { connect, type Socket } from 'node:net';
import type { FromWorker, ToWorker } from './fake-ledger.ts';

type FromWorkerExternal = Extract<FromWorker, { kind: 'external' }>;

/** The manager's and the host's part in a worker's calls: sockets on the loopback device. */
export class FakeExternal {
  readonly #deliver: (message: ToWorker) => void;
  readonly #portOf: (system: string) => number | undefined;
  readonly #sockets = new Map<number, Socket>();
  /** All that a host would have carried. */
  readonly carried: Buffer[] = [];

  constructor(
    deliver: (message: ToWorker) => void,
    portOf: (system: string) => number | undefined,
  ) {
    this.#deliver = deliver;
    this.#portOf = portOf;
  }

  /** Connections at present. */
  get open(): number {
    return this.#sockets.size;
  }

  received(message: FromWorkerExternal): void {
    const { id } = message;
    const socket = this.#sockets.get(id);
    switch (message.step) {
      case 'open':
        // Never from inside of what the worker says.
        setImmediate(() => this.#open(id, message.system));
        return;
      case 'data':
        this.carried.push(Buffer.from(message.data));
        socket?.write(message.data);
        return;
      case 'end':
        socket?.end();
        return;
      default:
        socket?.destroy();
    }
  }

  /** Closes every connection, as a manager does whose constitution has changed. */
  cut(code: string): void {
    for (const [id, socket] of this.#sockets) {
      this.#sockets.delete(id);
      socket.destroy();
      this.#deliver({ kind: 'external', id, step: 'closed', code, message: 'it was cut off' });
    }
  }

  #open(id: number, system: string): void {
    const port = this.#portOf(system);
    const closed = (code: string): void => {
      if (!this.#sockets.delete(id)) return;
      this.#deliver({ kind: 'external', id, step: 'closed', code, message: 'it is closed' });
    };
    const socket = connect({ port: port ?? 1, host: '127.0.0.1', allowHalfOpen: true });
    this.#sockets.set(id, socket);
    let isConnected = false;
    socket.on('connect', () => {
      isConnected = true;
      this.#deliver({ kind: 'external', id, step: 'opened' });
    });
    socket.on('data', (data: Buffer) => {
      this.carried.push(data);
      this.#deliver({ kind: 'external', id, step: 'data', data });
    });
    socket.on('end', () => this.#deliver({ kind: 'external', id, step: 'end' }));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      closed(isConnected ? 'EXTERNAL_CONNECTION_LOST' : 'EXTERNAL_UNREACHABLE');
    });
  }
}
