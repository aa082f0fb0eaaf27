import { Store } from '@concordat/kv';
import type { LedgerAdapter } from './adapter.ts';
import { WorkerError } from './errors.ts';
import { ScopedView, tableNamesOf } from './scoped-state.ts';
import type { Lane } from './submission.ts';

const adapterId = /^[a-z][a-z0-9-]{0,31}$/;

/**
 * Makes the store of a worker and the lanes of its adapters.
 * @throws WorkerError INVALID_ADAPTERS
 */
export function createLanes(adapters: readonly LedgerAdapter[]): { store: Store; lanes: Lane[] } {
  const ids = new Set<string>();
  for (const adapter of adapters) {
    if (!adapterId.test(adapter.id)) throw invalid(`adapter id ${adapter.id} is malformed`);
    if (ids.has(adapter.id)) throw invalid(`two adapters have the id ${adapter.id}`);
    ids.add(adapter.id);
    for (const { name } of adapter.tables) {
      const own = name.startsWith(`${adapter.id}/`) || name.startsWith(`public:${adapter.id}/`);
      if (!own) throw invalid(`table ${name} is not named after adapter ${adapter.id}`);
    }
  }
  const store = new Store(adapters.flatMap((adapter) => adapter.tables));
  const lanes = adapters.map((adapter) => {
    const tableNames = tableNamesOf(adapter);
    return {
      adapter,
      tableNames,
      committed: new ScopedView(store.committed(), tableNames),
      head: new ScopedView(store.head(), tableNames),
    };
  });
  return { store, lanes };
}

const invalid = (why: string): WorkerError => new WorkerError('INVALID_ADAPTERS', why);
