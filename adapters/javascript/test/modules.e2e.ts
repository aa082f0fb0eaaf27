import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFakeNode } from '@concordat/conformance';
import { createJavascriptAdapter } from '../index.ts';
import { bytesOfBundle } from './logging-application.ts';
import { patientLimits } from './patient-limits.ts';

/** Every form of import and export of ECMA-262, 16.2, in one application. */
const modules = {
  'main.js': `import standard, { named as renamed, "a name" as spelled } from './forms.js';
import * as all from "./forms.js"
import other, * as again from './forms.js';
import './effect.js';
import { passed, passedAs, fromStar, space } from './pass.js'; import { default as anonymous } from './anonymous.js'
import Named from './class.js';
export const answer = () => ({ body: [standard(), renamed, spelled, all.named, other === standard,
  again === all, passed, passedAs(), fromStar, space.named, anonymous(2), new Named().name, line(), \`\${all.named}{\`,
  /[}"'\`]/.test('}'), 8 / 2 / 2, typeof import.meta, this === undefined, typeof globalThis.effect] }), unused = 1;
function line() { try { null.x; } catch (error) { return /main\\.js:(\\d+)/.exec(error.stack)[1]; } }
export { answer as handler, line as "quoted export" };
export default class {}
`,
  'forms.js': `
export default function standard() { return 'default'; }
const named = 'named', spelled = 'spelled'; const { a: taken, b: [first] } = { a: 1, b: [2] };
export { named, spelled as "a name", taken, first }
export var one = 1, two = 2; export let three = 3
export async function later() {} export function* many() {}
export const rest = { export: 1, import: 2, from: 3 }; rest.export; rest.import
`,
  'effect.js': `export {}; const effect = 1;`,
  'pass.js': `export { named as passed, default as passedAs } from './forms.js'; export * from './star.js';
export * as space from './forms.js'; export const own = 1;`,
  'star.js': `export const fromStar = 'star'; export default 'hidden';`,
  'anonymous.js': `export default (x) => x * 2;`,
  'class.js': `export default class Named { name = 'class'; static { this.ready = true; } }`,
};

test('every form of import and export works as the engine has it, and lines are those of the source', async (t) => {
  const endpoint = (js_function: string) => ({
    get: { js_module: 'main.js', js_function, mode: 'readonly', authn_policies: [] },
  });
  const node = await createFakeNode(createJavascriptAdapter(), {
    config: patientLimits,
    genesisData: bytesOfBundle({
      metadata: { endpoints: { '/a': endpoint('answer'), '/h': endpoint('handler') } },
      modules: Object.entries(modules).map(([name, module]) => ({ name, module })),
    }),
  });
  t.after(() => node.close());
  const first = ['default', 'named', 'spelled', 'named', true, true, 'named', 'default', 'star'];
  const rest = ['named', 4, 'class', '10', 'named{', true, 2, 'object', true, 'undefined'];
  for (const path of ['/a', '/h']) {
    assert.deepEqual(await (await fetch(node.url + path)).json(), [...first, ...rest]);
  }
});
