import { test } from 'node:test';
import { followPage } from '@concordat/local-network';

test('the page docs/tutorials/fraud-list.md does what it says, on three organisations', async () => {
  await followPage('docs/tutorials/fraud-list.md');
});
