import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createEthereumAdapter } from '@concordat/ethereum';
import { utf8 } from '@concordat/std';
import { createFakeNode, type FakeNode, type FakeNodeOptions } from '../index.ts';
import { chainId, transfer } from './ethereum-node.ts';
import { createToyAdapter } from './toy-adapter.ts';

const numbers = (count: number, from = 0): number[] =>
  Array.from({ length: count }, (_, at) => from + at);

async function start(t: TestContext, options: FakeNodeOptions = {}): Promise<FakeNode> {
  const config = { chains: [{ name: 'main', chainId }] };
  const node = await createFakeNode(createEthereumAdapter(), { config, ...options });
  t.after(() => node.close());
  return node;
}

type Answer = Awaited<ReturnType<FakeNode['submit']>>;

const said = (answer: Answer): string =>
  answer.ok ? 'ok' : `${answer.code} ${answer.details?.reason ?? ''}`;

/** Everything by which a head is thrown away while its node goes on leading, or leads again. */
const reasons: readonly (readonly [string, (node: FakeNode) => void])[] = [
  ['the manager takes blocks back', ({ ledger }) => ledger.rollback(ledger.blocks.length)],
  ['it leads in another view', ({ ledger }) => ledger.role(true)],
  ['the constitution changes', (node) => node.configure(policies)],
  [
    'the manager refuses a batch',
    ({ ledger }) => {
      ledger.refuseBatches = 1;
      ledger.settle(1);
    },
  ],
  [
    'it ceases to lead and leads again',
    ({ ledger }) => {
      ledger.role(false);
      ledger.role(true);
    },
  ],
];
const policies = { maxBatchTransactions: 4, maxBatchDelayMs: 1 };

/** What was refused of these, and why. */
const refusedOf = async (answers: readonly Promise<Answer>[]): Promise<readonly string[]> =>
  (await Promise.all(answers)).map(said).filter((one) => one !== 'ok');

const placesOf = async (answers: readonly Promise<Answer>[]): Promise<readonly unknown[]> =>
  (await Promise.all(answers)).map((answer) => answer.ok && answer.transactionId);

describe('transactions of one sender, in the order of their nonces', () => {
  for (const [why, throwAway] of reasons) {
    for (const count of [30, 200]) {
      it(`are all committed in that order when ${why}: ${count} of them`, async (t) => {
        const node = await start(t, { policies, limits: { maxBatchesInFlight: 3 } });
        const { ledger } = node;
        await node.settled();
        ledger.hold = true;
        const answers = numbers(count).map((nonce) => node.submit(transfer(0, nonce)));
        while (node.worker.queued > count - 12) await sleep(1);
        throwAway(node);
        answers.push(node.submit(transfer(1, 0)));
        await sleep(10);
        answers.push(...numbers(20, count).map((nonce) => node.submit(transfer(0, nonce))));
        await sleep(10);
        ledger.hold = false;
        ledger.settle();
        assert.deepEqual(await refusedOf(answers), []);
      });
    }
  }

  it('are all committed in that order when a batch of them does not fit in a block', async (t) => {
    const tight = { maxBatchTransactions: 100, maxBatchDelayMs: 1, maxBlockBytes: 24_000 };
    const node = await start(t, { policies: tight });
    await node.settled();
    const answers = numbers(100).map((nonce) => node.submit(transfer(0, nonce)));
    while (!node.events.some(({ event }) => event === 'adapter.batch-failed')) await sleep(0);
    answers.push(...numbers(20, 100).map((nonce) => node.submit(transfer(0, nonce))));
    assert.deepEqual(await refusedOf(answers), []);
  });

  it('are all committed in blocks of their chain when that is configured anew', async (t) => {
    const node = await start(t, { policies, limits: { maxBatchesInFlight: 3 } });
    const { ledger } = node;
    await node.settled();
    ledger.hold = true;
    const answers = numbers(30).map((nonce) => node.submit(transfer(0, nonce)));
    while (node.worker.queued > 18) await sleep(1);
    const ethereum = { chains: [{ name: 'main', chainId, gasLimit: 20_000_000 }] };
    const json = Buffer.from(JSON.stringify({ adapters: { ethereum }, policies }));
    ledger.deliverAndAwait({ kind: 'configure', json });
    answers.push(...numbers(10, 30).map((nonce) => node.submit(transfer(0, nonce))));
    ledger.hold = false;
    ledger.settle();
    assert.deepEqual(await refusedOf(answers), []);
    const { 'ethereum/blocks': blocks, 'ethereum/transactions': transactions } = node.dump();
    assert.equal(transactions?.length, 40);
    assert.equal(blocks?.length, ledger.blocks.length, 'the genesis block is one');
  });

  it('go to another leader in that order, those that were executed here first', async (t) => {
    const leader = await start(t);
    const node = await start(t, { policies, limits: { maxBatchesInFlight: 3 }, follows: leader });
    node.ledger.role(true);
    await node.settled();
    node.ledger.hold = true;
    const answers = numbers(200).map((nonce) => node.submit(transfer(0, nonce)));
    while (node.worker.queued > 188) await sleep(1);
    node.ledger.role(false);
    answers.push(...numbers(20, 200).map((nonce) => node.submit(transfer(0, nonce))));
    await sleep(10);
    assert.equal(node.worker.stats.forwarded, 0, 'nothing overtakes what comes back');
    node.ledger.hold = false;
    node.ledger.settle();
    assert.deepEqual(await refusedOf(answers), []);
    assert.equal(node.worker.stats.forwarded, 220);
  });
});

describe('transactions of a thrown away head', () => {
  it('are executed again in the order they were, whichever was received first', async (t) => {
    const node = await start(t);
    await node.settled();
    node.ledger.refuseBatches = 2;
    const answers = [3, 2, 1, 0].map((nonce) => node.submit(transfer(0, nonce)));
    const places = await placesOf(answers);
    assert.deepEqual(await refusedOf(answers), []);
    assert.deepEqual([...places].sort().reverse(), places);
  });

  it('come first, whichever adapter they are for', async (t) => {
    const toys = createToyAdapter();
    const others = createToyAdapter();
    const other = { ...others, id: 'other', endpoints: [], tables: [] };
    const node = await createFakeNode([toys, other], { policies });
    t.after(() => node.close());
    await node.settled();
    node.ledger.hold = true;
    const first = node.submit(utf8('set a 1'), { adapterId: 'toy' });
    while (toys.executions.length === 0) await sleep(1);
    node.ledger.role(true);
    const second = node.submit(utf8('drop a'), { adapterId: 'other' });
    const third = node.submit(utf8('set a 3'), { adapterId: 'toy' });
    await sleep(10);
    assert.deepEqual([toys.executions.length, others.executions.length], [1, 0]);
    node.ledger.hold = false;
    node.ledger.settle();
    assert.deepEqual(await placesOf([first, third]), ['3.1', '3.2']);
    assert.equal((await second).ok, false);
    assert.deepEqual(node.dump()['toy/words'], ['61=33']);
  });

  it('are waited for by what was admitted meanwhile, which the adapter has forgotten then', async (t) => {
    const toys = createToyAdapter();
    const admit = toys.admit.bind(toys);
    const gate = Promise.withResolvers<void>();
    const known = new Set<string>();
    toys.admit = async (raw, actor, view) => {
      const text = Buffer.from(raw).toString();
      if (known.has(text)) return { ok: false, code: 'CONFLICT', message: 'known already' };
      if (text === 'set slow 1') await gate.promise;
      known.add(text);
      return admit(raw, actor, view);
    };
    toys.headReset = (waiting) => {
      known.clear();
      for (const { transaction } of waiting) known.add(transaction.join(' '));
    };
    const node = await createFakeNode(toys, { policies });
    t.after(() => node.close());
    await node.settled();
    node.ledger.hold = true;
    const answers = [node.submit(utf8('set a 1'))];
    while (toys.executions.length === 0) await sleep(1);
    answers.push(node.submit(utf8('set slow 1')));
    await sleep(1);
    node.ledger.role(false);
    gate.resolve();
    await sleep(1);
    answers.push(node.submit(utf8('set b 2')));
    node.ledger.role(true);
    node.ledger.hold = false;
    node.ledger.settle();
    const places = await placesOf(answers);
    assert.equal(places[0], '4.1');
    assert.deepEqual([...places].sort(), ['4.1', '4.2', '4.3']);
  });

  it('are waited for no longer than anybody waits for them', async (t) => {
    const node = await start(t, { limits: { commitTimeoutMs: 2_000 } });
    await node.settled();
    node.ledger.hold = true;
    const silent = node.submit(transfer(0, 0));
    await sleep(20);
    node.ledger.role(true);
    const lost = await silent;
    assert.equal(lost.ok === false && lost.code, 'TRANSACTION_LOST');
    const next = node.submit(transfer(1, 0));
    while (node.worker.stats.batches < 2) await sleep(1);
    node.ledger.hold = false;
    node.ledger.settle();
    assert.deepEqual(await refusedOf([next]), []);
  });

  it('are ordered all the same when a success was told before the commit, and no refusal', async (t) => {
    const toys = createToyAdapter();
    const node = await createFakeNode(toys, { policies });
    t.after(() => node.close());
    await node.settled();
    node.ledger.hold = true;
    const told = await Promise.all(
      ['set a 1', 'drop a', 'set b 2'].map((one) => node.submit(utf8(one), { wait: 'local' })),
    );
    assert.deepEqual(told.map(said), ['ok', 'CONFLICT ', 'ok']);
    node.configure(policies);
    const last = node.submit(utf8('set a 3'));
    node.ledger.hold = false;
    node.ledger.settle();
    assert.equal((await last).ok, true);
    const again = toys.executions.slice(1).flat();
    assert.deepEqual(
      again.map((command) => command.join(' ')),
      ['set a 1', 'set b 2', 'set a 3'],
    );
    assert.deepEqual(node.dump()['toy/words'], ['61=33', '62=32']);
  });

  it('are not overtaken by the repetition of one of them, when its node ceases to lead', async (t) => {
    const leader = await createFakeNode(createToyAdapter());
    const toys = createToyAdapter();
    const node = await createFakeNode(toys, { policies, follows: leader });
    t.after(() => Promise.all([node.close(), leader.close()]));
    const headers = { 'concordat-idempotency-key': 'key' };
    const request = { method: 'POST', body: 'set a 2', headers };
    const ask = async () => {
      const answer = await (await fetch(`${node.url}/submit`, request)).json();
      return (answer as { transactionId: string }).transactionId;
    };
    node.ledger.role(true);
    await node.settled();
    node.ledger.hold = true;
    const first = node.submit(utf8('set a 1'));
    while (toys.executions.length < 1) await sleep(1);
    const answers = [ask()];
    while (toys.executions.length < 2) await sleep(1);
    answers.push(ask());
    await sleep(20);
    node.ledger.role(false);
    await sleep(10);
    node.ledger.hold = false;
    node.ledger.settle();
    assert.deepEqual(await refusedOf([first]), []);
    const places = await Promise.all(answers);
    assert.deepEqual(places, [places[0], places[0]]);
    assert.deepEqual(leader.dump()['toy/words'], ['61=32']);
  });

  it('are executed once under a key that is sent again meanwhile', async (t) => {
    const toys = createToyAdapter();
    const node = await createFakeNode(toys, { policies });
    t.after(() => node.close());
    const ask = async () => {
      const headers = { 'concordat-idempotency-key': 'key' };
      const request = { method: 'POST', body: 'set a 1', headers };
      return (await fetch(`${node.url}/submit`, request)).json();
    };
    await node.settled();
    node.ledger.hold = true;
    const answers = [ask()];
    while (toys.executions.length === 0) await sleep(1);
    answers.push(ask());
    await sleep(20);
    node.ledger.role(true);
    answers.push(ask());
    await sleep(20);
    node.ledger.hold = false;
    node.ledger.settle();
    const place = { ok: true, result: 'a=1', transactionId: '3.1', height: 1 };
    assert.deepEqual(await Promise.all(answers), [place, place, place]);
    assert.equal(node.ledger.blocks.length, 1);
  });
});
