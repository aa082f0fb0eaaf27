import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { utf8 } from '@concordat/std';
import { createFakeNode } from '../index.ts';
import { createToyAdapter } from './toy-adapter.ts';

test('whoever acted outside is told that it is lost, and nothing of it is begun elsewhere', async (t) => {
  const adapter = createToyAdapter();
  const node = await createFakeNode(adapter, {
    commit: 'on-demand',
    limits: { maxBatchesInFlight: 1 },
  });
  t.after(() => node.close());
  const submit = (text: string) => node.submit(utf8(text), { wait: 'commit' });
  let admitted = 0;
  const gates: (() => void)[] = [];
  const admit = adapter.admit.bind(adapter);
  adapter.admit = async (raw, actor, view) => {
    admitted += 1;
    const text = Buffer.from(raw).toString();
    if (text.startsWith('set slow')) await new Promise<void>((open) => gates.push(open));
    const verdict = await admit(raw, actor, view);
    return text.startsWith('set plain') ? verdict : { ...verdict, hasActed: true };
  };
  const executed = submit('set a 1');
  await node.settled();
  const queued = submit('set b 2');
  const refused = submit('drop k');
  const open = submit('set slow 3');
  const plain = submit('set plain 4');
  await sleep(5);
  assert.equal(admitted, 5);
  node.ledger.role(false);
  for (const open of gates) open();
  const told = { ok: false, code: 'TRANSACTION_LOST' };
  for (const answer of await Promise.all([queued, refused, open])) {
    assert.deepEqual({ ok: answer.ok, code: !answer.ok && answer.code }, told);
  }
  assert.equal(await Promise.race([plain, sleep(20, 'open')]), 'open', 'it waits for a leader');
  node.ledger.role(true);
  node.ledger.commit();
  assert.ok((await executed).ok, 'what was ordered stays ordered');
  await node.settled();
  node.ledger.commit();
  assert.ok((await plain).ok);
  assert.equal(admitted, 6);
});
