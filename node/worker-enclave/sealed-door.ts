import {
  ApiError,
  coseMediaType,
  decodeInnerRequest,
  encodeInnerReply,
  errorAnswer,
  idempotencyKeyHeader,
  isErrorCode,
  sealedPaths,
  sealedReplyMediaType,
  sealedRequestMediaType,
  transactionIdHeader,
} from '@concordat/api';
import type { OpenReply, OpenRequest } from '@concordat/bridge';
import { replyNonceBytes, sealReply } from '@concordat/crypto';
import { DecodeError, utf8 } from '@concordat/std';
import type { Accounts } from './accounts.ts';
import type { Actor } from './actors.ts';
import type { HttpRequest, HttpResponse } from './adapter.ts';
import { type Dispatcher, jsonAnswer, refusalOf } from './dispatcher.ts';
import { nameOf } from './errors.ts';
import { knownActor } from './identities.ts';
import type { WorkerLimits } from './limits.ts';
import { readTarget } from './path-guard.ts';

/** What sealed requests need of the worker around them. */
export interface SealedDoorOptions {
  readonly dispatcher: Dispatcher;
  readonly accounts: Accounts;
  readonly limits: WorkerLimits;
  /** Asks the manager to open a request; it answers by {@link SealedDoor.opened}. */
  readonly ask: (request: OpenRequest) => void;
  /**
   * The key that requests are sealed to, endorsed.
   * @param actor on whose account it is asked for
   * @throws ApiError
   */
  readonly requestKey: (actor: Pick<Actor, 'actorId'>) => Promise<Uint8Array>;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  readonly random: (bytes: number) => Uint8Array;
  readonly log: (event: string, fields: Readonly<Record<string, unknown>>) => void;
}

interface Waiting {
  readonly sinceMs: number;
  readonly settle: (reply: OpenReply | undefined) => void;
}

/** The manager opens in a millisecond; one that takes longer than this hangs. */
const patienceMs = 10_000;
/** The ephemeral point's place in a sealed request (docs/format/sealed-request.md). */
const ephemeralAt = [9, 74] as const;

/**
 * Requests that are sealed to the network and signed by an actor, whoever carries them: opened by the
 * manager, answered as if the actor had sent them over its own connection, and the answer sealed so
 * that only the sender reads it.
 */
export class SealedDoor {
  readonly #options: SealedDoorOptions;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;

  constructor(options: SealedDoorOptions) {
    this.#options = options;
  }

  /** Whether a path is one of those that sealed requests go by. */
  isAt(path: string): boolean {
    return path === sealedPaths.request || path === sealedPaths.key;
  }

  /**
   * Why a request to such a path is not read any further; undefined when its body is wanted.
   * @throws ApiError of what the manager refuses the key with
   */
  async before(
    asked: { readonly method: string; readonly path: string; readonly type: string | undefined },
    actor: Pick<Actor, 'actorId'>,
  ): Promise<HttpResponse | undefined> {
    const { method, path, type } = asked;
    const wanted = path === sealedPaths.key ? 'GET' : 'POST';
    if (method !== wanted) {
      const answer = refusalOf('METHOD_NOT_ALLOWED');
      return { ...answer, headers: { ...answer.headers, allow: wanted } };
    }
    if (path === sealedPaths.request) {
      const expected = sealedRequestMediaType;
      if (type === expected) return undefined;
      throw new ApiError('UNSUPPORTED_MEDIA_TYPE', `send ${expected}`, { expected });
    }
    const body = await this.#options.requestKey(actor);
    return { status: 200, headers: { 'content-type': coseMediaType }, body };
  }

  /**
   * The sealed answer to a sealed request.
   * @throws ApiError when it could not be opened: whoever carries it may read that
   */
  async answer(sealed: Uint8Array, isStrangers: boolean): Promise<HttpResponse> {
    const opened = await this.#open(sealed, isStrangers);
    const inner = await this.#inside(opened).catch((error: unknown) => this.#failed(error));
    const reply = this.#encoded(inner);
    const to = { secret: opened.secret, ephemeral: sealed.subarray(...ephemeralAt) };
    const bytes = sealReply(to, reply, this.#options.random(replyNonceBytes));
    return { status: 200, headers: { 'content-type': sealedReplyMediaType }, body: bytes };
  }

  /** What was executed is not answered in the clear because an application's headers are none. */
  #encoded(inner: HttpResponse): Uint8Array {
    try {
      return encodedReply(inner);
    } catch (error) {
      return encodedReply(this.#failed(error));
    }
  }

  /** @throws ApiError of the manager's code; OVERLOADED when it does not answer */
  async #open(sealed: Uint8Array, isStrangers: boolean): Promise<OpenReply> {
    const { ask, nowMs } = this.#options;
    const id = this.#nextId;
    this.#nextId = (id % 0xffff_fffe) + 1;
    const reply = await new Promise<OpenReply | undefined>((settle) => {
      this.#waiting.set(id, { sinceMs: nowMs(), settle });
      ask({ kind: 'open', id, isStrangers, sealed });
    });
    if (reply === undefined) throw new ApiError('OVERLOADED', 'the node did not answer in time');
    const { code, message } = reply;
    if (code === undefined) return reply;
    throw new ApiError(isErrorCode(code) ? code : 'INTERNAL_ERROR', message);
  }

  /** Answers the request inside, for whoever signed it. @throws ApiError, what the endpoint throws */
  async #inside({ identity, payload, digest, createdAtMs }: OpenReply): Promise<HttpResponse> {
    const actor = knownActor(identity);
    const asked = readAsked(payload, digest);
    const { accounts, dispatcher, limits } = this.#options;
    const account = accounts.of(actor.actorId);
    if (account.requests >= limits.maxRequestsPerActor) {
      throw new ApiError('OVERLOADED', 'too many requests of this actor are unanswered');
    }
    account.requests += 1;
    try {
      const found = dispatcher.find(asked.method, asked.path, actor);
      return 'answer' in found ? found.answer : await found.handle(asked, createdAtMs);
    } finally {
      account.requests -= 1;
      accounts.release(actor.actorId);
    }
  }

  #failed(error: unknown): HttpResponse {
    const { status, body } = errorAnswer(error);
    if (status === 500) this.#options.log('http.failed', { error: nameOf(error) });
    return jsonAnswer(status, body);
  }

  /** The manager's answer; one that comes too late is not for anybody. */
  opened(reply: OpenReply): void {
    this.#waiting.get(reply.id)?.settle(reply);
    this.#waiting.delete(reply.id);
  }

  /** Ends what has waited too long; called at short intervals. */
  expire(): void {
    const before = this.#options.nowMs() - patienceMs;
    for (const [id, { sinceMs, settle }] of this.#waiting) {
      if (sinceMs > before) continue;
      this.#waiting.delete(id);
      settle(undefined);
    }
  }
}

/** @throws RangeError when a header is too long for its place */
function encodedReply({
  status,
  headers = {},
  body = '',
  transactionId,
}: HttpResponse): Uint8Array {
  const named = Object.entries(headers).map(
    ([name, value]) => [name.toLowerCase(), value] as const,
  );
  if (transactionId !== undefined) named.push([transactionIdHeader, transactionId]);
  const bytes = typeof body === 'string' ? utf8(body) : body;
  return encodeInnerReply({ status, headers: named, body: bytes });
}

/** The request inside; without an idempotency key of its own the message's digest is it. @throws ApiError */
function readAsked(payload: Uint8Array, digest: string): HttpRequest {
  try {
    const { method, target, headers: named, body } = decodeInnerRequest(payload);
    const place = readTarget(target);
    if (place === undefined) throw new DecodeError('INVALID', 'the target is not acceptable');
    const headers = { [idempotencyKeyHeader]: `sealed-${digest}`, ...Object.fromEntries(named) };
    return { method, ...place, headers, body };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new ApiError('SEALED_REQUEST_MALFORMED', `the request inside: ${error.message}`);
  }
}
