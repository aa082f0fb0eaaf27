import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BuildError, buildBundle } from '@concordat/app';

const bank = fileURLToPath(new URL('bank.ts', import.meta.url));
const head = `import { defineApp, endpointsOf } from '@concordat/app';\n`;
const plain = `export default defineApp({ tables: {}, endpoints: {
  a: endpointsOf({})('GET /a', { access: 'anyone', handler() {} }),
} });\n`;

/** Builds with time for a machine that is busy. */
const patientBuild = (place: string) => buildBundle(place, { definitionTimeoutMs: 120_000 });

suite('a bundle', () => {
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'concordat-build-'));
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  let count = 0;
  /** Writes an application's files to a directory of its own. */
  function application(files: Readonly<Record<string, string>>): string {
    count += 1;
    const place = join(directory, `app-${count}`);
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(place, name)), { recursive: true });
      writeFileSync(join(place, name), text);
    }
    return place;
  }

  async function refused(place: string, code: string, message: RegExp): Promise<BuildError> {
    let found: unknown;
    await assert.rejects(patientBuild(place), (error) => {
      found = error;
      assert.ok(error instanceof BuildError, String(error));
      assert.equal(error.code, code, error.message);
      assert.match(error.message, message);
      return true;
    });
    return found as BuildError;
  }

  test('is the same bytes wherever its sources lie, and tells what it was made of', async () => {
    const [first, second] = [join(directory, 'one'), join(directory, 'two/deeper')];
    for (const place of [first, second]) {
      mkdirSync(place, { recursive: true });
      cpSync(bank, join(place, 'app.ts'));
    }
    // What lies above an application is no part of it.
    writeFileSync(join(directory, 'two/tsconfig.json'), '{"compilerOptions":{"target":"es5"}}');
    const built = [await patientBuild(first), await patientBuild(join(second, 'app.ts'))];
    const again = await patientBuild(first);
    assert.deepEqual(built[0]?.bytes, built[1]?.bytes);
    assert.deepEqual(built[0]?.bytes, again.bytes);
    assert.deepEqual(built[0]?.sources, [join(first, 'app.ts')]);
    assert.equal(built[0]?.openApi.info.title, 'A bank');
    const text = Buffer.from(again.bytes).toString();
    assert.equal(text.includes(directory), false);
    assert.equal(text.includes('node_modules'), false);
  });

  test('takes in other modules, and says which', async () => {
    const place = application({
      'src/app.ts': `${head}import { path } from './lib/path.ts';\nimport data from './data.json';\nimport { twice } from 'twice';
export default defineApp({ title: twice(data.title), tables: {}, endpoints: {
  a: endpointsOf({})(\`GET \${path}\`, { access: 'anyone', handler() {} }),
} });`,
      'src/lib/path.ts': `export const path = '/from/elsewhere' as const;`,
      'src/data.json': `{"title": "x"}`,
      'node_modules/twice/package.json': `{"name": "twice", "main": "main.js", "type": "module"}`,
      'node_modules/twice/main.js': `export const twice = (text) => text + text;`,
    });
    const { metadata, sources, openApi } = await patientBuild(place);
    assert.deepEqual(Object.keys(metadata.endpoints), ['/from/elsewhere']);
    assert.equal(openApi.info.title, 'xx');
    assert.deepEqual(
      sources.map((file) => file.slice(place.length + 1)),
      ['node_modules/twice/main.js', 'src/app.ts', 'src/data.json', 'src/lib/path.ts'],
    );
  });

  test('is refused with file and line where its sources are wrong', async () => {
    for (const [text, message] of [
      [`${head}const x = ;\n${plain}`, /^app\.ts:2:11: /],
      [`${head}import './gone.ts';\n${plain}`, /^app\.ts:2:8: .*gone/],
      [`${head}import 'leftpad';\n${plain}`, /^app\.ts:2:8: .*leftpad/],
      [
        `${head}import { readFileSync } from 'node:fs';\nreadFileSync('x');\n${plain}`,
        /^app\.ts:2:.*node:fs/,
      ],
      [`${head}import fs from 'fs';\nfs.x();\n${plain}`, /^app\.ts:2:.*fs/],
      [`${head}await Promise.resolve();\n${plain}`, /^app\.ts:2:1: .*await/],
      [
        `import { createClient } from '@concordat/app';\ncreateClient();\n${plain}`,
        /^app\.ts:1:10: .*createClient/,
      ],
      [`${head}export const a = 1;`, /^app\.ts:1:1: .*default/],
      [`${head}const late = 'x';\nvoid import(late);\n${plain}`, /^app\.ts:3:\d+: .*when it runs/],
      [
        `${head}const late = (name: string) => require(name);\nlate('x');\n${plain}`,
        /^app\.ts:2:\d+: /,
      ],
    ] as const) {
      const error = await refused(application({ 'app.ts': text }), 'SOURCE_INVALID', message);
      assert.ok(error.places.length > 0);
    }
    const two = `${head}import './a.ts';\nimport './b.ts';\n${plain}`;
    const both = await refused(
      application({ 'app.ts': two }),
      'SOURCE_INVALID',
      /a\.ts[\s\S]*b\.ts/,
    );
    assert.deepEqual(
      both.places.map(({ line }) => line),
      [2, 3],
    );
    await refused(application({ 'other.ts': '' }), 'NO_ENTRY', /app\.ts/);
    await refused(join(directory, 'gone'), 'NO_ENTRY', /gone/);
  });

  test('is refused with the place at which its definition throws', async () => {
    const thrown = `${head}\nconst check = () => {\n  throw new Error('a mistake');\n};\ncheck();\n${plain}`;
    await refused(
      application({ 'app.ts': thrown }),
      'DEFINITION_INVALID',
      /^app\.ts:4:9: Error: a mistake/,
    );
    const collides = plain.replace("'GET /a'", "'GET /app/a'");
    await refused(
      application({ 'app.ts': `${head}\n${collides}` }),
      'DEFINITION_INVALID',
      /^app\.ts:3:\d+: Error: .*PATH_INVALID|^app\.ts:3:\d+: .*\/app\/a/,
    );
    await refused(
      application({ 'app.ts': `${head}\nexport default { a: 1 };` }),
      'DEFINITION_INVALID',
      /defineApp/,
    );
    await refused(
      application({ 'app.ts': 'throw 1;export default 1;' }),
      'DEFINITION_INVALID',
      /./,
    );
    const big = `${head}const a: unknown[] = [];\nfor (;;) a.push(new Array(3e7).fill(a));\n${plain}`;
    await refused(application({ 'app.ts': big }), 'DEFINITION_INVALID', /ended/);
  });

  test('is made without the definition reaching anything of this machine', async () => {
    const reached = (expression: string) =>
      `${head}const found = (() => { try { return String(${expression}); } catch (error) { return 'none'; } })();
if (found !== 'none' && found !== 'undefined') throw new Error('reached ' + found);\n${plain}`;
    for (const expression of [
      'globalThis.process.version',
      'globalThis.fetch.name',
      'globalThis.require.name',
      'globalThis.setTimeout.name',
      'globalThis.Buffer.name',
      `new Function('return 1')()`,
      `[].constructor.constructor('return process')()`,
    ]) {
      await patientBuild(application({ 'app.ts': reached(expression) }));
    }
    const prints = application({ 'app.ts': `${head}console.log('{"description":1}');\n${plain}` });
    assert.deepEqual(Object.keys((await patientBuild(prints)).metadata.endpoints), ['/a']);
    const asks = application({ 'app.ts': `${head}new TextEncoder();\n${plain}` });
    await refused(asks, 'DEFINITION_INVALID', /^app\.ts:2:1: ReferenceError: TextEncoder/);
  });

  test('is not waited for when its definition never ends', async () => {
    const place = application({ 'app.ts': `${head}for (;;);\n${plain}` });
    await assert.rejects(buildBundle(place, { definitionTimeoutMs: 1_000 }), {
      code: 'DEFINITION_ENDLESS',
    });
  });
});
