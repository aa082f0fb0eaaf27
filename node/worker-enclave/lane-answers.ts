import { sealedRequestLeadSeconds, sealedRequestLifetimeSeconds } from '@concordat/api';
import type { ReadView, TableDeclaration } from '@concordat/kv';
import { equalBytes, formatTransactionId } from '@concordat/std';
import type {
  AdapterMemory,
  BatchEnvironment,
  CommittedBatch,
  LedgerAdapter,
  Outcome,
  Refused,
  Submitted,
} from './adapter.ts';
import { AnswerPlaces } from './answer-places.ts';
import { decodeResult, encodeResult } from './forward-codec.ts';
import {
  type AnswerBounds,
  answerRange,
  answersTable,
  findAnswer,
  hasRoom,
  keepAnswers,
  type NewAnswer,
} from './kept-answers.ts';
import type { RequestKey } from './request-key.ts';
import type { OpenBatch } from './scoped-state.ts';
import { refusal, type Submission } from './submission.ts';

/** What is known of a keyed submission that was executed before. */
export interface Repeat {
  /** Whether that stands in the committed ledger, so that the answer may be given. */
  readonly isCommitted: boolean;
  readonly answer: Submitted<unknown>;
}

type Keyed = Pick<Submission, 'actor'> & { readonly key: RequestKey };

const isKeyed = <Kind extends Submission>(submission: Kind): submission is Kind & Keyed =>
  submission.key !== undefined;

/** The answers to keyed requests that one adapter executed: each of them runs once. */
export class LaneAnswers {
  readonly table: TableDeclaration;
  /** Of this worker, 64 hex digits. */
  network = '0'.repeat(64);
  readonly #adapter: LedgerAdapter;
  readonly #bounds: AnswerBounds;
  readonly #places = new AnswerPlaces();
  #committed!: ReadView;
  #head!: ReadView;

  constructor(adapter: LedgerAdapter, bounds: AnswerBounds) {
    this.#adapter = adapter;
    this.#bounds = bounds;
    this.table = answersTable(adapter.id);
  }

  /** Names the state it is part of. */
  connect(views: { readonly committed: ReadView; readonly head: ReadView }): void {
    this.#committed = views.committed;
    this.#head = views.head;
  }

  /** What the newest state of this node knows of a submission; undefined: it was not executed. */
  find(submission: Submission): Repeat | undefined {
    if (!isKeyed(submission)) return undefined;
    const { actor, key } = submission;
    const kept = findAnswer(this.#head.table(this.table.name), actor.actorId, key.id);
    if (kept === undefined) return undefined;
    const place = this.#places.find(kept.number);
    const isCommitted = place !== undefined;
    if (!equalBytes(kept.fingerprint, key.fingerprint)) {
      const why = 'another request was executed under this idempotency key';
      return { isCommitted, answer: refusal('IDEMPOTENCY_KEY_REUSED', why) };
    }
    if (!isCommitted) return { isCommitted, answer: this.#answer(kept.result, { height: 0 }) };
    const { height, view, firstSeqno } = place;
    // A recovered network has the transactions of the former one, but in other blocks.
    const isOwn = kept.network === this.network;
    const transactionId = isOwn && formatTransactionId(view, firstSeqno + kept.leaf);
    const at = { height, ...(transactionId && { transactionId }) };
    return { isCommitted, answer: this.#answer(kept.result, at) };
  }

  #answer(
    result: Uint8Array | undefined,
    at: { readonly transactionId?: string; readonly height: number },
  ): Submitted<unknown> {
    if (result !== undefined) {
      try {
        return { ok: true, result: decodeResult(this.#adapter, result), ...at };
      } catch {
        // Kept by an adapter of another version.
      }
    }
    const why = 'the request was executed before; its answer is not kept';
    const { transactionId } = at;
    return refusal(
      'REQUEST_ALREADY_EXECUTED',
      why,
      transactionId === undefined ? undefined : { transactionId },
    );
  }

  /**
   * Why a submission is not executed at a time of the ledger: its answer could not be kept, or it is
   * a sealed one out of its time, whose answer may be dropped already.
   */
  refusalOf({ actor, key }: Submission, timeMs: number): Refused | undefined {
    if (key === undefined) return undefined;
    const untimely = untimelyIf(key, timeMs);
    if (untimely !== undefined) return untimely;
    const head = this.#head.table(this.table.name);
    const isRoom = hasRoom(head, actor.actorId, { timeMs, bounds: this.#bounds });
    return isRoom ? undefined : refusal('OVERLOADED', tooManyAnswers);
  }

  /** Writes the answers of a batch into its last leaf. */
  keep(
    set: OpenBatch,
    { submissions, env }: { submissions: readonly Submission[]; env: BatchEnvironment },
    outcomes: readonly Outcome<unknown>[],
  ): void {
    const answers: NewAnswer[] = [];
    let leaf = 0;
    for (const [at, submission] of submissions.entries()) {
      const outcome = outcomes[at] as Outcome<unknown>;
      if (!outcome.ok) continue;
      if (isKeyed(submission)) {
        const { actor, key } = submission;
        const result = encodeResult(this.#adapter, outcome.result);
        answers.push({ actorId: actor.actorId, ...key, leaf, result });
      }
      leaf += 1;
    }
    if (answers.length === 0) return;
    const table = set.frameworkTable(this.table.name);
    const { timeMs } = env;
    keepAnswers(table, answers, { timeMs, network: this.network, bounds: this.#bounds });
  }

  /** A block of the worker is committed; the committed state is of exactly that block. */
  committed(batch: CommittedBatch): void {
    this.#places.committed(batch, answerRange(this.#committed.table(this.table.name)));
  }

  /** Keeps for a snapshot what is not in the table. */
  freezeMemory(): AdapterMemory {
    return this.#places.freeze();
  }

  /** The committed state is that of a snapshot, or empty. @throws DecodeError */
  restored(memory: Uint8Array): void {
    this.#places.restore(memory, answerRange(this.#committed.table(this.table.name)));
  }
}

/** For a keyed request whose answer could not be kept. */
const tooManyAnswers = 'too many keyed requests were executed of late';

/** Why a sealed request is out of its time; undefined when it is not, or was not sealed. */
export function untimelyIf({ sealedAtMs }: RequestKey, timeMs: number): Refused | undefined {
  if (sealedAtMs === undefined) return undefined;
  if (timeMs - sealedAtMs > sealedRequestLifetimeSeconds * 1_000) {
    return refusal('SEALED_REQUEST_EXPIRED', "it was created too long ago by the leader's clock");
  }
  if (sealedAtMs - timeMs > sealedRequestLeadSeconds * 1_000) {
    return refusal('SEALED_REQUEST_TOO_EARLY', "it was created ahead of the leader's clock");
  }
  return undefined;
}
