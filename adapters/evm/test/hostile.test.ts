import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BothEngines } from './both-engines.ts';
import { type Piece, program, push, returnTop } from './bytecode.ts';
import { mask256, randomFrom } from './corner-words.ts';
import { addressOf, contract, wordOf } from './scene.ts';

// What a contract may try against the engine. Each attempt ends as the reference ends it, and the
// engine goes on as if nothing had been.

/** So much gas that depth and memory end for other reasons. */
const boundless = 10n ** 14n;
const wide = { gasLimit: 10 ** 15 };
const legacy = { type: 0, maxFeePerGas: 10n, maxPriorityFeePerGas: 10n } as const;

function both(fork: string, code: Uint8Array, storage: Record<string, bigint> = {}): BothEngines {
  const engines = new BothEngines(fork, wide);
  engines.place(contract, { code, nonce: 1n, balance: 10_000n, storage });
  return engines;
}

/** Calls itself with all gas and answers one more than what it gets back. */
function recursion(name: string): Uint8Array {
  const valued = name === 'CALL' || name === 'CALLCODE';
  const zero = push(0n, 1);
  const call = program(push(32n), zero, zero, zero, ...(valued ? [zero] : []), 'ADDRESS GAS', name);
  return program(call, 'POP', zero, 'MLOAD', 1n, 'ADD', zero, 'MSTORE', push(32n), zero, 'RETURN');
}

for (const [fork, names] of [
  ['tangerineWhistle', ['CALL', 'CALLCODE', 'DELEGATECALL']],
  ['prague', ['CALL', 'CALLCODE', 'DELEGATECALL', 'STATICCALL']],
] as const) {
  test(`recursion ends at 1,024 calls within the first under ${fork}`, async () => {
    for (const name of names) {
      const engines = both(fork, recursion(name));
      const fields = { ...legacy, gasLimit: boundless };
      const { output, status } = await engines.survive(fields, name);
      assert.deepEqual([status, BigInt(`0x${output}`)], [1, 1_025n], name);
      // With gas for a part of it only.
      for (const gasLimit of [100_000n, 1_000_000n, 9_999_999n]) {
        await engines.survive({ ...legacy, gasLimit }, `${name} with ${gasLimit}`);
      }
    }
  });
}

test('recursion through creations ends at 1,024 too', async () => {
  // Init code that hands its own bytes on to a creation, then answers nothing.
  const again = program('CODESIZE PUSH0 PUSH0 CODECOPY CODESIZE PUSH0 PUSH0 CREATE POP STOP');
  const engines = both('prague', again);
  const { changes = [] } = await engines.survive({ gasLimit: boundless });
  const accounts = changes.filter(([key]) => key.startsWith('account'));
  // The sender, the coinbase, the contract and those created at depths 1 to 1,024.
  assert.equal(accounts.length, 3 + 1_024);
});

test('memory grows as far as the gas goes, in one step and in many', async () => {
  const engines = both('prague', program('PUSH0 CALLDATALOAD MLOAD POP MSIZE', returnTop()));
  const at = (size: number) => Buffer.from(size.toString(16).padStart(64, '0'), 'hex');
  let least = 0;
  let most = 2 ** 24;
  const gasLimit = 16_000_000n;
  while (most - least > 1) {
    const middle = Math.floor((least + most) / 2);
    if (engines.byOwn({ gasLimit, data: at(middle) }).status === 1) least = middle;
    else most = middle;
  }
  for (const size of [least - 32, least, most, most + 32]) {
    const { status } = await engines.survive({ gasLimit, data: at(size) }, `${size}`);
    assert.equal(status, size <= least ? 1 : 0);
  }
  // For ever by 32 bytes, and for ever twice as much.
  const loop = (grow: Uint8Array) => program('JUMPDEST', grow, 'PUSH0 JUMP');
  const steps = both('prague', loop(program('MSIZE MLOAD POP')));
  await steps.survive({ gasLimit: 3_000_000n });
  const doubles = both('prague', loop(program('MSIZE', 1n, 'ADD MSIZE ADD MLOAD POP')));
  assert.equal((await doubles.survive({ gasLimit: 16_000_000n })).error, 'out of gas');
});

test('each of many frames may hold memory, and all of it is given back', async () => {
  // 100 KB, then a call to itself with all gas, as deep as it goes.
  const deep = program(100_000n, 'MLOAD POP', recursion('CALL'));
  const engines = both('prague', deep);
  await engines.survive({ gasLimit: 16_000_000n });
  engines.byOwn({ gasLimit: 16_000_000n });
  const held = engines.own.heldBytes;
  for (let i = 0; i < 20; i++) engines.byOwn({ gasLimit: 16_000_000n });
  assert.ok(engines.own.heldBytes <= held, `${engines.own.heldBytes} bytes, before ${held}`);
});

test('memory beyond a GiB is out of gas, however much gas there is', () => {
  const engines = both('prague', program('PUSH0 CALLDATALOAD MLOAD POP'));
  for (const offset of [2n ** 30n, 2n ** 31n, 2n ** 32n - 32n, 2n ** 32n - 1n, 2n ** 40n]) {
    const data = Buffer.from(offset.toString(16).padStart(64, '0'), 'hex');
    const { error } = engines.byOwn({ gasLimit: boundless, data });
    assert.equal(error, 'out of gas', `${offset}`);
    engines.survives({ gasLimit: boundless, data });
  }
});

test('code of 24,576 bytes runs, code in the state may be larger still', async () => {
  for (const size of [24_575, 24_576, 24_577, 100_000, 1_000_000]) {
    for (const [name, fill] of [
      ['JUMPDEST', 0x5b],
      ['PUSH32', 0x7f],
      ['PUSH1', 0x60],
      ['STOP', 0x00],
      ['INVALID', 0xfe],
    ] as const) {
      const code = new Uint8Array(size).fill(fill);
      await both('prague', code).survive({ gasLimit: 15_000_000n }, `${size} of ${name}`);
      // Over the filling to the last byte.
      code.set(push(BigInt(size - 1), 4));
      code.set([0x56], 5);
      code[size - 1] = 0x5b;
      const jumped = await both('prague', code).survive({}, `${size} of ${name}, jumped over`);
      const isData = fill === 0x7f ? (size - 7) % 33 !== 0 : fill === 0x60 && size % 2 === 0;
      assert.equal(jumped.status, isData ? 0 : 1, `${size} of ${name}`);
    }
  }
});

test('a jump lands on no byte of push data, whatever the code', async () => {
  const random = randomFrom(77);
  for (let i = 0; i < 12; i++) {
    const jump = program('PUSH0 CALLDATALOAD JUMP');
    const rest = Array.from({ length: 60 }, () => {
      const kind = random();
      return kind < 0.6 ? 0x5b : kind < 0.8 ? 0x60 + Math.floor(random() * 32) : 0x00;
    });
    const code = Uint8Array.of(...jump, ...rest);
    const engines = both('prague', code);
    for (let target = 0; target < code.length + 3; target++) {
      const data = Buffer.from(target.toString(16).padStart(64, '0'), 'hex');
      await engines.run({ data }, `${Buffer.from(code).toString('hex')} at ${target}`);
    }
  }
});

const hugeOffsets = [2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 32n + 31n, 2n ** 53n + 1n]
  .concat([2n ** 63n - 1n, 2n ** 64n - 32n, 2n ** 64n - 1n, 2n ** 64n, 2n ** 128n + 5n])
  .concat([2n ** 255n, mask256 - 31n, mask256]);

/** Operations with ranges: a program for an offset and a length. */
const ranged: Readonly<Record<string, (offset: bigint, length: bigint) => readonly Piece[]>> = {
  MLOAD: (offset) => [offset, 'MLOAD'],
  MSTORE: (offset, length) => [length, offset, 'MSTORE'],
  MSTORE8: (offset, length) => [length, offset, 'MSTORE8'],
  KECCAK256: (offset, length) => [length, offset, 'KECCAK256'],
  CALLDATACOPY: (offset, length) => [length, offset, 3n, 'CALLDATACOPY'],
  'CALLDATACOPY to': (offset, length) => [length, 3n, offset, 'CALLDATACOPY'],
  CODECOPY: (offset, length) => [length, offset, 3n, 'CODECOPY'],
  'CODECOPY to': (offset, length) => [length, 3n, offset, 'CODECOPY'],
  EXTCODECOPY: (offset, length) => [length, offset, 3n, wordOf(contract), 'EXTCODECOPY'],
  'EXTCODECOPY to': (offset, length) => [length, 3n, offset, wordOf(contract), 'EXTCODECOPY'],
  RETURNDATACOPY: (offset, length) => [length, offset, 3n, 'RETURNDATACOPY'],
  'RETURNDATACOPY to': (offset, length) => [length, 0n, offset, 'RETURNDATACOPY'],
  MCOPY: (offset, length) => [length, offset, 3n, 'MCOPY'],
  'MCOPY to': (offset, length) => [length, 3n, offset, 'MCOPY'],
  LOG0: (offset, length) => [length, offset, 'LOG0'],
  LOG4: (offset, length) => [1n, 2n, 3n, 4n, length, offset, 'LOG4'],
  CREATE: (offset, length) => [length, offset, 0n, 'CREATE'],
  CREATE2: (offset, length) => [5n, length, offset, 0n, 'CREATE2'],
  'CALL with input': (offset, length) => [0n, 0n, length, offset, 0n, 4n, 'GAS CALL'],
  'CALL with output': (offset, length) => [length, offset, 0n, 0n, 0n, 4n, 'GAS CALL'],
  CALLCODE: (offset, length) => [length, offset, length, 0n, 0n, 2n, 'GAS CALLCODE'],
  DELEGATECALL: (offset, length) => [0n, 0n, length, offset, 3n, 'GAS DELEGATECALL'],
  STATICCALL: (offset, length) => [length, offset, 32n, 0n, 2n, 'GAS STATICCALL'],
  RETURN: (offset, length) => [length, offset, 'RETURN'],
  REVERT: (offset, length) => [length, offset, 'REVERT'],
};

for (const [name, pieces] of Object.entries(ranged)) {
  test(`${name} at huge offsets and of huge lengths ends as the reference ends it`, async () => {
    const engines = new BothEngines('prague', wide);
    for (const length of [0n, 1n, 33n, ...hugeOffsets]) {
      const some = length > 1_000n ? [0n, 1n, mask256] : [0n, 5n, ...hugeOffsets];
      for (const offset of some) {
        const store = program(push(mask256, 32), 'PUSH0 MSTORE');
        const code = program(store, ...pieces(offset, length), 'MSIZE PUSH0 SSTORE');
        engines.place(contract, { code, nonce: 1n, balance: 9n });
        const fields = { gasLimit: 400_000n, data: Uint8Array.of(1, 2, 3) };
        await engines.run(fields, `${name} ${offset} ${length}`);
      }
      engines.survives({ gasLimit: 400_000n });
    }
  });
}

/** Inputs that precompiles refuse, or nearly: by their number. */
const spoiled: Readonly<Record<number, readonly string[]>> = {
  1: ['', 'ff'.repeat(128), `${'11'.repeat(32)}${'00'.repeat(31)}1b${'22'.repeat(64)}`],
  5: ['ff'.repeat(96), `${'00'.repeat(31)}01${'ff'.repeat(64)}`, '00'.repeat(96)],
  6: ['01'.repeat(128), 'ff'.repeat(64), ''],
  7: ['01'.repeat(96), 'ff'.repeat(32), ''],
  8: ['01', '01'.repeat(192), '00'.repeat(191)],
  9: [
    '',
    '00'.repeat(212),
    '00'.repeat(214),
    `ffffffff${'00'.repeat(209)}`,
    `${'00'.repeat(212)}02`,
  ],
  10: ['', '00'.repeat(192), 'ff'.repeat(192)],
  11: ['', 'ff'.repeat(256), '00'.repeat(255)],
  12: ['', 'ff'.repeat(160), '00'.repeat(161)],
  13: ['', 'ff'.repeat(512)],
  14: ['', 'ff'.repeat(288)],
  15: ['', 'ff'.repeat(384), '00'.repeat(383)],
  16: ['', 'ff'.repeat(64)],
  17: ['', 'ff'.repeat(128)],
};

test('a precompile that fails takes the gas of its call and nothing else', async () => {
  for (const [id, inputs] of Object.entries(spoiled)) {
    for (const input of inputs) {
      const data = Buffer.from(input, 'hex');
      for (const gas of [0n, 2_999n, 200_000n]) {
        const load = program('CALLDATASIZE PUSH0 PUSH0 CALLDATACOPY');
        const call = [64n, 'PUSH0 CALLDATASIZE PUSH0 PUSH0', BigInt(id), gas, 'CALL'];
        const keep = program('RETURNDATASIZE ADD PUSH0 SSTORE', 64n, 'PUSH0 RETURN');
        const engines = both('prague', program(load, ...call, keep));
        await engines.survive({ data, gasLimit: 1_000_000n }, `${id} of ${input} with ${gas}`);
      }
      // By a transaction itself.
      const engines = new BothEngines('prague');
      const to = addressOf(0).with(19, Number(id));
      await engines.survive({ to, data, gasLimit: 500_000n, value: 1n }, `${id} of ${input}`);
    }
  }
});
