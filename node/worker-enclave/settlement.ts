import type { AppliedBlock } from '@concordat/bridge';
import { formatTransactionId } from '@concordat/std';
import type { CommittedBatch, Refused } from './adapter.ts';
import { CommitGauge } from './commit-gauge.ts';
import type { Forwarding } from './forwarding.ts';
import type { Intake } from './intake.ts';
import type { Pipeline } from './pipeline.ts';
import type { Flight, SpeculativeChain } from './speculative-chain.ts';
import type { Stats } from './stats.ts';
import { type Lane, refusal } from './submission.ts';
import { TakenBack } from './taken-back.ts';

/** What the settlement needs of the worker around it. */
export interface SettlementOptions {
  readonly lanes: readonly Lane[];
  readonly chain: SpeculativeChain;
  readonly pipeline: Pipeline;
  readonly intake: Intake;
  readonly forwarding: Forwarding;
  readonly stats: Stats;
  readonly nowMs: () => number;
  /** Whether clients are served: before, nobody waits and nobody listens. */
  readonly isServing: () => boolean;
  /** The state has reached a block of this time, milliseconds since 1970. */
  readonly sawTime: (timeMs: number) => void;
}

/** What becomes of executed blocks: committed and answered, taken back, or made elsewhere. */
export class Settlement {
  readonly #options: SettlementOptions;
  readonly #gauge: CommitGauge;
  readonly #takenBack = new TakenBack();
  #committedHeight = 0;

  constructor(options: SettlementOptions) {
    this.#options = options;
    this.#gauge = new CommitGauge(options.stats);
  }

  /** Height of the newest block known to be committed. */
  get committedHeight(): number {
    return this.#committedHeight;
  }

  /** Folds every block up to the height and answers whoever waits for them, in one burst. */
  committed(height: number): void {
    const { chain, forwarding, pipeline } = this.#options;
    const nowMs = this.#options.nowMs();
    chain.commit(height, (flight) => this.#blockCommitted(flight, nowMs));
    this.#committedHeight = Math.max(this.#committedHeight, height);
    this.#loseUpTo(height);
    forwarding.committed(this.#committedHeight);
    pipeline.advance();
  }

  /** Every node has committed up to this height. */
  committedByAll(height: number): void {
    this.#gauge.committedByAll(height, this.#options.nowMs());
  }

  /** Takes up a block that was not executed here. */
  applied(block: AppliedBlock): void {
    const { chain, pipeline, stats, nowMs, isServing, sawTime, forwarding } = this.#options;
    const { height, view, firstSeqno, timeMs, transactions, speculative } = block;
    sawTime(timeMs);
    if (isServing()) {
      // Whatever was executed here without a number stands on a state that is gone.
      pipeline.interrupt();
      this.dropUnsealed();
    } else {
      chain.adoptUnsealed();
    }
    const place = { height, view, firstSeqno, timeMs, count: transactions.length };
    if (speculative || chain.length > 0) {
      chain.applied({ ...place, batch: 0, submissions: [], outcomes: [] }, transactions);
      pipeline.headReset();
      if (!speculative) this.committed(height);
      return;
    }
    chain.replay(transactions, firstSeqno);
    pipeline.headReset();
    this.#committedHeight = height;
    stats.blockCommitted(place.count, nowMs());
    this.#publish(place);
    this.#answerTakenBack(place, nowMs());
    this.#loseUpTo(height);
    forwarding.committed(height);
  }

  /**
   * Drops every block above the height: another leader's ledger does not have them. Who waits for
   * one is answered when another block is committed in its place, or it all the same.
   */
  rollback(height: number): number {
    const { chain, pipeline } = this.#options;
    pipeline.interrupt();
    const dropped = chain.rollback(height);
    pipeline.orphan(dropped.filter((flight) => flight.height === 0));
    for (const flight of dropped) {
      if (flight.height === 0) continue;
      this.#takenBack.add(flight);
      for (const rider of flight.riders) rider.again();
    }
    if (dropped.length > 0) pipeline.headReset();
    return dropped.length;
  }

  /** Forgets every block: a snapshot, in which some of them may be, takes their place. */
  forget(): void {
    const { chain, pipeline } = this.#options;
    pipeline.interrupt();
    const dropped = chain.rollback(0);
    pipeline.orphan(dropped.filter((flight) => flight.height === 0));
    const unknown = refusal('TRANSACTION_UNKNOWN', 'the node took up a snapshot meanwhile');
    const given = this.#takenBack.lostUpTo(Number.POSITIVE_INFINITY);
    for (const flight of [...given, ...dropped.filter(({ height }) => height > 0)]) {
      this.#end(flight, unknown);
      for (const rider of flight.riders) rider.again();
    }
    this.#committedHeight = 0;
  }

  /** The committed state is that of a snapshot. */
  restored(height: number): void {
    this.#committedHeight = height;
    this.#options.forwarding.committed(height);
  }

  /** Drops batches on their way to a manager that will refuse them: it waits for a `ready`. */
  dropUnsealed(): void {
    const { chain, pipeline, isServing } = this.#options;
    if (!isServing() || !chain.hasUnsealed) return;
    pipeline.interrupt();
    pipeline.orphan(chain.dropUnsealed());
    pipeline.headReset();
  }

  /** This node leads no longer: what waits to be executed goes elsewhere, in its order. */
  follow(): void {
    this.#options.pipeline.follow(() => this.dropUnsealed());
  }

  /** Answers what was received before this time and still waits for its commit. */
  expire(receivedBeforeMs: number): void {
    const { chain, intake } = this.#options;
    const late = refusal('TRANSACTION_UNKNOWN', 'no majority in time; the outcome is not known');
    const overdue = [chain, this.#takenBack].flatMap((flights) =>
      flights.overdue(receivedBeforeMs),
    );
    for (const submission of overdue) intake.answer(submission, late);
  }

  #blockCommitted(flight: Flight, nowMs: number): void {
    const { stats } = this.#options;
    this.#committedHeight = flight.height;
    stats.blockCommitted(flight.count, nowMs);
    this.#publish(flight);
    if (flight.submissions.length > 0) this.#gauge.committed(flight);
    this.#answer(flight, nowMs);
    this.#answerTakenBack(flight, nowMs);
    for (const rider of flight.riders) rider.tell();
  }

  /** A block that was taken back here was committed by another leader. */
  #answerTakenBack({ height, view }: CommittedBatch, nowMs: number): void {
    const flight = this.#takenBack.committed(height, view);
    if (flight) this.#answer(flight, nowMs);
  }

  #answer({ height, view, firstSeqno, submissions, outcomes }: Flight, nowMs: number): void {
    const { stats, intake } = this.#options;
    let seqno = firstSeqno;
    for (let at = 0; at < submissions.length; at++) {
      const submission = submissions[at] as (typeof submissions)[number];
      const outcome = outcomes[at] as (typeof outcomes)[number];
      if (!outcome.ok) {
        stats.dropped += 1;
        intake.answer(submission, outcome);
        continue;
      }
      const transactionId = formatTransactionId(view, seqno);
      seqno += 1;
      stats.commitLatency.record(nowMs - submission.receivedMs, nowMs);
      intake.answer(submission, { ok: true, result: outcome.result, transactionId, height });
    }
  }

  #publish({ height, view, firstSeqno, timeMs, count }: CommittedBatch): void {
    const { lanes } = this.#options;
    const batch = { height, view, firstSeqno, timeMs, count };
    for (const { adapter, committed, answers } of lanes) {
      answers.committed(batch);
      adapter.committed?.(batch, committed);
    }
  }

  /**
   * Other blocks are committed in the place of those that were taken back up to the height. Of their
   * transactions those that have a key are ordered anew: somebody may have done that already.
   */
  #loseUpTo(height: number): void {
    const { stats, intake } = this.#options;
    for (const { submissions } of this.#takenBack.lostUpTo(height)) {
      stats.lost += submissions.length;
      for (const submission of submissions) {
        if (submission.key === undefined) intake.answer(submission, rolledBack);
        else if (!submission.answered) intake.dispatch(submission);
      }
    }
  }

  #end(flight: Flight, answer: Refused): void {
    for (const submission of flight.submissions) this.#options.intake.answer(submission, answer);
  }
}

const rolledBack = refusal('TRANSACTION_LOST', 'the transaction was rolled back; send it again');
