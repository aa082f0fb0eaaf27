import { ApiError, idempotencyKeyHeader, isIdempotencyKey } from '@concordat/api';
import { sha256 } from '@concordat/crypto';
import { BinaryWriter, utf8 } from '@concordat/std';
import type { Actor } from './actors.ts';
import type { AdapterHost, HttpRequest, Submitted, Wait } from './adapter.ts';

/** What makes a submission one that is executed once, however often it is sent. */
export interface RequestKey {
  /** SHA-256 of the client's key, who it is, and the place in its request, 32 bytes. */
  readonly id: Uint8Array;
  /** SHA-256 of method, target and body, 32 bytes: what the key was given to. */
  readonly fingerprint: Uint8Array;
  /**
   * Of a sealed request: when it was created, milliseconds since 1970. Only so long is it executed as
   * its answer is kept, by the ledger's time, whatever clock let it in.
   */
  readonly sealedAtMs?: number | undefined;
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
 * @param sealedAtMs of a sealed request: when it was created, milliseconds since 1970
 * @throws ApiError MALFORMED_REQUEST
 */
export function hostForRequest(
  host: KeyedHost,
  request: HttpRequest,
  sealedAtMs?: number,
): AdapterHost {
  const key = request.headers[idempotencyKeyHeader];
  if (key === undefined) return host;
  if (!isIdempotencyKey(key)) {
    const why = `${idempotencyKeyHeader} is 1 to 128 visible ASCII characters`;
    throw new ApiError('MALFORMED_REQUEST', why);
  }
  const fingerprint = fingerprintOf(request);
  let place = 0;
  const keyed = (subject: string | undefined): RequestKey => {
    const id = idOf(key, { place, subject });
    place += 1;
    return sealedAtMs === undefined ? { id, fingerprint } : { id, fingerprint, sealedAtMs };
  };
  return {
    submitWith: (raw, actor, wait, done) =>
      host.submitKeyed(raw, { actor, wait, key: keyed(undefined) }, done),
    submit: (raw, actor, { wait = 'commit', subject } = {}) =>
      new Promise((resolve) =>
        host.submitKeyed(raw, { actor, wait, key: keyed(subject) }, resolve),
      ),
    committed: () => host.committed(),
    head: () => host.head(),
    whenCurrent: (actor, done) => host.whenCurrent(actor, done),
    askLedger: (actor, about) => host.askLedger(actor, about),
    readPast: (range, actor) => host.readPast(range, actor),
    callExternal: (call) => host.callExternal(call),
    role: () => host.role(),
    timeMs: () => host.timeMs(),
    log: (event, fields) => host.log(event, fields),
  };
}

/** A key has no zero byte: what follows one is a subject, as its hash. */
function idOf(
  key: string,
  { place, subject }: { readonly place: number; readonly subject: string | undefined },
): Uint8Array {
  const id = new BinaryWriter().u32(place).raw(utf8(key));
  if (subject !== undefined) id.u8(0).raw(sha256(utf8(subject)));
  return sha256(id.take());
}

function fingerprintOf({ method, path, query, body }: HttpRequest): Uint8Array {
  const head = new BinaryWriter().text(method).bytes(utf8(path)).bytes(utf8(query.toString()));
  return sha256(head.raw(body).take());
}
