import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EthereumAdapter } from '../adapter.ts';
import { curveOrder } from '../crypto.ts';
import { encodeRlp, RlpCursor } from '../rlp.ts';
import { Bench, reasonOf } from './adapter-bench.ts';
import { code, Wallet } from './wallet.ts';

const alice = new Wallet(1);
const poor = new Wallet(2);
const alloc = { [alice.hex]: { balance: '1000000000000000000' } };

function network(chain: Record<string, unknown> = {}): Bench {
  const bench = new Bench(new EthereumAdapter());
  bench.genesis({ chains: [{ name: 'main', chainId: 1337, alloc, ...chain }] });
  return bench;
}

async function refusal(bench: Bench, raw: Uint8Array, chain = 'main'): Promise<string> {
  return reasonOf(await bench.admit(chain, raw));
}

const transfer = { to: poor.address, value: 1n };

test('each kind of unfit transaction is refused with its own code', async () => {
  const bench = network();
  const wide = { ...transfer, data: new Uint8Array(140_000) };
  const zeroToken = { ...transfer, gasLimit: 20_999n };
  const rows: readonly (readonly [string, Uint8Array])[] = [
    ['OVERSIZED', alice.transaction(wide)],
    ['WRONG_CHAIN_ID', alice.transaction({ ...transfer, chainId: 1n })],
    ['INTRINSIC_GAS_TOO_LOW', alice.transaction(zeroToken)],
    ['GAS_LIMIT_TOO_HIGH', alice.transaction({ ...transfer, gasLimit: 30_000_001n })],
    [
      'INITCODE_TOO_LARGE',
      alice.transaction({ data: new Uint8Array(49_153), gasLimit: 9_000_000n }),
    ],
    ['INSUFFICIENT_FUNDS', poor.transaction(transfer)],
    ['INSUFFICIENT_FUNDS', alice.transaction({ ...transfer, value: 10n ** 18n + 1n })],
    ['TIP_ABOVE_FEE_CAP', alice.transaction({ ...transfer, maxPriorityFeePerGas: 1n })],
    ['UNDECODABLE', new Uint8Array(0)],
    ['TRANSACTION_TYPE_NOT_SUPPORTED', Uint8Array.of(0x05, 0xc0)],
    [
      'TRANSACTION_TYPE_NOT_SUPPORTED',
      alice.transaction({ ...transfer, type: 3, blobVersionedHashes: [new Uint8Array(32)] }),
    ],
    ['kept', alice.transaction(transfer)],
  ];
  for (const [code, raw] of rows) assert.equal(await refusal(bench, raw), code);
  assert.equal(await refusal(bench, alice.transaction(transfer), 'other'), 'UNKNOWN_CHAIN');
});

test('a chain with fees refuses an offer below its base fee', async () => {
  const bench = network({ zeroFee: false });
  assert.equal(await refusal(bench, alice.transaction(transfer)), 'FEE_TOO_LOW');
});

test('forks before a transaction type refuse it', async () => {
  const bench = network({ hardfork: 'istanbul' });
  const code = 'TRANSACTION_TYPE_NOT_SUPPORTED';
  for (const type of [1, 2] as const) {
    assert.equal(await refusal(bench, alice.transaction({ ...transfer, type })), code);
  }
  assert.equal(await refusal(bench, alice.transaction({ ...transfer, type: 0 })), 'kept');
});

/** Re-encodes a signed type 2 transaction with another signature. */
function resigned(raw: Uint8Array, change: (v: bigint, r: bigint, s: bigint) => bigint[]) {
  const list = RlpCursor.open(raw, 1);
  const items: (Uint8Array | [])[] = [];
  for (let i = 0; i < 8; i++) items.push(list.bytes());
  list.list();
  items.push([]);
  const [v, r, s] = [list.integer(32, 'v'), list.integer(32, 'r'), list.integer(32, 's')];
  const minimal = (value: bigint): Uint8Array => {
    const hex = value.toString(16);
    return value === 0n
      ? new Uint8Array(0)
      : Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  };
  return encodeRlp([...items, ...change(v, r, s).map(minimal)], 2);
}

test('malleable, out of range and unrecoverable signatures are refused', async () => {
  const bench = network();
  const raw = alice.transaction(transfer);
  const upper = resigned(raw, (v, r, s) => [1n - v, r, curveOrder - s]);
  const zero = resigned(raw, (v, r) => [v, r, 0n]);
  const beyond = resigned(raw, (v, _r, s) => [v, curveOrder, s]);
  const nobody = resigned(raw, (v, _r, s) => [v, 5n, s]);
  const parity = resigned(raw, (_v, r, s) => [2n, r, s]);
  for (const bad of [upper, zero, beyond, nobody, parity]) {
    assert.equal(await refusal(bench, bad), 'INVALID_SIGNATURE');
  }
  assert.equal(
    await refusal(
      bench,
      resigned(raw, (...same) => same),
    ),
    'kept',
  );
});

test('every truncation, extension and most flips of a transaction are refused, none throws', async () => {
  const bench = network();
  const raw = alice.transaction({
    ...transfer,
    accessList: [{ address: poor.address, storageKeys: [new Uint8Array(32)] }],
  });
  for (let length = 0; length < raw.length; length++) {
    assert.notEqual(await refusal(bench, raw.subarray(0, length)), 'kept');
  }
  assert.equal(await refusal(bench, Buffer.concat([raw, Uint8Array.of(0)])), 'UNDECODABLE');
  for (let at = 0; at < raw.length; at++) {
    for (const bit of [1, 0x80]) {
      const flipped = Buffer.from(raw);
      flipped[at] = (flipped[at] as number) ^ bit;
      // Another body recovers to another, unfunded sender.
      assert.notEqual(await refusal(bench, flipped), 'kept', `byte ${at}`);
    }
  }
});

test('long forms of short RLP lengths and leading zeros are refused', async () => {
  const bench = network();
  const fields = [
    code('00'),
    new Uint8Array(0),
    code('5208'),
    poor.address,
    code('01'),
    new Uint8Array(0),
  ];
  const tail = [code('0a95'), code('01'), code('01')];
  assert.equal(await refusal(bench, encodeRlp([...fields, ...tail])), 'UNDECODABLE');
  assert.equal(await refusal(bench, code('f800')), 'UNDECODABLE');
  assert.equal(await refusal(bench, code('c28100')), 'UNDECODABLE');
});

test('a used nonce, a known transaction and a contract as sender are refused', async () => {
  const bench = network();
  const first = alice.transaction(transfer);
  const [outcome] = await bench.run([{ chain: 'main', raw: first }]);
  assert.equal(outcome?.ok, true);
  assert.equal(await refusal(bench, first), 'ALREADY_KNOWN');
  const other = alice.transaction({ ...transfer, value: 2n });
  assert.equal(await refusal(bench, other), 'NONCE_TOO_LOW');
  const coded = network({ alloc: { [alice.hex]: { balance: '100', code: '0x00' } } });
  const [dropped] = await coded.run([{ chain: 'main', raw: first }]);
  assert.equal(dropped && reasonOf(dropped), 'SENDER_NOT_EOA');
});

test('a transaction that can no longer pay when its turn comes is dropped without a trace', async () => {
  const bench = network();
  const all = alice.transaction({ ...transfer, value: 10n ** 18n });
  const more = alice.transaction({ ...transfer, nonce: 1n, value: 1n });
  const outcomes = await bench.run([all, more].map((raw) => ({ chain: 'main', raw })));
  assert.deepEqual(outcomes.map(reasonOf), ['kept', 'INSUFFICIENT_FUNDS']);
  const view = bench.adapter.forChain('main');
  assert.equal(view?.account(alice.address).nonce, 1n);
  assert.equal(view?.block('latest')?.transactionHashes.length, 1);
});
