import type { Admitted, BatchEnvironment, Outcome, Refused, Submitted } from './adapter.ts';
import { Admission } from './admission.ts';
import type { BatchQueue } from './batch-queue.ts';
import { BatchQueues } from './batch-queues.ts';
import { nameOf } from './errors.ts';
import { beginExecution, closeBatch, type Execution, newBlock, runAdapter } from './execution.ts';
import { HeldBatches } from './held-batches.ts';
import { KeyedSubmissions } from './keyed-submissions.ts';
import type { BatchPolicy, WorkerLimits } from './limits.ts';
import { OrphanedBatches } from './orphaned-batches.ts';
import { failureAnswer, notOrdered, unknown, waitedTooLong } from './pipeline-answers.ts';
import type { Preparer } from './preparation.ts';
import type { ReadCallback } from './read-gate.ts';
import type { TransactionWrites } from './scoped-state.ts';
import type { Flight, SpeculativeChain } from './speculative-chain.ts';
import type { Stats } from './stats.ts';
import type { Lane, Submission } from './submission.ts';

/** What the pipeline needs of the worker around it. */
export interface PipelineOptions {
  readonly lanes: readonly Lane[];
  /** Prepares requests before they are admitted; absent: they are admitted as they come. */
  readonly preparer?: Preparer;
  readonly chain: SpeculativeChain;
  readonly stats: Stats;
  readonly limits: WorkerLimits;
  readonly policy: () => BatchPolicy;
  readonly environment: () => BatchEnvironment;
  readonly nowMs: () => number;
  /** Hands an executed batch to the manager. */
  readonly sendBatch: (batch: number, writes: readonly TransactionWrites[]) => void;
  /** Ends a submission. */
  readonly answer: (submission: Submission, answer: Submitted<unknown>) => void;
  /** Calls back when no later leader can have changed the committed state before now. */
  readonly whenCurrent: (submission: Submission, done: ReadCallback) => void;
  /** A submission this node cannot order (any more). */
  readonly reroute: (submission: Submission) => void;
  readonly log: (event: string, fields: Readonly<Record<string, unknown>>) => void;
}

type Verdict = Admitted<unknown> | Refused;

/**
 * The leader's way from a submission to an executed batch: admit, queue, execute on the speculative
 * head, hand over to be sealed. A batch closes when it is full, when its oldest transaction has
 * waited long enough, or at once when nothing is in flight, so that a lone request is not delayed.
 */
export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #queues: BatchQueues;
  readonly #held: HeldBatches;
  readonly #admission: Admission;
  readonly #keyed: KeyedSubmissions;
  readonly #orphans: OrphanedBatches;
  /** Came while this node did not lead and what it had was not all given back. */
  #late: Submission[] = [];
  #execution: Execution | undefined;
  #leading = false;
  /** Counts the times this node began or ceased to lead. */
  #term = 0;
  #awaitsNumbers = false;
  #nextBatch = 1;
  #scheduled = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#queues = new BatchQueues(options.lanes);
    this.#held = new HeldBatches(options);
    this.#orphans = new OrphanedBatches(() => (this.#leading ? this.#schedule() : this.#leave()));
    this.#keyed = new KeyedSubmissions({ ...options, answerSoon: this.#answerSoon });
    this.#admission = new Admission({
      ...options,
      isLeading: () => this.#leading,
      judged: (submission, verdict) => this.#admitted(submission, verdict),
      elsewhere: (submission, verdict) => this.#elsewhere(submission, verdict),
    });
  }

  /** Transactions waiting, those still being admitted or executed included. */
  get queued(): number {
    const executed = this.#execution?.submissions.length ?? 0;
    return this.#admission.waiting + executed + this.#queues.length + this.#late.length;
  }

  /** Bytes of the transactions in the queues. */
  get queuedBytes(): number {
    return this.#queues.bytes;
  }

  /** A number for a batch that did not come through the queues (genesis). */
  takeBatchNumber(): number {
    const batch = this.#nextBatch;
    // 32 bits on the wire; 0 is never a batch.
    this.#nextBatch = batch === 0xffff_ffff ? 1 : batch + 1;
    return batch;
  }

  /** Whether this node ceased to lead and has not yet given away what it had; see {@link submit}. */
  get isLeaving(): boolean {
    return !this.#leading && this.#orphans.outstanding;
  }

  /** Admits a submission and queues it; while this node is leaving, it goes after what it had. */
  submit(submission: Submission): void {
    if (this.isLeaving) {
      this.#late.push(submission);
      return;
    }
    if (!this.#keyed.settles(submission)) this.#admission.take(submission);
  }

  /** From now on batches are executed here, on the present head. */
  lead(): void {
    this.#leading = true;
    this.#term += 1;
    const late = this.#late.splice(0);
    // Some of them may have been admitted before.
    if (late.length > 0) this.headReset();
    for (const submission of late) this.submit(submission);
    this.#schedule();
  }

  /**
   * Stops executing; what waits goes elsewhere, as soon as what was executed before it is given back.
   * Blocks on the chain are the worker's affair.
   * @param dropUnsealed drops those without a number; called when this node leads no longer, so that
   *   what waited for their commit stays behind what they give back
   */
  follow(dropUnsealed: () => void): void {
    this.interrupt();
    this.#leading = false;
    this.#term += 1;
    dropUnsealed();
    this.#late.push(...this.#admission.takeAll());
    if (!this.#orphans.outstanding) this.#leave();
  }

  /** At once: what comes from now on goes elsewhere too, and is not to overtake what is here. */
  #leave(): void {
    const leaving = [...this.#queues].flatMap((queue) => queue.takeAll());
    for (const submission of [...leaving, ...this.#late.splice(0)]) this.#elsewhere(submission);
    // Some may come back, to be admitted anew.
    this.headReset();
  }

  /** Tells the adapters that the head is another one, and what they still have to execute. */
  headReset(): void {
    for (const lane of this.#options.lanes) {
      const waiting = [...this.#orphans.of(lane), ...this.#queues.of(lane)];
      const admitted = waiting.flatMap(({ isOver, admitted }) => (isOver ? [] : [admitted]));
      lane.adapter.headReset?.(admitted as Admitted<unknown>[]);
    }
  }

  /** Ends for good: nothing more is executed, nobody is answered. */
  stop(): void {
    this.#leading = false;
    this.#abandon();
    this.#admission.stop();
    this.#held.stop();
    this.#orphans.stop();
    clearTimeout(this.#timer);
  }

  /** Aborts a running execution and queues its transactions again. */
  interrupt(): void {
    const abandoned = this.#abandon();
    if (abandoned.length > 0) this.#executeAgain(abandoned);
  }

  /** Keeps the submissions of dropped, never numbered blocks until the manager refuses them. */
  orphan(flights: readonly Flight[]): void {
    // It cannot refuse what it was not sent.
    this.#held.flush();
    for (const flight of flights) {
      this.#orphans.add(flight);
      for (const rider of flight.riders) rider.again();
    }
  }

  /** The manager did not seal this batch: its transactions may be ordered anew, once. */
  refused(batch: number): void {
    const submissions = this.#orphans.refused(batch);
    if (submissions) this.requeue(submissions);
  }

  /** Orders transactions anew: here when we lead, else wherever the leader is. */
  requeue(submissions: readonly Submission[]): void {
    const again: Submission[] = [];
    const tooOldMs = this.#options.nowMs() - this.#options.limits.commitTimeoutMs;
    for (const submission of submissions) {
      if (submission.isOver) continue;
      if (submission.receivedMs < tooOldMs) this.#lose(submission);
      else if (this.#leading || this.isLeaving) again.push(submission);
      else this.#elsewhere(submission);
    }
    if (again.length === 0) return;
    this.#queues.of((again[0] as Submission).lane).putBack(again);
    this.#schedule();
  }

  /** Something was committed: there may be room, or nothing left in flight. */
  advance(): void {
    if (this.#leading && this.queued > 0) this.#schedule();
  }

  /** Answers what was received before this time and waits in a queue or for a refusal. */
  expire(receivedBeforeMs: number): void {
    const { answer } = this.#options;
    for (const queue of this.#queues) {
      for (const submission of queue.takeOverdue(receivedBeforeMs)) {
        answer(submission, submission.mayBeExecuted ? unknown : waitedTooLong);
      }
    }
    for (const submission of this.#orphans.takeOverdue(receivedBeforeMs)) this.#lose(submission);
  }

  #admitted(submission: Submission, given: Verdict): void {
    const verdict = this.#queues.roomFor(given, this.#options.limits.maxQueuedBytes);
    if (!verdict.ok) {
      this.#options.stats.refused += 1;
      this.#answerSoon(submission, verdict);
      return;
    }
    submission.admitted = verdict;
    const queue = this.#queues.of(submission.lane);
    queue.push(submission);
    const policy = this.#options.policy();
    const due = queue.length >= policy.maxBatchTransactions || this.#idle;
    if (due) this.#schedule();
    else this.#arm(policy.maxBatchDelayMs);
  }

  get #idle(): boolean {
    // What is being prepared comes in a moment, many at a time.
    const nothingComes = this.#admission.preparing === 0;
    return nothingComes && this.#options.chain.length === 0 && this.#execution === undefined;
  }

  // One turn of the event loop gathers what several sockets brought into one batch.
  #schedule(): void {
    if (this.#scheduled || !this.#leading) return;
    this.#scheduled = true;
    setImmediate(this.#run);
  }

  #arm(delayMs: number): void {
    if (this.#timer !== undefined || !this.#leading) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#run();
    }, delayMs);
  }

  readonly #run = (): void => {
    this.#scheduled = false;
    this.#executeDue();
    // Nothing follows that would be worth waiting for.
    if (this.#execution === undefined) this.#held.flush();
  };

  #executeDue(): void {
    if (this.#orphans.outstanding) return;
    const { chain, limits, nowMs } = this.#options;
    const policy = this.#options.policy();
    while (this.#leading && this.#execution === undefined) {
      if (this.#awaitsNumbers && chain.hasUnsealed) break;
      this.#awaitsNumbers = false;
      if (chain.length >= limits.maxBatchesInFlight) return;
      const queue = this.#queues.due(policy, nowMs() - policy.maxBatchDelayMs, this.#idle);
      if (queue === undefined) break;
      this.#execute(queue);
    }
    if (this.#execution === undefined && this.#queues.length > 0) {
      this.#arm(this.#options.policy().maxBatchDelayMs);
    }
  }

  #execute(queue: BatchQueue): void {
    const { chain, limits, environment } = this.#options;
    const { maxBatchTransactions, maxBlockBytes } = this.#options.policy();
    const env = environment();
    // Request bytes stand for write-set bytes here; the true size is checked after execution.
    const taken = queue.take(maxBatchTransactions, maxBlockBytes / 2);
    const { first, later } = this.#keyed.firstTime(taken, env.timeMs);
    if (later.length > 0) queue.putBack(later);
    if (first.length === 0) return;
    const execution = beginExecution(queue.lane, first, { chain, env });
    this.#execution = execution;
    let outcomes: ReturnType<typeof runAdapter>;
    try {
      outcomes = runAdapter(execution);
    } catch (error) {
      this.#fail(execution, nameOf(error));
      return;
    }
    if (!(outcomes instanceof Promise)) {
      this.#finish(execution, outcomes);
      return;
    }
    execution.timer = setTimeout(
      () => this.#fail(execution, 'EXECUTION_TIMEOUT'),
      limits.executionDeadlineMs,
    );
    outcomes.then(
      (settled) => {
        this.#finish(execution, settled);
        this.#schedule();
      },
      (error: unknown) => this.#fail(execution, nameOf(error)),
    );
  }

  /** `done` is never called from inside `submit`. */
  readonly #answerSoon = (submission: Submission, answer: Submitted<unknown>): void => {
    process.nextTick(this.#options.answer, submission, answer);
  };

  #finish(execution: Execution, settled: readonly Outcome<unknown>[]): void {
    if (this.#execution !== execution) return;
    const { set } = execution;
    let outcomes: readonly Outcome<unknown>[];
    try {
      const { put, left } = closeBatch(execution, settled);
      outcomes = left;
      this.#putOff(put);
    } catch (error) {
      this.#fail(execution, nameOf(error));
      return;
    }
    if (set.bytes > this.#options.policy().maxBlockBytes) {
      this.#fail(execution, 'BLOCK_TOO_LARGE');
      return;
    }
    this.#release(execution);
    const { chain, stats } = this.#options;
    if (set.writes.length === 0) {
      set.abort();
      this.#ride(execution, outcomes);
      return;
    }
    set.finish();
    const block = newBlock(execution, outcomes, this.takeBatchNumber());
    const { batch } = chain.executed(block, set);
    stats.batches += 1;
    stats.batchedTransactions += execution.submissions.length;
    this.#held.add({ batch, writes: set.writes, bytes: set.bytes }, this.#queues.length);
    this.#answerLocal(execution.submissions, outcomes);
  }

  /**
   * Puts what the adapter deferred back into its queue, to be executed when every block on the chain
   * has its seqnos: this batch's too, so that the first one waits for nothing then.
   */
  #putOff(put: readonly Submission[]): void {
    if (put.length === 0) return;
    this.#awaitsNumbers = true;
    this.requeue(put);
  }

  /** A block of the chain has its seqnos. */
  numbered(): void {
    if (!this.#awaitsNumbers || this.#options.chain.hasUnsealed) return;
    this.#awaitsNumbers = false;
    this.#schedule();
  }

  /**
   * A batch that left no trace is answered once the state it was judged on is committed, and a
   * majority has confirmed after the execution that no later leader had changed it: what is committed
   * under it may have been so before this node was held up and another one led.
   */
  #ride({ submissions }: Execution, outcomes: readonly Outcome<unknown>[]): void {
    const { chain, stats } = this.#options;
    stats.dropped += outcomes.length;
    const term = this.#term;
    const tell = () => {
      for (const [at, submission] of submissions.entries()) {
        this.#answerDropped(submission, outcomes[at] as Refused, term);
      }
    };
    const under = chain.newest;
    if (under === undefined) tell();
    else under.riders.push({ tell, again: () => this.requeue(submissions), submissions });
  }

  #answerDropped(submission: Submission, outcome: Refused, term: number): void {
    const { answer, whenCurrent } = this.#options;
    if (submission.wait === 'local') {
      answer(submission, outcome);
      return;
    }
    whenCurrent(submission, (refused) => {
      // A node that leads no longer is current as well, once it has what the new leader committed:
      // but it judged before that.
      if (this.#term === term) answer(submission, refused ?? outcome);
      else this.requeue([submission]);
    });
  }

  #answerLocal(submissions: readonly Submission[], outcomes: readonly Outcome<unknown>[]): void {
    for (let at = 0; at < submissions.length; at++) {
      const submission = submissions[at] as Submission;
      if (submission.wait !== 'local') continue;
      const outcome = outcomes[at] as Outcome<unknown>;
      if (outcome.ok && !submission.answered) submission.toldEarly = true;
      this.#options.answer(submission, outcome.ok ? { ...outcome, height: 0 } : outcome);
    }
  }

  /** Takes the batch back: each transaction gets one more chance, alone. */
  #fail(execution: Execution, why: string): void {
    if (this.#execution !== execution) return;
    const { log, answer } = this.#options;
    log('adapter.batch-failed', {
      adapter: execution.lane.adapter.id,
      transactions: execution.submissions.length,
      why,
    });
    this.#release(execution);
    execution.set.abort();
    const first = execution.submissions[0] as Submission;
    if (execution.submissions.length > 1 || !first.alone) {
      for (const submission of execution.submissions) submission.alone = true;
      this.#executeAgain(execution.submissions);
      return;
    }
    answer(first, failureAnswer(why));
    this.#schedule();
  }

  /** Queues what its adapter takes for executed, or may do so. */
  #executeAgain(submissions: readonly Submission[]): void {
    this.requeue(submissions);
    this.headReset();
  }

  #abandon(): readonly Submission[] {
    const execution = this.#execution;
    if (execution === undefined) return [];
    this.#release(execution);
    execution.set.abort();
    return execution.submissions;
  }

  #release(execution: Execution): void {
    clearTimeout(execution.timer);
    this.#execution = undefined;
  }

  /** What had effects outside of the network is not begun again unasked. */
  #elsewhere(submission: Submission, verdict: Verdict | undefined = submission.admitted): void {
    if (verdict?.hasActed) this.#lose(submission);
    else if (this.isLeaving) this.#late.push(submission);
    else this.#options.reroute(submission);
  }

  #lose(submission: Submission): void {
    this.#options.stats.lost += 1;
    this.#options.answer(submission, submission.mayBeExecuted ? unknown : notOrdered);
  }
}
