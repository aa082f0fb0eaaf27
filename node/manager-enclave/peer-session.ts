import type { TLSSocket } from 'node:tls';
import { FrameConnection, frameBuilder } from '@concordat/bridge';
import { nodeIdOf } from '@concordat/crypto';
import { BinaryReader, CodedError, utf8 } from '@concordat/std';
import { ManagerError } from './errors.ts';
import type { Challenge, PeerIdentity, PeerPolicy, PeerRole, PresentPeer } from './peer-policy.ts';
import { PendingRequests } from './pending-requests.ts';

const frameType = {
  challenge: 1,
  proof: 2,
  refusal: 3,
  accepted: 4,
  consensus: 10,
  request: 11,
  response: 12,
  /** Asks for a `pong`; without a body, like it. */
  ping: 13,
  pong: 14,
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

/**
 * Probes in a row without a sign of life after which a connection is given up, and how many while
 * bytes of ours still wait to leave: a probe stands in line behind them.
 */
const maxSilentProbes = { idle: 4, sending: 20 } as const;

/** Which end of the connection a session is. */
export interface PeerSessionOptions {
  /** Who opened the connection. The one who did proves itself first. */
  readonly side: 'dialled' | 'accepted';
  /** Default 10 s. */
  readonly handshakeTimeoutMs?: number;
}

/**
 * One node channel connection. Both sides prove the key of their TLS certificate by evidence bound
 * to the other side's challenge before anything else is read (paper, "Bootstrapping a VN"). Who
 * was called proves itself only to a caller it has admitted: evidence is dear to make.
 */
export class PeerSession implements PresentPeer {
  readonly peer: PeerIdentity;
  readonly #policy: PeerPolicy<PeerSession>;
  readonly #side: 'dialled' | 'accepted';
  readonly #connection: FrameConnection;
  readonly #asked: Challenge;
  readonly #requests = new PendingRequests();
  readonly #ready = Promise.withResolvers<void>();
  readonly #timer: NodeJS.Timeout;
  #theirs: Challenge | undefined;
  #accepted = { mine: false, theirs: false };
  #handshakeBytes = 0;
  #openRequests = 0;
  /** Probes sent since the peer was heard last. */
  #silentProbes = 0;
  #refusal: CodedError | undefined;
  #closed = false;

  /** @throws ManagerError CHANNEL_REFUSED when the peer showed no certificate that can be read */
  constructor(socket: TLSSocket, policy: PeerPolicy<PeerSession>, options: PeerSessionOptions) {
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

  /** Requests of this side that wait for their answers. */
  get waitingRequests(): number {
    return this.#requests.size;
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
    const { id, answer } = this.#requests.open(kind, timeoutMs);
    const frame = frameBuilder.begin(frameType.request).u32(id).text(kind).raw(body);
    this.#connection.send(frame.finish());
    return answer;
  }

  /**
   * Asks for a sign of life, and gives the connection up when several in a row brought none. TCP
   * alone would hold on to a dead way for a quarter of an hour, and take minutes to find out that
   * one that was cut is whole again.
   */
  probe(): void {
    if (!this.established) return;
    const { idle, sending } = maxSilentProbes;
    if (this.#silentProbes >= (this.waitingBytes > 0 ? sending : idle)) {
      this.#connection.close(new ManagerError('CHANNEL_FAILED', 'the peer gives no sign of life'));
      return;
    }
    this.#silentProbes += 1;
    this.#connection.send(frameBuilder.begin(frameType.ping).finish());
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
    this.#silentProbes = 0;
    if (this.established) {
      if (type === frameType.consensus) this.#policy.onConsensus(this, body);
      else if (type === frameType.request) this.#answer(body);
      else if (type === frameType.response) this.#requests.settle(body);
      else if (type === frameType.ping) this.#pong();
      else if (type === frameType.pong) return;
      else this.#receivedRefusal(type, body);
      return;
    }
    if (type === frameType.challenge && !this.#theirs) this.#challenged(body);
    else if (type === frameType.proof && this.#theirs && !this.#accepted.mine) this.#judge(body);
    else if (type === frameType.accepted && !this.#accepted.theirs) this.#accept('theirs');
    else this.#receivedRefusal(type, body);
  }

  #pong(): void {
    this.#connection.send(frameBuilder.begin(frameType.pong).finish());
    this.#requireReader();
  }

  #requireReader(): void {
    if (this.waitingBytes <= maxUnreadBytes) return;
    this.#connection.close(new ManagerError('CHANNEL_FAILED', 'the peer does not read'));
  }

  #receivedRefusal(type: number, body: Buffer): void {
    if (type !== frameType.refusal) {
      throw new ManagerError('CHANNEL_FAILED', `unexpected frame of type ${type}`);
    }
    const reader = new BinaryReader(body);
    this.#refusal = new CodedError(reader.text(64), reader.text(1024 * 4), { byPeer: true });
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
    this.#requireReader();
  }

  #reason(error: Error | undefined): Error {
    return (
      this.#refusal ??
      error ??
      new ManagerError('CHANNEL_FAILED', 'the node channel is closed', { orderly: true })
    );
  }

  #ended(error: Error | undefined): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    const reason = this.#reason(error);
    this.#ready.reject(reason);
    // A connection that the peer's end reset has an error of the system: those who asked get a code.
    const isCoded = reason instanceof CodedError;
    const failure = isCoded ? reason : new ManagerError('CHANNEL_FAILED', reason.message);
    this.#requests.fail(failure);
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
