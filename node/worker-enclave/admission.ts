import type { Admitted, Refused } from './adapter.ts';
import { nameOf } from './errors.ts';
import type { BatchPolicy } from './limits.ts';
import type { Preparer } from './preparation.ts';
import { PreparationLine } from './preparation-line.ts';
import type { Stats } from './stats.ts';
import { type Lane, refusal, type Submission } from './submission.ts';

type Verdict = Admitted<unknown> | Refused;

/** What admitting needs of the pipeline. */
export interface AdmissionOptions {
  readonly lanes: readonly Lane[];
  readonly preparer?: Preparer;
  readonly stats: Stats;
  readonly policy: () => BatchPolicy;
  readonly isLeading: () => boolean;
  /** A submission has its verdict. */
  readonly judged: (submission: Submission, verdict: Verdict) => void;
  /** This node ceased to lead before a submission had its verdict, or after this one. */
  readonly elsewhere: (submission: Submission, verdict?: Verdict) => void;
  readonly log: (event: string, fields: Readonly<Record<string, unknown>>) => void;
}

/**
 * Has submissions judged by their adapters, in the order of receipt of each lane: at once, or, where
 * the adapter has a `preparation` and there is somebody to do it, after many of them were prepared together.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #lines = new Map<Lane, PreparationLine>();
  /** Submissions whose adapter has promised a verdict. */
  #promised = 0;
  #stopped = false;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    const { lanes, preparer, policy } = options;
    const batchSize = () => policy().maxBatchTransactions;
    for (const lane of lanes) {
      const { id: adapterId, preparation } = lane.adapter;
      if (preparer === undefined || preparation === undefined) continue;
      const admit = this.#admitPrepared;
      const line = new PreparationLine({ adapterId, preparation, preparer, batchSize, admit });
      this.#lines.set(lane, line);
    }
  }

  /** Submissions taken and not yet judged. */
  get waiting(): number {
    return this.#promised + this.preparing;
  }

  /** Of these, those that are to be prepared, or are being. */
  get preparing(): number {
    let preparing = 0;
    for (const line of this.#lines.values()) preparing += line.length;
    return preparing;
  }

  /** Takes a submission. */
  take(submission: Submission): void {
    const line = this.#lines.get(submission.lane);
    if (line === undefined) this.#admit(submission);
    else line.add(submission);
  }

  /** Gives up what is to be prepared, or is being, in the order of receipt of each lane. */
  takeAll(): Submission[] {
    const taken = [...this.#lines.values()].flatMap((line) => line.takeAll());
    return taken.filter(({ isOver }) => !isOver);
  }

  /** Ends for good: what is being prepared is dropped. */
  stop(): void {
    this.#stopped = true;
  }

  readonly #admitPrepared = (submission: Submission, prepared?: Uint8Array): void => {
    if (submission.isOver || this.#stopped) return;
    if (!this.#options.isLeading()) {
      this.#options.elsewhere(submission);
      return;
    }
    if (prepared !== undefined) this.#options.stats.prepared += 1;
    this.#admit(submission, prepared);
  };

  #admit(submission: Submission, prepared?: Uint8Array): void {
    const { adapter, head } = submission.lane;
    const { isLeading, judged, elsewhere } = this.#options;
    let verdict: Verdict | Promise<Verdict>;
    try {
      verdict = adapter.admit(submission.raw, submission.actor, head, prepared);
    } catch (error) {
      this.#failed(submission, error);
      return;
    }
    if (!(verdict instanceof Promise)) {
      judged(submission, verdict);
      return;
    }
    this.#promised += 1;
    verdict.then(
      (settled) => {
        this.#promised -= 1;
        if (isLeading()) judged(submission, settled);
        else elsewhere(submission, settled);
      },
      (error: unknown) => {
        this.#promised -= 1;
        this.#failed(submission, error);
      },
    );
  }

  #failed(submission: Submission, error: unknown): void {
    const { log, judged } = this.#options;
    log('adapter.admit-failed', { adapter: submission.lane.adapter.id, error: nameOf(error) });
    judged(submission, refusal('INTERNAL_ERROR', 'the request could not be checked'));
  }
}
