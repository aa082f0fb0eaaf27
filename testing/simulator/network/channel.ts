import { BridgeError } from '@concordat/bridge';
import { fromPem, nodeIdOf, spkiOf } from '@concordat/crypto';
import {
  type Challenge,
  type DialledPeer,
  ManagerError,
  type NodeChannelOptions,
  type PeerChannel,
  type PeerIdentity,
  type PeerTarget,
} from '@concordat/manager-enclave';
import { CodedError, type NodeId } from '@concordat/std';
import { Session } from './session.ts';
import type { Place, Wire } from './wire.ts';

/** The nodes that can be dialled, by address, and who hears every message that is sent. */
export interface NodeNetwork {
  readonly wire: Wire;
  readonly listeners: Map<string, SimulatedChannel>;
  /** Sees the bytes of each consensus message before the network does. */
  readonly onMessage: (from: NodeId, to: NodeId, bytes: Buffer) => void;
  /** Whether a request of this kind gets no answer, and nobody hears it. */
  readonly losesRequest: (kind: string) => boolean;
}

const retryFirstMs = 100;
const retryMaxMs = 2_000;
const handshakeTimeoutMs = 10_000;
/** Between two probes of each connection kept. */
const probeMs = 1_500;

/**
 * The node channel of a simulated network. Nodes judge each other as on the real one, by evidence
 * over challenges; then messages travel one by one and may be lost, doubled or late, which TLS over
 * TCP would not do: whoever stands that stands the real network.
 */
export class SimulatedChannel implements PeerChannel {
  readonly place: Place;
  readonly policy: NodeChannelOptions['policy'];
  credentials: NodeChannelOptions['credentials'];
  readonly #address: string;
  readonly #network: NodeNetwork;
  readonly #onChange: NodeChannelOptions['onChange'];
  /** A peer that dialled this node does not want it. */
  readonly onRefusedBy: NodeChannelOptions['onRefusedBy'];
  readonly #inbound = new Set<Session>();
  readonly #outbound = new Map<NodeId, Session>();
  readonly #targets = new Map<NodeId, string>();
  readonly #retries = new Map<NodeId, NodeJS.Timeout>();
  readonly #reported = new Map<NodeId, string>();
  #known: { readonly pem: string; readonly identity: PeerIdentity } | undefined;
  #probing: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(
    place: Place & { readonly address: string },
    network: NodeNetwork,
    options: NodeChannelOptions,
  ) {
    this.place = place;
    this.#address = place.address;
    this.#network = network;
    this.policy = options.policy;
    this.credentials = options.credentials;
    this.#onChange = options.onChange;
    this.onRefusedBy = options.onRefusedBy;
  }

  /** Who this node is to others. */
  get identity(): PeerIdentity {
    const { certificate: pem } = this.credentials;
    if (this.#known?.pem === pem) return this.#known.identity;
    const certificate = fromPem(pem)[0] as Uint8Array;
    const publicKey = spkiOf(certificate);
    const identity = { nodeId: nodeIdOf(publicKey), publicKey, certificate };
    this.#known = { pem, identity };
    return identity;
  }

  async listen(): Promise<void> {
    this.#probing = setInterval(() => {
      for (const session of [...this.#outbound.values()]) session.probe();
    }, probeMs);
    this.#network.listeners.set(this.#address, this);
  }

  set targets(targets: readonly PeerTarget[]) {
    const wanted = new Map(targets.map(({ nodeId, address }) => [nodeId, address]));
    for (const nodeId of [...this.#targets.keys()]) {
      if (!wanted.has(nodeId)) this.#forget(nodeId);
    }
    for (const [nodeId, address] of wanted) {
      if (this.#targets.get(nodeId) === address) continue;
      this.#forget(nodeId);
      this.#targets.set(nodeId, address);
      void this.#dialTarget(nodeId, address, retryFirstMs);
    }
  }

  refuse(nodeId: NodeId, code: string, message: string): void {
    this.#forget(nodeId);
    for (const session of [...this.#inbound]) {
      if (session.peer.nodeId === nodeId) session.close(new CodedError(code, message));
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
      if (error.details.byPeer) this.onRefusedBy(nodeId, error.code);
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

  async dial(address: string, expected?: NodeId): Promise<Session & DialledPeer> {
    const other = this.#network.listeners.get(address);
    const outcome = Promise.withResolvers<Session>();
    const timer = setTimeout(
      () => outcome.reject(new ManagerError('PEER_TIMEOUT', 'no complete handshake in time')),
      handshakeTimeoutMs,
    );
    if (!other?.place.process.alive) {
      setTimeout(() => outcome.reject(new BridgeError('DIAL_FAILED', 'nobody listens')), 1);
    } else {
      void this.#greet(other, expected).then(outcome.resolve, outcome.reject);
    }
    try {
      return await outcome.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The handshake of a peer session, as seen from who dialled: the caller proves itself first. */
  async #greet(other: SimulatedChannel, expected: NodeId | undefined): Promise<Session> {
    const asked = this.policy.challenge();
    const { theirs, identity } = await this.#ask(other, () => {
      return Promise.resolve({ theirs: other.policy.challenge(), identity: other.identity });
    });
    if (expected !== undefined && identity.nodeId !== expected) {
      throw new ManagerError('CHANNEL_REFUSED', 'another node answers at this address');
    }
    const evidence = await this.policy.prove(theirs);
    const mine = this.identity;
    const accepted = await this.#ask(other, async () => {
      other.policy.admit(mine, evidence, theirs, asked);
      return { evidence: await other.policy.prove(asked) };
    });
    try {
      this.policy.admit(identity, accepted.evidence, asked, theirs);
    } catch (error) {
      if (error instanceof CodedError) {
        const { code } = error;
        const tell = (): void => other.onRefusedBy(mine.nodeId, code);
        this.wire.carry(this.place, other.place, tell);
      }
      throw error;
    }
    return this.#establish(other, { mine, identity, asked, theirs });
  }

  /** Has the other node do something and waits for what it says. */
  #ask<Answer>(other: SimulatedChannel, act: () => Promise<Answer>): Promise<Answer> {
    const { wire } = this.#network;
    return new Promise((resolve, reject) => {
      wire.carry(this.place, other.place, () => {
        const back = (settle: () => void): void => wire.carry(other.place, this.place, settle);
        // Deferred, so that what is thrown at once is an answer as well.
        Promise.resolve()
          .then(act)
          .then(
            (answer) => back(() => resolve(answer)),
            (error: unknown) => {
              if (!(error instanceof CodedError)) throw error;
              const refusal = new CodedError(error.code, error.message, { byPeer: true });
              back(() => reject(refusal));
            },
          );
      });
    });
  }

  #establish(
    other: SimulatedChannel,
    said: {
      readonly mine: PeerIdentity;
      readonly identity: PeerIdentity;
      readonly asked: Challenge;
      readonly theirs: Challenge;
    },
  ): Session {
    const { wire } = this.#network;
    const session = new Session(this, said.identity, said.theirs.role);
    const far = new Session(other, said.mine, said.asked.role);
    session.join(far);
    far.join(session);
    session.established = true;
    wire.carry(this.place, other.place, () => other.accept(far));
    return session;
  }

  /** Takes up a session that another node dialled. */
  accept(session: Session): void {
    if (this.#stopped) {
      session.close();
      return;
    }
    this.#inbound.add(session);
    const same = [...this.#inbound].filter(({ peer }) => peer.nodeId === session.peer.nodeId);
    if (same.length > 2) same[0]?.close();
    session.established = true;
  }

  connected(nodeId: NodeId): boolean {
    return this.#outbound.has(nodeId);
  }

  isAsking(nodeId: NodeId): boolean {
    return (this.#outbound.get(nodeId)?.waitingRequests ?? 0) > 0;
  }

  send(nodeId: NodeId, parts: readonly Uint8Array[]): void {
    const session = this.#outbound.get(nodeId);
    if (!session) return;
    const bytes = Buffer.concat(parts);
    this.#network.onMessage(this.identity.nodeId, nodeId, bytes);
    session.send(this.#network.wire, bytes);
  }

  flush(): void {}

  request(nodeId: NodeId, kind: string, body: Uint8Array, timeoutMs: number): Promise<Buffer> {
    const session = this.#outbound.get(nodeId);
    if (session && this.#network.losesRequest(kind)) {
      return Promise.reject(new ManagerError('PEER_TIMEOUT', 'nobody heard it'));
    }
    if (session) return session.request(kind, body, timeoutMs);
    return Promise.reject(new ManagerError('CHANNEL_FAILED', 'no channel to that node'));
  }

  /** The network, for sessions. */
  get wire(): Wire {
    return this.#network.wire;
  }

  /** A session ended at this side. */
  sessionClosed(session: Session, error: Error): void {
    if (this.#inbound.delete(session)) return;
    const { nodeId } = session.peer;
    if (this.#outbound.get(nodeId) !== session) return;
    this.#outbound.delete(nodeId);
    this.#onChange(nodeId, false, error);
    this.#retryLater(nodeId, retryFirstMs);
  }

  /** Sessions open now. */
  get sessions(): Session[] {
    return [...this.#inbound, ...this.#outbound.values()];
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#probing);
    for (const nodeId of [...this.#targets.keys()]) this.#forget(nodeId);
    for (const session of [...this.#inbound]) session.close();
    if (this.#network.listeners.get(this.#address) === this) {
      this.#network.listeners.delete(this.#address);
    }
  }
}
