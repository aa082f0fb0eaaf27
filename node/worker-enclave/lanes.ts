import { Store } from '@concordat/kv';
import type { LedgerAdapter } from './adapter.ts';
import { WorkerError } from './errors.ts';
import type { AnswerBounds } from './kept-answers.ts';
import { LaneAnswers } from './lane-answers.ts';
import { ScopedView, tableNamesOf } from './scoped-state.ts';
import type { Lane } from './submission.ts';

const adapterId = /^[a-z][a-z0-9-]{0,31}$/;

/**
 * Makes the store of a worker and the lanes of its adapters.
 * @throws WorkerError INVALID_ADAPTERS
 */
export function createLanes(
  adapters: readonly LedgerAdapter[],
  bounds: AnswerBounds,
): { store: Store; lanes: Lane[] } {
  const ids = new Set<string>();
  for (const adapter of adapters) {
    if (!adapterId.test(adapter.id)) throw invalid(`adapter id ${adapter.id} is malformed`);
    if (ids.has(adapter.id)) throw invalid(`two adapters have the id ${adapter.id}`);
    ids.add(adapter.id);
    for (const { name } of adapter.tables) {
      const own = name.startsWith(`${adapter.id}/`) || name.startsWith(`public:${adapter.id}/`);
      if (!own) throw invalid(`table ${name} is not named after adapter ${adapter.id}`);
    }
    const program = `public:${adapter.id}/program`;
    if (adapter.program && !adapter.tables.some(({ name }) => name === program)) {
      throw invalid(`adapter ${adapter.id} takes programs and has no table ${program}`);
    }
  }
  const kept = adapters.map((adapter) => new LaneAnswers(adapter, bounds));
  const tables = kept.map(({ table }) => table);
  for (const { name } of adapters.flatMap((adapter) => adapter.tables)) {
    if (tables.some((table) => table.name === name)) throw invalid(`table ${name} is reserved`);
  }
  const store = new Store([...adapters.flatMap((adapter) => adapter.tables), ...tables]);
  const [committed, head] = [store.committed(), store.head()];
  const lanes = adapters.map((adapter, at) => {
    const tableNames = tableNamesOf(adapter);
    const answers = kept[at] as LaneAnswers;
    answers.connect({ committed, head });
    return {
      adapter,
      tableNames,
      committed: new ScopedView(committed, tableNames),
      head: new ScopedView(head, tableNames),
      answers,
    };
  });
  return { store, lanes };
}

const invalid = (why: string): WorkerError => new WorkerError('INVALID_ADAPTERS', why);
