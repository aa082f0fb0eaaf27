import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pinVariable, takePin } from '../token-options.ts';

test('a PIN is taken out of the environment, which programs that are started inherit', () => {
  process.env[pinVariable] = '7421-user';
  takePin();
  assert.ok(!(pinVariable in process.env));
});
