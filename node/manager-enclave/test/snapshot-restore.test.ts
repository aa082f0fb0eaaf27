import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KvError } from '@concordat/kv';
import { toEpoch } from '@concordat/std';
import type { NodeContext } from '../node-context.ts';
import { restoreState } from '../snapshot-restore.ts';
import type { StoredSnapshot } from '../stored-snapshot.ts';

/** Restores a snapshot whose administrative state makes its reader stumble like this. */
const restoreStumbling = (stumble: () => unknown): Promise<void> => {
  const node = { start: { workers: [] }, administration: { restorePublic: async () => stumble() } };
  const manifest = {
    height: 10,
    history: [1],
    public: [1],
    sections: [{ source: 0, chunks: [1] }],
  };
  return restoreState(node as unknown as NodeContext, { manifest } as unknown as StoredSnapshot);
};

test('whatever a state makes its reader stumble over, the snapshot is refused by name', async () => {
  const refused = (reason: string) => ({
    code: 'SNAPSHOT_CORRUPT',
    details: { height: 10, reason },
  });
  for (const stumble of [
    () => JSON.parse('{'),
    () => (JSON.parse('null') as { networkId: string }).networkId,
    () => toEpoch(Number('many')),
  ]) {
    await assert.rejects(restoreStumbling(stumble), refused('MALFORMED'));
  }
  const unknown = () => {
    throw new KvError('UNKNOWN_TABLE', 'no such table');
  };
  await assert.rejects(restoreStumbling(unknown), refused('UNKNOWN_TABLE'));
});
