import { toLatin1 } from '@concordat/std';
import type { BatchEnvironment, Submitted } from './adapter.ts';
import { untimelyIf } from './lane-answers.ts';
import type { SpeculativeChain } from './speculative-chain.ts';
import type { Submission } from './submission.ts';

/** What dealing with keys needs of the pipeline. */
export interface KeyedSubmissionsOptions {
  readonly chain: SpeculativeChain;
  readonly environment: () => BatchEnvironment;
  /** Ends a submission, later than this turn. */
  readonly answerSoon: (submission: Submission, answer: Submitted<unknown>) => void;
  /** Has a submission ordered anew, wherever that is done now. */
  readonly reroute: (submission: Submission) => void;
}

/** Sees to it that what has an idempotency key is executed once, on the leader. */
export class KeyedSubmissions {
  readonly #options: KeyedSubmissionsOptions;

  constructor(options: KeyedSubmissionsOptions) {
    this.#options = options;
  }

  /** Deals with what was executed before, or is out of its time; false when it is to be admitted. */
  settles(submission: Submission): boolean {
    if (submission.key === undefined) return false;
    return this.#answerRepeated(submission) || this.#answerUntimely(submission);
  }

  /**
   * Of a batch, what is to be executed: not what was executed before under its key. What has its key
   * in common with another one of the batch comes after that one.
   */
  firstTime(
    taken: readonly Submission[],
    timeMs: number,
  ): { readonly first: readonly Submission[]; readonly later: readonly Submission[] } {
    if (taken.every(({ key }) => key === undefined)) return { first: taken, later: [] };
    const keys = new Set<string>();
    const later: Submission[] = [];
    const first = taken.filter((submission) => {
      const { key, actor, lane } = submission;
      if (key === undefined) return true;
      if (this.#answerRepeated(submission)) return false;
      const name = actor.actorId + toLatin1(key.id);
      const refused = lane.answers.refusalOf(submission, timeMs);
      if (refused !== undefined) this.#options.answerSoon(submission, refused);
      else if (keys.has(name)) later.push(submission);
      else return keys.add(name).size > 0;
      return false;
    });
    return { first, later };
  }

  /** Deals with a submission that was executed before under its key; false when it was not. */
  #answerRepeated(submission: Submission): boolean {
    const { chain, reroute, answerSoon } = this.#options;
    const repeat = submission.lane.answers.find(submission);
    if (repeat === undefined) return false;
    const under = chain.newest;
    if (repeat.isCommitted || submission.wait === 'local' || under === undefined) {
      answerSoon(submission, repeat.answer);
      return true;
    }
    // Judged anew when the block it was executed in is committed, or gone.
    const again = () => {
      if (!submission.isOver) reroute(submission);
    };
    under.riders.push({ tell: again, again, submissions: [submission] });
    return true;
  }

  /** Answers a sealed request out of its time, before admitting it has any effect; else false. */
  #answerUntimely(submission: Submission): boolean {
    const { key } = submission;
    const refused = key && untimelyIf(key, this.#options.environment().timeMs);
    if (refused !== undefined) this.#options.answerSoon(submission, refused);
    return refused !== undefined;
  }
}
