import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseEpochs } from '../audit-grant-commands.ts';
import { CliError } from '../errors.ts';

test('epochs are given as numbers and ranges, in any order, and come out ascending', () => {
  assert.deepEqual(parseEpochs('7,2,4-6, 5'), [2, 4, 5, 6, 7]);
  assert.equal(parseEpochs('1-1000').length, 1_000);
});

test('anything else is refused before it is signed', () => {
  for (const text of [
    '',
    '0',
    '-1',
    '1-',
    '3-2',
    '1.5',
    'x',
    '1,,2',
    '01',
    '1-1001',
    '1-600,700-1200',
  ]) {
    assert.throws(() => parseEpochs(text), CliError, text);
  }
});
