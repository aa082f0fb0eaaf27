import { Script } from 'node:vm';
import type { BundleEndpoint } from '../bundle.ts';
import { bundleError } from '../errors.ts';
import { resolveSpecifier } from '../module-graph.ts';
import { importParameter } from '../module-transform.ts';
import type { LinkedModule } from './module-linking.ts';
import type { Realm } from './realm.ts';
import type { RealmModules } from './realm-host.ts';

const noDynamicImport = (): never => {
  // A text, since an error of this realm would be a way out of the application's.
  throw 'import() is not available';
};

/**
 * Compiles a module that was made a function.
 * @throws BundleError UNSUPPORTED when the engine took the module and does not take the function
 */
export function compileModule(name: string, body: string): Script {
  try {
    return new Script(`(function(${importParameter}){${body}\n})`, {
      filename: name,
      importModuleDynamically: noDynamicImport,
    });
  } catch (error) {
    const why = `this form of import or export is not understood: ${(error as Error).message}`;
    throw bundleError('UNSUPPORTED', why, { file: name });
  }
}

/**
 * The application's modules as they run: fresh ones for each request, as CCF has it, or shared by
 * the requests of endpoints with the same `interpreter_reuse` key.
 */
export class ModuleInstances {
  readonly #modules: RealmModules;
  readonly #indexes: ReadonlyMap<string, number>;
  readonly #shared = new Map<string, unknown>();

  /** @throws BundleError UNSUPPORTED */
  constructor({ context, calls }: Realm, modules: readonly LinkedModule[]) {
    const indexes = new Map(modules.map(({ name }, at) => [name, at]));
    const plan = modules.map(({ name, imports, passedOn, stars }) => ({
      imports: imports.map((one) => indexes.get(resolveSpecifier(one, name) ?? '')),
      passedOn: [...passedOn].map(([alias, { from, name: source = null }]) => [
        alias,
        imports.indexOf(from),
        source,
      ]),
      stars: stars.map((one) => imports.indexOf(one)),
    }));
    const factories = modules.map(
      ({ name, body }) => compileModule(name, body).runInContext(context) as unknown,
    );
    this.#indexes = indexes;
    this.#modules = calls.modules(JSON.stringify(plan), factories);
  }

  /**
   * What an endpoint runs.
   * @throws whatever the application's modules throw when they are evaluated
   */
  handlerOf({ module, functionName, reuseKey }: BundleEndpoint): unknown {
    const index = this.#indexes.get(module) as number;
    return this.#modules.exported(index, functionName, this.#instancesFor(reuseKey));
  }

  /** What makes the calls of an endpoint. @throws as {@link handlerOf} */
  callsOf(endpoint: BundleEndpoint): unknown {
    return this.handlerOf({ ...endpoint, functionName: endpoint.callsFunction ?? '' });
  }

  /** Forgets every instance: what it had begun may be half done. */
  forget(): void {
    this.#shared.clear();
  }

  #instancesFor(reuseKey: string | undefined): unknown {
    if (reuseKey === undefined) return this.#modules.none();
    let instances = this.#shared.get(reuseKey);
    if (instances === undefined) {
      instances = this.#modules.none();
      this.#shared.set(reuseKey, instances);
    }
    return instances;
  }
}
