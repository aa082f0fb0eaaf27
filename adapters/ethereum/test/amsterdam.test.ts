import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toWord } from '@concordat/evm';
import { toHex } from '@concordat/std';
import { EthereumAdapter } from '../adapter.ts';
import { encodeHeader } from '../block.ts';
import { blockGasUsed, fitsBlock, noGas, withGasOf } from '../block-gas.ts';
import type { ChainView } from '../chain-reader.ts';
import { createdAddress } from '../created-address.ts';
import { engines } from '../engines.ts';
import { forkOf } from '../fork.ts';
import { decodeHeader } from '../records.ts';
import { Bench } from './adapter-bench.ts';
import { engineNames } from './execution.ts';
import { code, deploying, Wallet } from './wallet.ts';

const alice = new Wallet(1);
const bob = new Wallet(2);
const alloc = { [alice.hex]: { balance: '0xde0b6b3a7640000' }, [bob.hex]: { balance: '5000' } };
/** Stores the call data's second word in the slot of its first. */
const keeper = code('6020 35 6000 35 55 00');
const keeperAddress = createdAddress(alice.address, 0n);
/** Call data of the keeper without zeros, which would make the floor of the price. */
const store = (slot: bigint, value: bigint): Uint8Array =>
  Buffer.concat([toWord(slot), toWord(value)]);

function network(engine: (typeof engineNames)[number], fields = {}): Bench {
  const bench = new Bench(new EthereumAdapter({ engine: engines[engine] }));
  const chain = { name: 'main', chainId: 1337, hardfork: 'amsterdam', alloc, ...fields };
  bench.genesis({ chains: [chain] });
  return bench;
}

const on = (raw: Uint8Array) => ({ chain: 'main', raw });

for (const engine of engineNames) {
  test(`a block counts both kinds of gas, its receipts what is paid (${engine})`, async () => {
    const bench = network(engine);
    const view = bench.adapter.forChain('main') as ChainView;
    const gasLimit = 1_000_000n;
    await bench.run([on(alice.transaction({ data: deploying(keeper), gasLimit }))]);
    const deployed = view.block(1)?.header;
    // An account and ten bytes of code: more of state than of anything else.
    assert.equal(deployed?.gasUsed, 183_600 + keeper.length * 1_530);
    const calls = [store(1n, 1n), store(2n, 1n), store(1n, 0n), store(2n, 0n)];
    await bench.run(
      calls.map((data, at) =>
        on(alice.transaction({ nonce: BigInt(at + 1), to: keeperAddress, data, gasLimit })),
      ),
    );
    const header = view.block(2)?.header;
    const receipts = view.receiptsOfBlock(2) ?? [];
    assert.equal(receipts.length, 4);
    const paid = receipts.map(({ gasUsed }) => gasUsed);
    const sums = paid.map((_, at) => paid.slice(0, at + 1).reduce((sum, gas) => sum + gas, 0));
    assert.deepEqual(
      receipts.map(({ cumulativeGasUsed }) => cumulativeGasUsed),
      sums,
    );
    assert.equal(header?.gasUsed, 2 * 97_920);
    assert.equal(header?.slotNumber, 0n);
    assert.deepEqual(Buffer.from(header?.blockAccessListHash ?? []), Buffer.alloc(32));
    assert.deepEqual(decodeHeader(encodeHeader(header as never)), header);
    // The two that clear get something back, which their block counts all the same.
    assert.ok((paid[2] as number) < (paid[0] as number) - 97_920);
  });

  test(`a replayed block goes on with both kinds of gas batch by batch (${engine})`, async () => {
    const zero = `0x${'00'.repeat(32)}`;
    const header = {
      ...{ parentHash: zero, coinbase: `0x${'00'.repeat(20)}`, difficulty: '0x0', number: '0x12' },
      ...{ gasLimit: '0x1c9c380', timestamp: '0x66000000', mixHash: zero, baseFeePerGas: '0x0' },
      ...{ excessBlobGas: '0x0', slotNumber: '0x2a', parentBeaconBlockRoot: zero },
    };
    // SLOTNUM into the slot that the call data names.
    const witness = code('4b 6000 35 55 00');
    const address = `0x${'c0'.repeat(20)}`;
    const bench = network(engine, {
      reads: { storage: 'open' },
      replay: { hash: zero, header },
      alloc: { ...alloc, [address]: { balance: 0, code: `0x${toHex(witness)}` } },
    });
    const view = bench.adapter.forChain('main') as ChainView;
    const to = Buffer.from(address.slice(2), 'hex');
    for (const nonce of [0n, 1n, 2n]) {
      const data = toWord(nonce + 1n);
      const [outcome] = await bench.run([
        on(alice.transaction({ nonce, to, data, gasLimit: 500_000n })),
      ]);
      assert.ok(outcome?.ok && outcome.result.status === 1);
    }
    const executed = view.replayProgress?.()?.executed;
    assert.equal(executed?.gasUsed, 3 * 97_920);
    const number = view.blockNumber();
    const [first, , third] = view.receiptsOfBlock(number) ?? [];
    assert.equal(third?.cumulativeGasUsed, 3 * (first?.gasUsed ?? 0));
    assert.equal(toHex(view.storageAt(to, toWord(2n), undefined as never)), toHex(toWord(42n)));
  });
}

test('a transaction fits where each kind of gas has the room that it may need', () => {
  const fork = forkOf('amsterdam', 1n);
  const block = { gasLimit: 40_000_000 };
  const fits = (sums: typeof noGas, gasLimit: bigint): boolean =>
    fitsBlock(sums, gasLimit, { block, fork });
  assert.ok(fits(noGas, 40_000_000n));
  assert.ok(!fits(noGas, 40_000_001n));
  const used = { paid: 30_000_000, regular: 23_222_784, state: 10_000_000 };
  assert.ok(fits(used, 30_000_000n));
  assert.ok(!fits(used, 30_000_001n));
  assert.ok(!fits({ ...used, regular: 23_222_785 }, 30_000_000n));
  assert.ok(fits({ ...used, regular: 23_222_785 }, 16_777_215n));
  const osaka = forkOf('osaka', 1n);
  const old = withGasOf(noGas, { gasUsed: 25_000_000 });
  assert.equal(blockGasUsed(old), 25_000_000);
  assert.ok(fitsBlock(old, 15_000_000n, { block, fork: osaka }));
  assert.ok(!fitsBlock(old, 15_000_001n, { block, fork: osaka }));
});

test('a transaction may have more gas than the limit of regular gas, for state', async () => {
  const bench = network('own', { gasLimit: 60_000_000 });
  const view = bench.adapter.forChain('main') as ChainView;
  const data = code('62 006000 6000 f3');
  const [outcome] = await bench.run([on(alice.transaction({ data, gasLimit: 50_000_000n }))]);
  assert.equal(outcome?.ok && outcome.result.status, 1);
  assert.equal(view.block(1)?.header.gasUsed, 183_600 + 0x6000 * 1_530);
});
