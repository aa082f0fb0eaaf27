import type { PairSink } from './frozen-table.ts';
import { compareKeys, type Key } from './table.ts';

/** Pairs of one run: sorting them is the longest step that is done at once (about 1 ms). */
const runPairs = 1024;
/** Key bytes of one run: long keys take longer to compare. */
const runKeyBytes = 262_144;

interface Pair {
  readonly key: Key;
  readonly value: Uint8Array;
}

/** Pairs in key order, read from the first. */
interface Run {
  readonly keys: Key[];
  readonly values: Uint8Array[];
  at: number;
}

/**
 * Puts pairs that come in any order into key order without ever sorting all of them at once:
 * sorted as they come in short runs, merged as they are taken.
 */
export class SortedRuns implements PairSink {
  #pairs: Pair[] = [];
  #keyBytes = 0;
  /** Once merging: a heap, the run with the least key first. */
  readonly #runs: Run[] = [];
  /** The least key of each run. Apart, because they are compared far more often than taken. */
  readonly #heads: Key[] = [];
  #key: Key | undefined;
  #value: Uint8Array | undefined;

  pair(key: Key, value: Uint8Array): number {
    this.#pairs.push({ key, value });
    this.#keyBytes += key.length;
    if (this.#pairs.length === runPairs || this.#keyBytes >= runKeyBytes) this.#endRun();
    return pairWork(key);
  }

  #endRun(): void {
    const pairs = this.#pairs.sort((a, b) => compareKeys(a.key, b.key));
    const keys: Key[] = [];
    const values: Uint8Array[] = [];
    for (const { key, value } of pairs) {
      keys.push(key);
      values.push(value);
    }
    this.#runs.push({ keys, values, at: 0 });
    this.#heads.push(keys[0] as Key);
    this.#pairs = [];
    this.#keyBytes = 0;
  }

  /** All pairs are there: what follows is {@link next}. */
  merge(): void {
    if (this.#pairs.length > 0) this.#endRun();
    for (let at = (this.#runs.length >> 1) - 1; at >= 0; at--) this.#sink(at);
  }

  /** Goes to the pair with the next key, each key once; false when there is none. */
  next(): boolean {
    const before = this.#key;
    for (;;) {
      const run = this.#runs[0];
      if (run === undefined) return false;
      this.#key = run.keys[run.at] as Key;
      this.#value = run.values[run.at] as Uint8Array;
      this.#advance(run);
      if (this.#key !== before) return true;
    }
  }

  /** Key of the present pair. */
  get key(): Key {
    return this.#key as Key;
  }

  /** Value of the present pair. */
  get value(): Uint8Array {
    return this.#value as Uint8Array;
  }

  #advance(run: Run): void {
    const runs = this.#runs;
    const heads = this.#heads;
    run.at++;
    const key = run.keys[run.at];
    if (key === undefined) {
      const [lastRun, lastHead] = [runs.pop() as Run, heads.pop() as Key];
      if (runs.length === 0) return;
      runs[0] = lastRun;
      heads[0] = lastHead;
    } else {
      heads[0] = key;
    }
    this.#sink(0);
  }

  /** Moves the run at a place of the heap down to where it belongs. */
  #sink(from: number): void {
    const runs = this.#runs;
    const heads = this.#heads;
    const { length } = heads;
    const run = runs[from] as Run;
    const key = heads[from] as Key;
    let at = from;
    // The next key of a run mostly belongs far down: go to the bottom first, then up from there,
    // at half the comparisons of asking on the way.
    for (let child = 2 * at + 1; child < length; child = 2 * at + 1) {
      if (child + 1 < length && (heads[child + 1] as Key) < (heads[child] as Key)) child++;
      heads[at] = heads[child] as Key;
      runs[at] = runs[child] as Run;
      at = child;
    }
    while (at > from) {
      const parent = (at - 1) >> 1;
      if ((heads[parent] as Key) <= key) break;
      heads[at] = heads[parent] as Key;
      runs[at] = runs[parent] as Run;
      at = parent;
    }
    heads[at] = key;
    runs[at] = run;
  }
}

/** Work of sorting or merging one pair: comparing long keys counts as more. */
export const pairWork = (key: Key): number => 1 + (key.length >>> 10);
