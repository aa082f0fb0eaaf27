import vm, { type Context, type SourceTextModule } from 'node:vm';
import type { Bundle, BundleEndpoint } from '../bundle.ts';
import { bundleError } from '../errors.ts';
import { resolveSpecifier } from '../module-graph.ts';

type Instances = Map<string, SourceTextModule>;

const noDynamicImport = (): never => {
  // A text, since an error of this realm would be a way out of the application's.
  throw 'import() is not available';
};

/**
 * The application's modules as they run: fresh ones for each request, as CCF has it, or shared by
 * the requests of endpoints with the same `interpreter_reuse` key.
 */
export class ModuleInstances {
  readonly #context: Context;
  readonly #sources: ReadonlyMap<string, string>;
  readonly #compiled = new Map<string, Buffer>();
  readonly #shared = new Map<string, Instances>();

  constructor(context: Context, { modules }: Bundle) {
    this.#context = context;
    this.#sources = new Map(modules.map(({ name, source }) => [name, source]));
  }

  /**
   * What an endpoint runs; undefined when its module does not export it.
   * @throws whatever the application's modules throw when they are evaluated
   */
  handlerOf({ module, functionName, reuseKey }: BundleEndpoint): unknown {
    const instances = this.#instancesFor(reuseKey);
    const instance = instances.get(module) ?? this.#evaluated(module, instances);
    return (instance.namespace as Record<string, unknown>)[functionName];
  }

  /** Forgets every instance: what it had begun may be half done. */
  forget(): void {
    this.#shared.clear();
  }

  /**
   * Compiles and links everything without running any of it.
   * @throws BundleError, SyntaxError (whose place the engine tells only when nobody catches it)
   */
  check(endpoints: readonly BundleEndpoint[]): void {
    const instances: Instances = new Map();
    for (const name of this.#sources.keys()) {
      const instance = this.#linked(name, instances);
      // What another imports is instantiated with it.
      if (instance.status === 'unlinked') instance.instantiate();
    }
    for (const [name, instance] of instances) {
      if (!instance.hasTopLevelAwait()) continue;
      throw bundleError('UNSUPPORTED', 'await outside of a function', { file: name });
    }
    for (const { module, functionName, method, template } of endpoints) {
      const namespace = instances.get(module)?.namespace ?? {};
      if (Reflect.has(namespace, functionName)) continue;
      const why = `${method} ${template.path}: ${module} does not export ${functionName}`;
      throw bundleError('FUNCTION_MISSING', why, { file: 'app.json' });
    }
  }

  #instancesFor(reuseKey: string | undefined): Instances {
    if (reuseKey === undefined) return new Map();
    let instances = this.#shared.get(reuseKey);
    if (instances === undefined) {
      instances = new Map();
      this.#shared.set(reuseKey, instances);
    }
    return instances;
  }

  #evaluated(name: string, instances: Instances): SourceTextModule {
    const instance = this.#linked(name, instances);
    instance.instantiate();
    instance.evaluate().catch(() => {});
    if (instance.status !== 'errored') return instance;
    instances.clear();
    throw instance.error;
  }

  #linked(name: string, instances: Instances): SourceTextModule {
    const known = instances.get(name);
    if (known !== undefined) return known;
    const source = this.#sources.get(name);
    if (source === undefined) throw bundleError('MODULE_MISSING', `there is no module ${name}`);
    const cachedData = this.#compiled.get(name);
    // Not a named import: without its flag, in a worker enclave, the runtime does not have it.
    const instance = new vm.SourceTextModule(source, {
      context: this.#context,
      identifier: name,
      importModuleDynamically: noDynamicImport,
      ...(cachedData !== undefined && { cachedData }),
    });
    if (cachedData === undefined) this.#compiled.set(name, cacheOf(instance));
    instances.set(name, instance);
    instance.linkRequests(
      instance.moduleRequests.map(({ specifier }) =>
        this.#linked(resolveSpecifier(specifier, name) ?? specifier, instances),
      ),
    );
    return instance;
  }
}

/** The declarations this code is checked against lack the method. */
const cacheOf = (instance: SourceTextModule): Buffer =>
  (instance as unknown as { createCachedData(): Buffer }).createCachedData();
