import type { Store, TransactionSet, WriteSet } from '@concordat/kv';
import { assert } from '@concordat/std';
import type { Outcome, StateChange } from './adapter.ts';
import type { OpenBatch } from './scoped-state.ts';
import type { Submission } from './submission.ts';

/** Answers that depend on the state after a block though they have no leaf in it. */
export interface Rider {
  /** The block is committed: what was found in its state may be told. */
  tell(): void;
  /** The block is gone, and the state it was judged on with it: judge anew. */
  again(): void;
  /** Who waits for that. */
  readonly submissions: readonly Submission[];
}

/** One block of this worker above the committed state. */
export interface Flight {
  /** Number of its layer in the store: a counter of this process, since heights come later. */
  readonly layer: number;
  /** Number of the batch as the manager knows it; 0 for a block of another leader. */
  readonly batch: number;
  readonly submissions: readonly Submission[];
  readonly outcomes: readonly Outcome<unknown>[];
  readonly count: number;
  readonly timeMs: number;
  /** 0 until the manager has sealed the batch. */
  height: number;
  view: number;
  firstSeqno: number;
  readonly riders: Rider[];
}

/** What a block on the chain starts with. */
export type NewFlight = Omit<Flight, 'layer' | 'riders'>;

/**
 * The speculative blocks of one worker over its store, oldest first: sealed ones with a height,
 * then ones the manager has not numbered yet. Commit takes from the front, rollback from the back.
 */
export class SpeculativeChain {
  readonly #store: Store;
  readonly #changed: (change: StateChange) => void;
  #flights: Flight[] = [];
  #nextLayer = 1;

  /** @param changed hears of every change made here */
  constructor(store: Store, changed: (change: StateChange) => void = () => {}) {
    this.#store = store;
    this.#changed = changed;
  }

  /** Blocks not yet committed. */
  get length(): number {
    return this.#flights.length;
  }

  get newest(): Flight | undefined {
    return this.#flights.at(-1);
  }

  /** Whether there are blocks the manager has not numbered. */
  get hasUnsealed(): boolean {
    return this.newest?.height === 0;
  }

  /** Opens the set of the next block. */
  begin(): TransactionSet {
    return this.#store.begin(this.#nextLayer);
  }

  /** Adds the block whose set, this one, was just finished. */
  executed(block: NewFlight, set: OpenBatch): Flight {
    const flight = this.#push(block);
    const { layer } = flight;
    this.#changed({ kind: 'executed', layer, set, writeSets: set.writes });
    return flight;
  }

  /** Adds a block from the ledger. */
  applied(block: NewFlight, writeSets: readonly WriteSet[]): Flight {
    const { firstSeqno } = block;
    this.#store.applyLayer(this.#nextLayer, writeSets, firstSeqno);
    const flight = this.#push(block);
    this.#changed({ kind: 'applied', layer: flight.layer, firstSeqno, writeSets });
    return flight;
  }

  /** Numbers the oldest block without a height. A number for any other block is a bug. */
  sealed(batch: number, at: { height: number; view: number; firstSeqno: number }): void {
    const flight = this.#flights.find((candidate) => candidate.height === 0);
    assert(flight?.batch === batch, `batch ${batch} was sealed but is not the next to be`);
    flight.height = at.height;
    flight.view = at.view;
    flight.firstSeqno = at.firstSeqno;
    this.#store.number(flight.layer, at.firstSeqno);
    this.#changed({ kind: 'numbered', layer: flight.layer, firstSeqno: at.firstSeqno });
  }

  /** Folds every block up to the height, one by one: `each` sees the state of exactly its block. */
  commit(height: number, each: (flight: Flight) => void): void {
    const flights = this.#flights;
    let count = 0;
    while (count < flights.length) {
      const flight = flights[count] as Flight;
      if (flight.height === 0 || flight.height > height) break;
      count += 1;
      this.#store.commit(flight.layer);
      this.#changed({ kind: 'committed', layer: flight.layer });
      each(flight);
    }
    if (count > 0) flights.splice(0, count);
  }

  /** Drops the blocks above the height and those without one; returns them, oldest first. */
  rollback(height: number): readonly Flight[] {
    return this.#dropFrom((flight) => flight.height === 0 || flight.height > height);
  }

  /** Drops the blocks the manager has not numbered; returns them, oldest first. */
  dropUnsealed(): readonly Flight[] {
    return this.#dropFrom((flight) => flight.height === 0);
  }

  /** Submissions in these blocks received before this time. */
  overdue(receivedBeforeMs: number): readonly Submission[] {
    const late = (submission: Submission) => submission.receivedMs < receivedBeforeMs;
    return this.#flights.flatMap(({ submissions, riders }) =>
      [...submissions, ...riders.flatMap((rider) => rider.submissions)].filter(late),
    );
  }

  /**
   * Takes genesis blocks that were never numbered for committed: the ledger holds them, or this
   * node would not go on.
   */
  adoptUnsealed(): void {
    if (this.hasUnsealed) {
      this.#store.commit(this.#nextLayer - 1);
      this.#changed({ kind: 'committed', layer: this.#nextLayer - 1 });
      this.#flights = [];
    }
  }

  /** Whether the manager has this batch and has not numbered it. */
  isUnsealed(batch: number): boolean {
    return this.#flights.some((flight) => flight.height === 0 && flight.batch === batch);
  }

  /** Puts a committed block straight into the base. Only while nothing is on the chain. */
  replay(writeSets: readonly WriteSet[], firstSeqno: number): void {
    this.#store.applyCommitted(writeSets, firstSeqno);
    this.#changed({ kind: 'replayed', firstSeqno, writeSets });
  }

  #push(block: NewFlight): Flight {
    const flight = { ...block, layer: this.#nextLayer, riders: [] };
    this.#nextLayer += 1;
    this.#flights.push(flight);
    return flight;
  }

  #dropFrom(isFirst: (flight: Flight) => boolean): readonly Flight[] {
    const at = this.#flights.findIndex(isFirst);
    if (at < 0) return [];
    const dropped = this.#flights.splice(at);
    const { layer } = dropped[0] as Flight;
    this.#store.rollback(layer - 1);
    this.#changed({ kind: 'dropped', layer });
    return dropped;
  }
}
