import type { Borrower, Executor } from './executor.ts';
import type { Fork } from './fork.ts';

/** Executors that keep what they have seen: each may hold some hundred MiB, and chains are many. */
const mostLent = 16;

/** An executor that can go on for another chain. */
export interface LentExecutor extends Executor {
  /** Goes on by these rules, with nothing cached. */
  serve(fork: Fork): void;
}

interface Loan {
  readonly executor: LentExecutor;
  readonly borrower: Borrower;
}

/**
 * Executors of chains in use. A chain that was not begun lately gives its own to one that needs it:
 * a fresh one would cost new memory, and so do those that nobody uses.
 */
export class ExecutorPool {
  readonly #make: (fork: Fork) => LentExecutor;
  /** Longest lent first. */
  readonly #lent: Loan[] = [];

  constructor(make: (fork: Fork) => LentExecutor) {
    this.#make = make;
  }

  /** Executors there are. */
  get size(): number {
    return this.#lent.length;
  }

  /** Lends one until the borrower is told to hand it back, never while that executes. */
  lend(fork: Fork, borrower: Borrower): Executor {
    const executor = this.#takeBack(fork) ?? this.#make(fork);
    this.#lent.push({ executor, borrower });
    return executor;
  }

  #takeBack(fork: Fork): LentExecutor | undefined {
    if (this.#lent.length < mostLent) return undefined;
    const loan = this.#lent.find(({ borrower }) => !borrower.isExecuting);
    if (loan === undefined) return undefined;
    this.#lent.splice(this.#lent.indexOf(loan), 1);
    loan.borrower.handBack();
    loan.executor.serve(fork);
    return loan.executor;
  }
}
