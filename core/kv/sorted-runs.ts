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
  #runs: Run[] = [];
  #last: Key | undefined;

  pair(key: Key, value: Uint8Array): number {
    this.#pairs.push({ key, value });
    this.#keyBytes += key.length;
    if (this.#pairs.length === runPairs || this.#keyBytes >= runKeyBytes) this.#endRun();
    return pairWork(key);
  }

  /** All pairs are there: what follows is {@link take}. */
  merge(): void {
    if (this.#pairs.length > 0) this.#endRun();
    for (let at = (this.#runs.length >> 1) - 1; at >= 0; at--) this.#sink(at);
  }

  /** The pair with the least key, each key once; undefined when all are taken. */
  take(): Pair | undefined {
    for (;;) {
      const run = this.#runs[0];
      if (run === undefined) return undefined;
      const key = run.keys[run.at] as Key;
      const value = run.values[run.at] as Uint8Array;
      this.#advance(run);
      
      if (key === this.#last) continue;
      this.#last = key;
      return { key, value };
    }
  }

  #advance(run: Run): void {
    run.at++;
    if (run.at === run.keys.length) {
      const last = this.#runs.pop() as Run;
      if (this.#runs.length === 0) return;
      this.#runs[0] = last;
    }
    this.#sink(0);
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
    this.#pairs = [];
    this.#keyBytes = 0;
  }

  /** Moves the run at a place of the heap down to where it belongs. */
  #sink(from: number): void {
    const runs = this.#runs;
    const run = runs[from] as Run;
    const key = run.keys[run.at] as Key;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      const left = runs[child];
      if (left === undefined) break;
      let least = left;
      const right = runs[child + 1];
      if (right !== undefined && keyOf(right) < keyOf(left)) {
        least = right;
        child++;
      }
      if (key <= keyOf(least)) break;
      runs[at] = least;
      at = child;
    }
    runs[at] = run;
  }
}

const keyOf = (run: Run): Key => run.keys[run.at] as Key;

/** Work of sorting or merging one pair: comparing long keys counts as more. */
export const pairWork = (key: Key): number => 1 + (key.length >>> 10);
