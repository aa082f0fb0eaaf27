import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type Actor, identityOf } from '@concordat/worker-enclave';
import type { FromWorker, ToWorker } from './fake-ledger.ts';

/** Turns TCP connections into the worker's streams, without TLS; a port stands for an actor. */
export class FakeListener {
  readonly #deliver: (message: ToWorker) => void;
  readonly #sockets = new Map<number, Socket>();
  readonly #servers: Server[] = [];
  #nextId = 1;

  constructor(deliver: (message: ToWorker) => void) {
    this.#deliver = deliver;
  }

  /** Opens a port of the loopback device and returns it. */
  async listen(actor: Actor): Promise<number> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      this.#accepted(socket, actor),
    );
    this.#servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  /** Takes a frame of the worker if it concerns a stream. */
  take(message: FromWorker): boolean {
    switch (message.kind) {
      case 'streamData':
        this.#sockets.get(message.id)?.write(message.data);
        return true;
      case 'streamEnd':
        this.#sockets.get(message.id)?.end();
        return true;
      case 'streamReset':
        this.#sockets.get(message.id)?.destroy();
        return true;
      case 'streamPause':
        this.#sockets.get(message.id)?.pause();
        return true;
      case 'streamResume':
        this.#sockets.get(message.id)?.resume();
        return true;
      default:
        return false;
    }
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets.values()) socket.destroy();
    await Promise.all(
      this.#servers.map((server) => {
        server.close();
        return once(server, 'close');
      }),
    );
  }

  #accepted(socket: Socket, actor: Actor): void {
    const id = this.#nextId++;
    this.#sockets.set(id, socket);
    this.#deliver({ kind: 'streamOpen', id, identity: identityOf(actor) });
    socket.on('data', (data) => this.#deliver({ kind: 'streamData', id, data }));
    socket.on('end', () => this.#deliver({ kind: 'streamEnd', id }));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#sockets.delete(id);
      this.#deliver({ kind: 'streamReset', id });
    });
  }
}
