/** What of others is judged before it has an effect. */
export type Judged = 'channel' | 'consensus' | 'snapshot' | 'block' | 'page' | 'share' | 'sealed';

/** Pairs of what and code that are counted apart; codes are this node's own words, so few. */
const maxKinds = 256;

const isCode = /^[A-Z][A-Z0-9_]{0,63}$/;

/** How often something of others was refused, by what it was and why: for metrics. */
export class RefusalCounts {
  readonly #counts = new Map<string, number>();

  /** Counts one refusal. */
  add(what: Judged, code: string): void {
    const kind = `${what} ${isCode.test(code) ? code : 'OTHER'}`;
    const known = this.#counts.get(kind);
    if (known === undefined && this.#counts.size >= maxKinds) return;
    this.#counts.set(kind, (known ?? 0) + 1);
  }

  /** Every kind seen so far, by name. */
  *[Symbol.iterator](): Generator<{ what: string; code: string; count: number }> {
    for (const kind of [...this.#counts.keys()].sort()) {
      const [what, code] = kind.split(' ') as [string, string];
      yield { what, code, count: this.#counts.get(kind) as number };
    }
  }
}
