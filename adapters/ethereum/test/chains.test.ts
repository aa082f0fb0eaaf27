import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from '@concordat/std';
import type { Admitted } from '@concordat/worker-enclave';
import { EthereumAdapter } from '../adapter.ts';
import type { EthereumTransaction } from '../batch-execution.ts';
import { encodeHeader, noStateRoot } from '../block.ts';
import type { BlockView, LogView } from '../chain-reader.ts';
import { createdAddress } from '../created-address.ts';
import { keccak256 } from '../crypto.ts';
import { engines } from '../engines.ts';
import { Bench, reasonOf, someActor } from './adapter-bench.ts';
import { code, deploying, Wallet } from './wallet.ts';

const alice = new Wallet(1);
const bob = new Wallet(2);
const alloc = { [alice.hex]: { balance: '0xde0b6b3a7640000' }, [bob.hex]: { balance: '5000' } };
const chain = { name: 'main', chainId: 1337, alloc };

function network(chains: readonly Record<string, unknown>[] = [chain]): Bench {
  const bench = new Bench(new EthereumAdapter());
  bench.genesis({ chains });
  return bench;
}

const on = (raw: Uint8Array, name = 'main') => ({ chain: name, raw });
/** Adds 1 to slot 0 and logs the new value with topic 7. */
const counter = code('6000 54 6001 01 80 6000 55 6000 52 6007 6020 6000 a1 00');

test('blocks link by hash, hash as their header and carry what happened', async () => {
  const bench = network();
  const view = bench.adapter.forChain('main')!;
  const address = createdAddress(alice.address, 0n);
  await bench.run([on(alice.transaction({ data: deploying(counter), gasLimit: 200_000n }))]);
  bench.timeMs += 5_000;
  const calls = [1n, 2n].map((nonce) => on(alice.transaction({ nonce, to: address })));
  const outcomes = await bench.run(calls);
  assert.ok(outcomes.every((outcome) => outcome.ok && outcome.result.status === 1));
  const [genesis, first, second] = [0, 1, 2].map((number) => view.block(number) as BlockView);
  assert.equal(view.blockNumber(), 2);
  assert.deepEqual(first?.header.parentHash, genesis?.hash);
  assert.deepEqual(second?.header.parentHash, first?.hash);
  assert.equal(toHex(keccak256(encodeHeader(second!.header))), toHex(second!.hash));
  assert.equal(toHex(second!.header.stateRoot), toHex(noStateRoot));
  assert.equal(second!.header.timestamp, first!.header.timestamp + 5);
  assert.equal(second!.transactionHashes.length, 2);
  assert.deepEqual(view.block(second!.hash)?.header.number, 2);
  const receipts = view.receiptsOfBlock(2)!;
  assert.equal(receipts[1]?.cumulativeGasUsed, second?.header.gasUsed);
  assert.equal(receipts[1]?.logs[0]?.logIndex, 1);
  assert.equal(BigInt(`0x${toHex(receipts[1]!.logs[0]!.data)}`), 2n);
  assert.deepEqual(
    view.receiptByHash(first!.transactionHashes[0]!)?.contractAddress,
    Buffer.from(address),
  );
  assert.equal(toHex(view.code(address, someActor)), toHex(counter));
});

test('a failed transaction keeps its receipt, counts its nonce and costs its gas', async () => {
  const bench = network();
  const view = bench.adapter.forChain('main')!;
  const raw = alice.transaction({ data: code('6000 6000 fd'), gasLimit: 100_000n });
  const [outcome] = await bench.run([on(raw)]);
  assert.equal(outcome?.ok && outcome.result.status, 0);
  const receipt = view.receiptByHash(keccak256(raw));
  assert.equal(receipt?.status, 0);
  assert.ok((receipt?.gasUsed ?? 0) > 53_000);
  assert.equal(view.account(alice.address).nonce, 1n);
});

test('chains of one network share nothing but the ledger, even with equal ids', async () => {
  const bench = network([chain, { ...chain, name: 'other' }]);
  const raw = alice.transaction({ to: bob.address, value: 9n });
  await bench.run([on(raw), on(raw, 'other')]);
  await bench.run([on(alice.transaction({ nonce: 1n, to: bob.address, value: 1n }), 'other')]);
  assert.equal(bench.adapter.forChain('main')?.account(bob.address).balance, 5_009n);
  assert.equal(bench.adapter.forChain('other')?.account(bob.address).balance, 5_010n);
  assert.equal(bench.adapter.forChain('main')?.blockNumber(), 1);
  assert.equal(bench.adapter.forChain('other')?.blockNumber(), 2);
  assert.equal(bench.adapter.forChain('0x539')?.name, 'main');
  assert.equal(bench.adapter.forChain()?.name, 'main');
  assert.equal(bench.adapter.forChain('7'), undefined);
});

test('forty chains of several forks, more than there are executors, each keep to their own state', async () => {
  const forks = ['byzantium', 'istanbul', 'london', 'shanghai', 'prague'];
  const chains = Array.from({ length: 40 }, (_, at) => {
    const hardfork = forks[at % forks.length];
    return { ...chain, name: `chain-${at}`, chainId: 1337 + at, hardfork };
  });
  const bench = network(chains);
  const address = createdAddress(alice.address, 0n);
  const calls = chains.map(() => 0);
  const sent = (at: number, fields: { readonly to?: Uint8Array; readonly data?: Uint8Array }) => {
    const { name, chainId } = chains[at]!;
    const nonce = BigInt(calls[at]!++);
    const common = { type: 0 as const, chainId: BigInt(chainId), nonce, gasLimit: 200_000n };
    return on(alice.transaction({ ...common, ...fields }), name);
  };
  let seed = 7;
  const below = (most: number): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % most;
  };
  // A chain's first transaction deploys the counter, the others count.
  const next = (at: number) =>
    sent(at, calls[at] === 0 ? { data: deploying(counter) } : { to: address });
  for (let batch = 0; batch < 30; batch++) {
    // Some batches are of few chains, some of all.
    const among = batch % 5 === 0 ? chains.length : 1 + below(6);
    const first = below(chains.length);
    const batchOf = Array.from({ length: 60 }, (_, i) =>
      next((first + (batch % 5 === 0 ? i : below(among))) % chains.length),
    );
    const outcomes = await bench.run(batchOf);
    assert.ok(outcomes.every((outcome) => outcome.ok && outcome.result.status === 1));
  }
  assert.equal(
    calls.reduce((sum, count) => sum + count),
    30 * 60,
  );
  for (const [at, { name }] of chains.entries()) {
    const view = bench.adapter.forChain(name)!;
    assert.equal(view.account(alice.address).nonce, BigInt(calls[at]!), name);
    const last = view.receiptsOfBlock(view.blockNumber())?.at(-1)?.logs[0]?.data;
    if (calls[at]! > 1) assert.equal(BigInt(`0x${toHex(last!)}`), BigInt(calls[at]! - 1), name);
  }
});

test('a batch that exceeds the block gas limit fills several blocks', async () => {
  const bench = network([{ ...chain, gasLimit: 100_000 }]);
  const raws = [0n, 1n, 2n].map((nonce) =>
    on(alice.transaction({ nonce, to: bob.address, value: 1n, gasLimit: 60_000n })),
  );
  const outcomes = await bench.run(raws);
  assert.deepEqual(
    outcomes.map((outcome) => outcome.ok && [outcome.result.blockNumber, outcome.result.index]),
    [
      [1, 0],
      [1, 1],
      [2, 0],
    ],
  );
  const view = bench.adapter.forChain('main')!;
  for (const number of [1, 2]) {
    const block = view.block(number)!;
    assert.ok(block.header.gasUsed <= 100_000);
    assert.deepEqual(block.header.parentHash, view.block(number - 1)?.hash);
  }
});

test('BLOCKHASH answers with the hashes of own earlier blocks', async () => {
  const bench = network();
  const view = bench.adapter.forChain('main')!;
  await bench.run([on(alice.transaction({ to: bob.address }))]);
  // Returns blockhash(number - 1).
  const outcome = await view.call({ data: code('6001 43 03 40 6000 52 6020 6000 f3') });
  assert.equal(toHex(outcome.output), toHex(view.block(0)!.hash));
});

test('listeners hear each committed block once, with its logs, until they leave', async () => {
  const bench = network();
  const view = bench.adapter.forChain('main')!;
  const heard: [number, number][] = [];
  const stop = view.subscribe((block: BlockView, logs: readonly LogView[]) =>
    heard.push([block.header.number, logs.length]),
  );
  await bench.run([on(alice.transaction({ data: deploying(counter), gasLimit: 200_000n }))]);
  await bench.run([on(alice.transaction({ nonce: 1n, to: createdAddress(alice.address, 0n) }))]);
  stop();
  await bench.run([on(alice.transaction({ nonce: 2n, to: bob.address }))]);
  assert.deepEqual(heard, [
    [1, 0],
    [2, 1],
  ]);
});

test('log searches find by emitter, topic and range, and stop at their limit', async () => {
  const bench = network();
  const view = bench.adapter.forChain('main')!;
  const address = createdAddress(alice.address, 0n);
  await bench.run([on(alice.transaction({ data: deploying(counter), gasLimit: 200_000n }))]);
  for (const nonce of [1n, 2n, 3n]) {
    await bench.run([on(alice.transaction({ nonce, to: address }))]);
  }
  const seven = Buffer.alloc(32);
  seven[31] = 7;
  assert.equal(view.logs({ fromBlock: 'earliest', addresses: [address] }).length, 3);
  assert.equal(view.logs({ fromBlock: 3, toBlock: 3, topics: [[seven]] }).length, 1);
  assert.equal(view.logs({ fromBlock: 0, topics: [[Buffer.alloc(32)]] }).length, 0);
  assert.equal(view.logs({ fromBlock: 0, topics: [undefined, undefined] }).length, 0);
  assert.equal(view.logs({ fromBlock: 0, addresses: [bob.address] }).length, 0);
  assert.throws(() => view.logs({ fromBlock: 0, limit: 2 }), { code: 'TOO_MANY_RESULTS' });
  assert.throws(() => view.logs({ blockHash: seven }), { code: 'UNKNOWN_BLOCK' });
});

test('calls change nothing, see overrides, and estimates are the least that succeeds', async () => {
  const bench = network();
  const view = bench.adapter.forChain('main')!;
  const address = createdAddress(alice.address, 0n);
  await bench.run([on(alice.transaction({ data: deploying(counter), gasLimit: 200_000n }))]);
  const request = { from: alice.address, to: address };
  assert.equal((await view.call(request)).status, 'success');
  assert.equal(toHex(view.account(alice.address).codeHash), toHex(keccak256(new Uint8Array(0))));
  const estimate = await view.estimateGas(request);
  assert.ok('gas' in estimate);
  assert.equal((await view.call({ ...request, gas: estimate.gas })).status, 'success');
  assert.equal((await view.call({ ...request, gas: estimate.gas - 1 })).status, 'error');
  const overridden = await view.call(request, 'latest', {
    [`0x${toHex(address)}`]: {
      code: code('6000 54 6000 52 6020 6000 f3'),
      stateDiff: { '0x0': '0x2a' },
    },
  });
  assert.equal(BigInt(`0x${toHex(overridden.output)}`), 42n);
  const { accessList } = await view.createAccessList(request);
  assert.equal(accessList.length, 1);
  assert.equal(accessList[0]?.storageKeys.length, 1);
  await assert.rejects(view.call(request, 0), { code: 'STATE_NOT_KEPT' });
  await assert.rejects(view.call({ ...request, value: 10n ** 30n }), {
    code: 'INSUFFICIENT_FUNDS',
  });
});

test('raw storage is closed unless the constitution opens it, or to a role', async () => {
  const bench = network();
  const slot = new Uint8Array(32);
  const closed = bench.adapter.forChain('main')!;
  assert.throws(() => closed.storageAt(alice.address, slot, someActor), { code: 'ACCESS_DENIED' });
  const reads = { storage: 'closed', code: 'closed', roles: ['auditor'] };
  const strict = network([{ ...chain, reads }]).adapter.forChain('main')!;
  const auditor = { ...someActor, roles: ['auditor'] };
  assert.throws(() => strict.code(alice.address, someActor), { code: 'ACCESS_DENIED' });
  assert.equal(toHex(strict.storageAt(alice.address, slot, auditor)), toHex(slot));
});

test('nonces that come a moment early wait for the gap, others are refused', async () => {
  const bench = network();
  const later = bench.admit('main', alice.transaction({ nonce: 1n, to: bob.address }));
  assert.ok(later instanceof Promise);
  const now = bench.admit('main', alice.transaction({ nonce: 0n, to: bob.address }));
  assert.ok(!(now instanceof Promise) && now.ok);
  assert.equal((await later).ok, true);
  assert.equal(bench.adapter.forChain('main')?.pendingNonce(alice.address), 2n);
  const far = await bench.admit('main', alice.transaction({ nonce: 100n, to: bob.address }));
  assert.equal(reasonOf(far), 'NONCE_TOO_HIGH');
});

test('what is still to be executed when the head is replaced is under way as before', async () => {
  const bench = network();
  const given = (nonce: bigint) =>
    bench.admit('main', alice.transaction({ nonce, to: bob.address }));
  const admitted: Admitted<EthereumTransaction>[] = [];
  for (let nonce = 0n; nonce < 100n; nonce++) {
    const answer = await given(nonce);
    assert.ok(answer.ok);
    admitted.push(answer);
  }
  bench.adapter.headReset([...admitted.slice(50), ...admitted.slice(0, 50)]);
  assert.equal(reasonOf(await given(7n)), 'ALREADY_KNOWN');
  const next = given(100n);
  assert.ok(!(next instanceof Promise) && next.ok);
  assert.equal(bench.adapter.forChain('main')?.pendingNonce(alice.address), 101n);
  assert.ok(given(120n) instanceof Promise, 'it waits for those before it');
  bench.adapter.headReset(admitted.slice(0, 10));
  assert.equal(reasonOf(await given(100n)), 'NONCE_TOO_HIGH', 'what was given away leaves a gap');
  assert.equal(bench.adapter.forChain('main')?.pendingNonce(alice.address), 10n);
  const early = given(11n);
  assert.ok(early instanceof Promise);
  bench.adapter.headReset(admitted.slice(0, 11));
  assert.ok((await early).ok, 'the gap is filled by what is under way again');
});

test('what waits while its chain is configured anew is executed and sealed by the new rules', async () => {
  const bench = network();
  const view = () => bench.adapter.forChain('main')!;
  const given = (nonce: bigint, gasLimit = 21_000n) =>
    bench.admit('main', alice.transaction({ nonce, to: bob.address, gasLimit }));
  const admitted: Admitted<EthereumTransaction>[] = [];
  for (const gasLimit of [21_000n, 60_000n]) {
    const answer = await given(BigInt(admitted.length), gasLimit);
    assert.ok(answer.ok);
    admitted.push(answer);
  }
  const early = given(3n);
  bench.adapter.configure({ chains: [{ ...chain, gasLimit: 50_000 }] });
  assert.equal(view().pendingNonce(alice.address), 2n, 'they are under way as before');
  const set = bench.begin();
  const outcomes = await bench.execute(set, admitted);
  set.finish();
  bench.commit();
  assert.deepEqual(
    outcomes.map((outcome) => reasonOf(outcome)),
    ['kept', 'GAS_LIMIT_TOO_HIGH'],
  );
  assert.equal(view().block(1)?.transactionHashes.length, 1);
  assert.equal(view().block(1)?.header.gasLimit, 50_000);
  for (const nonce of [1n, 2n]) assert.ok((await given(nonce)).ok);
  assert.ok((await early).ok, 'who waited for them is let in');
});

test('what waits for a chain that is there no more, or takes no such transaction, is refused', async () => {
  const bench = network([chain, { ...chain, name: 'other' }]);
  const raw = alice.transaction({ to: bob.address });
  const admitted: Admitted<EthereumTransaction>[] = [];
  for (const name of ['main', 'other']) {
    const answer = await bench.admit(name, raw);
    assert.ok(answer.ok);
    admitted.push(answer);
  }
  bench.adapter.configure({ chains: [{ ...chain, chainId: 5 }] });
  const outcomes = await bench.execute(bench.begin(), admitted);
  assert.deepEqual(
    outcomes.map((outcome) => reasonOf(outcome)),
    ['WRONG_CHAIN_ID', 'UNKNOWN_CHAIN'],
  );
  assert.equal(bench.adapter.forChain('main')?.pendingNonce(alice.address), 0n);
});

test('a batch that is lost leaves nothing in the caches of the next', async () => {
  const bench = network();
  const lost = await bench.admit('main', alice.transaction({ to: bob.address, value: 100n }));
  assert.ok(lost.ok);
  const set = bench.store.begin(1_000);
  await bench.execute(
    {
      ...set,
      table: (name) => set.table(name),
      checkpoint: () => 0,
      revert: () => {},
      endTransaction: () => void set.takeWriteSet(),
    },
    [lost],
  );
  set.abort();
  bench.adapter.headReset([]);
  const again = bench.begin(1_001);
  const other = await bench.admit('main', alice.transaction({ to: bob.address, value: 7n }));
  assert.ok(other.ok);
  const [outcome] = await bench.execute(again, [other]);
  assert.equal(outcome?.ok, true);
  again.finish();
  bench.commit();
  assert.equal(bench.adapter.forChain('main')?.account(bob.address).balance, 5_007n);
});

test('the reference engine writes the very same state', async () => {
  const raws = [
    on(alice.transaction({ data: deploying(counter), gasLimit: 200_000n })),
    on(alice.transaction({ nonce: 1n, to: createdAddress(alice.address, 0n) })),
  ];
  const hashes: string[] = [];
  for (const engine of [engines.own, engines.reference]) {
    const bench = new Bench(new EthereumAdapter({ engine }));
    bench.genesis({ chains: [chain] });
    await bench.run(raws);
    hashes.push(toHex(bench.adapter.forChain('main')!.block('latest')!.hash));
  }
  assert.equal(hashes[0], hashes[1]);
});
