import type { TLSSocket } from 'node:tls';
import { FrameConnection, frameBuilder } from '@concordat/bridge';
import { nodeIdOf } from '@concordat/crypto';
import { BinaryReader, CodedError, type NodeId, utf8 } from '@concordat/std';
import { ManagerError } from './errors.ts';
import { isText, readForeignObject, requireField } from './foreign.ts';

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
  /** DER SPKI. */
  readonly publicKey: Uint8Array;
  /** DER. */
  readonly certificate: Uint8Array;
}

/** What a session asks of the node it belongs to. */
export interface PeerPolicy {
  challenge(): Challenge;
  /** This node's evidence for the other side's challenge. */
  prove(challenge: Challenge): Promise<Uint8Array>;
  /**
   * Judges the other side: its evidence (answering `asked`) and whether it may be here at all,
   * given how it presents itself in `theirs`.
   * @throws CodedError with the code to tell the other side
   */
  admit(peer: PeerIdentity, evidence: Uint8Array, asked: Challenge, theirs: Challenge): void;
  /** Consensus message from an admitted peer. */
  onConsensus(session: PeerSession, message: Buffer): void;
  /** The messages of one received chunk have all been handed over. */
  onTurn(): void;
  /** Request from an admitted peer; the reply's bytes, or a CodedError. */
  onRequest(session: PeerSession, kind: string, body: Buffer): Promise<Uint8Array>;
  /** A request ended in a fault of this node's own. */
  onFault(session: PeerSession, error: unknown): void;
  onEstablished(session: PeerSession): void;
  onClosed(session: PeerSession, error: Error): void;
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

const handshakeTimeoutMs = 10_000;
/** All a node may send before it is admitted: a challenge, its evidence, and what follows at once. */
const maxHandshakeBytes = 256 * 1024;
/** How long a refused node has to read why. */
const refusalTimeoutMs = 2_000;
/** Requests of one peer answered at the same time; a newcomer only asks to join. */
const maxOpenRequests = { peer: 8_192, resumer: 8_192, joiner: 4 } as const;
/** A peer that does not read its answers is cut off beyond this. */
const maxUnreadBytes = 192 * 1024 * 1024;

/** Which end of the connection a session is. */
export interface PeerSessionOptions {
  /** Who opened the connection. The one who did proves itself first. */
  readonly side: 'dialled' | 'accepted';
  /** Default 10 s. */
  readonly handshakeTimeoutMs?: number;
}

interface Waiting {
  readonly resolve: (body: Buffer) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * One node channel connection. Both sides prove the key of their TLS certificate by evidence bound
 * to the other side's challenge before anything else is read (paper, "Bootstrapping a VN"). Who
 * was called proves itself only to a caller it has admitted: evidence is dear to make.
 */
export class PeerSession {
  readonly peer: PeerIdentity;
  readonly #policy: PeerPolicy;
  readonly #side: 'dialled' | 'accepted';
  readonly #connection: FrameConnection;
  readonly #asked: Challenge;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ready = Promise.withResolvers<void>();
  readonly #timer: NodeJS.Timeout;
  #theirs: Challenge | undefined;
  #accepted = { mine: false, theirs: false };
  #handshakeBytes = 0;
  #openRequests = 0;
  #nextRequest = 1;
  #refusal: CodedError | undefined;
  #closed = false;

  /** @throws ManagerError CHANNEL_REFUSED when the peer showed no certificate that can be read */
  constructor(socket: TLSSocket, policy: PeerPolicy, options: PeerSessionOptions) {
    this.peer = identityOf(socket);
    this.#policy = policy;
    this.#side = options.side;
    this.#asked = policy.challenge();
    this.#ready.promise.catch(() => undefined);
    const timeoutMs = options.handshakeTimeoutMs ?? handshakeTimeoutMs;
    this.#timer = setTimeout(() => {
      this.refuse('PEER_TIMEOUT', `no complete handshake within ${timeoutMs} ms`);
    }, timeoutMs);
    // Ahead of the frames: what is announced costs nothing, what has come is held in memory.
    socket.on('data', this.#countHandshake);
    this.#connection = new FrameConnection(socket, {
      onFrame: ({ type, body }) => this.#received(type, body),
      onTurn: () => policy.onTurn(),
      onClose: (error) => this.#ended(error),
    });
    socket.setNoDelay(true);
    this.#sendChallenge();
  }

  /** Settles when both sides have accepted each other, or one has refused. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Whether both sides have accepted each other and neither has left. */
  get established(): boolean {
    return this.#accepted.mine && this.#accepted.theirs && !this.#refusal && !this.#closed;
  }

  /** How the other side presents itself. */
  get role(): PeerRole {
    return this.#theirs?.role ?? 'joiner';
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
    if (this.#closed) return Promise.reject(this.#reason(undefined));
    const id = this.#nextRequest;
    this.#nextRequest = (id % 0xffff_fffe) + 1;
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
    if (this.#refusal || this.#closed) return;
    this.#refusal = new CodedError(code, message);
    const frame = frameBuilder.begin(frameType.refusal).text(code).text(message.slice(0, 1024));
    this.#connection.send(frame.finish());
    this.#connection.end();
    setTimeout(() => this.#connection.close(), refusalTimeoutMs).unref();
  }

  /** Closes at once. */
  close(): void {
    this.#connection.close();
  }

  readonly #countHandshake = (chunk: Buffer): void => {
    this.#handshakeBytes += chunk.length;
    if (this.#handshakeBytes <= maxHandshakeBytes) return;
    this.#connection.close(
      new ManagerError('CHANNEL_REFUSED', 'the peer sent too much before it was admitted'),
    );
  };

  #sendChallenge(): void {
    const { role, networkId, ledgerRoot, epoch } = this.#asked;
    const frame = frameBuilder.begin(frameType.challenge).text(role).text(networkId);
    this.#connection.send(frame.raw(ledgerRoot).u64(epoch).finish());
  }

  #received(type: number, body: Buffer): void {
    if (this.#refusal) return;
    if (this.established) {
      if (type === frameType.consensus) this.#policy.onConsensus(this, body);
      else if (type === frameType.request) this.#answer(body);
      else if (type === frameType.response) this.#settle(body);
      else this.#receivedRefusal(type, body);
      return;
    }
    if (type === frameType.challenge && !this.#theirs) this.#challenged(body);
    else if (type === frameType.proof && this.#theirs && !this.#accepted.mine) this.#judge(body);
    else if (type === frameType.accepted && !this.#accepted.theirs) this.#accept('theirs');
    else this.#receivedRefusal(type, body);
  }

  #receivedRefusal(type: number, body: Buffer): void {
    if (type !== frameType.refusal) {
      throw new ManagerError('CHANNEL_FAILED', `unexpected frame of type ${type}`);
    }
    const reader = new BinaryReader(body);
    this.#refusal = new CodedError(reader.text(64), reader.text(1024 * 4));
    this.#connection.close();
  }

  #challenged(body: Buffer): void {
    const reader = new BinaryReader(body);
    const role = reader.text(16);
    if (role !== 'peer' && role !== 'joiner' && role !== 'resumer') {
      throw new ManagerError('CHANNEL_FAILED', 'unknown role');
    }
    const networkId = reader.text(64);
    if (!/^[0-9a-f]{64}$/.test(networkId)) {
      throw new ManagerError('CHANNEL_FAILED', 'the network id is not 64 hex digits');
    }
    const ledgerRoot = Buffer.from(reader.raw(32));
    this.#theirs = { role, networkId, ledgerRoot, epoch: reader.u64() };
    reader.end();
    if (this.#side === 'dialled') this.#prove(this.#theirs);
  }

  #prove(challenge: Challenge): void {
    this.#policy.prove(challenge).then(
      (evidence) => {
        this.#connection.send(frameBuilder.begin(frameType.proof).raw(evidence).finish());
      },
      (error) => this.#connection.close(error),
    );
  }

  #judge(evidence: Buffer): void {
    try {
      this.#policy.admit(this.peer, evidence, this.#asked, this.#theirs as Challenge);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      this.refuse(error.code, error.message);
      return;
    }
    this.#connection.send(frameBuilder.begin(frameType.accepted).finish());
    if (this.#side === 'accepted') this.#prove(this.#theirs as Challenge);
    this.#accept('mine');
  }

  #accept(side: 'mine' | 'theirs'): void {
    this.#accepted[side] = true;
    if (!this.established) return;
    clearTimeout(this.#timer);
    this.#connection.socket.off('data', this.#countHandshake);
    this.#ready.resolve();
    this.#policy.onEstablished(this);
  }

  #answer(body: Buffer): void {
    const reader = new BinaryReader(body);
    const id = reader.u32();
    const kind = reader.text(64);
    const fail = (code: string, message: string): void =>
      this.#respond(id, false, utf8(JSON.stringify({ code, message })));
    if (this.#openRequests >= maxOpenRequests[this.role]) {
      fail('OVERLOADED', 'too many requests of this node are open');
      return;
    }
    this.#openRequests += 1;
    this.#policy
      .onRequest(this, kind, reader.raw(reader.remaining))
      .then(
        (reply) => this.#respond(id, true, reply),
        (error: unknown) => {
          if (error instanceof CodedError) return fail(error.code, error.message);
          fail('INTERNAL_ERROR', 'the request failed');
          this.#policy.onFault(this, error);
        },
      )
      .finally(() => {
        this.#openRequests -= 1;
      });
  }

  #respond(id: number, ok: boolean, reply: Uint8Array): void {
    const frame = frameBuilder.begin(frameType.response).u32(id).flag(ok).raw(reply);
    this.#connection.send(frame.finish());
    if (this.waitingBytes <= maxUnreadBytes) return;
    this.#connection.close(new ManagerError('CHANNEL_FAILED', 'the peer does not read'));
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
    if (ok) waiting.resolve(reply);
    else waiting.reject(refusalOf(reply));
  }

  #reason(error: Error | undefined): Error {
    return (
      this.#refusal ?? error ?? new ManagerError('CHANNEL_FAILED', 'the node channel is closed')
    );
  }

  #ended(error: Error | undefined): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    const reason = this.#reason(error);
    this.#ready.reject(reason);
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(reason);
    }
    this.#waiting.clear();
    this.#policy.onClosed(this, reason);
  }
}

/** @throws ManagerError CHANNEL_REFUSED */
function identityOf(socket: TLSSocket): PeerIdentity {
  const certificate = socket.getPeerX509Certificate();
  if (!certificate) throw new ManagerError('CHANNEL_REFUSED', 'the peer sent no certificate');
  try {
    const publicKey = certificate.publicKey.export({ type: 'spki', format: 'der' });
    return { nodeId: nodeIdOf(publicKey), publicKey, certificate: certificate.raw };
  } catch {
    throw new ManagerError('CHANNEL_REFUSED', "the peer's certificate cannot be read");
  }
}

/** The refusal in a reply, or what is wrong with it. */
function refusalOf(reply: Buffer): CodedError {
  try {
    const { code, message } = readForeignObject(reply, 'refusal');
    requireField(isText(code, 64) && isText(message, 4096), 'refusal');
    return new CodedError(code, message);
  } catch (error) {
    return error as ManagerError;
  }
}
