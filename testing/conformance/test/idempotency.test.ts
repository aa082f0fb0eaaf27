import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { describe, it, type TestContext } from 'node:test';
import type { Submitted } from '@concordat/worker-enclave';
import { createFakeActor, createFakeNode, type FakeNode, type FakeNodeOptions } from '../index.ts';
import { createToyAdapter } from './toy-adapter.ts';

async function start(t: TestContext, options: FakeNodeOptions = {}) {
  const adapter = createToyAdapter();
  const node = await createFakeNode(adapter, options);
  t.after(() => node.close());
  return { adapter, node, executed: () => adapter.executions.flat().length };
}

type Answer = Submitted<unknown> | { readonly error: { readonly code: string } };

const ask = async (node: FakeNode, text: string, key?: string): Promise<Answer> => {
  const headers: Record<string, string> =
    key === undefined ? {} : { 'concordat-idempotency-key': key };
  const response = await fetch(`${node.url}/submit`, { method: 'POST', body: text, headers });
  return (await response.json()) as Answer;
};

const codeOf = (answer: Answer): string | undefined => {
  if ('error' in answer) return answer.error.code;
  return answer.ok ? undefined : answer.code;
};

/** Lets requests over HTTP arrive and be executed as far as they can. */
async function arrive(node: FakeNode): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await node.settled();
}

describe('requests with an idempotency key', () => {
  it('are executed once and answered alike ever after', async (t) => {
    const { node, executed } = await start(t);
    const first = await ask(node, 'set a 1', 'key-1');
    assert.deepEqual(first, { ok: true, result: 'a=1', transactionId: '2.1', height: 1 });
    await ask(node, 'set a 2');
    assert.deepEqual(await ask(node, 'set a 1', 'key-1'), first);
    assert.equal(executed(), 2);
  });

  it('are executed each time without a key, and once for each of several keys', async (t) => {
    const { node, executed } = await start(t);
    for (const key of [undefined, undefined, 'a', 'b', 'a', 'b']) await ask(node, 'set a 1', key);
    assert.equal(executed(), 4);
  });

  it('wait for the commit of the block the first one is in', async (t) => {
    const { node, executed } = await start(t, { commit: 'on-demand' });
    const first = ask(node, 'set a 1', 'key');
    await arrive(node);
    const second = ask(node, 'set a 1', 'key');
    await arrive(node);
    assert.equal(node.ledger.blocks.length, 1);
    node.ledger.commit();
    assert.deepEqual(await second, await first);
    assert.equal(executed(), 1);
  });

  it('are executed once when they come in one turn, or while the first is executed', async (t) => {
    const { node, executed } = await start(t);
    for (const text of ['set a 1', 'slow b 2']) {
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => ask(node, text, `key of ${text}`.replaceAll(' ', '-'))),
      );
      for (const answer of answers) assert.deepEqual(answer, answers[0]);
      assert.equal(codeOf(answers[0] as Answer), undefined);
    }
    assert.equal(executed(), 2);
  });

  it('are executed anew when their block is rolled back, and then once', async (t) => {
    const { node, executed } = await start(t, { commit: 'on-demand' });
    const first = ask(node, 'set a 1', 'key');
    await arrive(node);
    const second = ask(node, 'set a 1', 'key');
    await arrive(node);
    node.ledger.rollback(0);
    node.ledger.role(true);
    await arrive(node);
    node.ledger.commit();
    const answer = await second;
    assert.equal(codeOf(answer), undefined);
    assert.deepEqual(await first, answer);
    assert.equal(executed(), 2);
    assert.deepEqual(node.dump(), { 'toy/words': ['61=31'] });
  });

  it('are known to a node that has the blocks, or a snapshot, and leads later', async (t) => {
    const { node } = await start(t);
    const answers: Answer[] = [];
    for (let at = 0; at < 5; at++) answers.push(await ask(node, `set k${at} ${at}`, `key-${at}`));
    await ask(node, 'set other 1');
    const blocks = node.ledger.committedBlocks;
    const snapshot = await node.ledger.takeSnapshot();
    for (const options of [{ blocks }, { blocks, snapshot }]) {
      const { node: next, executed } = await start(t, options);
      next.ledger.role(true);
      for (const [at, answer] of answers.entries()) {
        assert.deepEqual(await ask(next, `set k${at} ${at}`, `key-${at}`), answer);
      }
      assert.equal(executed(), 0);
      const again = await next.ledger.takeSnapshot();
      assert.deepEqual(again.chunks, snapshot.chunks);
    }
  });

  it('are answered without a transaction in a network recovered from theirs', async (t) => {
    const { node } = await start(t);
    await ask(node, 'set other 1');
    await ask(node, 'set a 1', 'key');
    const { node: next, executed } = await start(t, { networkId: 'e'.repeat(64) });
    // As recovery does it: the transactions in their order, in blocks that are cut anew.
    const transactions = node.ledger.committedBlocks.flatMap((block) => block.transactions);
    const [first] = node.ledger.committedBlocks;
    next.ledger.applySpeculatively({ ...(first as NonNullable<typeof first>), transactions });
    next.ledger.commit();
    next.ledger.role(true);
    assert.deepEqual(await ask(next, 'set a 1', 'key'), { ok: true, result: 'a=1', height: 1 });
    assert.equal(executed(), 0);
  });

  it('are known to a node that leads with the block uncommitted', async (t) => {
    const { node } = await start(t);
    const first = await ask(node, 'set a 1', 'key');
    const [block] = node.ledger.committedBlocks;
    const { node: next, executed } = await start(t, { commit: 'on-demand', blocks: [] });
    next.ledger.applySpeculatively(block as NonNullable<typeof block>);
    next.ledger.role(true);
    const second = ask(next, 'set a 1', 'key');
    await arrive(next);
    next.ledger.commit();
    assert.deepEqual(await second, first);
    assert.equal(executed(), 0);
  });

  it('are executed once however many nodes they are sent to', async (t) => {
    const { node: leader, executed } = await start(t);
    const followers = await Promise.all([1, 2].map(() => start(t, { follows: leader })));
    const nodes = [leader, ...followers.map(({ node }) => node)];
    const answers = await Promise.all(
      [...nodes, ...nodes].map((node) => ask(node, 'set a 1', 'key')),
    );
    for (const answer of answers) assert.deepEqual(answer, answers[0]);
    assert.equal(executed(), 1);
  });

  it('belong to their actor', async (t) => {
    const { node, executed } = await start(t);
    const port = await node.listen(createFakeActor('bob'));
    await ask(node, 'set a 1', 'key');
    const other = { ...node, url: `http://127.0.0.1:${port}` } as FakeNode;
    assert.equal(codeOf(await ask(other, 'set a 2', 'key')), undefined);
    assert.equal(executed(), 2);
  });

  it('are refused when another request has the key, committed or not', async (t) => {
    const { node, executed } = await start(t, { commit: 'on-demand' });
    const first = ask(node, 'set a 1', 'key');
    await arrive(node);
    const early = ask(node, 'set a 2', 'key');
    await arrive(node);
    node.ledger.commit();
    assert.equal(codeOf(await first), undefined);
    assert.equal(codeOf(await early), 'IDEMPOTENCY_KEY_REUSED');
    assert.equal(codeOf(await ask(node, 'set a 3', 'key')), 'IDEMPOTENCY_KEY_REUSED');
    assert.equal(executed(), 1);
  });

  it('leave no trace when they are refused, and are judged anew', async (t) => {
    const { node, executed } = await start(t);
    assert.notEqual(codeOf(await ask(node, 'drop a', 'key')), undefined);
    assert.notEqual(codeOf(await ask(node, 'drop a', 'key')), undefined);
    assert.equal(executed(), 2);
    assert.equal(node.ledger.blocks.length, 0);
  });

  it('have a key of visible ASCII, 1 to 128', async (t) => {
    const { node } = await start(t);
    for (const key of ['', 'a b', 'x'.repeat(129), 'é']) {
      assert.equal(codeOf(await ask(node, 'set a 1', key)), 'MALFORMED_REQUEST', key);
    }
    assert.equal(codeOf(await ask(node, 'set a 1', 'x'.repeat(128))), undefined);
  });

  it('say so with the transaction when the first answer was too long to be kept', async (t) => {
    const { node, executed } = await start(t, { answers: { maxResultBytes: 3 } });
    const first = await ask(node, 'set a 1', 'key');
    const second = await ask(node, 'set a 1', 'key');
    assert.equal(codeOf(second), 'REQUEST_ALREADY_EXECUTED');
    const details = { transactionId: (first as { transactionId: string }).transactionId };
    assert.deepEqual((second as { details?: unknown }).details, details);
    assert.equal(executed(), 1);
  });
});

describe('the answers kept for idempotency keys', () => {
  it('are dropped when their time is over, and not before', async (t) => {
    let nowMs = 1_000_000;
    const answers = { windowMs: 1_000 };
    const { node, executed } = await start(t, { answers, timeMs: () => nowMs });
    for (let at = 0; at < 10; at++) await ask(node, `set k${at} 0`, `key-${at}`);
    nowMs += 999;
    await ask(node, 'set later 0', 'later');
    await ask(node, 'set k0 0', 'key-0');
    assert.equal(executed(), 11);
    nowMs += 1;
    // Each new answer makes at most eight old ones go.
    await ask(node, 'set other 0', 'other');
    await ask(node, 'set k7 0', 'key-7');
    assert.equal(executed(), 13);
    await ask(node, 'set k9 0', 'key-9');
    await ask(node, 'set later 0', 'later');
    assert.equal(executed(), 14);
  });

  it('are bounded: who has too many is refused until the oldest may go, others are not', async (t) => {
    let nowMs = 1_000_000;
    const answers = { windowMs: 1_000, maxBytesPerActor: 2_000, assuredBytesPerActor: 0 };
    const { node, executed } = await start(t, { answers, timeMs: () => nowMs });
    const port = await node.listen(createFakeActor('bob'));
    const other = { url: `http://127.0.0.1:${port}` } as FakeNode;
    const codes: (string | undefined)[] = [];
    for (let at = 0; at < 6; at++) codes.push(codeOf(await ask(node, `set k${at} 0`, `key-${at}`)));
    assert.deepEqual(codes, [...Array(4).fill(undefined), 'OVERLOADED', 'OVERLOADED']);
    assert.equal(codeOf(await ask(node, 'set k0 0', 'key-0')), undefined);
    assert.equal(codeOf(await ask(node, 'set plain 0')), undefined);
    assert.equal(codeOf(await ask(other, 'set k 0', 'key')), undefined);
    nowMs += 1_000;
    assert.equal(codeOf(await ask(node, 'set k5 0', 'key-5')), undefined);
    assert.equal(executed(), 7);
  });

  it("are as bounded for all actors together, but for a share that is each one's own", async (t) => {
    const answers = { maxBytes: 2_000, assuredBytesPerActor: 1_000 };
    const { node } = await start(t, { answers });
    const codes: (string | undefined)[] = [];
    for (let at = 0; at < 5; at++) codes.push(codeOf(await ask(node, `set k${at} 0`, `key-${at}`)));
    assert.equal(codes.at(-1), 'OVERLOADED');
    const port = await node.listen(createFakeActor('bob'));
    const other = { url: `http://127.0.0.1:${port}` } as FakeNode;
    assert.equal(codeOf(await ask(other, 'set k 0', 'key')), undefined);
    assert.equal(codeOf(await ask(other, 'set l 0', 'key-2')), undefined);
    assert.equal(codeOf(await ask(other, 'set m 0', 'key-3')), 'OVERLOADED');
  });

  it('are not for streams, which are refused with a key', async (t) => {
    const { node } = await start(t);
    for (const upgrade of ['websocket', 'concordat-stream/1']) {
      const request = httpRequest(`${node.url}/socket`, {
        headers: { connection: 'Upgrade', upgrade, 'concordat-idempotency-key': 'key' },
      });
      request.end();
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      assert.equal(response.statusCode, 400);
      response.resume();
    }
  });
});
