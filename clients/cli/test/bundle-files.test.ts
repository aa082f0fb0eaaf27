import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { programOfBundle, readBundle } from '@concordat/cli';
import { bundleTables } from '../app/bundle-files.ts';

const root = mkdtempSync(join(tmpdir(), 'concordat-bundle-'));
after(() => rmSync(root, { recursive: true }));

const endpoints = {
  '/b/{id}': { get: { js_module: 'lib/b.js', js_function: 'get', mode: 'readonly' } },
  '/a': { post: { js_module: 'a.js', js_function: 'post', authn_policies: ['user_cert'] } },
};
const modules = [
  { name: 'lib/b.js', module: 'export const get = () => ({});\n' },
  { name: 'a.js', module: 'export const post = () => ({});\n' },
];
const bundle = { metadata: { endpoints }, modules };

function written(name: string, value: unknown): string {
  const file = join(root, name);
  writeFileSync(file, JSON.stringify(value));
  return file;
}

test('the same application is the same program, however it is written down', async () => {
  const directory = join(root, 'dist');
  mkdirSync(join(directory, 'src', 'lib'), { recursive: true });
  writeFileSync(join(directory, 'app.json'), JSON.stringify({ endpoints }, undefined, 2));
  for (const { name, module } of modules) writeFileSync(join(directory, 'src', name), module);
  const proposal = { actions: [{ name: 'set_js_app', args: { bundle } }] };
  const turned = { modules: [...modules].reverse(), metadata: { endpoints } };
  const expected = Buffer.from(programOfBundle(bundle)).toString();
  for (const path of [
    directory,
    written('bundle.json', bundle),
    written('turned.json', turned),
    written('proposal.json', proposal),
  ]) {
    assert.equal(Buffer.from(programOfBundle(await readBundle(path))).toString(), expected, path);
  }
});

test('what is no bundle is refused by its path', async () => {
  const half = join(root, 'half');
  mkdirSync(half);
  writeFileSync(join(half, 'app.json'), '{"endpoints":{}}');
  const text = join(root, 'text.json');
  writeFileSync(text, 'text');
  for (const path of [
    join(root, 'nowhere'),
    half,
    text,
    written('null.json', null),
    written('list.json', []),
    written('more.json', { metadata: {}, modules: [{ name: 1, module: 2 }] }),
    written('actions.json', { actions: [{ name: 'set_constitution', args: {} }] }),
  ]) {
    await assert.rejects(readBundle(path), { code: 'NOT_AN_APPLICATION' }, path);
  }
});

test('who looks at an application sees its endpoints and its modules', () => {
  assert.deepEqual(bundleTables(bundle), {
    endpoints: [
      ['GET', '/b/{id}', 'readonly', 'lib/b.js get', ''],
      ['POST', '/a', 'readwrite', 'a.js post', 'user_cert'],
    ],
    modules: [
      ['lib/b.js', '31'],
      ['a.js', '32'],
    ],
  });
  const odd = { metadata: { endpoints: { '/x': null, '/y': { get: null } } }, modules: [] };
  assert.equal(bundleTables(odd as never).endpoints.length, 1);
});
