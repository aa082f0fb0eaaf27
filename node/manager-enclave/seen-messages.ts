import { ApiError } from '@concordat/api';
import type { ActorId } from '@concordat/std';

/** Messages remembered, and of these, those of one actor; more are refused, none is forgotten early. */
const maxMessages = 400_000;
const maxOfOneActor = 200_000;

/** A message that was taken. */
interface Taken {
  readonly actorId: ActorId;
  readonly untilMs: number;
}

/** Signed messages that this node took, until they are too old to be taken again. */
export class SeenMessages {
  /** By digest, in the order they came. */
  readonly #taken = new Map<string, Taken>();
  readonly #byActor = new Map<ActorId, number>();

  /** Messages remembered now. */
  get size(): number {
    return this.#taken.size;
  }

  /**
   * Remembers a message.
   * @param seen.untilMs when it is too old, by the clock that `nowMs` is of
   * @throws ApiError SEALED_REQUEST_REPLAYED, OVERLOADED
   */
  add(seen: Taken & { readonly digest: string; readonly nowMs: number }): void {
    const { actorId, digest, untilMs, nowMs } = seen;
    if (this.#taken.has(digest)) {
      throw new ApiError('SEALED_REQUEST_REPLAYED', 'this node has opened it before');
    }
    this.#forget(nowMs);
    const own = this.#byActor.get(actorId) ?? 0;
    if (this.#taken.size >= maxMessages || own >= maxOfOneActor) {
      throw new ApiError('OVERLOADED', 'too many sealed requests of the last minutes');
    }
    this.#taken.set(digest, { actorId, untilMs });
    this.#byActor.set(actorId, own + 1);
  }

  /** Signers' clocks differ, so that one may stay a little longer behind another. */
  #forget(nowMs: number): void {
    for (const [digest, { actorId, untilMs }] of this.#taken) {
      if (untilMs >= nowMs) return;
      this.#taken.delete(digest);
      const left = (this.#byActor.get(actorId) ?? 1) - 1;
      if (left > 0) this.#byActor.set(actorId, left);
      else this.#byActor.delete(actorId);
    }
  }
}
