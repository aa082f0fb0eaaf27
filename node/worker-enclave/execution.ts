import { AdapterError, type BatchEnvironment, deferred, type Outcome } from './adapter.ts';
import { OpenBatch } from './scoped-state.ts';
import type { NewFlight, SpeculativeChain } from './speculative-chain.ts';
import type { Lane, Submission } from './submission.ts';

/** A batch being executed, or executed and not yet on the chain. */
export interface Execution {
  readonly lane: Lane;
  /** Those the adapter deferred are taken out once it has executed the batch. */
  submissions: readonly Submission[];
  readonly set: OpenBatch;
  readonly env: BatchEnvironment;
  /** Whether a block below it had no seqnos when it began. */
  readonly mayDefer: boolean;
  /** Deadline of an asynchronous execution. */
  timer: NodeJS.Timeout | undefined;
}

type Outcomes = readonly Outcome<unknown>[];

/** Opens a set on the newest state for a batch. */
export const beginExecution = (
  lane: Lane,
  submissions: readonly Submission[],
  { chain, env }: { readonly chain: SpeculativeChain; readonly env: BatchEnvironment },
): Execution => ({
  lane,
  submissions,
  set: new OpenBatch(chain.begin(), lane.tableNames),
  env,
  mayDefer: chain.hasUnsealed,
  timer: undefined,
});

/** Runs the adapter over the batch; the result is a promise when the adapter's is. */
export function runAdapter(execution: Execution): Outcomes | Promise<Outcomes> {
  const { lane, submissions, set, env } = execution;
  const batch = submissions.map(
    (submission) => submission.admitted as { ok: true; transaction: unknown },
  );
  return lane.adapter.execute(set, batch, env);
}

/**
 * Takes what the adapter deferred out of an execution, checks what the adapter must keep to and lets it
 * seal the batch. The execution is left as it was when that fails.
 * @returns what was put off, and the outcomes of the others
 * @throws AdapterError CONTRACT_BROKEN
 */
export function closeBatch(
  execution: Execution,
  outcomes: Outcomes,
): { readonly put: readonly Submission[]; readonly left: Outcomes } {
  const { submissions } = execution;
  if (!outcomes.includes(deferred) || outcomes.length !== submissions.length) {
    sealBatch(execution, outcomes);
    return { put: [], left: outcomes };
  }
  if (outcomes[0] === deferred && !execution.mayDefer) {
    // It would be deferred for ever.
    throw broken('a transaction was deferred with nothing before it that has no seqno');
  }
  const kept = submissions.filter((_, at) => outcomes[at] !== deferred);
  const put = submissions.filter((_, at) => outcomes[at] === deferred);
  const left = outcomes.filter((outcome) => outcome !== deferred);
  sealBatch({ ...execution, submissions: kept }, left);
  execution.submissions = kept;
  return { put, left };
}

function sealBatch(execution: Execution, outcomes: Outcomes): void {
  const { lane, submissions, set, env } = execution;
  if (outcomes.length !== submissions.length) {
    throw broken(`${outcomes.length} outcomes for ${submissions.length} transactions`);
  }
  let kept = 0;
  for (const outcome of outcomes) if (outcome.ok) kept += 1;
  if (kept !== set.writes.length) {
    throw broken(`${set.writes.length} transactions were ended, ${kept} are kept`);
  }
  if (set.endIfWritten()) throw broken('writes were left after the last ended transaction');
  if (kept === 0) return;
  lane.adapter.seal?.(set, outcomes, env);
  lane.answers.keep(set, execution, outcomes);
  set.endIfWritten();
}

/** A closed batch as it goes onto the chain, without the place that the manager will give it. */
export const newBlock = (
  { submissions, set, env }: Execution,
  outcomes: Outcomes,
  batch: number,
): NewFlight => ({
  batch,
  submissions,
  outcomes,
  count: set.writes.length,
  timeMs: env.timeMs,
  height: 0,
  view: env.view,
  firstSeqno: 0,
});

const broken = (why: string): AdapterError => new AdapterError('CONTRACT_BROKEN', why);
