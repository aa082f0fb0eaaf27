import { policiesOf } from './access.ts';
import type { AnyApp } from './define-app.ts';
import { operationOf } from './open-api.ts';

/** Name of the one module of a bundle. */
export const moduleName = 'application.js';

/** `app.json`, and what a bundle's entry needs to export. */
export interface Description {
  readonly metadata: {
    readonly endpoints: Readonly<Record<string, Readonly<Record<string, object>>>>;
  };
  /** Names of the endpoints, which the module exports. */
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
  const { endpoints, title, version, description } = checked(app);
  const byPath: Record<string, Record<string, object>> = {};
  for (const [name, endpoint] of Object.entries(endpoints)) {
    const { path, method, mode, access } = endpoint;
    byPath[path] ??= {};
    const byMethod = byPath[path] as Record<string, object>;
    byMethod[method.toLowerCase()] = {
      js_module: moduleName,
      js_function: name,
      mode: mode === 'read' ? 'readonly' : 'readwrite',
      authn_policies: policiesOf(access),
      forwarding_required: mode === 'read' ? 'sometimes' : 'always',
      // A definition holds no state: requests share its modules.
      interpreter_reuse: { key: moduleName },
      openapi: operationOf(name, endpoint),
    };
  }
  return {
    metadata: { endpoints: byPath },
    names: Object.keys(endpoints),
    title,
    version,
    ...(description !== undefined && { description }),
  };
}

function checked(app: unknown): AnyApp {
  const { tables, endpoints } = (app ?? {}) as Partial<AnyApp>;
  if (typeof tables === 'object' && typeof endpoints === 'object') return app as AnyApp;
  throw new TypeError('the default export of the entry is not what defineApp returns');
}
