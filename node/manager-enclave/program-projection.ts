import { applicationChanges, programOf } from '@concordat/governance';
import { type ReadView, Store, type WriteSet } from '@concordat/kv';
import type { BlockHeader, OpenedBlock } from '@concordat/ledger';
import { assert, emptyBytes } from '@concordat/std';
import type { BlockToApply } from './worker-feed.ts';

/** Which worker of a VN runs which adapters. */
export type WorkerAdapters = readonly {
  readonly index: number;
  readonly adapters: readonly string[];
}[];

/** Where in its tables a worker finds the program of an adapter (contract of adapters). */
const programTable = (adapter: string): string => `public:${adapter}/program`;
const programKey = 'current';

/**
 * What the workers take up of an administrative block: the programs that it put in force, each as a
 * write to the table of its adapter, in a block of the same height. So programs are part of a
 * worker's state: they follow the order of the ledger, rollbacks and snapshots as records do.
 * @param state the administrative state after this block
 */
export function deploymentsIn(
  block: {
    readonly header: Pick<BlockHeader, 'view' | 'height' | 'firstSeqno' | 'timeMs'>;
    readonly publicWrites: readonly Uint8Array[];
  },
  state: ReadView,
  workers: WorkerAdapters,
): BlockToApply[] {
  const bySource = new Map<number, Map<string, Uint8Array | undefined>>();
  for (const { adapter, digest } of block.publicWrites.flatMap(applicationChanges)) {
    const source = workers.find(({ adapters }) => adapters.includes(adapter))?.index;
    if (source === undefined) continue;
    const program = digest === undefined ? undefined : programOf(state, digest);
    assert(digest === undefined || program !== undefined, 'a program in force is not held');
    bySource.set(source, (bySource.get(source) ?? new Map()).set(adapter, program));
  }
  return Array.from(bySource, ([source, programs]) => ({
    header: { ...block.header, source },
    transactions: [writesOf(programs)],
  }));
}

/** One transaction: the administrative one has one sequence number. */
function writesOf(programs: ReadonlyMap<string, Uint8Array | undefined>): WriteSet {
  const names = [...programs.keys()].map(programTable);
  const store = new Store(names.map((name) => ({ name, kind: 'hash' })));
  // What is deleted must be there, or a set does not say so.
  const before = store.begin(1);
  for (const name of names) before.table(name).set(programKey, emptyBytes);
  before.takeWriteSet();
  before.finish();
  const set = store.begin(2);
  for (const [adapter, program] of programs) {
    const table = set.table(programTable(adapter));
    if (program === undefined) table.delete(programKey);
    else table.set(programKey, program);
  }
  const writes = set.takeWriteSet();
  set.abort();
  return writes;
}

/** As {@link deploymentsIn}, of a block that was opened. */
export const deploymentsOf = (
  { header, transactions }: Pick<OpenedBlock, 'header' | 'transactions'>,
  state: ReadView,
  workers: WorkerAdapters,
): BlockToApply[] =>
  deploymentsIn(
    { header, publicWrites: transactions.map(({ publicWrites }) => publicWrites) },
    state,
    workers,
  );
