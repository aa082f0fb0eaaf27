import vm, { type SourceTextModule } from 'node:vm';
import type { Bundle } from '../bundle.ts';
import { bundleError } from '../errors.ts';
import { resolveSpecifier } from '../module-graph.ts';
import { type TransformedModule, transformModule } from '../module-transform.ts';

/** A module of the bundle, checked by the engine and made a function. */
export interface LinkedModule extends TransformedModule {
  readonly name: string;
}

/**
 * Parses and links a bundle without running any of it: that it is ECMAScript, that each import
 * finds its export, and that there is what the endpoints name.
 * @throws BundleError, SyntaxError (whose place the engine tells only when nobody catches it)
 */
export function linkModules({ modules, endpoints }: Bundle): LinkedModule[] {
  const sources = new Map(modules.map(({ name, source }) => [name, source]));
  const linked = new Map<string, SourceTextModule>();
  const context = vm.createContext({});
  const link = (name: string): SourceTextModule => {
    const known = linked.get(name);
    if (known !== undefined) return known;
    // Not a named import: without its flag, in a worker enclave, the runtime does not have it.
    const module = new vm.SourceTextModule(sources.get(name) as string, {
      context,
      identifier: name,
    });
    linked.set(name, module);
    const targets = module.moduleRequests.map(({ specifier }) => {
      const target = resolveSpecifier(specifier, name);
      if (target !== undefined && sources.has(target)) return link(target);
      throw bundleError('MODULE_MISSING', `there is no module ${specifier}`, { file: name });
    });
    module.linkRequests(targets);
    return module;
  };
  for (const { name } of modules) {
    const module = link(name);
    // What another imports is instantiated with it.
    if (module.status === 'unlinked') module.instantiate();
    if (!module.hasTopLevelAwait()) continue;
    throw bundleError('UNSUPPORTED', 'await outside of a function', { file: name });
  }
  const exportsOf = (name: string): string[] =>
    Reflect.ownKeys(linked.get(name)?.namespace ?? {}).filter((key) => typeof key === 'string');
  for (const { module, functionName, callsFunction, method, template } of endpoints) {
    const names = callsFunction === undefined ? [functionName] : [functionName, callsFunction];
    const missing = names.find((name) => !exportsOf(module).includes(name));
    if (missing === undefined) continue;
    const why = `${method} ${template.path}: ${module} does not export ${missing}`;
    throw bundleError('FUNCTION_MISSING', why, { file: 'app.json' });
  }
  return modules.map(({ name, source }) => {
    // A name that is also declared here would come from here: nobody writes that.
    const exportedBeside = (stars: readonly string[]): string[] => {
      const foreign = new Set(
        stars.flatMap((specifier) => exportsOf(resolveSpecifier(specifier, name) ?? '')),
      );
      return exportsOf(name).filter((one) => one === 'default' || !foreign.has(one));
    };
    return { name, ...transformModule(source, exportedBeside) };
  });
}
