import { assert } from '@concordat/std';
import { KvError } from './errors.ts';
import { FrozenTable } from './frozen-table.ts';
import { SectionEncoder } from './section-form.ts';
import { pairWork, SortedRuns } from './sorted-runs.ts';
import { compareKeys, type Key, type Table } from './table.ts';

/**
 * The committed state of one moment, kept while the store goes on. Release it: until then the
 * store keeps the old value of every key that changes.
 */
export interface FrozenState {
  /** Number of pairs in all tables. */
  readonly entries: number;
  /** Reads the state, once. @throws KvError FREEZE_RELEASED */
  section(): SectionReader;
  /** Ends it; nothing when it has ended. A reader that has not come to its end stops. */
  release(): void;
}

/** Reads a frozen state as the bytes of a section (docs/format/snapshot.md), a step at a time. */
export interface SectionReader {
  /**
   * Does some work and hands out the chunks it finished, in order; often none. Each chunk has
   * {@link sectionChunkBytes} bytes, the last one fewer. Two stores with the same contents give
   * the same chunks, whatever was written and deleted before.
   * @param budgetEntries about how many pairs to handle; one of many bytes counts as several.
   *   Measured with a million pairs of 84 bytes: 1.2 µs a pair in all, and with a budget of 1,000
   *   calls of 0.5 ms, one in a hundred of 1.2 ms
   * @returns undefined once everything was handed out; the freeze is released then
   * @throws KvError FREEZE_RELEASED when it was released before
   */
  next(budgetEntries: number): Uint8Array[] | undefined;
}

/** Value bytes that are copied for one unit of work. */
const bytesPerUnit = 4096;

/** A freeze of all tables of a store, and its reader. */
export class Freeze implements FrozenState, SectionReader {
  readonly entries: number;
  readonly #released: () => void;
  /** Tables not yet read to the end, in order of name. */
  readonly #tables: FrozenTable[];
  readonly #encoder = new SectionEncoder();
  #state: 'frozen' | 'reading' | 'done' | 'released' = 'frozen';
  /** Pairs of the first table, while they are collected and then taken. */
  #pairs: SortedRuns | undefined;
  #merging = false;
  #entriesLeft = 0;
  /** The part of a large value that is still to be copied. */
  #value: Uint8Array | undefined;

  constructor(tables: Iterable<Table>, released: () => void) {
    this.#released = released;
    this.#tables = Array.from(tables)
      .filter(({ base }) => base.size > 0)
      .sort((a, b) => compareKeys(a.name, b.name))
      .map((table) => new FrozenTable(table));
    this.entries = this.#tables.reduce((sum, { size }) => sum + size, 0);
  }

  section(): SectionReader {
    this.#requireHeld();
    assert(this.#state === 'frozen', 'a frozen state is read once');
    this.#state = 'reading';
    this.#encoder.begin(this.#tables.length);
    return this;
  }

  release(): void {
    if (this.#state === 'released' || this.#state === 'done') return;
    this.#released();
    this.#state = 'released';
    for (const table of this.#tables) table.release();
    this.#tables.length = 0;
    this.#pairs = undefined;
    this.#value = undefined;
  }

  next(budgetEntries: number): Uint8Array[] | undefined {
    if (this.#state === 'done') return undefined;
    this.#requireHeld();
    let budget = Math.max(1, budgetEntries);
    while (budget > 0) {
      const table = this.#tables[0];
      if (table === undefined) {
        this.#encoder.end();
        this.#state = 'done';
        this.#released();
        break;
      }
      budget = this.#merging ? this.#write(budget) : this.#collect(table, budget);
    }
    return this.#encoder.takeFinished();
  }

  #collect(table: FrozenTable, budget: number): number {
    this.#pairs ??= new SortedRuns();
    const left = table.collect(this.#pairs, budget);
    if (left === undefined) return 0;
    this.#pairs.merge();
    this.#merging = true;
    this.#entriesLeft = table.size;
    this.#encoder.table(table.name, table.size);
    return left;
  }

  #write(budget: number): number {
    const pairs = this.#pairs as SortedRuns;
    let left = budget;
    while (left > 0) {
      if (this.#value !== undefined) {
        left -= this.#writeValue(this.#value, left);
        continue;
      }
      if (!pairs.next()) {
        this.#endTable();
        break;
      }
      this.#entriesLeft--;
      left -= this.#writePair(pairs.key, pairs.value);
    }
    return left;
  }

  #writePair(key: Key, value: Uint8Array): number {
    this.#encoder.key(key, value.length);
    if (value.length <= bytesPerUnit) this.#encoder.raw(value);
    else this.#value = value;
    return pairWork(key);
  }

  /** Copies as much of a large value as the budget allows. */
  #writeValue(value: Uint8Array, budget: number): number {
    const bytes = Math.min(value.length, budget * bytesPerUnit);
    this.#encoder.raw(value.subarray(0, bytes));
    this.#value = bytes === value.length ? undefined : value.subarray(bytes);
    return Math.ceil(bytes / bytesPerUnit);
  }

  #endTable(): void {
    assert(this.#entriesLeft === 0, 'a frozen table gave other pairs than it held');
    this.#tables.shift();
    this.#pairs = undefined;
    this.#merging = false;
  }

  #requireHeld(): void {
    if (this.#state !== 'released') return;
    throw new KvError('FREEZE_RELEASED', 'the frozen state was released');
  }
}
