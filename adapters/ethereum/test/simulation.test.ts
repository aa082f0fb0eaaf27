import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toWord } from '@concordat/evm';
import { toHex } from '@concordat/std';
import { EthereumAdapter } from '../adapter.ts';
import type { CallRequest, ChainView, StateOverrides } from '../chain-reader.ts';
import { createdAddress } from '../created-address.ts';
import { engines } from '../engines.ts';
import { Bench } from './adapter-bench.ts';
import { engineNames } from './execution.ts';
import { code, deploying, Wallet } from './wallet.ts';

const alice = new Wallet(1);
const bob = new Wallet(2);
const nobody = new Uint8Array(20).fill(0x77);
const alloc = { [alice.hex]: { balance: '0xde0b6b3a7640000' } };

/** Stores the call data's two words as slot and value; without data returns slots 0 and 1. */
const keeperCode = code(`
  36 6015 57  6000 54 6000 52  6001 54 6020 52  6040 6000 f3
  5b 6020 35 6000 35 55 00
`);
const keeperAddress = createdAddress(alice.address, 0n);
const keeperHex = `0x${toHex(keeperAddress)}`;

/** The same chain on either engine: a keeper whose slots 0 and 1 are 7 and 8. */
async function views(chain: Readonly<Record<string, unknown>> = {}): Promise<ChainView[]> {
  const made: ChainView[] = [];
  for (const name of engineNames) {
    const bench = new Bench(new EthereumAdapter({ engine: engines[name] }));
    bench.genesis({ chains: [{ name: 'main', chainId: 1337, alloc, ...chain }] });
    const raws = [
      alice.transaction({ data: deploying(keeperCode), gasLimit: 600_000n }),
      ...[7, 8].map((value, slot) =>
        alice.transaction({
          nonce: BigInt(slot + 1),
          gasLimit: 300_000n,
          to: keeperAddress,
          data: Buffer.concat([toWord(BigInt(slot)), toWord(BigInt(value))]),
        }),
      ),
    ];
    for (const raw of raws) {
      const [outcome] = await bench.run([{ chain: 'main', raw }]);
      assert.ok(outcome?.ok && outcome.result.status === 1);
    }
    made.push(bench.adapter.forChain('main') as ChainView);
  }
  return made;
}

/** What both engines answer, once they agree. */
async function agreed<Answer>(
  on: readonly ChainView[],
  ask: (view: ChainView) => Promise<Answer>,
): Promise<Answer> {
  const told = async (view: ChainView) =>
    ask(view).then(
      (answer) => ({ answer }),
      (error: { code: string; message: string }) => ({ refused: [error.code, error.message] }),
    );
  const answers = await Promise.all(on.map(told));
  const text = (value: unknown): string =>
    JSON.stringify(value, (_key, part) => {
      if (part instanceof Uint8Array) return toHex(part);
      return part?.type === 'Buffer' ? Buffer.from(part.data).toString('hex') : part;
    });
  assert.equal(text(answers[0]), text(answers[1]));
  const [first] = answers;
  if (first !== undefined && 'answer' in first) return first.answer;
  throw Object.assign(new Error(String(first?.refused)), { code: first?.refused[0] });
}

const reading: CallRequest = { to: keeperAddress };
const slots = (output: Uint8Array): bigint[] =>
  [0, 32].map((at) => BigInt(`0x${toHex(output.subarray(at, at + 32))}`));

test('overrides of storage, code, nonce and balance are seen by one call alone', async () => {
  const on = await views();
  const seen = async (override: StateOverrides[string]) => {
    const overrides = { [keeperHex]: override };
    return slots((await agreed(on, (view) => view.call(reading, 'latest', overrides))).output);
  };
  assert.deepEqual(await seen({}), [7n, 8n]);
  assert.deepEqual(await seen({ stateDiff: { '0x1': '0x2a' } }), [7n, 42n]);
  assert.deepEqual(await seen({ stateDiff: { '0x0': '0x0' } }), [0n, 8n]);
  assert.deepEqual(await seen({ state: { '0x1': '0x2a' } }), [0n, 42n]);
  assert.deepEqual(await seen({ state: {} }), [0n, 0n]);
  assert.deepEqual(await seen({ state: { '0x0': '0x1' }, stateDiff: { '0x1': '0x2' } }), [1n, 2n]);
  assert.deepEqual(await seen({}), [7n, 8n], 'nothing stayed');
  const emptied = { [keeperHex]: { code: new Uint8Array(0) } };
  const empty = await agreed(on, (view) => view.call(reading, 'latest', emptied));
  assert.deepEqual([empty.status, empty.output.length], ['success', 0]);
  // Returns BALANCE of the keeper and of the zero address.
  const balances = code(`73${toHex(keeperAddress)} 31 6000 52 6040 6000 f3`);
  const rich = { [keeperHex]: { balance: 123n, nonce: 9n, code: balances } };
  const { output } = await agreed(on, (view) => view.call(reading, 'latest', rich));
  assert.deepEqual(slots(output), [123n, 0n]);
});

test('storage overridden where there is no account yet is read, and malformed words refused', async () => {
  const on = await views();
  const at = `0x${toHex(nobody)}`;
  const overrides = { [at]: { code: keeperCode, stateDiff: { '0x0': '0x5' } } };
  const { output } = await agreed(on, (view) => view.call({ to: nobody }, 'latest', overrides));
  assert.deepEqual(slots(output), [5n, 0n]);
  for (const bad of ['5', '0x', `0x${'1'.repeat(65)}`]) {
    const wrong = { [at]: { stateDiff: { '0x0': bad } } };
    await assert.rejects(
      agreed(on, (view) => view.call({ to: nobody }, 'latest', wrong)),
      { code: 'INVALID_CALL' },
    );
  }
  await assert.rejects(
    agreed(on, (view) => view.call(reading, 'latest', { '0x12': {} })),
    { code: 'INVALID_CALL' },
  );
});

for (const hardfork of ['osaka', 'amsterdam']) {
  test(`estimates, access lists and refusals are those of the reference under ${hardfork}`, async () => {
    const on = await views({ hardfork });
    const writing = {
      from: alice.address,
      to: keeperAddress,
      data: Buffer.concat([toWord(3n), toWord(4n)]),
    };
    const requests: readonly CallRequest[] = [
      reading,
      writing,
      { ...writing, data: Buffer.concat([toWord(0n), toWord(0n)]) },
      { from: alice.address, to: bob.address, value: 1n },
      { from: alice.address, data: deploying(keeperCode) },
      { from: alice.address, data: deploying(code('ef')) },
      { from: nobody, to: bob.address, value: 1n },
      { ...writing, gas: 21_000 },
      { ...writing, gas: 40_000 },
      { ...writing, gasPrice: 5n },
      { from: nobody, to: keeperAddress, gasPrice: 5n },
      { to: bob.address, gas: -1 },
    ];
    let answered = 0;
    for (const request of requests) {
      const asks: readonly ((view: ChainView) => Promise<unknown>)[] = [
        (view: ChainView) => view.call(request),
        (view: ChainView) => view.estimateGas(request),
        (view: ChainView) => view.createAccessList(request),
      ];
      for (const ask of asks) {
        await agreed(on, ask).then(
          () => answered++,
          (error) => {
            const expected = /^(INVALID_CALL|INTRINSIC_GAS_TOO_LOW|INSUFFICIENT_FUNDS)$/;
            if (!expected.test(error.code)) throw error;
          },
        );
      }
    }
    assert.ok(answered > 20, `${answered} answered`);
    const { accessList } = await agreed(on, (view) => view.createAccessList(reading));
    assert.deepEqual(
      accessList.map(({ address, storageKeys }) => [toHex(address), storageKeys.map(toHex)]),
      [[toHex(keeperAddress), [toHex(toWord(0n)), toHex(toWord(1n))]]],
    );
  });
}

test('calls at the same time do not see each other', async () => {
  for (const view of await views()) {
    const asked = Array.from({ length: 20 }, (_, i) =>
      view.call(reading, 'latest', {
        [keeperHex]: { stateDiff: { '0x0': `0x${i.toString(16)}` } },
      }),
    );
    const outputs = (await Promise.all(asked)).map(({ output }) => slots(output)[0]);
    assert.deepEqual(
      outputs,
      Array.from({ length: 20 }, (_, i) => BigInt(i)),
    );
  }
});
