import { dirname, join } from 'node:path/posix';
import type { BundleEndpoint, BundleModule } from './bundle.ts';
import { bundleError } from './errors.ts';
import { findImports, type ModuleImport } from './module-imports.ts';

/**
 * Name of the module a specifier means; undefined for one that can mean none of the bundle.
 * @param importer name of the module that imports
 */
export function resolveSpecifier(specifier: string, importer: string): string | undefined {
  if (specifier.startsWith('/')) return join('/', specifier).slice(1);
  if (!specifier.startsWith('./') && !specifier.startsWith('../')) return undefined;
  const resolved = join(dirname(importer), specifier);
  return resolved.startsWith('../') ? undefined : resolved;
}

/**
 * Checks that every module asked for is there and that imports go round in no circle.
 * @throws BundleError MODULE_MISSING, MODULE_CYCLE, DYNAMIC_IMPORT
 */
export function checkModules(
  modules: readonly BundleModule[],
  endpoints: readonly BundleEndpoint[],
): void {
  const imports = new Map<string, readonly ModuleImport[]>();
  for (const { name, source } of modules) {
    const found = findImports(source);
    const [line] = found.dynamicLines;
    if (line !== undefined) {
      throw bundleError('DYNAMIC_IMPORT', 'import() is not available', { file: name, line });
    }
    imports.set(name, found.imports);
  }
  for (const { module, method, template } of endpoints) {
    if (imports.has(module)) continue;
    const why = `${method} ${template.path}: there is no module ${module}`;
    throw bundleError('MODULE_MISSING', why, { file: 'app.json' });
  }
  const done = new Set<string>();
  for (const name of imports.keys()) walk(name, [], { imports, done });
}

function walk(
  name: string,
  path: readonly string[],
  graph: { readonly imports: Map<string, readonly ModuleImport[]>; readonly done: Set<string> },
): void {
  if (graph.done.has(name)) return;
  const here = [...path, name];
  for (const { specifier, line } of graph.imports.get(name) ?? []) {
    const target = resolveSpecifier(specifier, name);
    const at = { file: name, line };
    if (target === undefined || !graph.imports.has(target)) {
      throw bundleError('MODULE_MISSING', `there is no module ${specifier} in the bundle`, at);
    }
    const back = here.indexOf(target);
    if (back >= 0) {
      const circle = [...here.slice(back), target].join(' -> ');
      throw bundleError('MODULE_CYCLE', `modules import each other: ${circle}`, at);
    }
    walk(target, here, graph);
  }
  graph.done.add(name);
}
