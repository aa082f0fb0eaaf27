import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeAccount,
  type EvmTransaction,
  emptyCodeKey,
  encodeAccount,
  type RecoveredAuthorization,
} from '../index.ts';
import { program, push } from './bytecode.ts';
import { addressOf, block, contract, Scene, sender, toHex, transactionOf } from './scene.ts';

const price = 8n; // the base fee of 7 and the tip of 1
const wealth = 10n ** 24n;
const heir = addressOf(0x11);
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

function refusal(scene: Scene, fields: Partial<EvmTransaction>): string {
  try {
    scene.execute(fields);
  } catch (error) {
    return (error as { readonly code: string }).code;
  }
  return 'none';
}

const balanceOf = (scene: Scene, address: Uint8Array): bigint => scene.evm.account(address).balance;

test('the sender pays value and gas, the coinbase gets the tip, the base fee is burnt', () => {
  const scene = new Scene('cancun');
  const { gasUsed, effectiveGasPrice } = scene.execute({ to: heir, value: 5n });
  assert.equal(gasUsed, 21_000);
  assert.equal(effectiveGasPrice, price);
  scene.evm.finish(scene.host);
  assert.equal(balanceOf(scene, sender), wealth - 5n - 21_000n * price);
  assert.equal(balanceOf(scene, block.coinbase), 21_000n);
  assert.equal(balanceOf(scene, heir), 5n);
  assert.equal(scene.evm.account(sender).nonce, 1n);
});

test('a sender that is the coinbase gets its own tip', () => {
  const scene = new Scene('cancun');
  const own = { ...block, coinbase: sender };
  scene.evm.execute(transactionOf({ to: heir, value: 5n }), own);
  scene.evm.finish(scene.host);
  assert.equal(balanceOf(scene, sender), wealth - 5n - 21_000n * 7n);
});

test('a refused transaction is refused by its own code and leaves no trace', () => {
  const scene = new Scene('cancun');
  scene.place(contract, { code: program('STOP'), balance: wealth });
  assert.equal(refusal(scene, { nonce: 1n }), 'NONCE_TOO_HIGH');
  assert.equal(refusal(scene, { from: contract }), 'SENDER_NOT_EOA');
  const most = 10n * 100_000n;
  const poor = { gasLimit: 100_000n, value: wealth - most + 1n };
  assert.equal(refusal(scene, poor), 'INSUFFICIENT_FUNDS');
  assert.equal(scene.evm.account(sender).nonce, 0n);
  assert.equal(balanceOf(scene, sender), wealth);
  const { status } = scene.execute({ ...poor, value: wealth - most });
  assert.equal(status, 1, 'what suffices to the wei is taken');
  scene.evm.finish(scene.host);
  assert.equal(refusal(scene, {}), 'NONCE_TOO_LOW');
});

test('a cost beyond 256 bits is refused whatever the balance', () => {
  const scene = new Scene('cancun');
  scene.place(sender, { balance: 2n ** 256n - 1n });
  const cap = 2n ** 256n - 1n;
  assert.equal(refusal(scene, { maxFeePerGas: cap, gasLimit: 21_000n }), 'INSUFFICIENT_FUNDS');
  assert.equal(refusal(scene, { value: cap, gasLimit: 21_000n }), 'INSUFFICIENT_FUNDS');
});

/** Clears slots 1 to 20. */
const clearing = program(
  ...Array.from({ length: 20 }, (_, i) => program('PUSH1', Uint8Array.of(0), BigInt(i + 1))).map(
    (slot) => program(slot, 'SSTORE'),
  ),
);
const filled = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [String(i + 1), 1n]));

test('refunds are at most half of the gas before London and a fifth since', () => {
  for (const [fork, share] of [
    ['berlin', 2],
    ['london', 5],
  ] as const) {
    const scene = new Scene(fork);
    scene.place(contract, { code: clearing, storage: filled });
    const type = fork === 'berlin' ? 1 : 2;
    const { gasUsed, refund } = scene.execute({ type, maxPriorityFeePerGas: 10n });
    assert.equal(refund, Math.floor((gasUsed + refund) / share));
    scene.evm.finish(scene.host);
    const paid = wealth - balanceOf(scene, sender);
    assert.equal(paid, BigInt(gasUsed) * 10n);
    assert.equal(scene.host.slots.size, 0);
  }
});

test('a refund may be more than 32 bits hold', () => {
  const scene = new Scene('chainstart');
  // Sets and clears slot 1, as often as gas lasts for; each time 15,000 come back, up to half of all.
  const times = 400_000n;
  const cleared = program(1n, 1n, 'SSTORE', push(0n, 1), 1n, 'SSTORE');
  const counted = program(1n, 'SWAP1 SUB DUP1', push(4n, 1), 'JUMPI');
  scene.place(contract, { code: program(push(times, 3), 'JUMPDEST', cleared, counted) });
  const price = { type: 0, maxFeePerGas: 10n, maxPriorityFeePerGas: 10n } as const;
  const transaction = transactionOf({ ...price, gasLimit: 12_000_000_000n });
  const { status, gasUsed, refund } = scene.evm.execute(transaction, {
    ...block,
    gasLimit: 12_000_000_000,
  });
  assert.equal(status, 1);
  assert.ok(refund > 2 ** 32);
  assert.equal(refund, Math.floor((gasUsed + refund) / 2));
  scene.evm.finish(scene.host);
  assert.equal(wealth - balanceOf(scene, sender), BigInt(gasUsed) * 10n);
});

test('call data pays at least its floor (EIP-7623)', () => {
  const data = new Uint8Array(1000).fill(1);
  const before = new Scene('cancun').execute({ to: heir, data });
  assert.equal(before.gasUsed, 21_000 + 16 * 1000);
  const after = new Scene('prague').execute({ to: heir, data });
  assert.equal(after.gasUsed, 21_000 + 40 * 1000);
});

test('a touched empty account is removed since EIP-161, address 3 in spite of a revert', () => {
  for (const [fork, left] of [
    ['tangerineWhistle', [2, 3, 5]],
    ['spuriousDragon', [2]],
  ] as const) {
    const scene = new Scene(fork);
    for (const last of [2, 3, 5]) {
      const address = new Uint8Array(20);
      address[19] = last;
      scene.place(address, {});
    }
    // The precompiles 2 and 3 fail for want of gas; at 5 there is nothing that could.
    const call = (to: bigint): Uint8Array =>
      program(...[0n, 0n, 0n, 0n, 0n, to, 1n].map((n) => Uint8Array.of(0x60, Number(n))), 'CALL');
    scene.place(contract, { code: program(call(2n), call(3n), call(5n)) });
    scene.execute({ type: 0, maxPriorityFeePerGas: 10n });
    scene.evm.finish(scene.host);
    const kept = [2, 3, 5].filter((last) => scene.host.accounts.has(text(lastByte(last))));
    assert.deepEqual(kept, left, fork);
  }
});

const lastByte = (last: number): Uint8Array => {
  const address = new Uint8Array(20);
  address[19] = last;
  return address;
};

test('a destroyed account leaves its storage behind as a number, and only before Cancun', () => {
  const code = program('PUSH20', heir, 'SELFDESTRUCT');
  for (const fork of ['shanghai', 'cancun']) {
    const scene = new Scene(fork);
    scene.place(contract, { code, balance: 9n, nonce: 1n, storage: { '1': 7n } });
    scene.execute();
    scene.evm.finish(scene.host);
    assert.equal(balanceOf(scene, heir), 9n);
    const record = decodeAccount(scene.host.accounts.get(text(contract)) as Uint8Array);
    const gone = fork === 'shanghai';
    assert.equal(record.exists, !gone);
    assert.equal(record.incarnation, gone ? 1 : 0);
    assert.equal(record.codeKey === emptyCodeKey, gone);
    assert.equal(scene.evm.account(contract).exists, !gone);
    // Whoever is put there again starts with empty slots.
    const reads = program('PUSH1', Uint8Array.of(1), 'SLOAD PUSH0 MSTORE MSIZE PUSH0 RETURN');
    const codeKey = text(Uint8Array.from({ length: 32 }, () => 9));
    scene.host.putCode(codeKey, reads);
    const again = encodeAccount({ ...record, exists: true, codeKey, hasStorage: true });
    scene.host.putAccount(text(contract), again);
    scene.evm.forget();
    assert.equal(Number(`0x${toHex(scene.call().output)}`), gone ? 0 : 7);
  }
});

test('each authorization stands or falls alone, and one for an account that exists gives back', () => {
  const scene = new Scene('prague');
  const [fresh, old, coded, late] = [0x21, 0x22, 0x23, 0x24].map(addressOf) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  scene.place(old, { balance: 1n, nonce: 4n });
  scene.place(coded, { code: program('STOP'), nonce: 1n });
  scene.place(late, { balance: 1n, nonce: 2n });
  const sign = (authority: Uint8Array | undefined, nonce: bigint, chainId = 0n) =>
    ({ authority, nonce, chainId, address: contract }) as RecoveredAuthorization;
  const authorizationList = [
    sign(fresh, 0n),
    sign(old, 4n, 1_337n),
    sign(coded, 1n),
    sign(late, 1n),
    sign(late, 2n, 5n),
    sign(undefined, 0n),
  ];
  const { gasUsed, refund } = scene.execute({ type: 4, to: heir, authorizationList });
  assert.equal(refund, 12_500);
  assert.equal(gasUsed, 21_000 + 6 * 25_000 - refund);
  scene.evm.finish(scene.host);
  const designator = `ef0100${toHex(contract)}`;
  const codeOf = (address: Uint8Array): string => {
    const { codeKey } = decodeAccount(scene.host.accounts.get(text(address)) as Uint8Array);
    return toHex(scene.host.codes.get(codeKey) ?? new Uint8Array(0));
  };
  assert.deepEqual([fresh, old, coded, late].map(codeOf), [designator, designator, '00', '']);
  assert.deepEqual(
    [fresh, old, coded, late].map((one) => scene.evm.account(one).nonce),
    [1n, 5n, 1n, 2n],
  );
  // A delegation is taken back by naming nobody; a delegating account may send.
  const clears = [{ ...sign(old, 5n), address: new Uint8Array(20) }];
  scene.execute({ type: 4, to: heir, nonce: 1n, authorizationList: clears });
  scene.evm.finish(scene.host);
  assert.equal(codeOf(old), '');
  scene.place(fresh, { balance: wealth, code: Buffer.from(designator, 'hex'), nonce: 1n });
  assert.equal(refusal(scene, { from: fresh, nonce: 1n }), 'none');
});

test('accesses are listed in the order first met, also those of a call that reverts', () => {
  const scene = new Scene('cancun');
  const inner = addressOf(0x31);
  const reverts = program('PUSH1', Uint8Array.of(4), 'SLOAD PUSH0 PUSH0 REVERT');
  scene.place(inner, { code: reverts });
  const calls = program('PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH20', inner, 'GAS CALL');
  const reads = program('PUSH1', Uint8Array.of(2), 'SLOAD PUSH20', heir, 'BALANCE');
  const code = program(reads, calls, 'PUSH1', Uint8Array.of(2), 'SLOAD');
  const { accessed = [], status } = scene.call({ recordAccesses: true }, code);
  assert.equal(status, 'success');
  assert.deepEqual(
    accessed.map(({ address, storageKeys }) => [toHex(address), storageKeys.map(toHex)]),
    [
      [toHex(contract), ['2'.padStart(64, '0')]],
      [toHex(heir), []],
      [toHex(inner), ['4'.padStart(64, '0')]],
    ],
  );
});

test('a call pays nobody and leaves nothing', () => {
  const scene = new Scene('cancun');
  const code = program('GAS PUSH0 SSTORE COINBASE BALANCE PUSH0 MSTORE MSIZE PUSH0 RETURN');
  const first = scene.call({ value: 3n, gasPrice: 10n }, code);
  assert.equal(first.status, 'success');
  assert.deepEqual(scene.call({ value: 3n, gasPrice: 10n }), first);
  assert.equal(balanceOf(scene, sender), wealth);
  assert.equal(scene.evm.account(sender).nonce, 0n);
  scene.execute({ to: heir });
  assert.equal(balanceOf(scene, block.coinbase), 21_000n);
});

test('system calls join what is open, cost nobody and need code to act on', () => {
  const scene = new Scene('cancun');
  // Counts in slot 0 and keeps its caller in slot 1.
  const counts = program('PUSH0 SLOAD', 1n, 'ADD PUSH0 SSTORE CALLER', 1n, 'SSTORE');
  scene.place(contract, { code: counts, nonce: 1n });
  const system = { target: contract, data: new Uint8Array(0) };
  assert.equal(scene.evm.systemCall({ ...system, target: heir }, block).status, 'success');
  for (let i = 0; i < 2; i++) {
    assert.equal(scene.evm.systemCall(system, block).status, 'success');
  }
  scene.evm.finish(scene.host);
  const slots = [...scene.host.slots.values()].map(toHex).sort();
  assert.deepEqual(slots, ['02', 'fffffffffffffffffffffffffffffffffffffffe']);
  assert.equal(scene.host.accounts.size, 2, 'neither the caller nor the coinbase came to be');
});

test('a cache that has grown too large starts anew, and nothing else changes', () => {
  const scene = new Scene('chainstart');
  // Looks at one account after the other until the gas ends: 20 gas each.
  const looks = program('GAS JUMPDEST', 1n, 'ADD DUP1 BALANCE POP', 1n, 'JUMP');
  scene.place(contract, { code: looks });
  const base = scene.evm.heldBytes;
  let most = 0;
  for (let nonce = 0n; nonce < 3n; nonce++) {
    const { gasUsed } = scene.execute({
      type: 0,
      nonce,
      gasLimit: 20_000_000n - nonce,
      maxPriorityFeePerGas: 10n,
    });
    assert.equal(gasUsed, Number(20_000_000n - nonce));
    scene.evm.finish(scene.host);
    most = Math.max(most, scene.evm.heldBytes);
  }
  assert.ok(most > base + 80_000_000, 'the cache was never large');
  scene.execute({ type: 0, nonce: 3n, maxPriorityFeePerGas: 10n, gasLimit: 21_000n, to: heir });
  scene.evm.finish(scene.host);
  assert.ok(scene.evm.heldBytes < most / 4, `${scene.evm.heldBytes} bytes of ${most} are held`);
  assert.equal(scene.evm.account(sender).nonce, 4n);
});
