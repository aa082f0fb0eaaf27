/** One transaction as a schedule sees it. */
export interface ScheduledTransaction {
  /** Time to execute it, microseconds. */
  readonly cost: number;
  readonly reads: ReadonlySet<string>;
  readonly writes: ReadonlySet<string>;
}

/** How a batch would go on several executors. */
export interface Schedule {
  /** Microseconds until the last transaction is valid. */
  readonly makespan: number;
  /** Executions that read what an earlier transaction wrote afterwards, and were repeated. */
  readonly repeated: number;
}

interface Progress {
  state: 'waiting' | 'running' | 'done';
  /** Whether an earlier transaction has written what this execution had read. */
  isStale: boolean;
}

const overlaps = (reads: ReadonlySet<string>, writes: ReadonlySet<string>): boolean => {
  const [fewer, more] = reads.size < writes.size ? [reads, writes] : [writes, reads];
  for (const key of fewer) if (more.has(key)) return true;
  return false;
};

/**
 * Optimistic execution in the order of the batch, simulated: a free executor takes the first
 * transaction that is not executed; one that ends makes every later one stale that has begun and
 * reads what it wrote, and stale ones are executed again. `handover` is what giving a transaction
 * to an executor and taking its writes back costs it, microseconds.
 */
export function optimisticSchedule(
  batch: readonly ScheduledTransaction[],
  executors: number,
  handover: number,
): Schedule {
  const progress = batch.map((): Progress => ({ state: 'waiting', isStale: false }));
  const running: { readonly at: number; readonly ends: number }[] = [];
  let [now, repeated] = [0, 0];
  for (;;) {
    while (running.length < executors) {
      const at = progress.findIndex(({ state }) => state === 'waiting');
      if (at < 0) break;
      progress[at] = { state: 'running', isStale: false };
      running.push({ at, ends: now + handover + (batch[at] as ScheduledTransaction).cost });
    }
    if (running.length === 0) return { makespan: now, repeated };
    running.sort((one, other) => one.ends - other.ends || one.at - other.at);
    const { at, ends } = running.shift() as (typeof running)[number];
    now = ends;
    const ended = progress[at] as Progress;
    if (ended.isStale) {
      progress[at] = { state: 'waiting', isStale: false };
      repeated++;
      continue;
    }
    ended.state = 'done';
    repeated += spoil(batch, progress, at);
  }
}

/** Marks what the writes of a transaction make stale; how many must be executed again at once. */
function spoil(
  batch: readonly ScheduledTransaction[],
  progress: readonly Progress[],
  at: number,
): number {
  const { writes } = batch[at] as ScheduledTransaction;
  let again = 0;
  for (let later = at + 1; later < batch.length; later++) {
    const other = progress[later] as Progress;
    if (other.state === 'waiting') continue;
    if (!overlaps((batch[later] as ScheduledTransaction).reads, writes)) continue;
    if (other.state === 'running') {
      other.isStale = true;
    } else {
      other.state = 'waiting';
      again++;
    }
  }
  return again;
}

/**
 * The best that any order-keeping scheme could do: what each transaction depends on is known
 * beforehand, so nothing is executed twice. Microseconds until the last has ended.
 */
export function foreseenSchedule(
  batch: readonly ScheduledTransaction[],
  executors: number,
): number {
  const free = new Array<number>(executors).fill(0);
  const ends: number[] = [];
  for (const [at, { cost, reads }] of batch.entries()) {
    let ready = 0;
    for (let earlier = 0; earlier < at; earlier++) {
      const { writes } = batch[earlier] as ScheduledTransaction;
      if (overlaps(reads, writes)) ready = Math.max(ready, ends[earlier] as number);
    }
    const soonest = free.indexOf(Math.min(...free));
    const end = Math.max(ready, free[soonest] as number) + cost;
    free[soonest] = end;
    ends.push(end);
  }
  return Math.max(0, ...ends);
}
