import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BatchSet } from '@concordat/worker-enclave';
import { EthereumAdapter } from '../adapter.ts';
import { createdAddress } from '../created-address.ts';
import { engines } from '../engines.ts';
import type { Engine } from '../executor.ts';
import { ExecutorPool } from '../executor-pool.ts';
import { OwnExecutor } from '../own-engine.ts';
import { createRpcEndpoints } from '../rpc/index.ts';
import { Bench, reasonOf, someActor } from './adapter-bench.ts';
import { StubSocket } from './rpc-client.ts';
import { StubHost } from './stub-chain.ts';
import { code, deploying, Wallet } from './wallet.ts';

const alice = new Wallet(1);
const bob = new Wallet(2);
const balance = 1_000_000n;
const alloc = { [alice.hex]: { balance: balance.toString() } };
const main = { name: 'main', chainId: 1337, alloc, hardfork: 'shanghai', zeroFee: true };

const paying = (nonce: bigint, value = 1n, gasLimit = 21_000n): Uint8Array =>
  alice.transaction({ nonce, to: bob.address, value, gasLimit });

function network(chains: readonly Record<string, unknown>[] = [main], engine?: Engine): Bench {
  const bench = new Bench(new EthereumAdapter({ ...(engine && { engine }) }));
  bench.genesis({ chains });
  return bench;
}

/** A set to be given up; from then on it answers nothing, as that of a node does. */
function setToLose(bench: Bench, layer: number): { readonly lost: BatchSet; abort(): void } {
  const set = bench.store.begin(layer);
  let isOpen = true;
  const open = () => {
    if (!isOpen) throw new Error('the batch is closed');
    return set;
  };
  const lost: BatchSet = {
    table: (name) => open().table(name),
    checkpoint: () => open().checkpoint(),
    revert: (mark) => open().revert(mark),
    endTransaction: () => void open().takeWriteSet(),
  };
  const abort = () => {
    isOpen = false;
    set.abort();
  };
  return { lost, abort };
}

async function lose(bench: Bench, layer: number, chain: string, raw: Uint8Array): Promise<void> {
  const verdict = await bench.admit(chain, raw);
  assert.ok(verdict.ok);
  const { lost, abort } = setToLose(bench, layer);
  await bench.adapter.execute(lost, [verdict], bench.env);
  abort();
}

describe('engines', () => {
  const chains = Array.from({ length: 40 }, (_, at) => ({ ...main, name: `chain-${at}` }));
  const lending = (): { readonly pool: ExecutorPool; readonly engine: Engine } => {
    const pool = new ExecutorPool((fork) => new OwnExecutor(fork));
    const engine: Engine = {
      ...engines.own,
      executor: (fork, borrower) => pool.lend(fork, borrower!),
    };
    return { pool, engine };
  };

  it('come back from chains whose last batch was refused whole', async () => {
    const { pool, engine } = lending();
    const bench = network(chains, engine);
    for (const { name } of chains) {
      // The first is under way: the funds are looked at no sooner than the second is executed.
      const verdicts = [paying(0n), paying(1n, balance)].map((raw) => bench.admit(name, raw));
      const [first, second] = await Promise.all(verdicts);
      assert.ok(first?.ok && second?.ok);
      const set = bench.begin();
      await bench.execute(set, [first]);
      set.finish();
      bench.commit();
      const nothing = bench.begin();
      const refused = await bench.execute(nothing, [second]);
      nothing.finish();
      bench.commit();
      assert.deepEqual(refused.map(reasonOf), ['INSUFFICIENT_FUNDS']);
    }
    assert.equal(pool.size, 16);
  });

  it('come back from chains whose last batch was lost, and from those a vote replaced', async () => {
    const { pool, engine } = lending();
    const bench = network(chains, engine);
    for (let vote = 0; vote < 3; vote++) {
      const changed = chains.map((one) => ({ ...one, gasLimit: 10_000_000 + vote }));
      bench.adapter.configure({ chains: changed });
      for (const [at, { name }] of chains.entries()) {
        await lose(bench, 1_000 * (vote + 1) + at, name, paying(0n));
      }
    }
    for (const [at, { name }] of chains.entries()) await lose(bench, 9_000 + at, name, paying(0n));
    assert.equal(pool.size, 16);
  });
});

describe('a transaction that was admitted before a vote', () => {
  const admitted = async (bench: Bench, raw = paying(0n)) => {
    const verdict = await bench.admit('main', raw);
    assert.ok(verdict.ok);
    return verdict;
  };
  const executed = async (bench: Bench, batch: Parameters<Bench['execute']>[1]) => {
    const set = bench.begin();
    const outcomes = await bench.execute(set, batch);
    set.finish();
    bench.commit();
    return outcomes.map(reasonOf);
  };

  it('is executed by the rules after it, in a block that is written', async () => {
    const bench = network();
    const waiting = await admitted(bench);
    bench.adapter.configure({ chains: [{ ...main, hardfork: 'prague', gasLimit: 50_000 }] });
    assert.deepEqual(await executed(bench, [waiting]), ['kept']);
    const view = bench.adapter.forChain('main')!;
    assert.equal(view.blockNumber(), 1);
    assert.equal(view.block(1)?.header.gasLimit, 50_000);
    assert.equal(view.block(1)?.transactionHashes.length, 1);
    const [outcome] = await bench.run([{ chain: 'main', raw: paying(1n) }]);
    assert.ok(outcome?.ok);
    assert.equal(view.account(bob.address).balance, 2n);
  });

  it('is refused when they forbid it, or when its chain is gone', async () => {
    const bench = network();
    const large = await admitted(bench, paying(0n, 1n, 60_000n));
    bench.adapter.configure({ chains: [{ ...main, gasLimit: 50_000 }] });
    const [reason] = await executed(bench, [large]);
    assert.notEqual(reason, 'kept');
    const small = await admitted(bench);
    bench.adapter.configure({ chains: [{ ...main, name: 'other' }] });
    assert.deepEqual(await executed(bench, [small]), ['UNKNOWN_CHAIN']);
  });

  it('still waits for the one before it', async () => {
    const bench = network();
    const later = bench.admit('main', paying(1n));
    assert.ok(later instanceof Promise);
    bench.adapter.configure({ chains: [{ ...main, gasLimit: 50_000 }] });
    const first = await admitted(bench);
    const second = await later;
    assert.ok(second.ok);
    assert.deepEqual(await executed(bench, [first, second]), ['kept', 'kept']);
  });

  it('is in a block also when the vote comes while its batch is executed', async () => {
    const bench = network([main], engines.reference);
    const waiting = await admitted(bench);
    const set = bench.begin();
    const outcomes = bench.adapter.execute(set, [waiting], bench.env);
    bench.adapter.configure({ chains: [{ ...main, gasLimit: 50_000 }] });
    assert.deepEqual((await outcomes).map(reasonOf), ['kept']);
    bench.adapter.seal(set);
    set.finish();
    bench.commit();
    const view = bench.adapter.forChain('main')!;
    assert.equal(view.block(1)?.transactionHashes.length, 1);
    assert.deepEqual(await executed(bench, [await admitted(bench, paying(1n))]), ['kept']);
    assert.equal(view.blockNumber(), 2);
  });
});

it('who listens to a chain hears each of its blocks once, whatever a vote changes of it', async () => {
  const bench = network([main, { ...main, name: 'other' }]);
  const heard: string[] = [];
  const listen = (name: string) =>
    bench.adapter
      .forChain(name)!
      .subscribe(({ header }) => void heard.push(`${name} ${header.number}`));
  const [stop] = ['main', 'other'].map(listen);
  const send = (names: readonly string[], nonce: bigint) =>
    bench.run(names.map((chain) => ({ chain, raw: paying(nonce, 0n) })));
  await send(['main'], 0n);
  bench.adapter.configure({
    chains: [
      { ...main, gasLimit: 50_000 },
      { ...main, name: 'other' },
      { ...main, name: 'late' },
    ],
  });
  listen('late');
  await send(['other', 'late'], 0n);
  await send(['main', 'other', 'late'], 1n);
  stop?.();
  await send(['main'], 2n);
  assert.deepEqual(
    heard.toSorted(),
    ['main 1', 'other 1', 'late 0', 'main 2', 'other 2', 'late 1'].toSorted(),
  );
});

describe('a batch that is taken back while the reference engine executes it', () => {
  /** Writes 1 to slots 9 to 1, one after the other. */
  const busy = code('6009 5b 6001 81 55 6001 90 03 80 6002 57 00');

  for (let turns = 0; turns < 12; turns++) {
    it(`leaves the next one alone, which begins ${turns} turns after it`, async () => {
      const states: unknown[] = [];
      for (const isDisturbed of [false, true]) {
        const bench = network([main], engines.reference);
        const deploy = alice.transaction({ data: deploying(busy), gasLimit: 200_000n });
        await bench.run([{ chain: 'main', raw: deploy }]);
        const to = createdAddress(alice.address, 0n);
        const admit = async (value: bigint) => {
          const raw = alice.transaction({ nonce: 1n, to, value, gasLimit: 200_000n });
          const verdict = await bench.admit('main', raw);
          assert.ok(verdict.ok);
          return verdict;
        };
        let zombie: unknown;
        if (isDisturbed) {
          const { lost, abort } = setToLose(bench, 1_000);
          zombie = bench.adapter.execute(lost, [await admit(500n)], bench.env);
          for (let turn = 0; turn < turns; turn++) await Promise.resolve();
          abort();
          bench.adapter.headReset([]);
        }
        const set = bench.begin(1_001);
        const outcomes = bench.execute(set, [await admit(7n)]);
        const [settled] = await Promise.allSettled([outcomes, zombie]);
        assert.equal(settled.status, 'fulfilled');
        set.finish();
        bench.commit();
        const view = bench.adapter.forChain('main')!;
        states.push([view.account(to).balance, view.account(alice.address), view.block(2)?.hash]);
        const [outcome] = await bench.run([{ chain: 'main', raw: paying(2n) }]);
        assert.ok(outcome?.ok);
      }
      assert.deepEqual(states[1], states[0]);
    });
  }
});

it('a lost batch that wakes up late touches no chain that the next one is executed on', async () => {
  const slow = { ...main, name: 'slow', engine: 'reference' };
  const bench = network([main, slow]);
  const admit = async (chain: string, nonce: bigint, value: bigint) => {
    const verdict = await bench.admit(chain, paying(nonce, value));
    assert.ok(verdict.ok);
    return verdict;
  };
  const lostBatch = [
    await admit('main', 0n, 100n),
    await admit('slow', 0n, 100n),
    await admit('main', 1n, 100n),
  ];
  const { lost, abort } = setToLose(bench, 1_000);
  const zombie = bench.adapter.execute(lost, lostBatch, bench.env);
  abort();
  bench.adapter.headReset([]);
  const batch = [await admit('main', 0n, 1n), await admit('slow', 0n, 2n)];
  batch.push(await admit('main', 1n, 4n));
  const set = bench.begin(1_001);
  const outcomes = bench.execute(set, batch);
  await assert.rejects(Promise.resolve(zombie), { code: 'CONTRACT_BROKEN' });
  assert.deepEqual((await outcomes).map(reasonOf), ['kept', 'kept', 'kept']);
  set.finish();
  bench.commit();
  assert.equal(bench.adapter.forChain('main')?.account(bob.address).balance, 5n);
  assert.equal(bench.adapter.forChain('slow')?.account(bob.address).balance, 2n);
  assert.equal(bench.adapter.forChain('main')?.block(1)?.transactionHashes.length, 2);
});

it('a connection asks the chain as it is after a vote, and ends when the chain is gone', async () => {
  const bench = new Bench(new EthereumAdapter({ endpoints: createRpcEndpoints }));
  bench.genesis({
    chains: [
      { ...main, reads: { storage: 'open' } },
      { ...main, name: 'other' },
    ],
  });
  const endpoint = bench.adapter.endpoints.find(({ kind }) => kind === 'websocket');
  assert.ok(endpoint?.kind === 'websocket');
  const socket = new StubSocket('/');
  endpoint.open(socket, someActor, new StubHost());
  const asks = async () => {
    const params = [alice.hex, '0x0', 'latest'];
    socket.receive({ jsonrpc: '2.0', id: 1, method: 'eth_getStorageAt', params });
    return (await socket.take())[0];
  };
  assert.equal((await asks())?.result, `0x${'0'.repeat(64)}`);
  const closed = { ...main, reads: { storage: 'closed' } };
  bench.adapter.configure({ chains: [{ ...main, name: 'other' }, closed] });
  assert.match((await asks())?.error?.message ?? '', /closed/);
  bench.adapter.configure({ chains: [{ ...main, name: 'other' }] });
  assert.equal(await asks(), undefined);
  assert.equal(socket.closed, 1008);
});
