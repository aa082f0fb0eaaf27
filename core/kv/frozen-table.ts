import type { Key, Table } from './table.ts';

/** Where a walk puts the pairs of a frozen table, in no order; a key may come twice, unchanged. */
export interface PairSink {
  /** Takes one pair and answers the work it was, in {@link FrozenTable.collect}'s unit. */
  pair(key: Key, value: Uint8Array): number;
}

/**
 * What the base of one table held when it was frozen. Nothing is copied then: the table tells of
 * each key before it changes for the first time, and the walk reads the base around those keys.
 */
export class FrozenTable {
  readonly name: string;
  /** Keys the base held. */
  readonly size: number;
  readonly #table: Table;
  /** What keys changed since held; undefined when they were absent. */
  readonly #old = new Map<Key, Uint8Array | undefined>();
  #baseWalk: Iterator<[Key, Uint8Array]> | undefined;
  #oldWalk: Iterator<[Key, Uint8Array | undefined]> | undefined;
  #watching = true;

  constructor(table: Table) {
    this.name = table.name;
    this.size = table.base.size;
    this.#table = table;
    table.watch(this);
  }

  /** Keeps what a key holds, which is about to change. */
  changing(key: Key): void {
    if (!this.#old.has(key)) this.#old.set(key, this.#table.base.get(key));
  }

  /**
   * Walks on until the budget is used up or every pair was handed out; then the table no longer
   * tells of its changes.
   * @param budget units of work, about one pair each
   * @returns what is left of the budget; undefined while there is more to walk
   */
  collect(sink: PairSink, budget: number): number | undefined {
    let left = budget;
    // A walk over a map outlives its changes: keys added are met, keys removed are not, keys
    // removed and added again are met again. Of every key that changed the kept value is right.
    this.#baseWalk ??= this.#table.base.entries();
    while (this.#oldWalk === undefined) {
      if (left <= 0) return undefined;
      const { done, value: pair } = this.#baseWalk.next();
      if (done === true) this.#oldWalk = this.#old.entries();
      else if (this.#old.has(pair[0])) left--;
      else left -= sink.pair(pair[0], pair[1]);
    }
    for (;;) {
      if (left <= 0) return undefined;
      const { done, value: pair } = this.#oldWalk.next();
      if (done === true) break;
      left -= pair[1] === undefined ? 1 : sink.pair(pair[0], pair[1]);
    }
    this.release();
    return left;
  }

  /** The table no longer tells of its changes; what was kept is forgotten. */
  release(): void {
    if (!this.#watching) return;
    this.#watching = false;
    this.#table.unwatch(this);
    this.#old.clear();
  }
}
