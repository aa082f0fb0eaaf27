import { fromUtf8 } from '@concordat/std';
import { type BundleError, type BundleErrorCode, bundleError } from './errors.ts';
import { type IndexDeclaration, readIndexes } from './index-declarations.ts';
import { checkModules } from './module-graph.ts';
import { type PathTemplate, parseTemplate, shapeOf } from './path-template.ts';
import { type Policy, type PolicyName, policyNames } from './policies.ts';

/** One ES module; the name is its path under `src/`, without a leading slash. */
export interface BundleModule {
  readonly name: string;
  readonly source: string;
}

/** What one method of one path runs. */
export interface BundleEndpoint {
  /** Its place in {@link Bundle.endpoints}, by which both sides of the wall call it. */
  readonly index: number;
  readonly method: string;
  readonly template: PathTemplate;
  readonly module: string;
  readonly functionName: string;
  readonly mode: 'readwrite' | 'readonly' | 'historical';
  readonly policies: readonly Policy[];
  /** Operation object of OpenAPI 3.0, as `app.json` has it. */
  readonly openapi?: Readonly<Record<string, unknown>>;
  /** Left out of the OpenAPI document. */
  readonly openapiHidden?: true;
  /** Requests of endpoints with the same key share the module instances; absent: fresh ones each. */
  readonly reuseKey?: string;
  /** Function of the same module that makes calls to other systems before the transaction. */
  readonly callsFunction?: string;
}

/** An application as it is deployed. */
export interface Bundle {
  readonly endpoints: readonly BundleEndpoint[];
  readonly modules: readonly BundleModule[];
  /** What is followed for the application in the committed ledger. */
  readonly indexes: readonly IndexDeclaration[];
}

/** Bytes of a whole bundle. */
export const maxBundleBytes = 8 * 1024 * 1024;
const maxModules = 1_000;
const maxEndpoints = 1_000;
const methods = ['get', 'put', 'post', 'delete', 'patch', 'head', 'options'];
/** Served by the adapter or the worker itself. */
const reserved = new Set(['/commit', '/tx', '/receipt', '/api', '/health', '/stats']);
const manifest = 'app.json';

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads a bundle as `ccf-build-bundle` of @microsoft/ccf-app writes it:
 * `{"metadata": {"endpoints"}, "modules": [{"name", "module"}]}`; `metadata` is the content of
 * `app.json`. Everything is checked that can be without running the engine; of a large bundle that
 * takes a second or two.
 * @throws BundleError
 */
export function parseBundle(bytes: Uint8Array): Bundle {
  const bundle = readBundle(bytes);
  checkModules(bundle.modules, bundle.endpoints);
  return bundle;
}

/**
 * Reads a bundle that was checked before it was put in force: all but what its modules import.
 * @throws BundleError
 */
export function readBundle(bytes: Uint8Array): Bundle {
  if (bytes.length > maxBundleBytes) {
    throw bundleError('BUNDLE_TOO_LARGE', `a bundle has at most ${maxBundleBytes} bytes`);
  }
  const bundle = object(parsed(bytes), 'the bundle');
  onlyKnown(bundle, ['metadata', 'modules'], 'the bundle');
  const modules = readModules(bundle.modules);
  const metadata = object(bundle.metadata, 'metadata');
  const endpoints = readEndpoints(metadata);
  const indexes = readIndexes(metadata.concordat);
  return { endpoints, modules, indexes };
}

function readModules(value: unknown): BundleModule[] {
  if (!Array.isArray(value)) throw malformed('modules is not a list');
  if (value.length > maxModules) throw malformed(`there are more than ${maxModules} modules`);
  const names = new Set<string>();
  return value.map((item: unknown) => {
    const { name, module, ...rest } = object(item, 'a module');
    onlyKnown(rest, [], 'a module');
    if (typeof name !== 'string' || typeof module !== 'string') {
      throw malformed('a module has a name and its text');
    }
    const plain = name.replace(/^\//, '');
    const valid = plain.length <= 200 && /^[\w@.+-]+(?:\/[\w@.+-]+)*$/.test(plain);
    if (!valid || plain.split('/').some((part) => part === '.' || part === '..')) {
      throw malformed(`the module name ${JSON.stringify(name.slice(0, 200))} is not valid`);
    }
    if (names.has(plain)) throw malformed(`two modules are called ${plain}`);
    names.add(plain);
    return { name: plain, source: module };
  });
}

function readEndpoints(metadata: Json): BundleEndpoint[] {
  onlyKnown(metadata, ['endpoints', 'concordat'], manifest);
  const endpoints: BundleEndpoint[] = [];
  const shapes = new Map<string, string>();
  for (const [path, byMethod] of Object.entries(object(metadata.endpoints, 'endpoints'))) {
    const template = parseTemplate(path);
    if (typeof template === 'string') throw at(path, 'PATH_INVALID', template);
    if (reserved.has(path) || path === '/app' || path.startsWith('/app/')) {
      throw at(path, 'PATHS_COLLIDE', 'the framework answers this path itself');
    }
    const shape = shapeOf(template);
    const other = shapes.get(shape);
    if (other !== undefined) throw at(path, 'PATHS_COLLIDE', `${other} answers the same paths`);
    shapes.set(shape, path);
    for (const [method, declared] of Object.entries(object(byMethod, `endpoints of ${path}`))) {
      const where = `${method} ${path}`;
      if (!methods.includes(method.toLowerCase())) {
        throw at(where, 'BUNDLE_MALFORMED', `the method is one of ${methods.join(', ')}`);
      }
      const index = endpoints.length;
      if (index >= maxEndpoints) throw malformed(`there are more than ${maxEndpoints} endpoints`);
      const known = readEndpoint(object(declared, where), where);
      const double = endpoints.some(
        (one) => one.template === template && one.method === method.toUpperCase(),
      );
      if (double) throw at(where, 'PATHS_COLLIDE', 'the method stands twice');
      endpoints.push({ index, method: method.toUpperCase(), template, ...known });
    }
  }
  return endpoints;
}

const knownProperties = [
  'js_module',
  'js_function',
  'mode',
  'authn_policies',
  'interpreter_reuse',
  'forwarding_required',
  'redirection_strategy',
  'openapi',
  'openapi_hidden',
  'concordat_calls',
];

function readEndpoint(
  declared: Json,
  where: string,
): Omit<BundleEndpoint, 'index' | 'method' | 'template'> {
  for (const name of Object.keys(declared)) {
    if (!knownProperties.includes(name)) throw at(where, 'UNKNOWN_PROPERTY', `unknown ${name}`);
  }
  const { js_module, js_function, mode = 'readwrite' } = declared;
  if (typeof js_module !== 'string' || typeof js_function !== 'string') {
    throw at(where, 'BUNDLE_MALFORMED', 'js_module and js_function are texts');
  }
  if (mode !== 'readwrite' && mode !== 'readonly' && mode !== 'historical') {
    throw at(where, 'BUNDLE_MALFORMED', 'mode is readwrite, readonly or historical');
  }
  checkChoice(declared, 'forwarding_required', ['sometimes', 'always', 'never'], where);
  checkChoice(declared, 'redirection_strategy', ['none', 'to_primary', 'to_backup'], where);
  const reuseKey = readReuse(declared.interpreter_reuse, where);
  const { concordat_calls: callsFunction } = declared;
  if (callsFunction !== undefined && (typeof callsFunction !== 'string' || mode !== 'readwrite')) {
    const why = 'concordat_calls names a function of the module, in mode readwrite alone';
    throw at(where, 'BUNDLE_MALFORMED', why);
  }
  return {
    module: js_module.replace(/^\//, ''),
    functionName: js_function,
    mode,
    policies: readPolicies(declared.authn_policies, where),
    ...readOpenapi(declared, where),
    ...(reuseKey !== undefined && { reuseKey }),
    ...(callsFunction !== undefined && { callsFunction }),
  };
}

function readOpenapi(
  { openapi, openapi_hidden }: Json,
  where: string,
): Pick<BundleEndpoint, 'openapi' | 'openapiHidden'> {
  if (openapi_hidden !== undefined && typeof openapi_hidden !== 'boolean') {
    throw at(where, 'BUNDLE_MALFORMED', 'openapi_hidden is true or false');
  }
  const shown = openapi === undefined || openapi === null ? undefined : openapi;
  return {
    ...(shown !== undefined && { openapi: object(shown, `openapi of ${where}`) }),
    ...(openapi_hidden === true && { openapiHidden: true }),
  };
}

function checkChoice(
  declared: Json,
  name: string,
  choices: readonly string[],
  where: string,
): void {
  const value = declared[name];
  if (value === undefined || choices.includes(value as string)) return;
  throw at(where, 'BUNDLE_MALFORMED', `${name} is one of ${choices.join(', ')}`);
}

function readReuse(value: unknown, where: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  const { key, ...rest } = object(value, `interpreter_reuse of ${where}`);
  onlyKnown(rest, [], `interpreter_reuse of ${where}`);
  if (typeof key !== 'string' || key.length > 100) {
    throw at(where, 'BUNDLE_MALFORMED', 'interpreter_reuse has a key of at most 100 characters');
  }
  return key;
}

function readPolicies(value: unknown, where: string): Policy[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw at(where, 'BUNDLE_MALFORMED', 'authn_policies is a list');
  return value.map((policy: unknown) => readAlternative(policy, where));
}

function readAlternative(policy: unknown, where: string): Policy {
  if (typeof policy === 'string') return readPolicy(policy, where);
  const { all_of, ...rest } = object(policy, `authn_policies of ${where}`);
  onlyKnown(rest, [], `authn_policies of ${where}`);
  if (!Array.isArray(all_of) || all_of.length === 0) {
    throw at(where, 'BUNDLE_MALFORMED', 'all_of is a list of policies');
  }
  return { all_of: all_of.map((name: unknown) => readPolicy(name, where)) };
}

function readPolicy(name: unknown, where: string): PolicyName {
  if (policyNames.includes(name as PolicyName)) return name as PolicyName;
  throw at(where, 'UNKNOWN_POLICY', `there is no policy ${JSON.stringify(name)?.slice(0, 80)}`);
}

function parsed(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = fromUtf8(bytes);
  } catch {
    throw malformed('it is not UTF-8');
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw malformed(`it is not JSON: ${(error as Error).message}`);
  }
}

function object(value: unknown, what: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  throw malformed(`${what} is not an object`);
}

function onlyKnown(value: Json, names: readonly string[], what: string): void {
  const unknown = Object.keys(value).find((name) => !names.includes(name));
  if (unknown === undefined) return;
  throw bundleError('UNKNOWN_PROPERTY', `${what} has an unknown property ${unknown}`);
}

const malformed = (why: string): BundleError => bundleError('BUNDLE_MALFORMED', why);

const at = (where: string, code: BundleErrorCode, why: string): BundleError =>
  bundleError(code, `${where}: ${why}`, { file: manifest });
