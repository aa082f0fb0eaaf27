import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { utf8 } from '@concordat/std';
import { createFakeActor, createFakeNode, type FakeNodeOptions } from '../index.ts';
import { createToyAdapter } from './toy-adapter.ts';

async function start(t: TestContext, options: FakeNodeOptions = {}) {
  const adapter = createToyAdapter();
  const node = await createFakeNode(adapter, options);
  t.after(() => node.close());
  const submit = (text: string, wait: 'commit' | 'local' = 'commit') =>
    node.submit(utf8(text), { wait });
  return { adapter, node, submit };
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

describe('batching', () => {
  it('executes a lone request at once, without the batch delay', async (t) => {
    const { submit } = await start(t, { policies: { maxBatchDelayMs: 5_000 } });
    const answer = await submit('set a 1');
    assert.deepEqual(answer, { ok: true, result: 'a=1', transactionId: '2.1', height: 1 });
  });

  it('gathers what arrives in one turn into one batch', async (t) => {
    const { adapter, node, submit } = await start(t);
    await Promise.all(numbers(50).map((at) => submit(`set k${at} ${at}`)));
    assert.equal(adapter.executions.length, 1);
    assert.equal(node.ledger.blocks.length, 1);
  });

  it('closes a batch at maxBatchTransactions and numbers its transactions in order', async (t) => {
    const { adapter, submit } = await start(t, { policies: { maxBatchTransactions: 10 } });
    const answers = await Promise.all(numbers(25).map((at) => submit(`set k${at} ${at}`)));
    assert.deepEqual(
      adapter.executions.map((batch) => batch.length),
      [10, 10, 5],
    );
    const ids = answers.map((answer) => (answer.ok ? answer.transactionId : answer.code));
    assert.deepEqual(
      ids,
      numbers(25).map((at) => `2.${at + 1}`),
    );
  });

  it('keeps no more batches in flight than the limit', async (t) => {
    const { adapter, node, submit } = await start(t, {
      commit: 'on-demand',
      policies: { maxBatchTransactions: 1, maxBatchDelayMs: 1 },
      limits: { maxBatchesInFlight: 3 },
    });
    const answers = numbers(5).map((at) => submit(`set k${at} ${at}`));
    await sleep(20);
    assert.equal(adapter.executions.length, 3);
    node.ledger.commit();
    await node.settled();
    assert.equal(adapter.executions.length, 5);
    node.ledger.commit();
    for (const answer of answers) assert.ok((await answer).ok);
  });

  it('answers OVERLOADED when the queue or the actor is full, and recovers', async (t) => {
    const { node, submit } = await start(t, {
      commit: 'on-demand',
      limits: { maxQueuedTransactions: 20, maxInFlightPerActor: 10 },
    });
    const first = numbers(12).map((at) => submit(`set k${at} ${at}`));
    const others = numbers(12).map((at) =>
      node.submit(utf8(`set o${at} ${at}`), { actor: createFakeActor('bob') }),
    );
    await node.settled();
    node.ledger.commit();
    const codes = (await Promise.all([...first, ...others])).map((a) => (a.ok ? 'ok' : a.code));
    assert.equal(codes.filter((code) => code === 'ok').length, 20);
    assert.deepEqual(codes.slice(10, 12), ['OVERLOADED', 'OVERLOADED']);
    const later = submit('set again 1');
    await node.settled();
    node.ledger.commit();
    assert.ok((await later).ok);
  });

  it('answers local waits once executed, commit waits only once committed', async (t) => {
    const { node, submit } = await start(t, { commit: 'on-demand' });
    const local = await submit('set a 1', 'local');
    assert.deepEqual(local, { ok: true, result: 'a=1', height: 0 });
    let answered = false;
    const durable = submit('set b 1').then(() => {
      answered = true;
    });
    await node.settled();
    assert.equal(answered, false);
    node.ledger.commit();
    await durable;
  });
});

describe('failing executions', () => {
  for (const [verb, code] of [
    ['throw', 'INTERNAL_ERROR'],
    ['leak', 'INTERNAL_ERROR'],
    ['steal', 'INTERNAL_ERROR'],
    ['hang', 'EXECUTION_TIMEOUT'],
  ]) {
    it(`loses only the transaction at fault: ${verb}`, async (t) => {
      const { node, submit } = await start(t, { limits: { executionDeadlineMs: 40 } });
      const requests = ['set a 1', 'set b 2', verb as string];
      const [a, b, culprit] = await Promise.all(requests.map((text) => submit(text)));
      assert.ok(a?.ok && b?.ok);
      assert.equal(culprit?.ok === false && culprit.code, code);
      assert.deepEqual(node.dump(), { 'toy/words': ['61=31', '62=32'] });
    });
  }

  it('refuses a transaction whose writes do not fit in a block', async (t) => {
    const { submit } = await start(t, { policies: { maxBlockBytes: 1_000 } });
    const [big, small] = await Promise.all([submit('big 2000'), submit('set a 1')]);
    assert.equal(big?.ok === false && big.code, 'PAYLOAD_TOO_LARGE');
    assert.ok(small?.ok);
  });

  it('lets no late execution write into a batch that was given up', async (t) => {
    const { node, submit } = await start(t, { limits: { executionDeadlineMs: 4 } });
    const slow = await submit('slow late 1');
    assert.equal(slow.ok === false && slow.code, 'EXECUTION_TIMEOUT');
    await sleep(30);
    assert.ok((await submit('set a 1')).ok);
    assert.deepEqual(node.dump(), { 'toy/words': ['61=31'] });
  });
});

describe('changes of leadership (paper, "Application Transaction Workflow")', () => {
  it('answers TRANSACTION_LOST for a block that was rolled back once another one is in its place', async (t) => {
    const { node, submit } = await start(t, { commit: 'on-demand' });
    const kept = submit('set a 1');
    await node.settled();
    const lost = submit('set b 2');
    await node.settled();
    node.ledger.rollback(1);
    node.ledger.commit();
    assert.ok((await kept).ok);
    // Another node may still have the block, lead, and commit it.
    assert.equal(await Promise.race([lost, sleep(20, 'open')]), 'open');
    node.ledger.role(true);
    const next = submit('set c 3');
    await node.settled();
    node.ledger.commit();
    const answer = await lost;
    assert.equal(answer.ok === false && answer.code, 'TRANSACTION_LOST');
    assert.ok((await next).ok);
    assert.deepEqual(node.dump(), { 'toy/words': ['61=31', '63=33'] });
  });

  it('answers a block that was rolled back with its place when it is committed all the same', async (t) => {
    const { node, submit } = await start(t, { commit: 'on-demand' });
    const first = submit('set a 1');
    const second = node.settled().then(() => submit('set b 2'));
    await node.settled();
    await node.settled();
    const block = node.ledger.blocks[1];
    assert.ok(block);
    node.ledger.rollback(1);
    node.ledger.applySpeculatively(block);
    node.ledger.commit();
    assert.ok((await first).ok);
    const { transactionId, height } = (await second) as { transactionId: string; height: number };
    assert.deepEqual([transactionId, height], ['2.2', 2]);
    assert.deepEqual(node.dump(), { 'toy/words': ['61=31', '62=32'] });
  });

  it('judges anew what left no trace when the state it was judged on is rolled back', async (t) => {
    const { adapter, node, submit } = await start(t, { commit: 'on-demand' });
    void submit('set a 1');
    await node.settled();
    const dropped = submit('drop k');
    await node.settled();
    assert.equal(adapter.executions.length, 2);
    node.ledger.rollback(0);
    const answer = await dropped;
    assert.equal(answer.ok, false);
    assert.equal(adapter.executions.length, 3);
  });

  it('tells what it found in the committed state only when a majority says it leads still', async (t) => {
    const barriers: ((code?: string) => void)[] = [];
    const { submit } = await start(t, { onReadBarrier: (reply) => barriers.push(reply) });
    const told = submit('drop k');
    const local = await submit('drop k', 'local');
    assert.equal(local.ok, false);
    assert.equal(await Promise.race([told, sleep(20, 'open')]), 'open');
    barriers.shift()?.();
    const answer = await told;
    assert.deepEqual(answer, local);
    const untold = submit('drop k');
    await sleep(5);
    barriers.shift()?.('LEADER_UNKNOWN');
    const refused = await untold;
    assert.equal(refused.ok === false && refused.code, 'LEADER_UNKNOWN');
  });

  it('asks the majority as well when what it judged on is committed only afterwards', async (t) => {
    const barriers: ((code?: string) => void)[] = [];
    const { node, submit } = await start(t, {
      commit: 'on-demand',
      onReadBarrier: (reply) => barriers.push(reply),
    });
    const under = submit('set a 1');
    await node.settled();
    const told = submit('drop k');
    await node.settled();
    assert.equal(barriers.length, 0);
    // A majority may have had that block before this node was held up and another one led.
    node.ledger.commit();
    assert.ok((await under).ok);
    assert.equal(await Promise.race([told, sleep(20, 'open')]), 'open');
    barriers.shift()?.();
    assert.equal((await told).ok, false);
  });

  it('judges anew what it judged as a leader that is one no longer when it becomes current', async (t) => {
    const leader = await start(t);
    const barriers: ((code?: string) => void)[] = [];
    const { adapter, node, submit } = await start(t, {
      follows: leader.node,
      onReadBarrier: (reply) => barriers.push(reply),
    });
    node.ledger.role(true);
    const told = submit('drop k');
    await node.settled();
    assert.equal(adapter.executions.length, 1);
    node.ledger.role(false);
    // Passed: this node has all that the new leader has committed, but judged before it had.
    barriers.shift()?.();
    assert.equal((await told).ok, false);
    assert.equal(leader.adapter.executions.length, 1);
  });

  it('orders refused batches anew, each transaction once', async (t) => {
    const { node, submit } = await start(t, { policies: { maxBatchTransactions: 2 } });
    node.ledger.refuseBatches = 1;
    const answers = await Promise.all(numbers(6).map((at) => submit(`set k${at} ${at}`)));
    for (const answer of answers) assert.ok(answer.ok, JSON.stringify(answer));
    const leaves = node.ledger.blocks.flatMap((block) => block.transactions);
    assert.equal(leaves.length, 6);
    assert.equal(node.dump()['toy/words']?.length, 6);
  });

  it('offers a batch that is refused time after time now and then, not in a busy loop', async (t) => {
    const { adapter, node, submit } = await start(t);
    node.ledger.refuseBatches = 1_000_000;
    const answer = submit('set a 1');
    await sleep(60);
    const offered = adapter.executions.length;
    assert.ok(offered > 1 && offered < 60, `${offered} times`);
    node.ledger.refuseBatches = 0;
    assert.ok((await answer).ok);
  });

  it('never lets a batch executed in an earlier view be sealed in a later one', async (t) => {
    const { node, submit } = await start(t);
    node.ledger.hold = true;
    const answer = submit('set a 1');
    await node.settled();
    node.ledger.role(false);
    node.ledger.role(true);
    node.ledger.hold = false;
    node.ledger.settle();
    await node.settled();
    const settled = await answer;
    assert.ok(settled.ok, JSON.stringify(settled));
    assert.equal(settled.transactionId, '4.1');
    assert.equal(node.ledger.blocks.length, 1);
  });

  it('loses and repeats nothing when the constitution changes under load', async (t) => {
    const { node, submit } = await start(t, { policies: { maxBatchTransactions: 2 } });
    const answers: Promise<unknown>[] = [];
    for (let round = 0; round < 20; round++) {
      node.ledger.hold = round % 2 === 0;
      for (const at of numbers(5)) answers.push(submit(`set r${round}.${at} x`));
      await sleep(1);
      node.configure({ maxBatchTransactions: 2 + (round % 3) });
      node.ledger.hold = false;
      node.ledger.settle();
    }
    for (const answer of await Promise.all(answers)) assert.ok((answer as { ok: boolean }).ok);
    assert.equal(node.dump()['toy/words']?.length, 100);
    assert.equal(node.ledger.blocks.flatMap((block) => block.transactions).length, 100);
  });

  it('orders refused transactions in the order of receipt', async (t) => {
    const { node, submit } = await start(t, { policies: { maxBatchTransactions: 1 } });
    node.ledger.refuseBatches = 1;
    const ids = await Promise.all(
      numbers(6).map(async (at) => {
        const answer = await submit(`set same ${at}`);
        return answer.ok ? answer.transactionId : answer.code;
      }),
    );
    assert.deepEqual(
      ids,
      numbers(6).map((at) => `2.${at + 1}`),
    );
    assert.deepEqual(node.dump(), { 'toy/words': ['73616d65=35'] });
  });

  it('forwards what was queued when it stops leading', async (t) => {
    const leader = await start(t);
    const { node, submit } = await start(t, { follows: leader.node });
    node.ledger.role(true);
    const answer = submit('slow a 1');
    await sleep(3);
    node.ledger.role(false);
    const settled = await answer;
    assert.ok(settled.ok, JSON.stringify(settled));
    assert.deepEqual(leader.node.dump(), { 'toy/words': ['61=31'] });
    assert.deepEqual(node.dump(), leader.node.dump());
  });

  it('holds a request while nobody leads and orders it when it leads itself', async (t) => {
    const { node, submit } = await start(t);
    node.ledger.role(false);
    const answer = submit('set a 1');
    await node.settled();
    assert.equal(node.ledger.blocks.length, 0);
    node.ledger.role(true);
    assert.ok((await answer).ok);
  });

  it('answers TRANSACTION_UNKNOWN when no majority commits in time', async (t) => {
    const { node, submit } = await start(t, {
      commit: 'on-demand',
      limits: { commitTimeoutMs: 50 },
    });
    const answer = await submit('set a 1');
    assert.equal(answer.ok === false && answer.code, 'TRANSACTION_UNKNOWN');
    node.ledger.commit();
    assert.deepEqual(node.dump(), { 'toy/words': ['61=31'] });
  });
});

describe('forwarding', () => {
  it('executes with the actor of the origin and refuses what the leader refuses', async (t) => {
    const leader = await start(t);
    const { node } = await start(t, { follows: leader.node });
    const actor = createFakeActor('carol', ['trader']);
    const refused = await node.submit(utf8('nonsense'), { actor });
    assert.deepEqual(refused, {
      ok: false,
      code: 'INVALID_TRANSACTION',
      message: 'carol makes no sense',
    });
  });

  it('carries a thousand requests at once, each answered with its own result', async (t) => {
    const leader = await start(t);
    const { submit } = await start(t, { follows: leader.node });
    const answers = await Promise.all(numbers(1_000).map((at) => submit(`set k${at} ${at}`)));
    assert.deepEqual(
      answers.map((answer) => answer.ok && answer.result),
      numbers(1_000).map((at) => `k${at}=${at}`),
    );
  });
});

describe('several adapters in one worker', () => {
  it('executes each in batches of its own and keeps their tables apart', async (t) => {
    const toy = createToyAdapter();
    const other = { ...createToyAdapter(), id: 'other', endpoints: [] };
    const adapter = { ...other, tables: [{ name: 'other/secrets', kind: 'hash' as const }] };
    const node = await createFakeNode([toy, adapter]);
    t.after(() => node.close());
    const stolen = await node.submit(utf8('steal'), { adapterId: 'toy' });
    assert.equal(stolen.ok, false);
    assert.ok((await node.submit(utf8('set a 1'), { adapterId: 'toy' })).ok);
  });
});

describe('transactions that need to know the seqnos before them', () => {
  const results = (answers: readonly { readonly ok: boolean }[]) =>
    answers.map((answer) => ('result' in answer ? answer.result : 'refused'));

  it('wait for those of their own batch, the others of the batch do not', async (t) => {
    const { adapter, submit } = await start(t);
    const answers = await Promise.all(
      ['set k 1', 'stamp k', 'set j 2', 'stamp k'].map((one) => submit(one)),
    );
    assert.deepEqual(results(answers), ['k=1', 'k=1', 'j=2', 'k=3']);
    assert.deepEqual(
      adapter.executions.map((batch) => batch.map((command) => command.join(' '))),
      [['set k 1', 'stamp k', 'set j 2', 'stamp k'], ['stamp k', 'stamp k'], ['stamp k']],
    );
  });

  it('wait for blocks that are not numbered, and nothing is executed before them', async (t) => {
    const { adapter, node, submit } = await start(t, { policies: { maxBatchDelayMs: 1 } });
    node.ledger.hold = true;
    const answers = [submit('set k 1')];
    await sleep(20);
    answers.push(submit('stamp k'));
    await sleep(20);
    answers.push(submit('set j 2'));
    await sleep(20);
    assert.equal(adapter.executions.length, 2);
    node.ledger.hold = false;
    node.ledger.settle();
    assert.deepEqual(results(await Promise.all(answers)), ['k=1', 'k=1', 'j=2']);
  });

  it('fail when nothing is before them, and harm no others', async (t) => {
    const { submit, node } = await start(t);
    const alone = await submit('never');
    assert.deepEqual([alone.ok, 'code' in alone && alone.code], [false, 'INTERNAL_ERROR']);
    const answers = await Promise.all(['never', 'set k 1', 'never'].map((one) => submit(one)));
    assert.deepEqual(results(answers), ['refused', 'k=1', 'refused']);
    const [block] = node.ledger.committedBlocks;
    assert.equal(block?.transactions.length, 1);
  });

  it('fail, all of a batch too, when they left writes behind', async (t) => {
    const { submit, node } = await start(t, { policies: { maxBatchDelayMs: 1 } });
    for (const deferring of [['spill'], ['spill', 'spill', 'spill']]) {
      node.ledger.hold = true;
      const before = submit('set k 1');
      await sleep(20);
      const answers = deferring.map((one) => submit(one));
      await sleep(20);
      node.ledger.hold = false;
      node.ledger.settle();
      assert.ok((await before).ok);
      for (const answer of await Promise.all(answers)) assert.equal(answer.ok, false);
    }
    assert.deepEqual(node.dump(), { 'toy/words': ['6b=31'] });
    assert.ok((await submit('set j 1')).ok, 'the worker goes on');
  });

  it('go elsewhere when the node leads no more, and on when a batch is refused', async (t) => {
    const { node, submit } = await start(t, { limits: { commitTimeoutMs: 2_000 } });
    node.ledger.hold = true;
    node.ledger.refuseBatches = 1;
    const refused = [submit('set k 1')];
    await sleep(20);
    refused.push(submit('stamp k'));
    await sleep(20);
    node.ledger.hold = false;
    node.ledger.settle();
    assert.deepEqual(results(await Promise.all(refused)), ['k=1', 'k=1']);
    node.ledger.hold = true;
    const left = [submit('set k 2')];
    await sleep(20);
    left.push(submit('stamp k'));
    await sleep(20);
    node.ledger.role(false);
    node.ledger.hold = false;
    node.ledger.settle();
    assert.deepEqual(results(await Promise.all(left)), ['refused', 'refused'], 'nobody leads');
  });
});
