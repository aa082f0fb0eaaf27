import type { Flight } from './speculative-chain.ts';
import type { Lane, Submission } from './submission.ts';

/** Pause after a batch was refused, milliseconds. */
const refusedPauseMs = 5;

/**
 * Executed batches whose state was thrown away before the manager numbered them. It refuses each by
 * its number, and only then are their transactions to be ordered anew. Until the last one is given
 * back nothing that came after them is executed, or goes elsewhere: it would overtake them. That is
 * a way to the manager and back; a manager that is silent numbers nothing either.
 */
export class OrphanedBatches {
  readonly #submissions = new Map<number, readonly Submission[]>();
  readonly #cleared: () => void;
  #pause: NodeJS.Timeout | undefined;

  /** @param cleared no batch is outstanding any more; never called from inside */
  constructor(cleared: () => void) {
    this.#cleared = cleared;
  }

  /** Whether what came later has to wait. */
  get outstanding(): boolean {
    return this.#submissions.size > 0 || this.#pause !== undefined;
  }

  /** Keeps a batch that was thrown away. */
  add({ batch, submissions }: Flight): void {
    this.#submissions.set(batch, submissions);
  }

  /** Transactions of this lane that are to come back. */
  of(lane: Lane): Submission[] {
    return [...this.#submissions.values()].flat().filter((submission) => submission.lane === lane);
  }

  /** The manager refused this batch: its transactions, once. Undefined when it is not one of these. */
  refused(batch: number): readonly Submission[] | undefined {
    const submissions = this.#submissions.get(batch);
    if (submissions === undefined) return undefined;
    this.#submissions.delete(batch);
    // Whatever it was (enough in flight, leadership being handed over) has to pass first: offered
    // again at once, batch and refusal would chase each other until then.
    this.#clearAfter(refusedPauseMs);
    return submissions;
  }

  /** Gives up the batches of which every transaction was received before this time. */
  takeOverdue(receivedBeforeMs: number): readonly Submission[] {
    const before = this.#submissions.size;
    const overdue: Submission[] = [];
    for (const [batch, submissions] of this.#submissions) {
      if (submissions.some(({ receivedMs }) => receivedMs >= receivedBeforeMs)) continue;
      this.#submissions.delete(batch);
      overdue.push(...submissions);
    }
    if (this.#submissions.size < before) this.#clearAfter(0);
    return overdue;
  }

  /** Ends for good. */
  stop(): void {
    clearTimeout(this.#pause);
  }

  #clearAfter(delayMs: number): void {
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      if (!this.outstanding) this.#cleared();
    }, delayMs);
  }
}
