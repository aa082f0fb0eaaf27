import { once } from 'node:events';
import { connect as connectTls, createServer, type Server, type TLSSocket } from 'node:tls';
import { dialThroughHost } from '@concordat/bridge';
import { CodedError, type NodeId } from '@concordat/std';
import { ManagerError } from './errors.ts';
import { type PeerPolicy, PeerSession } from './peer-session.ts';

/** Where another validating node is reached. */
export interface PeerTarget {
  readonly nodeId: NodeId;
  /** `host:port` of its node channel. */
  readonly address: string;
}

/** Sockets of the bridge directory that the node channel uses. */
export interface NodeChannelPaths {
  /** The host connects what it accepted on the node port to this socket. */
  readonly listen: string;
  /** The host opens TCP connections asked for on this socket. */
  readonly dial: string;
}

/** Key and certificate (PEM) of this end. */
export interface ChannelCredentials {
  readonly key: string;
  readonly certificate: string;
}

const retryFirstMs = 100;
const retryMaxMs = 2_000;
/** Consensus messages are dropped, and sent again by consensus, beyond this. */
const maxWaitingBytes = 128 * 1024 * 1024;
/** Inbound connections at once: a network of hundreds of nodes, and bounded memory. */
const maxInbound = 512;

/**
 * Mutually authenticated TLS between validating nodes, ended inside the enclave (paper, "Secure
 * Communication"). Every node dials every other one and sends on the connection it dialled.
 */
export class NodeChannel {
  readonly #paths: NodeChannelPaths;
  readonly #policy: PeerPolicy;
  readonly #server: Server;
  readonly #inbound = new Set<PeerSession>();
  readonly #outbound = new Map<NodeId, PeerSession>();
  readonly #targets = new Map<NodeId, string>();
  readonly #retries = new Map<NodeId, { timer: NodeJS.Timeout; delayMs: number }>();
  readonly #onChange: (peer: NodeId, up: boolean, reason?: Error) => void;
  #credentials: ChannelCredentials;
  #stopped = false;

  constructor(options: {
    readonly paths: NodeChannelPaths;
    readonly credentials: ChannelCredentials;
    readonly policy: Omit<PeerPolicy, 'onClosed'>;
    readonly onChange: (peer: NodeId, up: boolean, reason?: Error) => void;
  }) {
    this.#paths = options.paths;
    this.#credentials = options.credentials;
    this.#onChange = options.onChange;
    const policy = options.policy;
    this.#policy = {
      challenge: () => policy.challenge(),
      prove: (challenge) => policy.prove(challenge),
      admit: (...judged) => policy.admit(...judged),
      onConsensus: (peer, message) => policy.onConsensus(peer, message),
      onRequest: (session, kind, body) => policy.onRequest(session, kind, body),
      onClosed: (session, error) => this.#sessionClosed(session, error),
    };
    this.#server = createServer(this.#serverOptions(), (socket) => this.#accepted(socket));
    this.#server.maxConnections = maxInbound;
    this.#server.on('tlsClientError', () => undefined);
  }

  /** Opens the bridge socket the host connects peers to. */
  async listen(): Promise<void> {
    this.#server.listen(this.#paths.listen);
    await once(this.#server, 'listening');
  }

  /** Replaces key and certificate for connections made from now on. */
  set credentials(credentials: ChannelCredentials) {
    this.#credentials = credentials;
    this.#server.setSecureContext(this.#serverOptions());
  }

  #serverOptions() {
    return {
      key: this.#credentials.key,
      cert: this.#credentials.certificate,
      requestCert: true,
      // Trust comes from evidence and node list, judged by the session's policy.
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3' as const,
      handshakeTimeout: 10_000,
    };
  }

  #accepted(socket: TLSSocket): void {
    socket.on('error', () => undefined);
    if (this.#stopped || !socket.getPeerX509Certificate()) {
      socket.destroy();
      return;
    }
    this.#inbound.add(new PeerSession(socket, this.#policy));
  }

  /** Nodes to keep a connection to; others are let go. */
  set targets(targets: readonly PeerTarget[]) {
    const wanted = new Map(targets.map(({ nodeId, address }) => [nodeId, address]));
    for (const nodeId of this.#targets.keys()) {
      if (!wanted.has(nodeId)) this.#forget(nodeId);
    }
    for (const [nodeId, address] of wanted) {
      if (this.#targets.get(nodeId) === address) continue;
      this.#targets.set(nodeId, address);
      void this.#dialTarget(nodeId, address, retryFirstMs);
    }
  }

  /** Drops a peer's connections both ways, telling it why. */
  refuse(nodeId: NodeId, code: string, message: string): void {
    this.#forget(nodeId);
    for (const session of this.#inbound) {
      if (session.peer.nodeId === nodeId) session.refuse(code, message);
    }
  }

  #forget(nodeId: NodeId): void {
    this.#targets.delete(nodeId);
    clearTimeout(this.#retries.get(nodeId)?.timer);
    this.#retries.delete(nodeId);
    this.#outbound.get(nodeId)?.close();
    this.#outbound.delete(nodeId);
  }

  async #dialTarget(nodeId: NodeId, address: string, delayMs: number): Promise<void> {
    try {
      const session = await this.dial(address);
      if (this.#targets.get(nodeId) !== address) return session.close();
      if (session.peer.nodeId !== nodeId) {
        session.close();
        throw new ManagerError('CHANNEL_REFUSED', 'another node answers at this address', {
          address,
        });
      }
      this.#outbound.set(nodeId, session);
      this.#retries.delete(nodeId);
      this.#onChange(nodeId, true);
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error)) throw error;
      if (delayMs === retryFirstMs) this.#onChange(nodeId, false, error);
      this.#retryLater(nodeId, Math.min(delayMs * 2, retryMaxMs));
    }
  }

  #retryLater(nodeId: NodeId, delayMs: number): void {
    if (this.#stopped || !this.#targets.has(nodeId)) return;
    const timer = setTimeout(() => {
      const address = this.#targets.get(nodeId);
      if (address !== undefined) void this.#dialTarget(nodeId, address, delayMs);
    }, delayMs);
    this.#retries.set(nodeId, { timer, delayMs });
  }

  /**
   * Connects to a node channel and waits until both sides accepted each other.
   * @throws CodedError the other side's refusal; ManagerError CHANNEL_FAILED,
   *   PEER_TIMEOUT; BridgeError DIAL_FAILED
   */
  async dial(address: string): Promise<PeerSession> {
    const raw = await dialThroughHost(this.#paths.dial, address);
    const socket = connectTls({
      socket: raw,
      key: this.#credentials.key,
      cert: this.#credentials.certificate,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
    });
    try {
      await once(socket, 'secureConnect', { signal: AbortSignal.timeout(10_000) });
    } catch (error) {
      socket.destroy();
      throw new ManagerError('CHANNEL_FAILED', `no TLS with ${address}: ${String(error)}`);
    }
    const session = new PeerSession(socket, this.#policy);
    try {
      await session.ready;
    } catch (error) {
      if (error instanceof CodedError) throw error;
      throw new ManagerError('CHANNEL_FAILED', `no channel with ${address}: ${String(error)}`);
    }
    return session;
  }

  /** Whether messages to a peer can be sent now. */
  connected(nodeId: NodeId): boolean {
    return this.#outbound.has(nodeId);
  }

  /** Sends a consensus message, or drops it when there is no connection or too much waits. */
  send(nodeId: NodeId, parts: readonly Uint8Array[]): void {
    const session = this.#outbound.get(nodeId);
    if (session && session.waitingBytes < maxWaitingBytes) session.sendConsensus(parts);
  }

  /** Writes what this turn collected for every peer now. */
  flush(): void {
    for (const session of this.#outbound.values()) session.flush();
  }

  /**
   * Asks a peer over the connection kept to it.
   * @throws CodedError of the peer; ManagerError CHANNEL_FAILED, PEER_TIMEOUT
   */
  request(nodeId: NodeId, kind: string, body: Uint8Array, timeoutMs: number): Promise<Buffer> {
    const session = this.#outbound.get(nodeId);
    if (!session) {
      return Promise.reject(new ManagerError('CHANNEL_FAILED', 'no channel to that node'));
    }
    return session.request(kind, body, timeoutMs);
  }

  #sessionClosed(session: PeerSession, error: Error | undefined): void {
    if (this.#inbound.delete(session)) return;
    const nodeId = session.peer.nodeId;
    if (this.#outbound.get(nodeId) !== session) return;
    this.#outbound.delete(nodeId);
    this.#onChange(nodeId, false, error);
    this.#retryLater(nodeId, retryFirstMs);
  }

  /** Closes every connection and stops listening. */
  stop(): void {
    this.#stopped = true;
    for (const nodeId of [...this.#targets.keys()]) this.#forget(nodeId);
    for (const session of this.#inbound) session.close();
    this.#server.close();
  }
}
