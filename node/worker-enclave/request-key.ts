import { ApiError, idempotencyKeyHeader, isIdempotencyKey } from '@concordat/api';
import { sha256 } from '@concordat/crypto';
import { BinaryWriter, utf8 } from '@concordat/std';
import type { Actor, AdapterHost, HttpRequest, Submitted, Wait } from './adapter.ts';

/** What makes a submission one that is executed once, however often it is sent. */
export interface RequestKey {
  /** SHA-256 of the client's key and the place of the submission in its request, 32 bytes. */
  readonly id: Uint8Array;
  /** SHA-256 of method, target and body, 32 bytes: what the key was given to. */
  readonly fingerprint: Uint8Array;
}

/** A host that takes keyed submissions. */
export interface KeyedHost extends AdapterHost {
  submitKeyed(
    raw: Uint8Array,
    from: { readonly actor: Actor; readonly wait: Wait; readonly key: RequestKey },
    done: (answer: Submitted<unknown>) => void,
  ): void;
}

/**
 * The host an endpoint works with while it handles one request: with an idempotency key in its
 * header, what it submits is keyed, the first submission, the second and so on each for itself.
 * @throws ApiError MALFORMED_REQUEST
 */
export function hostForRequest(host: KeyedHost, request: HttpRequest): AdapterHost {
  const key = request.headers[idempotencyKeyHeader];
  if (key === undefined) return host;
  if (!isIdempotencyKey(key)) {
    const why = `${idempotencyKeyHeader} is 1 to 128 visible ASCII characters`;
    throw new ApiError('MALFORMED_REQUEST', why);
  }
  const fingerprint = fingerprintOf(request);
  let place = 0;
  const submitWith: AdapterHost['submitWith'] = (raw, actor, wait, done) => {
    const id = sha256(new BinaryWriter().u32(place).raw(utf8(key)).take());
    place += 1;
    host.submitKeyed(raw, { actor, wait, key: { id, fingerprint } }, done);
  };
  return {
    submitWith,
    submit: (raw, actor, { wait = 'commit' } = {}) =>
      new Promise((resolve) => submitWith(raw, actor, wait, resolve)),
    committed: () => host.committed(),
    head: () => host.head(),
    whenCurrent: (actor, done) => host.whenCurrent(actor, done),
    askLedger: (actor, about) => host.askLedger(actor, about),
    readPast: (range) => host.readPast(range),
    role: () => host.role(),
    timeMs: () => host.timeMs(),
    log: (event, fields) => host.log(event, fields),
  };
}

function fingerprintOf({ method, path, query, body }: HttpRequest): Uint8Array {
  const head = new BinaryWriter().text(method).bytes(utf8(path)).bytes(utf8(query.toString()));
  return sha256(head.raw(body).take());
}
