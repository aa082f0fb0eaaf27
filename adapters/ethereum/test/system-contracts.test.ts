import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beaconRootsAddress, historyAddress, toWord } from '@concordat/evm';
import { decodeWriteSet } from '@concordat/kv';
import { fromHex, toHex, toLatin1 } from '@concordat/std';
import { EthereumAdapter } from '../adapter.ts';
import { createdAddress } from '../created-address.ts';
import { keccak256 } from '../crypto.ts';
import { engines } from '../engines.ts';
import { EthereumError } from '../errors.ts';
import type { Engine } from '../executor.ts';
import { historyCode } from '../history-contract.ts';
import { encodeRlp } from '../rlp.ts';
import { tableNames } from '../tables.ts';
import { decodeTransaction } from '../transaction.ts';
import { Bench, reasonOf, someActor } from './adapter-bench.ts';
import { code, Wallet } from './wallet.ts';

const alice = new Wallet(1);
const bob = new Wallet(2);
const alloc = { [alice.hex]: { balance: '0xde0b6b3a7640000' } };
const beaconRoots = `0x${toHex(beaconRootsAddress)}`;
const history = `0x${toHex(historyAddress)}`;

function network(chain: Readonly<Record<string, unknown>> = {}, engine?: Engine): Bench {
  const bench = new Bench(new EthereumAdapter(engine === undefined ? {} : { engine }));
  bench.genesis({ chains: [{ name: 'main', chainId: 1337, alloc, ...chain }] });
  return bench;
}

const transfer = (nonce: bigint) => ({
  chain: 'main',
  raw: alice.transaction({ nonce, to: bob.address, value: 1n }),
});

/** What the history contract answers for a block. */
async function hashIn(bench: Bench, number: bigint): Promise<string> {
  const view = bench.adapter.forChain('main')!;
  const { status, output } = await view.call({ to: historyAddress, data: toWord(number) });
  return status === 'success' ? toHex(output) : status;
}

test('the history contract is the one that the transaction of EIP-2935 deploys', () => {
  const init = Buffer.concat([fromHex('60538060095f395ff3')!, historyCode]);
  const number = (hex: string): Uint8Array => fromHex(hex) as Uint8Array;
  const raw = encodeRlp([
    new Uint8Array(0),
    number('e8d4a51000'),
    number('03d090'),
    new Uint8Array(0),
    new Uint8Array(0),
    init,
    number('1b'),
    number('0539'),
    number('0aa12693182426612186309f02cfe8a80a0000'),
  ]);
  const { from } = decodeTransaction(raw, {
    chainId: 1n,
    highestType: 0,
    blobs: false,
    lowS: true,
    maxBytes: 10_000,
  });
  assert.equal(toHex(from), '3462413af4609098e1e27a490f554f260213d685');
  assert.equal(toHex(createdAddress(from, 0n)), toHex(historyAddress));
});

for (const [name, engine] of Object.entries(engines)) {
  test(`the hashes of earlier blocks are in the history contract (${name})`, async () => {
    const bench = network({}, engine);
    const view = bench.adapter.forChain('main')!;
    for (const nonce of [0n, 1n, 2n]) await bench.run([transfer(nonce)]);
    for (const number of [0, 1, 2]) {
      assert.equal(await hashIn(bench, BigInt(number)), toHex(view.block(number)!.hash));
    }
    assert.equal(await hashIn(bench, 3n), 'revert', 'a block has no hash of its own');
  });

  test(`the beacon roots contract is called by the system, where it is (${name})`, async () => {
    // The system's call stores the time in slot 0; any other call returns slot 0.
    const keeper = code(
      `33 73${'ff'.repeat(19)}fe 14 6025 57  6000 54 6000 52 6020 6000 f3  5b 42 6000 55 00`,
    );
    const entry = { balance: 0, code: `0x${toHex(keeper)}` };
    const bench = network({ alloc: { ...alloc, [beaconRoots]: entry } }, engine);
    await bench.run([transfer(0n)]);
    const view = bench.adapter.forChain('main')!;
    const { output } = await view.call({ to: beaconRootsAddress });
    assert.equal(toHex(output), toHex(toWord(BigInt(view.block(1)!.header.timestamp))));
  });
}

test('a replayed block tells the beacon roots contract the root in its real header', async () => {
  // The system's call stores the root under slot 0.
  const keeper = code(`33 73${'ff'.repeat(19)}fe 14 601b 57 00 5b 6000 35 6000 55 00`);
  const root = `0x${'5a'.repeat(32)}`;
  const zero = `0x${'00'.repeat(32)}`;
  const header = {
    ...{ parentHash: zero, coinbase: `0x${'00'.repeat(20)}`, difficulty: '0x0', number: '0x12' },
    ...{ gasLimit: '0x1c9c380', timestamp: '0x66000000', mixHash: zero, baseFeePerGas: '0x0' },
    ...{ excessBlobGas: '0x0', parentBeaconBlockRoot: root },
  };
  const bench = network({
    hardfork: 'cancun',
    reads: { storage: 'open' },
    replay: { hash: zero, header },
    alloc: { ...alloc, [beaconRoots]: { balance: 0, code: `0x${toHex(keeper)}` } },
  });
  const view = bench.adapter.forChain('main')!;
  const stored = () => toHex(view.storageAt(beaconRootsAddress, new Uint8Array(32), someActor));
  for (const nonce of [0n, 1n]) {
    const [outcome] = await bench.run([transfer(nonce)]);
    assert.ok(outcome?.ok);
    assert.equal(`0x${stored()}`, root);
  }
});

test('before Prague there is no history contract, and an allocation takes its place', async () => {
  const old = network({ hardfork: 'cancun' });
  assert.equal(old.adapter.forChain('main')!.account(historyAddress).exists, false);
  const emptied = network({ alloc: { ...alloc, [history]: { balance: '7' } } });
  await emptied.run([transfer(0n)]);
  const account = emptied.adapter.forChain('main')!.account(historyAddress);
  assert.equal(account.balance, 7n);
  assert.equal(toHex(emptied.adapter.forChain('main')!.code(historyAddress, someActor)), '');
});

/** Admits one that its sender cannot pay, which shows at execution only: others are under way. */
async function admitPoor(bench: Bench, { chain, raw }: ReturnType<typeof transfer>) {
  const good = await bench.admit(chain, raw);
  const poor = await bench.admit(chain, bob.transaction({ to: alice.address, value: 1n }));
  assert.ok(good.ok && poor.ok);
  return { good, poor };
}

for (const [name, engine] of Object.entries(engines)) {
  test(`what a block start writes belongs to the first that is kept (${name})`, async () => {
    const bench = network({}, engine);
    const { good, poor } = await admitPoor(bench, transfer(0n));
    const set = bench.begin();
    const outcomes = await bench.execute(set, [poor, good]);
    assert.deepEqual(
      outcomes.map(({ ok }) => ok),
      [false, true],
    );
    set.finish();
    bench.commit();
    const slots = bench.recorded
      .at(-1)!
      .map(({ privateWrites }) =>
        [...decodeWriteSet(privateWrites)].filter(({ table }) => table === tableNames.storage),
      );
    assert.deepEqual(
      slots.map((writes) => writes.length),
      [1, 0],
      'the transaction, then the closing leaf',
    );
    assert.equal(await hashIn(bench, 0n), toHex(bench.adapter.forChain('main')!.block(0)!.hash));
  });
}

test('a block start that no transaction follows leaves nothing, in the tables or the cache', async () => {
  const chains = ['main', 'other'].map((name) => ({ name, chainId: 1337, alloc }));
  const bench = new Bench(new EthereumAdapter());
  bench.genesis({ chains });
  const { good, poor } = await admitPoor(bench, transfer(0n));
  const other = await bench.admit('other', transfer(0n).raw);
  assert.ok(other.ok);
  const set = bench.begin();
  const outcomes = await bench.execute(set, [poor, other]);
  assert.deepEqual(
    outcomes.map(({ ok }) => ok),
    [false, true],
  );
  set.finish();
  bench.commit();
  assert.equal(bench.adapter.forChain('main')!.blockNumber(), 0);
  assert.equal(await hashIn(bench, 0n), toHex(new Uint8Array(32)));
  const next = bench.begin();
  assert.equal((await bench.execute(next, [good]))[0]?.ok, true);
  next.finish();
  bench.commit();
  assert.equal(await hashIn(bench, 0n), toHex(bench.adapter.forChain('main')!.block(0)!.hash));
});

/** The own engine, which stops at its first transactions. */
const stopping = (times: number): Engine => ({
  ...engines.own,
  executor: (fork) => {
    const executor = engines.own.executor(fork);
    const { execute } = executor;
    let left = times;
    executor.execute = (transaction, block) => {
      if (left === 0) return execute.call(executor, transaction, block);
      left--;
      executor.forget();
      throw new EthereumError('ENGINE_FAULT', 'the engine stopped');
    };
    return executor;
  },
});

test('a transaction that stops an engine gets a fresh one, on which its block begins anew', async () => {
  const bench = network({}, stopping(1));
  const [outcome] = await bench.run([transfer(0n)]);
  assert.ok(outcome?.ok);
  const view = bench.adapter.forChain('main')!;
  assert.equal(view.block(1)!.transactionHashes.length, 1);
  assert.equal(await hashIn(bench, 0n), toHex(view.block(0)!.hash));
});

test('an engine that stops loses its transaction alone, and begins the block anew', async () => {
  const bench = network({}, stopping(2));
  const faulty = await bench.admit('main', transfer(0n).raw);
  const next = await bench.admit('main', bob.transaction({ to: alice.address }));
  assert.ok(faulty.ok && next.ok);
  const set = bench.begin();
  const outcomes = await bench.execute(set, [faulty, next]);
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.ok ? 'kept' : outcome.details?.reason)),
    ['ENGINE_FAULT', 'kept'],
  );
  set.finish();
  bench.commit();
  assert.equal(await hashIn(bench, 0n), toHex(bench.adapter.forChain('main')!.block(0)!.hash));
});

for (const [name, engine] of Object.entries(engines)) {
  test(`code that is lost is refused, not run as empty, and the block goes on (${name})`, async () => {
    const contract = new Uint8Array(20).fill(0xc0);
    const asker = new Uint8Array(20).fill(0xc1);
    const lost = code('6001 6000 55');
    // Stores what the history contract says of block 0.
    const asking = code(`6020 5f 6020 5f 73${toHex(historyAddress)} 5a fa 50 5f 51 5f 55`);
    const entry = (bytes: Uint8Array) => ({ balance: 0, code: `0x${toHex(bytes)}` });
    const contracts = {
      [`0x${toHex(contract)}`]: entry(lost),
      [`0x${toHex(asker)}`]: entry(asking),
    };
    const reads = { storage: 'open', code: 'open' };
    const bench = network({ alloc: { ...alloc, ...contracts }, reads }, engine);
    const call = await bench.admit('main', alice.transaction({ to: contract, value: 1n }));
    const next = await bench.admit('main', bob.transaction({ to: asker }));
    assert.ok(call.ok && next.ok);
    const set = bench.begin();
    set.table(tableNames.code).delete(toLatin1(keccak256(lost)));
    const outcomes = await bench.execute(set, [call, next]);
    assert.deepEqual(outcomes.map(reasonOf), ['MALFORMED', 'kept']);
    set.finish();
    bench.commit();
    const view = bench.adapter.forChain('main')!;
    assert.equal(view.account(contract).balance, 0n);
    const stored = view.storageAt(asker, new Uint8Array(32), someActor);
    assert.equal(toHex(stored), toHex(view.block(0)!.hash));
    await assert.rejects(async () => view.call({ to: contract }), { code: 'MALFORMED' });
    assert.throws(() => view.code(contract, someActor), { code: 'MALFORMED' });
  });
}

/** The own engine, which stops when its first transactions are finished. */
const stoppingLate = (left: number): Engine => ({
  ...engines.own,
  executor: (fork) => {
    const executor = engines.own.executor(fork);
    const { execute, finish } = executor;
    let isTransaction = false;
    executor.execute = (transaction, block) => {
      isTransaction = true;
      return execute.call(executor, transaction, block);
    };
    executor.finish = (sink) => {
      const stops = isTransaction && left > 0;
      isTransaction = false;
      if (!stops) return finish.call(executor, sink);
      left--;
      executor.forget();
      throw new EthereumError('ENGINE_FAULT', 'the engine stopped');
    };
    return executor;
  },
});

test('an engine that stops when it finishes leaves nothing of its block in the next transaction', async () => {
  const chains = ['main', 'other'].map((name) => ({ name, chainId: 1337, alloc }));
  const slotsOf = async (times: number, kept: readonly boolean[]) => {
    const bench = new Bench(new EthereumAdapter({ engine: stoppingLate(times) }));
    bench.genesis({ chains });
    const main = await bench.admit('main', transfer(0n).raw);
    const other = await bench.admit('other', transfer(0n).raw);
    assert.ok(main.ok && other.ok);
    const set = bench.begin();
    const outcomes = await bench.execute(set, [main, other]);
    assert.deepEqual(
      outcomes.map(({ ok }) => ok),
      kept,
    );
    set.finish();
    bench.commit();
    const slots = bench.recorded
      .at(-1)!
      .map(({ privateWrites }) =>
        [...decodeWriteSet(privateWrites)].filter(({ table }) => table === tableNames.storage),
      );
    return slots.map((writes) => writes.length);
  };
  assert.deepEqual(await slotsOf(1, [true, true]), [1, 1, 0]);
  assert.deepEqual(await slotsOf(2, [false, true]), [1, 0]);
});
