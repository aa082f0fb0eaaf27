import { policiesOf } from './access.ts';
import type { AnyApp } from './define-app.ts';
import { operationOf } from './open-api.ts';
import { callsName } from './serve-calls.ts';
import { mapOfTable, type Tables } from './table.ts';

/** Name of the one module of a bundle. */
export const moduleName = 'application.js';

/** CCF's names of modes. */
const modes = { read: 'readonly', write: 'readwrite', historical: 'historical' } as const;

/** `app.json`, and what a bundle's entry needs to export. */
export interface Description {
  readonly metadata: {
    readonly endpoints: Readonly<Record<string, Readonly<Record<string, object>>>>;
    readonly concordat?: object;
  };
  /** Names of the endpoints and of their calls, which the module exports. */
  readonly names: readonly string[];
  readonly title: string;
  readonly version: string;
  readonly description?: string;
}

/**
 * Describes a definition in CCF's form.
 * @throws TypeError for a value that is no definition
 */
export function describeApp(app: unknown): Description {
  const { endpoints, tables, title, version, description } = checked(app);
  const byPath: Record<string, Record<string, object>> = {};
  for (const [name, endpoint] of Object.entries(endpoints)) {
    const { path, method, mode, access, calls } = endpoint;
    byPath[path] ??= {};
    const byMethod = byPath[path] as Record<string, object>;
    byMethod[method.toLowerCase()] = {
      js_module: moduleName,
      js_function: name,
      mode: modes[mode],
      authn_policies: policiesOf(access),
      forwarding_required: mode === 'write' ? 'always' : 'sometimes',
      // A definition holds no state: requests share its modules.
      interpreter_reuse: { key: moduleName },
      openapi: operationOf(name, endpoint),
      ...(calls !== undefined && { concordat_calls: callsName(name) }),
    };
  }
  return {
    metadata: { endpoints: byPath, ...indexesOf(tables) },
    names: Object.entries(endpoints).flatMap(([name, { calls }]) =>
      calls === undefined ? [name] : [name, callsName(name)],
    ),
    title,
    version,
    ...(description !== undefined && { description }),
  };
}

/** Indexes are called as their tables are. */
function indexesOf(tables: Tables): { readonly concordat?: object } {
  const indexed = Object.entries(tables).filter(([, { isIndexed }]) => isIndexed);
  if (indexed.length === 0) return {};
  const indexes = indexed.map(([name, table]) => [name, { map: mapOfTable(name, table) }]);
  return { concordat: { indexes: Object.fromEntries(indexes) as object } };
}

function checked(app: unknown): AnyApp {
  const { tables, endpoints } = (app ?? {}) as Partial<AnyApp>;
  if (typeof tables === 'object' && typeof endpoints === 'object') return app as AnyApp;
  throw new TypeError('the default export of the entry is not what defineApp returns');
}
