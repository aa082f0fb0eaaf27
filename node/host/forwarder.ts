import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { parseAddress } from './config.ts';
import { HostError } from './errors.ts';
import { splice } from './splice.ts';

/** What one TCP listener forwards to. */
export interface ForwarderOptions {
  /** `host:port` to accept on. */
  readonly address: string;
  /** The enclave's socket. */
  readonly path: string;
  readonly maxConnections: number;
  /** Of one peer's IP address (IPv6: of its /64 network); default: no bound of its own. */
  readonly maxConnectionsPerAddress?: number | undefined;
  readonly halfOpenTimeoutMs: number;
}

/** Counters of a listener since it was opened. */
export interface ForwarderStats {
  accepted: number;
  /** Closed at once because too many were open, of all or of one address. */
  refused: number;
  /** Closed because the enclave did not take them. */
  failed: number;
  open: number;
}

const keepAliveMs = 30_000;

/** Accepts TCP connections and forwards their bytes, unread, to an enclave's socket. */
export class Forwarder {
  readonly stats: ForwarderStats = { accepted: 0, refused: 0, failed: 0, open: 0 };
  /** The address listened on, `host:port`. */
  readonly address: string;
  readonly #server: Server;
  readonly #options: ForwarderOptions;
  readonly #sockets = new Set<Socket>();
  readonly #open = new Map<string, number>();

  private constructor(server: Server, options: ForwarderOptions) {
    this.#server = server;
    this.#options = options;
    const { address, family, port } = server.address() as AddressInfo;
    this.address = family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
    server.maxConnections = options.maxConnections;
    server.on('connection', (socket: Socket) => this.#accept(socket));
    server.on('drop', () => this.stats.refused++);
    server.on('error', () => {});
  }

  /**
   * Starts to accept.
   * @throws HostError LISTEN_FAILED
   */
  static async open(options: ForwarderOptions): Promise<Forwarder> {
    const server = createServer({
      allowHalfOpen: true,
      pauseOnConnect: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveMs,
    });
    await listen(server, options.address);
    return new Forwarder(server, options);
  }

  /** Accepts no more; open connections go on. */
  stopAccepting(): void {
    this.#server.close();
  }

  /** Stops to accept and closes every connection. */
  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket: Socket): void {
    const peer = networkOf(socket.remoteAddress ?? '');
    const ofPeer = this.#open.get(peer) ?? 0;
    if (ofPeer >= (this.#options.maxConnectionsPerAddress ?? Number.POSITIVE_INFINITY)) {
      this.stats.refused++;
      socket.destroy();
      return;
    }
    this.#open.set(peer, ofPeer + 1);
    this.stats.accepted++;
    this.stats.open++;
    const enclave = connect({ path: this.#options.path, allowHalfOpen: true });
    this.#sockets.add(socket).add(enclave);
    enclave.once('error', () => {
      if (enclave.pending) this.stats.failed++;
    });
    splice(socket, enclave, {
      halfOpenTimeoutMs: this.#options.halfOpenTimeoutMs,
      onClose: () => {
        this.stats.open--;
        const left = (this.#open.get(peer) ?? 1) - 1;
        if (left === 0) this.#open.delete(peer);
        else this.#open.set(peer, left);
        this.#sockets.delete(socket);
        this.#sockets.delete(enclave);
      },
    });
  }
}

/** Whoever has an IPv6 address has as many as its /64 network holds (RFC 4291, section 2.5.4). */
export function networkOf(address: string): string {
  if (!address.includes(':') || address.includes('.')) return address;
  const [head = '', tail] = address.split('%', 1)[0]?.split('::') ?? [];
  const groups = head === '' ? [] : head.split(':');
  const after = tail ? tail.split(':').length : 0;
  while (tail !== undefined && groups.length + after < 8) groups.push('0');
  return groups.slice(0, 4).join(':');
}

/**
 * Listens on `host:port`.
 * @throws HostError LISTEN_FAILED
 */
async function listen(server: Server, address: string): Promise<void> {
  try {
    server.listen({ ...parseAddress(address), backlog: 1024 });
    await once(server, 'listening');
  } catch (error) {
    throw new HostError('LISTEN_FAILED', `${address}: ${(error as Error).message}`, { address });
  }
}

/** Replaces port 0 by a port that is free now, so that the address can be told to others. */
export async function settlePort(address: string): Promise<string> {
  const { host, port } = parseAddress(address);
  if (port !== 0) return address;
  const server = createServer();
  await listen(server, address);
  const settled = (server.address() as AddressInfo).port;
  server.close();
  await once(server, 'close');
  return host.includes(':') ? `[${host}]:${settled}` : `${host}:${settled}`;
}
