/**
 * A map that forgets what was not asked for lately: it holds at least the `most / 2` keys asked for
 * or written last, and never more than `most`. Keys are dropped half of them at a time: a `Map` from
 * which the oldest are deleted one by one is searched through ever more holes to find the next.
 */
export class RecentMap<Key, Value extends NonNullable<unknown>> {
  readonly #half: number;
  #young = new Map<Key, Value>();
  #old = new Map<Key, Value>();

  /** `most` is at least 2. */
  constructor(most: number) {
    this.#half = Math.max(1, Math.floor(most / 2));
  }

  /** What is known of a key, which is one of the newest then. */
  get(key: Key): Value | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: Key, value: Value): void {
    if (this.#young.size >= this.#half && !this.#young.has(key)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }
}
