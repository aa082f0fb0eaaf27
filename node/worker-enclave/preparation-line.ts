import type { Preparation, Preparer } from './preparation.ts';
import type { Submission } from './submission.ts';

/** Most requests that are prepared together. Their messages cost less than preparing one. */
const mostTogether = 256;
const groupBytes = 256 * 1024;
/** Groups under way: enough work for the thread while a batch is executed here. */
const mostUnderWay = 8;
/** Fewer requests than this are admitted faster than a thread is woken, when nothing is under way. */
const worthIt = 4;
/** Requests admitted in line in one turn of the event loop. */
const perTurn = 32;

interface Group {
  readonly submissions: readonly Submission[];
  prepared: readonly Uint8Array[] | undefined;
  isDone: boolean;
}

/** What a line needs of those around it. */
export interface PreparationLineOptions {
  readonly adapterId: string;
  readonly preparation: Preparation;
  readonly preparer: Preparer;
  /** Transactions of a batch: what is prepared together fills one. */
  readonly batchSize: () => number;
  /** Admits a submission, whose turn it is. */
  readonly admit: (submission: Submission, prepared?: Uint8Array) => void;
}

/**
 * Submissions of one adapter that are prepared before they are admitted. They are admitted in the
 * order of receipt, whatever becomes of those who prepare them: what nobody has prepared is admitted
 * as it is, a few in each turn.
 */
export class PreparationLine {
  readonly #options: PreparationLineOptions;
  #waiting: Submission[] = [];
  readonly #underWay: Group[] = [];
  #length = 0;
  #scheduled = false;
  #draining = false;

  constructor(options: PreparationLineOptions) {
    this.#options = options;
  }

  /** Submissions taken and not yet admitted. */
  get length(): number {
    return this.#length;
  }

  /** Takes a submission; it is admitted later. */
  add(submission: Submission): void {
    this.#waiting.push(submission);
    this.#length += 1;
    // One turn of the event loop gathers what a socket, or several, brought.
    this.#schedule();
  }

  /** Gives up everything taken and not yet admitted, oldest first; what is prepared of it is dropped. */
  takeAll(): Submission[] {
    const taken = [...this.#underWay.flatMap(({ submissions }) => submissions), ...this.#waiting];
    this.#underWay.length = 0;
    this.#waiting = [];
    this.#length = 0;
    return taken;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#run);
  }

  readonly #run = (): void => {
    this.#scheduled = false;
    let from = 0;
    while (from < this.#waiting.length && this.#underWay.length < mostUnderWay) {
      const left = this.#waiting.length - from;
      const few = left < worthIt && this.#underWay.length === 0;
      const count = few ? left : this.#groupFrom(from);
      if (few || !this.#hand(this.#waiting.slice(from, from + count))) {
        // In line, once everything before it is admitted.
        const own = Math.min(count, perTurn);
        const submissions = this.#waiting.slice(from, from + own);
        from += own;
        this.#underWay.push({ submissions, prepared: undefined, isDone: true });
        break;
      }
      from += count;
    }
    if (from > 0) this.#waiting = this.#waiting.slice(from);
    this.#drain();
  };

  #groupFrom(from: number): number {
    const most = Math.min(mostTogether, this.#options.batchSize());
    const bound = Math.min(this.#waiting.length, from + Math.max(1, most));
    let bytes = 0;
    let at = from;
    while (at < bound) {
      bytes += (this.#waiting[at] as Submission).raw.length;
      if (at > from && bytes > groupBytes) break;
      at += 1;
    }
    return at - from;
  }

  #hand(submissions: readonly Submission[]): boolean {
    const { adapterId, preparation, preparer } = this.#options;
    const raws = submissions.map(({ raw }) => (raw.length > preparation.maxBytes ? none : raw));
    const group: Group = { submissions, prepared: undefined, isDone: false };
    const taken = preparer.prepare(adapterId, raws, (prepared) => {
      group.prepared = prepared?.length === submissions.length ? prepared : undefined;
      group.isDone = true;
      this.#drain();
    });
    if (taken) this.#underWay.push(group);
    return taken;
  }

  /** Admits what is at the front; what was lost on the way, a few at a time. */
  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    let own = 0;
    while (this.#underWay[0]?.isDone && own < perTurn) {
      const { submissions, prepared } = this.#underWay.shift() as Group;
      const now = prepared === undefined ? perTurn : submissions.length;
      if (now < submissions.length) {
        this.#underWay.unshift({ submissions: submissions.slice(now), prepared, isDone: true });
      }
      for (let at = 0; at < Math.min(now, submissions.length); at++) {
        const known = prepared?.[at];
        if (known === undefined || known.length === 0) own += 1;
        this.#length -= 1;
        this.#options.admit(submissions[at] as Submission, known?.length ? known : undefined);
      }
    }
    this.#draining = false;
    const moreIsDone = this.#underWay[0]?.isDone === true;
    const mayGoOn = this.#waiting.length > 0 && this.#underWay.length < mostUnderWay;
    if (moreIsDone || mayGoOn) this.#schedule();
  }
}

const none = new Uint8Array(0);
