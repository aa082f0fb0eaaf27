import { decodeIdentity } from '@concordat/bridge';
import { BinaryReader, BinaryWriter, CodedError, type NodeId, utf8 } from '@concordat/std';
import { ManagerError } from './errors.ts';
import { readForeign } from './foreign.ts';
import type { ForwardedIdentity } from './forwarded-identity.ts';
import type { WorkerFeed } from './worker-feed.ts';

/** An answer from the leader's worker. */
interface ForwardReply {
  readonly ok: boolean;
  readonly height: number;
  readonly reply: Uint8Array;
}

interface Waiting {
  readonly sinceMs: number;
  readonly settle: (reply: ForwardReply) => void;
}

/** A request that reached no leader in this time has an unknown outcome. */
const forwardTimeoutMs = 30_000;
/** Forwarded requests this node executes for others at once; beyond it they are refused. */
const maxWaiting = 16_384;
/** Nobody waits for an answer any more after this. */
const forgottenAfterMs = 2 * forwardTimeoutMs;
/** Largest identity record of a forwarded request, bytes. */
const maxIdentityBytes = 65_536;
const maxKnownIdentities = 4_096;

/** How the leader is asked. */
export interface ForwardChannel {
  connected(nodeId: NodeId): boolean;
  request(nodeId: NodeId, kind: string, body: Uint8Array, timeoutMs: number): Promise<Buffer>;
}

/**
 * Carries a follower's application requests to the leader's worker and the answers back, with the
 * actor's identity (DESIGN 3.7). The bytes are the workers' business.
 */
export class RequestForwarding {
  readonly #channel: ForwardChannel;
  readonly #feed: Pick<WorkerFeed, 'link'>;
  readonly #leader: () => NodeId | undefined;
  readonly #maySpeak: (who: ForwardedIdentity) => boolean;
  readonly #waiting = new Map<number, Waiting>();
  readonly #writer = new BinaryWriter();
  /** Who stands behind the bytes of an identity record, so that each is parsed once. */
  readonly #known = new Map<string, ForwardedIdentity>();
  #nextId = 1;

  constructor(parts: {
    readonly channel: ForwardChannel;
    readonly feed: Pick<WorkerFeed, 'link'>;
    readonly leader: () => NodeId | undefined;
    /** Whether requests of this actor, or of nobody, are taken under the committed constitution. */
    readonly maySpeak: (who: ForwardedIdentity) => boolean;
  }) {
    this.#channel = parts.channel;
    this.#feed = parts.feed;
    this.#leader = parts.leader;
    this.#maySpeak = parts.maySpeak;
  }

  /** A worker here asks for a request to be executed by the leader. */
  forward(source: number, id: number, identity: Uint8Array, request: Uint8Array): void {
    const leader = this.#leader();
    const link = this.#feed.link(source);
    const answer = (reply: ForwardReply): void => {
      link?.send({ kind: 'forwardReply', id, ...reply });
    };
    // A worker speaks for those it serves, not for whom it likes.
    if (!link?.served(identity)) {
      answer(refusal('FORBIDDEN', 'the actor has no connection to this node'));
      return;
    }
    if (!leader || !this.#channel.connected(leader)) {
      answer(refusal('LEADER_UNKNOWN', 'no leader can be reached at present'));
      return;
    }
    const body = this.#writer.u16(source).bytes(identity).raw(request).take();
    this.#channel
      .request(leader, 'forward', body, forwardTimeoutMs)
      .then((bytes) => readForeign('forwarded reply', () => readReply(bytes)))
      .then(answer, (error: unknown) => answer(failureOf(error)));
  }

  /**
   * Another node's request, to be executed here.
   * @throws ManagerError OVERLOADED, WORKER_UNAVAILABLE, ACTOR_REMOVED; DecodeError
   */
  async execute(origin: NodeId, body: Buffer): Promise<Uint8Array> {
    const reader = new BinaryReader(body);
    const source = reader.u16();
    const identity = reader.bytes(maxIdentityBytes);
    const request = reader.raw(reader.remaining);
    const link = this.#feed.link(source);
    if (!link) throw new ManagerError('WORKER_UNAVAILABLE', `there is no worker ${source} here`);
    // The other node may not have learnt yet that this actor was removed.
    if (!this.#maySpeak(this.#whoIs(identity))) {
      throw new ManagerError(
        'ACTOR_REMOVED',
        'the actor is not in the membership list, or its certificate is no longer taken',
      );
    }
    if (this.#waiting.size >= maxWaiting) this.#forgetOld();
    if (this.#waiting.size >= maxWaiting) {
      throw new ManagerError('OVERLOADED', 'too many forwarded requests wait');
    }
    const id = this.#nextId;
    this.#nextId = (id % 0xffff_fffe) + 1;
    const { ok, height, reply } = await new Promise<ForwardReply>((settle) => {
      this.#waiting.set(id, { sinceMs: performance.now(), settle });
      link.send({ kind: 'forwarded', id, origin, identity, request });
    });
    return new BinaryWriter(9 + reply.length)
      .u8(ok ? 1 : 0)
      .u64(height)
      .raw(reply)
      .take();
  }

  /** The worker here executed another node's request. */
  replied(id: number, reply: ForwardReply): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.settle(reply);
  }

  #whoIs(identity: Buffer): ForwardedIdentity {
    const key = identity.toString('latin1');
    const known = this.#known.get(key);
    if (known) return known;
    const who = decodeIdentity(identity);
    if (this.#known.size >= maxKnownIdentities) this.#known.clear();
    this.#known.set(key, who);
    return who;
  }

  #forgetOld(): void {
    const before = performance.now() - forgottenAfterMs;
    for (const [id, { sinceMs, settle }] of this.#waiting) {
      if (sinceMs >= before) break;
      this.#waiting.delete(id);
      settle(refusal('TRANSACTION_UNKNOWN', 'the worker did not answer in time'));
    }
  }
}

function readReply(bytes: Buffer): ForwardReply {
  const reader = new BinaryReader(bytes);
  const [ok, height] = [reader.u8() === 1, reader.u64()];
  return { ok, height, reply: reader.raw(reader.remaining) };
}

/** What is certain after a failed request: a broken way says nothing about the other end. */
function failureOf(error: unknown): ForwardReply {
  const code = error instanceof CodedError ? error.code : 'INTERNAL_ERROR';
  const unknown = ['CHANNEL_FAILED', 'CHANNEL_REFUSED', 'PEER_TIMEOUT', 'INTERNAL_ERROR'];
  if (unknown.includes(code)) {
    return refusal('TRANSACTION_UNKNOWN', 'the way to the leader broke; the outcome is not known');
  }
  return refusal(code, (error as Error).message);
}

const refusal = (code: string, message: string): ForwardReply => ({
  ok: false,
  height: 0,
  reply: utf8(JSON.stringify({ code, message })),
});
