import { ApiError, isErrorCode } from '@concordat/api';
import type { Answer, Question, QuestionSubject } from '@concordat/bridge';
import type { Actor } from './actors.ts';

/** Questions waiting for the manager, and of these, those of one actor. */
const maxWaiting = 512;
const maxOfOneActor = 64;
/** A receipt of an old block may have to wait until key shares are collected. */
const patienceMs = 30_000;

interface Waiting {
  readonly actorId: string;
  readonly sinceMs: number;
  readonly settle: (answer: Answer | undefined) => void;
}

/** What it needs of the worker around it. */
export interface LedgerQuestionOptions {
  readonly ask: (question: Question) => void;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
}

/** Asks the manager about the ledger, which this worker does not hold, on behalf of clients. */
export class LedgerQuestions {
  readonly #options: LedgerQuestionOptions;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;

  constructor(options: LedgerQuestionOptions) {
    this.#options = options;
  }

  /**
   * The manager's answer.
   * @throws ApiError of the manager's code; OVERLOADED when too much waits, or none came in time
   */
  async ask(
    actor: Pick<Actor, 'actorId'>,
    about: {
      readonly subject: QuestionSubject;
      readonly view?: number;
      readonly seqno?: number;
    },
  ): Promise<Uint8Array> {
    const { actorId } = actor;
    if (this.#waiting.size >= maxWaiting || this.#countOf(actorId) >= maxOfOneActor) {
      throw new ApiError('OVERLOADED', 'too many questions about the ledger are waiting');
    }
    const id = this.#nextId;
    this.#nextId = (id % 0xffff_fffe) + 1;
    const { subject, view = 0, seqno = 0 } = about;
    const { ask, nowMs } = this.#options;
    const answer = await new Promise<Answer | undefined>((settle) => {
      this.#waiting.set(id, { actorId, sinceMs: nowMs(), settle });
      ask({ kind: 'question', id, subject, view, seqno });
    });
    if (answer === undefined) throw new ApiError('OVERLOADED', 'the node did not answer in time');
    const { code, bytes } = answer;
    if (code === undefined) return bytes;
    throw new ApiError(isErrorCode(code) ? code : 'INTERNAL_ERROR', Buffer.from(bytes).toString());
  }

  #countOf(actorId: string): number {
    let count = 0;
    for (const waiting of this.#waiting.values()) if (waiting.actorId === actorId) count += 1;
    return count;
  }

  /** The manager's answer; one that comes too late is not for anybody. */
  answered(answer: Answer): void {
    this.#waiting.get(answer.id)?.settle(answer);
    this.#waiting.delete(answer.id);
  }

  /** Ends what has waited too long; called at short intervals. */
  expire(): void {
    const before = this.#options.nowMs() - patienceMs;
    for (const [id, { sinceMs, settle }] of this.#waiting) {
      if (sinceMs > before) continue;
      this.#waiting.delete(id);
      settle(undefined);
    }
  }
}
