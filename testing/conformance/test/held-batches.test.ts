import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { utf8 } from '@concordat/std';
import { createFakeNode } from '../index.ts';
import { createToyAdapter } from './toy-adapter.ts';

const policies = { maxBatchTransactions: 1, maxBatchDelayMs: 10_000 };
const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

async function start(t: TestContext) {
  const adapter = createToyAdapter();
  const node = await createFakeNode(adapter, { policies });
  t.after(() => node.close());
  const submit = (text: string) => node.submit(utf8(text), { wait: 'commit' });
  return { adapter, node, submit };
}

describe('a worker whose batches take a while', () => {
  it('hands batches over together while others wait, each as a block of its own', async (t) => {
    const { adapter, node, submit } = await start(t);
    const executedBefore: number[] = [];
    const take = node.ledger.take.bind(node.ledger);
    node.ledger.take = (message) => {
      if (message.kind === 'batch') executedBefore.push(adapter.executions.length);
      return take(message);
    };
    const answers = await Promise.all(numbers(9).map((at) => submit(`slow k${at} ${at}`)));
    for (const answer of answers) assert.ok(answer.ok, JSON.stringify(answer));
    // Four at most while four more may be in flight; towards the end fewer wait than are held.
    assert.deepEqual(executedBefore, [4, 4, 4, 4, 7, 7, 7, 9, 9]);
    assert.equal(node.ledger.blocks.length, 9);
  });

  it('loses and repeats nothing of the batches it holds when the view changes', async (t) => {
    const { adapter, node, submit } = await start(t);
    const answers = numbers(9).map((at) => submit(`slow k${at} ${at}`));
    for (const executed of [2, 5, 13]) {
      while (adapter.executions.length < executed) await sleep(1);
      node.ledger.role(true);
    }
    for (const answer of await Promise.all(answers)) assert.ok(answer.ok, JSON.stringify(answer));
    const leaves = node.ledger.blocks.flatMap((block) => block.transactions);
    assert.equal(leaves.length, 9);
    assert.equal(node.dump()['toy/words']?.length, 9);
  });
});
