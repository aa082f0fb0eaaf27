import { constants } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTls, createServer, type Server, type TLSSocket } from 'node:tls';
import { dialThroughHost } from '@concordat/bridge';
import { CodedError, type NodeId } from '@concordat/std';
import { ManagerError } from './errors.ts';
import type { PeerPolicy } from './peer-policy.ts';
import { PeerSession } from './peer-session.ts';

/** Where another validating node is reached. */
export interface PeerTarget {
  readonly nodeId: NodeId;
  /** `host:port` of its node channel. */
  readonly address: string;
}

/** What a node channel is made of. */
export interface NodeChannelOptions {
  readonly paths: NodeChannelPaths;
  readonly credentials: ChannelCredentials;
  readonly policy: Omit<PeerPolicy, 'onClosed' | 'onEstablished'>;
  /** A target came up, or is down for this reason. */
  readonly onChange: (peer: NodeId, up: boolean, reason?: Error) => void;
  /** A connection that came from a peer ended by what it sent, or was refused for what it is. */
  readonly onRefused: (peer: NodeId, code: string) => void;
  /** A peer that dialled this node or was dialled did not want it, for a reason with this code. */
  readonly onRefusedBy: (peer: NodeId, code: string) => void;
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
/** Between two probes of each connection kept. */
const probeMs = 1_500;
/** Consensus messages are dropped, and sent again by consensus, beyond this. */
const maxWaitingBytes = 128 * 1024 * 1024;
/** Inbound connections at once: a network of hundreds of nodes, and bounded memory. */
const maxInbound = 1024;
/** Of these, ones that have not been admitted: the oldest gives way to the next. */
const maxUnadmitted = 64;
/** Of these, admitted ones of the same node: one in use, one about to replace it. */
const maxOfOneNode = 2;

/**
 * Mutually authenticated TLS between validating nodes, ended inside the enclave (paper, "Secure
 * Communication"). Every node dials every other one and sends on the connection it dialled.
 */
export class NodeChannel {
  readonly #paths: NodeChannelPaths;
  readonly #policy: PeerPolicy<PeerSession>;
  readonly #server: Server;
  readonly #inbound = new Set<PeerSession>();
  readonly #outbound = new Map<NodeId, PeerSession>();
  readonly #targets = new Map<NodeId, string>();
  readonly #retries = new Map<NodeId, NodeJS.Timeout>();
  /** Code of the last failure told for a target. */
  readonly #reported = new Map<NodeId, string>();
  readonly #onChange: (peer: NodeId, up: boolean, reason?: Error) => void;
  readonly #onRefused: (peer: NodeId, code: string) => void;
  readonly #onRefusedBy: (peer: NodeId, code: string) => void;
  #credentials: ChannelCredentials;
  readonly #probing: NodeJS.Timeout;
  #stopped = false;

  constructor(options: NodeChannelOptions) {
    this.#paths = options.paths;
    this.#credentials = options.credentials;
    this.#onChange = options.onChange;
    this.#onRefused = options.onRefused;
    this.#onRefusedBy = options.onRefusedBy;
    const { policy } = options;
    this.#policy = {
      challenge: () => policy.challenge(),
      prove: (challenge) => policy.prove(challenge),
      admit: (...judged) => policy.admit(...judged),
      onConsensus: (session, message) => policy.onConsensus(session, message),
      onTurn: () => policy.onTurn(),
      onRequest: (session, kind, body) => policy.onRequest(session, kind, body),
      onFault: (session, error) => policy.onFault(session, error),
      onEstablished: (session) => this.#established(session),
      onClosed: (session, error) => this.#sessionClosed(session, error),
    };
    this.#server = createServer(this.#serverOptions(), (socket) => this.#accepted(socket));
    this.#server.maxConnections = maxInbound;
    this.#server.on('tlsClientError', () => undefined);
    this.#probing = setInterval(() => {
      for (const session of this.#outbound.values()) session.probe();
    }, probeMs);
    this.#probing.unref();
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
      handshakeTimeout: 5_000,
      // A resumed session would skip the proof that the peer holds its key now.
      secureOptions: constants.SSL_OP_NO_TICKET,
    };
  }

  #accepted(socket: TLSSocket): void {
    socket.on('error', () => undefined);
    if (this.#stopped || !socket.getPeerX509Certificate()) {
      socket.destroy();
      return;
    }
    try {
      this.#inbound.add(new PeerSession(socket, this.#policy, { side: 'accepted' }));
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      socket.destroy();
      return;
    }
    const waiting = [...this.#inbound].filter((session) => !session.established);
    if (waiting.length > maxUnadmitted) waiting[0]?.close();
  }

  #established(session: PeerSession): void {
    if (!this.#inbound.has(session)) return;
    const { nodeId } = session.peer;
    const same = [...this.#inbound].filter((other) => other.peer.nodeId === nodeId);
    if (same.length > maxOfOneNode) same[0]?.close();
  }

  /** Nodes to keep a connection to; others are let go. */
  set targets(targets: readonly PeerTarget[]) {
    const wanted = new Map(targets.map(({ nodeId, address }) => [nodeId, address]));
    for (const nodeId of this.#targets.keys()) {
      if (!wanted.has(nodeId)) this.#forget(nodeId);
    }
    for (const [nodeId, address] of wanted) {
      if (this.#targets.get(nodeId) === address) continue;
      this.#forget(nodeId);
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
    clearTimeout(this.#retries.get(nodeId));
    this.#retries.delete(nodeId);
    this.#reported.delete(nodeId);
    const session = this.#outbound.get(nodeId);
    this.#outbound.delete(nodeId);
    session?.close();
  }

  async #dialTarget(nodeId: NodeId, address: string, delayMs: number): Promise<void> {
    try {
      const session = await this.dial(address, nodeId);
      if (this.#stopped || this.#targets.get(nodeId) !== address) return session.close();
      this.#outbound.get(nodeId)?.close();
      this.#outbound.set(nodeId, session);
      this.#reported.delete(nodeId);
      this.#onChange(nodeId, true);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      if (this.#targets.get(nodeId) !== address) return;
      if (error.details.byPeer) this.#onRefusedBy(nodeId, error.code);
      // Each new reason is told once: what a node is refused for may change while it tries.
      if (this.#reported.get(nodeId) !== error.code) {
        this.#reported.set(nodeId, error.code);
        this.#onChange(nodeId, false, error);
      }
      this.#retryLater(nodeId, Math.min(delayMs * 2, retryMaxMs));
    }
  }

  #retryLater(nodeId: NodeId, delayMs: number): void {
    if (this.#stopped || !this.#targets.has(nodeId)) return;
    const timer = setTimeout(() => {
      this.#retries.delete(nodeId);
      const address = this.#targets.get(nodeId);
      if (address !== undefined) void this.#dialTarget(nodeId, address, delayMs);
    }, delayMs);
    this.#retries.set(nodeId, timer);
  }

  /**
   * Connects to a node channel and waits until both sides accepted each other. Where it is known
   * which node must answer, no other one is listened to: not even its refusal.
   * @throws CodedError the other side's refusal; ManagerError CHANNEL_REFUSED, CHANNEL_FAILED,
   *   PEER_TIMEOUT; BridgeError DIAL_FAILED
   */
  async dial(address: string, expected?: NodeId): Promise<PeerSession> {
    const raw = await dialThroughHost(this.#paths.dial, address);
    const socket = connectTls({
      socket: raw,
      key: this.#credentials.key,
      cert: this.#credentials.certificate,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
    });
    socket.on('error', () => undefined);
    try {
      await once(socket, 'secureConnect', { signal: AbortSignal.timeout(10_000) });
    } catch (error) {
      socket.destroy();
      throw new ManagerError('CHANNEL_FAILED', `no TLS with ${address}: ${String(error)}`);
    }
    try {
      const session = new PeerSession(socket, this.#policy, { side: 'dialled' });
      if (expected !== undefined && session.peer.nodeId !== expected) {
        session.close();
        throw new ManagerError('CHANNEL_REFUSED', 'another node answers at this address', {
          address,
        });
      }
      await session.ready;
      return session;
    } catch (error) {
      socket.destroy();
      if (error instanceof CodedError) throw error;
      throw new ManagerError('CHANNEL_FAILED', `no channel with ${address}: ${String(error)}`);
    }
  }

  /** Whether messages to a peer can be sent now. */
  connected(nodeId: NodeId): boolean {
    return this.#outbound.has(nodeId);
  }

  /** Whether an answer of a peer is waited for. */
  isAsking(nodeId: NodeId): boolean {
    return (this.#outbound.get(nodeId)?.waitingRequests ?? 0) > 0;
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

  #sessionClosed(session: PeerSession, error: Error): void {
    const { nodeId } = session.peer;
    if (this.#inbound.delete(session)) {
      if (!(error instanceof CodedError) || error.details.orderly) return;
      if (error.details.byPeer) this.#onRefusedBy(nodeId, error.code);
      else this.#onRefused(nodeId, error.code);
      return;
    }
    if (this.#outbound.get(nodeId) !== session) return;
    this.#outbound.delete(nodeId);
    this.#onChange(nodeId, false, error);
    this.#retryLater(nodeId, retryFirstMs);
  }

  /** Closes every connection and stops listening. */
  stop(): void {
    this.#stopped = true;
    clearInterval(this.#probing);
    for (const nodeId of [...this.#targets.keys()]) this.#forget(nodeId);
    for (const session of this.#inbound) session.close();
    this.#server.close();
  }
}
