import type { Lane, Submission } from './submission.ts';

/** Transactions of one adapter waiting to be executed, oldest first. */
export class BatchQueue {
  readonly lane: Lane;
  #items: Submission[] = [];
  #head = 0;
  #bytes = 0;
  #turns = 0;

  constructor(lane: Lane) {
    this.lane = lane;
  }

  get length(): number {
    return this.#items.length - this.#head;
  }

  /** Bytes of what waits: requests, and what admitting them brought. */
  get bytes(): number {
    return this.#bytes;
  }

  get oldest(): Submission | undefined {
    return this.#items[this.#head];
  }

  /** What is to be executed, in its order. */
  *[Symbol.iterator](): Iterator<Submission> {
    for (let at = this.#head; at < this.#items.length; at++) yield this.#items[at] as Submission;
  }

  /** Adds a submission that was admitted. */
  push(submission: Submission): void {
    this.#turns += 1;
    submission.turn = this.#turns;
    this.#items.push(submission);
    this.#bytes += submission.bytes;
  }

  /** Puts back what was taken before, into the order in which all was added. */
  putBack(submissions: readonly Submission[]): void {
    const items = [...submissions, ...this.#items.slice(this.#head)];
    this.#items = items.sort((a, b) => a.turn - b.turn);
    this.#head = 0;
    for (const submission of submissions) this.#bytes += submission.bytes;
  }

  /** The next batch: at most so many transactions and bytes, but at least one transaction. */
  take(maxTransactions: number, maxBytes: number): Submission[] {
    const items = this.#items;
    const first = this.#head;
    const bound = Math.min(items.length, first + maxTransactions);
    let bytes = 0;
    let at = first;
    while (at < bound) {
      const next = items[at] as Submission;
      bytes += next.bytes;
      if (at > first && (next.alone || bytes > maxBytes)) break;
      this.#bytes -= next.bytes;
      at += 1;
      if (next.alone) break;
    }
    const taken = items.slice(first, at);
    this.#head = at;
    // Dropping the front costs a copy of the rest: only once it is the smaller part.
    if (this.#head > 1_024 && this.#head * 2 > items.length) {
      this.#items = items.slice(this.#head);
      this.#head = 0;
    } else if (this.#head === items.length) {
      this.#items = [];
      this.#head = 0;
    }
    return taken;
  }

  /** Takes from the front what was received before this time. */
  takeOverdue(receivedBeforeMs: number): Submission[] {
    let count = 0;
    const { length } = this;
    while (count < length) {
      const next = this.#items[this.#head + count] as Submission;
      if (next.receivedMs >= receivedBeforeMs) break;
      this.#bytes -= next.bytes;
      count += 1;
    }
    if (count === 0) return [];
    const taken = this.#items.slice(this.#head, this.#head + count);
    this.#items = this.#items.slice(this.#head + count);
    this.#head = 0;
    return taken;
  }

  /** Empties the queue. */
  takeAll(): Submission[] {
    const taken = this.#items.slice(this.#head);
    this.#items = [];
    this.#head = 0;
    this.#bytes = 0;
    return taken;
  }
}
