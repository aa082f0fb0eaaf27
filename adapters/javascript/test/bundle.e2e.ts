import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BundleError, checkWithEngine, parseBundle, sourceProgram } from '../index.ts';
import { bytesOfBundle, loggingBundle } from './logging-application.ts';

const endpoint = { js_module: 'a.js', js_function: 'run', mode: 'readonly', authn_policies: [] };

interface Parts {
  readonly endpoints?: unknown;
  readonly modules?: Readonly<Record<string, string>>;
}

const bundleOf = ({
  endpoints = { '/a': { get: endpoint } },
  modules = { 'a.js': 'export function run() {}' },
}: Parts): Uint8Array =>
  bytesOfBundle({
    metadata: { endpoints },
    modules: Object.entries(modules).map(([name, module]) => ({ name, module })),
  });

const withEndpoint = (changes: object) =>
  bundleOf({ endpoints: { '/a': { get: { ...endpoint, ...changes } } } });

function refusedWith(bytes: Uint8Array, code: string, message: RegExp): void {
  assert.throws(
    () => {
      parseBundle(bytes);
      checkWithEngine(sourceProgram(), bytes);
    },
    (error) => {
      assert.ok(error instanceof BundleError, String(error));
      assert.equal(error.code, code);
      assert.match(error.message, message);
      return true;
    },
  );
}

test('a bundle in the form of CCF is read', () => {
  const { endpoints, modules } = parseBundle(bytesOfBundle(loggingBundle));
  assert.equal(modules.length, 2);
  assert.deepEqual(
    endpoints.slice(0, 3).map(({ method, mode }) => [method, mode]),
    [
      ['GET', 'readonly'],
      ['POST', 'readwrite'],
      ['DELETE', 'readwrite'],
    ],
  );
  checkWithEngine(sourceProgram(), bytesOfBundle(loggingBundle));
});

test('a module that is not there is refused with the line that asks for it', () => {
  const source = '// first\nimport { x } from "./b.js";\nexport function run() {}';
  refusedWith(bundleOf({ modules: { 'a.js': source } }), 'MODULE_MISSING', /^a\.js:2: .*\.\/b\.js/);
  const bare = 'import x from "lodash";\nexport function run() {}';
  refusedWith(bundleOf({ modules: { 'a.js': bare } }), 'MODULE_MISSING', /^a\.js:1: .*lodash/);
  refusedWith(
    withEndpoint({ js_module: 'z.js' }),
    'MODULE_MISSING',
    /^app\.json: GET \/a: .*z\.js/,
  );
});

test('modules that import each other are refused with the circle', () => {
  const modules = {
    'a.js': 'import "./lib/b.js"; export function run() {}',
    'lib/b.js': '\n\nexport * from "../a.js";',
  };
  refusedWith(
    bundleOf({ modules }),
    'MODULE_CYCLE',
    /^lib\/b\.js:3: .*a\.js -> lib\/b\.js -> a\.js/,
  );
});

test('a dynamic import is refused with its line, wherever it hides', () => {
  for (const source of [
    'export function run() {\n  return import("./a.js");\n}',
    ['export const run = () => `x\n$', '{import(`node:fs`)}`;'].join(''),
    'const a = 4 / 2; /* " */\nconst b = import /* x */ ("y"); export function run() {}',
    'const r = /["\'`/]/;\nimport("z"); export function run() {}',
  ]) {
    refusedWith(bundleOf({ modules: { 'a.js': source } }), 'DYNAMIC_IMPORT', /^a\.js:2: /);
  }
  const harmless = '// import("x")\nconst t = "import(y)"; /import(z)/; export function run() {}';
  parseBundle(bundleOf({ modules: { 'a.js': harmless } }));
});

test('a syntax error, a missing export or function is refused with the engine’s words and line', () => {
  const broken = 'export const x = 1;\n\nexport function run( {';
  refusedWith(bundleOf({ modules: { 'a.js': broken } }), 'SYNTAX_ERROR', /^a\.js:3: Unexpected/);
  const modules = {
    'a.js': '\nimport { y } from "./b.js"; export function run() {}',
    'b.js': 'export const x = 1;',
  };
  refusedWith(bundleOf({ modules }), 'SYNTAX_ERROR', /^a\.js:2: .*'y'/);
  refusedWith(withEndpoint({ js_function: 'go' }), 'FUNCTION_MISSING', /^app\.json: .*go/);
  const awaiting = 'await 0; export function run() {}';
  refusedWith(bundleOf({ modules: { 'a.js': awaiting } }), 'UNSUPPORTED', /^a\.js: await/);
});

test('unknown policies, properties, modes and paths that collide are refused by name', () => {
  refusedWith(withEndpoint({ authn_policies: ['root'] }), 'UNKNOWN_POLICY', /GET \/a|get \/a/);
  refusedWith(withEndpoint({ authn_policies: [{ all_of: ['x'] }] }), 'UNKNOWN_POLICY', /"x"/);
  const every = ['jwt', 'user_cose_sign1', { all_of: ['jwt', 'user_cert'] }];
  const known = parseBundle(withEndpoint({ authn_policies: every }));
  assert.deepEqual(known.endpoints[0]?.policies, every);
  refusedWith(withEndpoint({ openapi: 7 }), 'BUNDLE_MALFORMED', /openapi/);
  refusedWith(withEndpoint({ openapi_hidden: 'x' }), 'BUNDLE_MALFORMED', /openapi_hidden/);
  refusedWith(withEndpoint({ mode: 'rw' }), 'BUNDLE_MALFORMED', /mode/);
  refusedWith(withEndpoint({ colour: 1 }), 'UNKNOWN_PROPERTY', /colour/);
  const twice = { '/a/{x}': { get: endpoint }, '/a/{y}': { get: endpoint } };
  refusedWith(bundleOf({ endpoints: twice }), 'PATHS_COLLIDE', /\/a\/\{x\}/);
  refusedWith(bundleOf({ endpoints: { '/app/x': { get: endpoint } } }), 'PATHS_COLLIDE', /app/);
  refusedWith(bundleOf({ endpoints: { '/commit': { get: endpoint } } }), 'PATHS_COLLIDE', /commit/);
  refusedWith(bundleOf({ endpoints: { 'a b': { get: endpoint } } }), 'PATH_INVALID', /begins/);
});

test('what is no bundle at all is refused: truncated, extended, of other types', () => {
  const whole = bytesOfBundle(loggingBundle);
  for (let length = 0; length < whole.length; length += 97) {
    assert.throws(() => parseBundle(whole.subarray(0, length)), BundleError);
  }
  assert.throws(() => parseBundle(Buffer.concat([whole, Buffer.from('x')])), BundleError);
  for (const value of [
    null,
    1,
    [],
    {},
    { metadata: {}, modules: [] },
    { metadata: 1, modules: 1 },
  ]) {
    assert.throws(() => parseBundle(bytesOfBundle(value)), BundleError);
  }
  assert.throws(() => parseBundle(new Uint8Array([0xff, 0xfe])), BundleError);
  assert.throws(() => parseBundle(new Uint8Array(9 * 1024 * 1024)), { code: 'BUNDLE_TOO_LARGE' });
});
