import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { methodTable, unsupportedMethods } from '../rpc/index.ts';

const page = readFileSync(new URL('../../../docs/ethereum.md', import.meta.url), 'utf8');
const [offered = '', refused = ''] = page.split('## Methods that are not offered');

suite('docs/ethereum.md', () => {
  test('names every method that is offered, and no other as offered', () => {
    const tables = offered.slice(offered.indexOf('## Methods'));
    const named = new Set(tables.match(/\b[a-z]\w*_[a-zA-Z]\w*/g));
    for (const name of methodTable.keys()) assert.ok(named.has(name), name);
    for (const name of unsupportedMethods.keys()) assert.ok(!named.has(name), name);
  });

  test('names every method that is not, with the reason it is answered', () => {
    for (const [name, reason] of unsupportedMethods) {
      const row = refused.split('\n').find((line) => line.includes(`\`${name}\``));
      assert.ok(row?.includes(reason), name);
    }
  });
});
