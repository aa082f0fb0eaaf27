import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import {
  addressOfKey,
  createEthereumAdapter,
  encodeSubmission,
  type SubmittedTransaction,
  signDigest,
  signedTransaction,
} from '@concordat/ethereum';
import { PreparingThreads, type Thread, type WorkerLimits } from '@concordat/worker-enclave';
import { createFakeNode } from '../index.ts';

const program = fileURLToPath(new URL('preparing-ethereum.ts', import.meta.url));
const chainId = 1_337;

/** A transfer of nothing, of the sender with this number, as a submission. */
function transfer(sender: number, nonce: number): Uint8Array {
  const key = new Uint8Array(32).fill(sender + 1);
  const unsigned = {
    chainId: BigInt(chainId),
    nonce: BigInt(nonce),
    gasLimit: 21_000n,
    to: addressOfKey(key),
  };
  return encodeSubmission(
    'main',
    signedTransaction(unsigned, (digest) => signDigest(digest, key)),
  );
}

/** Transfers of eight senders in turn; each tenth request is one whose bytes are damaged. */
function load(count: number): { readonly raw: Uint8Array; readonly isGood: boolean }[] {
  let good = 0;
  return Array.from({ length: count }, (_, at) => {
    const raw = transfer(good % 8, Math.floor(good / 8));
    if (at % 10 !== 9) {
      good += 1;
      return { raw, isGood: true };
    }
    const damaged = at % 20 === 9 ? raw.slice(0, -(at % 7) - 1) : Buffer.concat([raw, raw]);
    return { raw: damaged, isGood: false };
  });
}

async function start(
  t: TestContext,
  {
    limits,
    silent = false,
    deadlineMs = 60_000,
  }: {
    readonly limits?: Partial<WorkerLimits>;
    readonly silent?: boolean;
    readonly deadlineMs?: number;
  } = {},
) {
  const threads: Worker[] = [];
  const lost: unknown[] = [];
  const preparer = new PreparingThreads({
    count: 1,
    start: () => {
      if (silent) return silentThread();
      const thread = new Worker(program);
      threads.push(thread);
      return thread as Thread;
    },
    log: (event) => lost.push(event),
    deadlineMs,
    restartMs: { first: 1, longest: 20 },
  });
  const node = await createFakeNode(createEthereumAdapter(), {
    config: { chains: [{ name: 'main', chainId }] },
    preparer,
    ...(limits && { limits }),
  });
  t.after(async () => {
    preparer.stop();
    await node.close();
  });
  /** Until the thread takes requests: what comes before is admitted in line. */
  const whenReady = async () => {
    const ready = () => preparer.prepare('ethereum', [new Uint8Array(1)], () => {});
    while (!ready()) await sleep(5);
  };
  return { node, preparer, threads, lost, whenReady };
}

/** Takes every task and never answers. */
const silentThread = (): Thread => ({
  postMessage: () => {},
  on: (event, listener) => {
    if (event === 'message') setImmediate(listener as (message: 'ready') => void, 'ready');
  },
  unref: () => {},
  terminate: async () => 0,
});

type Place = Pick<SubmittedTransaction, 'blockNumber' | 'index'>;
const isAfter = (a: Place, b: Place): boolean =>
  a.blockNumber > b.blockNumber || (a.blockNumber === b.blockNumber && a.index > b.index);

/** Checks that good requests were kept in their order and the others refused, and nothing else. */
function checkAnswers(
  requests: ReturnType<typeof load>,
  answers: readonly Awaited<ReturnType<Awaited<ReturnType<typeof start>>['node']['submit']>>[],
): void {
  let last: Place = { blockNumber: -1, index: -1 };
  for (const [at, { isGood }] of requests.entries()) {
    const answer = answers[at];
    assert.equal(answer?.ok, isGood, `request ${at}: ${JSON.stringify(answer)}`);
    if (!answer.ok) {
      assert.equal(answer.code, 'INVALID_TRANSACTION');
      continue;
    }
    const place = answer.result as SubmittedTransaction;
    assert.ok(isAfter(place, last), `request ${at}`);
    last = place;
  }
}

describe('Ethereum transactions under load with a preparing thread', () => {
  it('are kept in the order of receipt, the damaged among them refused', async (t) => {
    const { node, whenReady, lost } = await start(t);
    await whenReady();
    const requests = load(600);
    checkAnswers(requests, await Promise.all(requests.map(({ raw }) => node.submit(raw))));
    assert.ok(node.worker.stats.prepared >= 500, `${node.worker.stats.prepared} prepared`);
    assert.deepEqual(lost, []);
  });

  it('are all answered, in their order, although the thread is killed again and again', async (t) => {
    const { node, threads, whenReady, lost } = await start(t);
    await whenReady();
    const requests = load(2_000);
    const answers = [];
    let killed = 0;
    for (let at = 0; at < requests.length; at += 100) {
      for (const { raw } of requests.slice(at, at + 100)) answers.push(node.submit(raw));
      await sleep(3);
      if (at % 400 !== 0) continue;
      // Its task is under way: the next turn would bring it more.
      await whenReady();
      const thread = threads.at(-1) as Worker;
      await thread.terminate();
      killed += 1;
    }
    checkAnswers(requests, await Promise.all(answers));
    assert.equal(killed, 5);
    assert.equal(lost.length, killed);
    assert.equal(node.worker.queued, 0);
    assert.equal(node.worker.stats.committed > 0, true);
  });

  it('wait for a thread that hangs no longer than its deadline; the rest is refused at once', async (t) => {
    const { node, whenReady, lost } = await start(t, {
      limits: { maxQueuedTransactions: 100 },
      silent: true,
      deadlineMs: 200,
    });
    await whenReady();
    const requests = load(300).filter(({ isGood }) => isGood);
    const answers = await Promise.all(requests.map(({ raw }) => node.submit(raw)));
    const [taken, refused] = [answers.slice(0, 100), answers.slice(100)];
    for (const answer of taken) assert.ok(answer.ok, JSON.stringify(answer));
    for (const answer of refused) assert.equal(answer.ok ? '' : answer.code, 'OVERLOADED');
    assert.equal(node.worker.stats.prepared, 0);
    assert.ok(lost.length > 0);
  });

  it('go elsewhere at once when this node ceases to lead while they are prepared', async (t) => {
    const { node, preparer, whenReady } = await start(t, { silent: true });
    await whenReady();
    const answers = load(20).map(({ raw }) => node.submit(raw));
    await sleep(20);
    assert.equal(node.worker.queued, 20);
    const executed = node.worker.stats.batches;
    node.ledger.role(false);
    assert.equal(node.worker.queued, 0);
    assert.equal(node.worker.stats.forwarded, 20);
    // What the thread had is given back: nobody waits for it any more.
    preparer.stop();
    await sleep(20);
    assert.equal(node.worker.stats.batches, executed);
    node.ledger.role(true);
    void answers;
  });
});

describe('Ethereum transactions of a node that ceases to lead and leads again', () => {
  it('are admitted again, those that were admitted before too, in their order', async (t) => {
    const node = await createFakeNode(createEthereumAdapter(), {
      config: { chains: [{ name: 'main', chainId }] },
    });
    t.after(() => node.close());
    const requests = load(40).filter(({ isGood }) => isGood);
    const answers = requests.map(({ raw }) => node.submit(raw));
    assert.equal(node.worker.queued, requests.length);
    node.ledger.role(false);
    node.ledger.role(true);
    checkAnswers(requests, await Promise.all(answers));
  });
});
