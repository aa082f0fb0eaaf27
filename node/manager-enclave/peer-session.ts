import type { TLSSocket } from 'node:tls';
import { FrameConnection, frameBuilder } from '@concordat/bridge';
import { nodeIdOf } from '@concordat/crypto';
import { BinaryReader, CodedError, type NodeId, utf8 } from '@concordat/std';
import { ManagerError } from './errors.ts';

/** How a node presents itself on the node channel. */
export type PeerRole = 'peer' | 'joiner' | 'resumer';

/** What a node asks the other side's evidence to be bound to, beside the key of the channel. */
export interface Challenge {
  readonly role: PeerRole;
  /** 64 hex digits; zeros while the node does not know its network. */
  readonly networkId: string;
  /** 32 bytes: the newest history root the asking node holds. */
  readonly ledgerRoot: Uint8Array;
  readonly epoch: number;
}

/** The other side of a session once its certificate is known. */
export interface PeerIdentity {
  readonly nodeId: NodeId;
  readonly publicKey: Uint8Array;
  readonly certificate: Uint8Array;
}

/** What a session asks of the node it belongs to. */
export interface PeerPolicy {
  challenge(): Challenge;
  /** This node's evidence for the other side's challenge. */
  prove(challenge: Challenge): Promise<Uint8Array>;
  /**
   * Judges the other side: its evidence (answering `asked`) and whether it may be here at all.
   * @throws CodedError with the code to tell the other side
   */
  admit(peer: PeerIdentity, evidence: Uint8Array, asked: Challenge, role: PeerRole): void;
  /** Consensus message from an admitted peer of the node list. */
  onConsensus(peer: NodeId, message: Buffer): void;
  /** Request from an admitted peer; the reply's bytes, or a CodedError. */
  onRequest(session: PeerSession, kind: string, body: Buffer): Promise<Uint8Array>;
  onClosed(session: PeerSession, error: Error | undefined): void;
}

const frameType = {
  challenge: 1,
  proof: 2,
  refusal: 3,
  accepted: 4,
  consensus: 10,
  request: 11,
  response: 12,
} as const;

const handshakeTimeoutMs = 15_000;

interface Waiting {
  readonly resolve: (body: Buffer) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * One node channel connection. Both sides prove the key of their TLS certificate by evidence bound
 * to the other side's challenge before anything else is read (paper, "Bootstrapping a VN").
 */
export class PeerSession {
  readonly peer: PeerIdentity;
  readonly #policy: PeerPolicy;
  readonly #connection: FrameConnection;
  readonly #asked: Challenge;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ready = Promise.withResolvers<void>();
  readonly #timer: NodeJS.Timeout;
  #role: PeerRole = 'joiner';
  #accepted = { mine: false, theirs: false };
  #nextRequest = 1;
  #refusal: Error | undefined;

  constructor(socket: TLSSocket, policy: PeerPolicy) {
    const certificate = socket.getPeerX509Certificate();
    if (!certificate) throw new ManagerError('CHANNEL_REFUSED', 'the peer sent no certificate');
    const publicKey = certificate.publicKey.export({ type: 'spki', format: 'der' });
    this.peer = { nodeId: nodeIdOf(publicKey), publicKey, certificate: certificate.raw };
    this.#policy = policy;
    this.#asked = policy.challenge();
    this.#ready.promise.catch(() => undefined);
    this.#timer = setTimeout(() => this.#refuseLate(), handshakeTimeoutMs);
    this.#connection = new FrameConnection(socket, {
      onFrame: ({ type, body }) => this.#received(type, body),
      onClose: (error) => this.#closed(error),
    });
    socket.setNoDelay(true);
    this.#sendChallenge();
  }

  /** Settles when both sides have accepted each other, or one has refused. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Whether both sides have accepted each other. */
  get established(): boolean {
    return this.#accepted.mine && this.#accepted.theirs;
  }

  /** How the other side presents itself. */
  get role(): PeerRole {
    return this.#role;
  }

  /** Bytes that wait for the network. */
  get waitingBytes(): number {
    return this.#connection.waitingBytes;
  }

  /** Sends a consensus message, given in parts. */
  sendConsensus(parts: readonly Uint8Array[]): void {
    const frame = frameBuilder.begin(frameType.consensus);
    for (const part of parts) frame.raw(part);
    this.#connection.send(frame.finish());
  }

  /** Writes what this turn collected now. */
  flush(): void {
    this.#connection.flush();
  }

  /**
   * Asks the peer and waits for its answer.
   * @throws CodedError of the peer, or ManagerError CHANNEL_FAILED, PEER_TIMEOUT
   */
  request(kind: string, body: Uint8Array, timeoutMs: number): Promise<Buffer> {
    const id = this.#nextRequest++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new ManagerError('PEER_TIMEOUT', `no answer to ${kind} within ${timeoutMs} ms`));
      }, timeoutMs);
      this.#waiting.set(id, { resolve, reject, timer });
      const frame = frameBuilder.begin(frameType.request).u32(id).text(kind).raw(body);
      this.#connection.send(frame.finish());
    });
  }

  /** Tells the peer why it is not wanted (any more) and closes. */
  refuse(code: string, message: string): void {
    this.#refusal ??= new CodedError(code, message);
    const frame = frameBuilder.begin(frameType.refusal).text(code).text(message);
    this.#connection.send(frame.finish());
    this.#connection.end();
  }

  /** Closes at once. */
  close(): void {
    this.#connection.close();
  }

  #sendChallenge(): void {
    const { role, networkId, ledgerRoot, epoch } = this.#asked;
    const frame = frameBuilder.begin(frameType.challenge).text(role).text(networkId);
    this.#connection.send(frame.raw(ledgerRoot).u64(epoch).finish());
  }

  #received(type: number, body: Buffer): void {
    if (this.established) {
      if (type === frameType.consensus) {
        this.#policy.onConsensus(this.peer.nodeId, body);
        return;
      }
      if (type === frameType.request) {
        this.#answer(body);
        return;
      }
      if (type === frameType.response) {
        this.#settle(body);
        return;
      }
    } else {
      if (type === frameType.challenge) {
        this.#prove(body);
        return;
      }
      if (type === frameType.proof) {
        this.#judge(body);
        return;
      }
      if (type === frameType.accepted) {
        this.#accept('theirs');
        return;
      }
    }
    if (type === frameType.refusal) {
      this.#refused(body);
      return;
    }
    throw new ManagerError('CHANNEL_FAILED', `unexpected frame of type ${type}`);
  }

  #prove(body: Buffer): void {
    const reader = new BinaryReader(body);
    const role = reader.text(16);
    if (role !== 'peer' && role !== 'joiner' && role !== 'resumer') {
      throw new ManagerError('CHANNEL_FAILED', 'unknown role');
    }
    this.#role = role;
    const challenge: Challenge = {
      role,
      networkId: reader.text(64),
      ledgerRoot: Buffer.from(reader.raw(32)),
      epoch: reader.u64(),
    };
    reader.end();
    this.#policy.prove(challenge).then(
      (evidence) => {
        const frame = frameBuilder.begin(frameType.proof).raw(evidence);
        this.#connection.send(frame.finish());
      },
      (error) => this.#connection.close(error),
    );
  }

  #judge(evidence: Buffer): void {
    try {
      this.#policy.admit(this.peer, evidence, this.#asked, this.#role);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      this.refuse(error.code, error.message);
      return;
    }
    this.#connection.send(frameBuilder.begin(frameType.accepted).finish());
    this.#accept('mine');
  }

  #accept(side: 'mine' | 'theirs'): void {
    this.#accepted[side] = true;
    if (!this.established) return;
    clearTimeout(this.#timer);
    this.#ready.resolve();
  }

  #refuseLate(): void {
    this.refuse('PEER_TIMEOUT', `no complete handshake within ${handshakeTimeoutMs} ms`);
  }

  #refused(body: Buffer): void {
    const reader = new BinaryReader(body);
    this.#refusal = new CodedError(reader.text(), reader.text());
    this.#connection.close();
  }

  #answer(body: Buffer): void {
    const reader = new BinaryReader(body);
    const id = reader.u32();
    const kind = reader.text(64);
    this.#policy.onRequest(this, kind, reader.raw(reader.remaining)).then(
      (reply) => this.#respond(id, true, reply),
      (error: unknown) => {
        const coded = error instanceof CodedError ? error : undefined;
        const code = coded?.code ?? 'INTERNAL_ERROR';
        const message = coded?.message ?? 'the request failed';
        this.#respond(id, false, utf8(JSON.stringify({ code, message })));
        if (!coded) throw error;
      },
    );
  }

  #respond(id: number, ok: boolean, reply: Uint8Array): void {
    const frame = frameBuilder.begin(frameType.response).u32(id).flag(ok).raw(reply);
    this.#connection.send(frame.finish());
  }

  #settle(body: Buffer): void {
    const reader = new BinaryReader(body);
    const id = reader.u32();
    const ok = reader.u8() === 1;
    const reply = reader.raw(reader.remaining);
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    if (ok) {
      waiting.resolve(reply);
      return;
    }
    const { code, message } = JSON.parse(reply.toString('utf8')) as Record<string, string>;
    waiting.reject(new CodedError(code ?? 'INTERNAL_ERROR', message ?? 'the request failed'));
  }

  #closed(error: Error | undefined): void {
    clearTimeout(this.#timer);
    const reason =
      this.#refusal ?? error ?? new ManagerError('CHANNEL_FAILED', 'the node channel closed');
    this.#ready.reject(reason);
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(reason);
    }
    this.#waiting.clear();
    this.#policy.onClosed(this, reason);
  }
}
