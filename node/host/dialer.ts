import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { encodeDialReply, readDialRequest } from '@concordat/bridge';
import { parseAddress } from './config.ts';
import { splice } from './splice.ts';

/** Limits of outbound connections. */
export interface DialerOptions {
  readonly path: string;
  readonly maxOutboundConnections: number;
  readonly dialTimeoutMs: number;
  readonly halfOpenTimeoutMs: number;
}

const addressForm = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+):[0-9]{1,5}$/;

/** Opens TCP connections for the manager enclave and splices each with the socket that asked. */
export class Dialer {
  readonly #server: Server;
  readonly #options: DialerOptions;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, options: DialerOptions) {
    this.#server = server;
    this.#options = options;
    server.maxConnections = options.maxOutboundConnections;
    server.on('connection', (socket: Socket) => void this.#serve(socket));
  }

  /** Starts to listen on the dial socket. */
  static async open(options: DialerOptions): Promise<Dialer> {
    const server = createServer({ allowHalfOpen: true });
    server.listen(options.path);
    await once(server, 'listening');
    return new Dialer(server, options);
  }

  /** Stops, and closes every outbound connection. */
  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #serve(enclave: Socket): Promise<void> {
    this.#keep(enclave);
    enclave.on('error', () => {});
    const late = setTimeout(() => enclave.destroy(), this.#options.dialTimeoutMs);
    try {
      const address = await readDialRequest(enclave);
      if (!addressForm.test(address) || parseAddress(address).port > 65_535) {
        enclave.end(encodeDialReply('not an address'));
        return;
      }
      clearTimeout(late);
      await this.#dial(enclave, address);
    } catch {
      // A request that is malformed, late or cut short: there is nobody to answer.
      enclave.destroy();
    } finally {
      clearTimeout(late);
    }
  }

  async #dial(enclave: Socket, address: string): Promise<void> {
    const peer = connect({
      ...parseAddress(address),
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 30_000,
    });
    this.#keep(peer);
    const giveUp = (): void => {
      peer.destroy();
    };
    enclave.once('close', giveUp);
    const late = setTimeout(
      () => peer.destroy(new Error('connection timed out')),
      this.#options.dialTimeoutMs,
    );
    try {
      await once(peer, 'connect');
    } catch (error) {
      enclave.end(encodeDialReply(describe(error as NodeJS.ErrnoException)));
      return;
    } finally {
      clearTimeout(late);
      enclave.off('close', giveUp);
    }
    enclave.write(encodeDialReply());
    splice(enclave, peer, { halfOpenTimeoutMs: this.#options.halfOpenTimeoutMs });
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }
}

const describe = (error: NodeJS.ErrnoException): string => error.code ?? error.message;
