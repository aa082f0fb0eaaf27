import { test } from 'node:test';
import { followPage } from '../index.ts';

test('the page of the SDK works as it stands', async () => {
  await followPage('docs/sdk.md');
});
