import assert from 'node:assert/strict';
import { test } from 'node:test';
import { operations, program, push, returnTop } from './bytecode.ts';
import { cornerWords, mask256, randomFrom, randomWord } from './corner-words.ts';
import { keccak256, Scene, toHex, wordOf } from './scene.ts';
import { type WordModel, wordModels } from './word-models.ts';

// The newest fork, every operation through real bytecode. What each must give is computed beside it
// with BigInt (Yellow Paper, appendix H).

const signed = (word: bigint): bigint => BigInt.asIntN(256, word);
const bytesOf = (word: bigint): Uint8Array =>
  Buffer.from(word.toString(16).padStart(64, '0'), 'hex');
const hex = (word: bigint): string => `0x${word.toString(16)}`;

const stackModels: Readonly<Record<string, readonly [operands: 1 | 2 | 3, WordModel]>> = {
  ...Object.fromEntries(
    Object.entries(wordModels).map(([name, model]) => [
      name === 'byteAt' ? 'BYTE' : name.toUpperCase(),
      model,
    ]),
  ),
  LT: [2, (a, b) => BigInt(a < b)],
  GT: [2, (a, b) => BigInt(a > b)],
  SLT: [2, (a, b) => BigInt(signed(a) < signed(b))],
  SGT: [2, (a, b) => BigInt(signed(a) > signed(b))],
  EQ: [2, (a, b) => BigInt(a === b)],
  ISZERO: [1, (a) => BigInt(a === 0n)],
};

/** Loads its operands from the call data, so that one program meets all values. */
function reading(name: string, operands: number): Uint8Array {
  const loads = Array.from({ length: operands }, (_, i) => [
    BigInt(32 * (operands - 1 - i)),
    'CALLDATALOAD',
  ]).flat();
  return program(...loads, name, returnTop());
}

for (const [name, [count, model]] of Object.entries(stackModels)) {
  test(`${name} gives what BigInt gives`, () => {
    const scene = new Scene();
    scene.call({}, reading(name, count));
    const meet = (...operands: bigint[]): void => {
      const data = Buffer.concat(operands.slice(0, count).map(bytesOf));
      const [a = 0n, b = 0n, n = 0n] = operands;
      const { output } = scene.call({ data });
      const wanted = model(a, b, n);
      if (toHex(output) !== toHex(bytesOf(wanted))) {
        assert.fail(`${name} ${operands.map(hex)} gives ${toHex(output)}, not ${hex(wanted)}`);
      }
    };
    const random = randomFrom(5);
    for (const a of cornerWords) {
      if (count === 1) meet(a);
      else for (const b of cornerWords) meet(a, b, cornerWords[9] as bigint);
    }
    for (let i = 0; i < 400; i++) {
      meet(randomWord(random), randomWord(random), randomWord(random));
      meet(BigInt(Math.floor(random() * 300)), randomWord(random), 0n);
      meet(randomWord(random), mask256, randomWord(random));
    }
  });

  test(`${name} gives the same for pushed operands`, () => {
    const scene = new Scene();
    const random = randomFrom(6);
    for (let i = 0; i < 25; i++) {
      const operands = Array.from({ length: count }, () => randomWord(random));
      const code = program(...operands.toReversed(), name, returnTop());
      const [a = 0n, b = 0n, n = 0n] = operands;
      assert.equal(scene.word(code), model(a, b, n), `${name} ${operands.map(hex)}`);
    }
  });
}

test('KECCAK256 hashes any piece of memory', () => {
  const scene = new Scene();
  const data = Uint8Array.from({ length: 500 }, (_, i) => (i * 7) % 256);
  for (const [offset, length] of [
    [0, 0],
    [2 ** 40, 0],
    [0, 32],
    [5, 64],
    [31, 135],
    [1, 136],
    [0, 137],
    [100, 400],
    [490, 300],
  ] as const) {
    const load = program(500n, 'PUSH0 PUSH0 CALLDATACOPY');
    const code = program(load, BigInt(length), BigInt(offset), 'KECCAK256', returnTop());
    const memory = new Uint8Array(1_000);
    memory.set(data);
    const piece = length === 0 ? new Uint8Array(0) : memory.subarray(offset, offset + length);
    assert.equal(scene.word(code, { data }), wordOf(keccak256(piece)), `${offset} ${length}`);
  }
});

test('PUSH0 to PUSH32 push the bytes behind them, zeros beyond the end of the code', () => {
  const scene = new Scene();
  const random = randomFrom(9);
  assert.equal(scene.word(program(77n, 'PUSH0', returnTop())), 0n);
  for (let width = 1; width <= 32; width++) {
    const value = BigInt.asUintN(8 * width, randomWord(random) | (1n << BigInt(8 * width - 1)));
    assert.equal(scene.word(program(push(value, width), returnTop())), value);
    assert.equal(scene.word(program(push(0n, width), returnTop())), 0n);
    // Cut short at the end of the code, where nothing can follow but the implicit stop.
    for (let kept = 0; kept < width; kept++) {
      const { status, output } = scene.call({}, push(value, width).subarray(0, 1 + kept));
      assert.deepEqual([status, output.length], ['success', 0]);
    }
  }
});

test('DUP1 to DUP16 and SWAP1 to SWAP16 reach the right word', () => {
  const scene = new Scene();
  const words = Array.from({ length: 17 }, (_, i) => 2n ** 250n + BigInt(i));
  for (let n = 1; n <= 16; n++) {
    const dup = program(...words, `DUP${n}`, returnTop());
    assert.equal(scene.word(dup), words[17 - n], `DUP${n}`);
    const swap = [...words, `SWAP${n}`];
    assert.equal(scene.word(program(...swap, returnTop())), words[16 - n], `SWAP${n}`);
    const below = program(...swap, ...Array.from({ length: n }, () => 'POP'), returnTop());
    assert.equal(scene.word(below), words[16], `SWAP${n}`);
    // The words between stay.
    for (let i = 1; i < n; i++) {
      const between = program(...swap, ...Array.from({ length: i }, () => 'POP'), returnTop());
      assert.equal(scene.word(between), words[16 - i], `SWAP${n} at ${i}`);
    }
  }
});

/** Words an operation takes, by name; those that end the frame last. */
const taken: Readonly<Record<string, number>> = {
  ...Object.fromEntries(Object.entries(stackModels).map(([name, [count]]) => [name, count])),
  KECCAK256: 2,
  BALANCE: 1,
  CALLDATALOAD: 1,
  CALLDATACOPY: 3,
  CODECOPY: 3,
  EXTCODESIZE: 1,
  EXTCODECOPY: 4,
  RETURNDATACOPY: 3,
  EXTCODEHASH: 1,
  BLOCKHASH: 1,
  BLOBHASH: 1,
  POP: 1,
  MLOAD: 1,
  MSTORE: 2,
  MSTORE8: 2,
  SLOAD: 1,
  SSTORE: 2,
  JUMP: 1,
  JUMPI: 2,
  TLOAD: 1,
  TSTORE: 2,
  MCOPY: 3,
  ...Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`DUP${i + 1}`, i + 1])),
  ...Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`SWAP${i + 1}`, i + 2])),
  ...Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`LOG${i}`, i + 2])),
  CREATE: 3,
  CALL: 7,
  CALLCODE: 7,
  RETURN: 2,
  DELEGATECALL: 6,
  CREATE2: 4,
  STATICCALL: 6,
  REVERT: 2,
  SELFDESTRUCT: 1,
};

/** Operations that add one word more to the stack than they take. */
const growing = Object.keys(operations).filter(
  (name) =>
    name.startsWith('PUSH') ||
    name.startsWith('DUP') ||
    (taken[name] === undefined && !['STOP', 'JUMPDEST', 'INVALID'].includes(name)),
);

test('every operation fails with one word less than it takes, and with enough it does not', () => {
  const scene = new Scene();
  const failure = (name: string, words: number): string | undefined =>
    scene.call({ gas: 500_000 }, program(...Array.from({ length: words }, () => 0n), name)).error;
  for (const [name, count] of Object.entries(taken)) {
    for (let words = 0; words < count; words++) {
      assert.equal(failure(name, words), 'stack underflow', `${name} with ${words}`);
    }
    assert.notEqual(failure(name, count), 'stack underflow', name);
  }
});

test('every operation that grows the stack fails at 1,024 words and not at 1,023', () => {
  const scene = new Scene();
  assert.equal(growing.length, 33 + 16 + 20);
  for (const name of growing) {
    const filled = (words: number) =>
      scene.call({}, program(...Array.from({ length: words }, () => 'PUSH0'), name)).error;
    assert.equal(filled(1_024), 'stack overflow', name);
    assert.equal(filled(1_023), undefined, name);
  }
  // What takes as much as it gives works on a full stack.
  for (const name of ['ISZERO', 'SWAP16', 'JUMPDEST', 'MLOAD']) {
    const full = program(...Array.from({ length: 1_024 }, () => 'PUSH0'), name);
    assert.equal(scene.call({}, full).error, undefined, name);
  }
});

test('the bytes that are no operation fail and take all gas', () => {
  const scene = new Scene();
  const known = new Set(Object.values(operations));
  let unknown = 0;
  for (let code = 0; code < 256; code++) {
    const words = Array.from({ length: 17 }, () => 'PUSH0');
    const { error, gasUsed } = scene.call({ gas: 100_000 }, program(...words, Uint8Array.of(code)));
    if (known.has(code) && code !== operations.INVALID) {
      assert.notEqual(error, 'invalid opcode', `0x${code.toString(16)}`);
    } else {
      assert.equal(error, 'invalid opcode', `0x${code.toString(16)}`);
      assert.equal(gasUsed, 100_000);
      unknown++;
    }
  }
  assert.equal(unknown, 256 - known.size + 1);
});

/** Gas of operations whose operands are zero words, as far as it is not 3 (Yellow Paper, EIP-2929). */
const prices: Readonly<Record<string, number>> = {
  STOP: 0,
  ...pricesOf(5, 'MUL DIV SDIV MOD SMOD SIGNEXTEND CLZ SELFBALANCE'),
  ...pricesOf(8, 'ADDMOD MULMOD JUMP'),
  ...pricesOf(10, 'EXP JUMPI'),
  KECCAK256: 30,
  ...pricesOf(2, 'ADDRESS ORIGIN CALLER CALLVALUE CALLDATASIZE CODESIZE GASPRICE RETURNDATASIZE'),
  ...pricesOf(2, 'COINBASE TIMESTAMP NUMBER PREVRANDAO GASLIMIT CHAINID BASEFEE BLOBBASEFEE'),
  ...pricesOf(2, 'POP PC MSIZE GAS PUSH0'),
  ...pricesOf(2_600, 'BALANCE EXTCODESIZE EXTCODECOPY EXTCODEHASH'),
  BLOCKHASH: 20,
  ...pricesOf(6, 'MLOAD MSTORE MSTORE8'),
  SLOAD: 2_100,
  SSTORE: 2_200,
  JUMPDEST: 1,
  ...pricesOf(100, 'TLOAD TSTORE'),
  ...Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`LOG${i}`, 375 * (i + 1)])),
  ...pricesOf(32_000, 'CREATE CREATE2'),
  ...pricesOf(2_600, 'CALL CALLCODE DELEGATECALL STATICCALL'),
  ...pricesOf(0, 'RETURN REVERT'),
  // To a cold address that does not exist yet, with funds.
  SELFDESTRUCT: 5_000 + 2_600 + 25_000,
};

function pricesOf(gas: number, names: string): Record<string, number> {
  return Object.fromEntries(names.split(' ').map((name) => [name, gas]));
}

test('every operation costs what the schedule says', () => {
  const scene = new Scene();
  for (const [name, code] of Object.entries(operations)) {
    if (name === 'INVALID') continue;
    const count = taken[name] ?? 0;
    const jumps = name === 'JUMP' || name === 'JUMPI';
    const words = Array.from({ length: count }, (_, i) =>
      jumps && i === count - 1 ? Uint8Array.of(0x60, name === 'JUMP' ? 3 : 4) : 'PUSH0',
    );
    const landing = jumps ? 'JUMPDEST' : Uint8Array.of();
    const bytes = program(...words, Uint8Array.of(code), landing);
    const { gasUsed, error } = scene.call({ gas: 1_000_000 }, bytes);
    const pushes = words.length * 2 + (jumps ? 2 : 0);
    const spent = gasUsed - 21_000 - pushes;
    assert.equal(error, name === 'REVERT' ? 'revert' : undefined, name);
    assert.equal(spent, prices[name] ?? 3, name);
  }
});

test('EXP costs 50 gas for each byte of its exponent', () => {
  const scene = new Scene();
  for (let bytes = 0; bytes <= 32; bytes++) {
    const exponent = bytes === 0 ? 0n : 1n << BigInt(8 * bytes - 1);
    const { gasUsed } = scene.call({}, program(push(exponent, 32), push(3n, 32), 'EXP'));
    assert.equal(gasUsed, 21_000 + 6 + 10 + 50 * bytes);
  }
});
