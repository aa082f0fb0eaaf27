import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Piece, program, push, returnTop } from './bytecode.ts';
import { mask256, randomFrom, randomWord } from './corner-words.ts';
import { addressOf, block, contract, keccak256, Scene, sender, toHex, wordOf } from './scene.ts';

const other = addressOf(0xbb);
const otherCode = program(12_345n, 'POP', 0xabcdefn, 'STOP');
const bytesOf = (word: bigint): Uint8Array =>
  Buffer.from(word.toString(16).padStart(64, '0'), 'hex');

function scene(): Scene {
  const made = new Scene();
  made.place(other, { code: otherCode, balance: 2n ** 250n + 5n, nonce: 1n });
  made.place(addressOf(0xbc), { balance: 1n });
  return made;
}

test('what a program sees of the message and the block is what it was given', () => {
  const made = scene();
  const data = Buffer.alloc(77, 3);
  const hashes = [1n, 2n, 3n].map((i) => bytesOf((1n << 248n) + i));
  const request = { value: 42n, data, gasPrice: 9n, blobVersionedHashes: hashes };
  const seen: Readonly<Record<string, bigint>> = {
    ADDRESS: wordOf(contract),
    ORIGIN: wordOf(sender),
    CALLER: wordOf(sender),
    CALLVALUE: 42n,
    CALLDATASIZE: 77n,
    CODESIZE: BigInt(program('CODESIZE', returnTop()).length),
    GASPRICE: 9n,
    RETURNDATASIZE: 0n,
    COINBASE: wordOf(block.coinbase),
    TIMESTAMP: BigInt(block.timestamp),
    NUMBER: BigInt(block.number),
    PREVRANDAO: block.prevRandao,
    GASLIMIT: BigInt(block.gasLimit),
    CHAINID: 1_337n,
    SELFBALANCE: 1_042n,
    BASEFEE: block.baseFee,
    BLOBBASEFEE: block.blobBaseFee,
    PC: 0n,
    MSIZE: 0n,
  };
  for (const [name, wanted] of Object.entries(seen)) {
    assert.equal(made.word(program(name, returnTop()), request), wanted, name);
  }
  assert.equal(made.word(program('BASEFEE', returnTop())), 0n, 'a call that pays nothing');
  for (const [index, wanted] of [
    [0n, hashes[0]],
    [2n, hashes[2]],
    [3n, undefined],
    [2n ** 32n, undefined],
    [2n ** 64n + 1n, undefined],
    [mask256, undefined],
  ] as const) {
    const hash = made.word(program(index, 'BLOBHASH', returnTop()), request);
    assert.equal(hash, wanted === undefined ? 0n : wordOf(wanted), `BLOBHASH ${index}`);
  }
});

test('PC, MSIZE and GAS count', () => {
  const made = scene();
  assert.equal(made.word(program(2n ** 200n, 'POP PC', returnTop())), 28n);
  for (const [offset, wanted] of [
    [0n, 32n],
    [1n, 64n],
    [32n, 64n],
    [1_000n, 1_056n],
  ] as const) {
    assert.equal(made.word(program(offset, 'MLOAD POP MSIZE', returnTop())), wanted);
  }
  const gas = 1_000_000;
  assert.equal(made.word(program('GAS', returnTop()), { gas }), BigInt(gas - 21_000 - 2));
  assert.equal(made.word(program('GAS GAS SWAP1 SUB', returnTop()), { gas }), 2n);
});

test('BLOCKHASH answers for the 256 blocks before this one and no others', () => {
  const made = scene();
  const now = BigInt(block.number);
  const known = [now - 1n, now - 2n, now - 255n, now - 256n];
  const unknown = [now - 257n, 0n, now, now + 1n, 2n ** 64n + now - 1n, mask256, 2n ** 255n];
  for (const number of known) {
    const hash = made.word(program(number, 'BLOCKHASH', returnTop()));
    assert.equal(hash, block.blockHash(number), `${number}`);
  }
  for (const number of unknown) {
    assert.equal(made.word(program(number, 'BLOCKHASH', returnTop())), 0n, `${number}`);
  }
});

test('accounts are asked by the low 160 bits of a word', () => {
  const made = scene();
  const empty = wordOf(keccak256(new Uint8Array(0)));
  const rows: readonly [Uint8Array, balance: bigint, size: bigint, hash: bigint][] = [
    [other, 2n ** 250n + 5n, BigInt(otherCode.length), wordOf(keccak256(otherCode))],
    [addressOf(0xbc), 1n, 0n, empty],
    [addressOf(0xbd), 0n, 0n, 0n],
    [sender, 10n ** 24n, 0n, empty],
  ];
  for (const [address, balance, size, hash] of rows) {
    for (const above of [0n, 1n << 160n, mask256 << 160n]) {
      const word = BigInt.asUintN(256, wordOf(address) | above);
      assert.equal(made.word(program(word, 'BALANCE', returnTop())), balance);
      assert.equal(made.word(program(word, 'EXTCODESIZE', returnTop())), size);
      assert.equal(made.word(program(word, 'EXTCODEHASH', returnTop())), hash);
    }
  }
});

const sources = [0n, 1n, 5n, 31n, 32n, 33n, 100n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 63n];
const far = [2n ** 64n - 1n, 2n ** 64n, 2n ** 64n + 1n, 2n ** 128n, 2n ** 255n, mask256];

/** `length` bytes of `from` from an offset, zeros beyond its end. */
function slice(from: Uint8Array, offset: bigint, length: number): Uint8Array {
  const piece = new Uint8Array(length);
  if (offset < BigInt(from.length)) {
    piece.set(from.subarray(Number(offset), Number(offset) + length));
  }
  return piece;
}

test('CALLDATALOAD reads zeros beyond the end, however far', () => {
  const made = scene();
  for (const length of [0, 1, 31, 32, 33, 64, 100]) {
    const data = Uint8Array.from({ length }, (_, i) => i + 1);
    for (const offset of [...sources, ...far]) {
      const read = made.word(program(offset, 'CALLDATALOAD', returnTop()), { data });
      assert.equal(read, wordOf(slice(data, offset, 32)), `${offset} of ${length}`);
    }
  }
});

test('copies read zeros beyond the end of their source and write nothing else', () => {
  const made = scene();
  const data = Uint8Array.from({ length: 70 }, (_, i) => 255 - i);
  const filled = Array.from({ length: 6 }, (_, i) => [mask256, BigInt(32 * i), 'MSTORE']).flat();
  const copy = (name: string, source: bigint, target: bigint, length: bigint): Uint8Array => {
    const address = name === 'EXTCODECOPY' ? [wordOf(other)] : [];
    const code = program(...filled, length, source, target, ...address, name, 192n, 'PUSH0 RETURN');
    const { output, error } = made.call({ data }, code);
    assert.equal(error, undefined);
    const from = { CALLDATACOPY: data, CODECOPY: code, EXTCODECOPY: otherCode }[name];
    const memory = new Uint8Array(192).fill(0xff);
    memory.set(slice(from as Uint8Array, source, Number(length)), Number(target));
    assert.equal(toHex(output), toHex(memory), `${name} ${source} ${target} ${length}`);
    return output;
  };
  for (const name of ['CALLDATACOPY', 'CODECOPY', 'EXTCODECOPY']) {
    for (const source of [...sources, ...far]) {
      for (const length of [0n, 1n, 31n, 32n, 33n, 90n]) {
        for (const target of [0n, 7n, 64n]) copy(name, source, target, length);
      }
    }
  }
  // The code of an account that has none is all zeros.
  const none = program(mask256, 'PUSH0 MSTORE', 32n, 'PUSH0 PUSH0', wordOf(addressOf(9)));
  assert.equal(made.word(program(none, 'EXTCODECOPY PUSH0 MLOAD', returnTop())), 0n);
});

test('a copy of nothing costs no memory, wherever it points', () => {
  const made = scene();
  for (const name of ['CALLDATACOPY', 'CODECOPY', 'EXTCODECOPY', 'MCOPY']) {
    const address = name === 'EXTCODECOPY' ? [wordOf(other)] : [];
    for (const offset of far) {
      const nothing = program(0n, offset, offset, ...address, name, 'MSIZE', returnTop());
      assert.equal(made.word(nothing), 0n, name);
      const one = program(1n, 0n, offset, ...address, name);
      assert.equal(made.call({}, one).error, 'out of gas', `${name} to ${offset}`);
      const huge = program(offset, 0n, 0n, ...address, name);
      assert.equal(made.call({}, huge).error, 'out of gas', `${name} of ${offset} bytes`);
    }
  }
});

test('memory reads what was written, byte by byte', () => {
  const made = scene();
  const random = randomFrom(41);
  for (let i = 0; i < 200; i++) {
    const memory = new Uint8Array(512);
    const pieces: Piece[] = [];
    for (let j = 0; j < 12; j++) {
      const at = Math.floor(random() * 220);
      const value = randomWord(random);
      const kind = random();
      if (kind < 0.4) {
        pieces.push(value, BigInt(at), 'MSTORE');
        memory.set(bytesOf(value), at);
      } else if (kind < 0.7) {
        pieces.push(value, BigInt(at), 'MSTORE8');
        memory[at] = Number(value & 255n);
      } else {
        const from = Math.floor(random() * 220);
        const length = Math.floor(random() * 100);
        pieces.push(BigInt(length), BigInt(from), BigInt(at), 'MCOPY');
        memory.copyWithin(at, from, from + length);
      }
    }
    const { output } = made.call({}, program(...pieces, 400n, 'PUSH0 RETURN'));
    assert.equal(toHex(output), toHex(memory.subarray(0, 400)), `program ${i}`);
    const at = BigInt(Math.floor(random() * 300));
    const word = made.word(program(...pieces, at, 'MLOAD', returnTop()));
    assert.equal(word, wordOf(memory.subarray(Number(at), Number(at) + 32)), `program ${i}`);
  }
});

test('jumps land on JUMPDEST only, and only when the condition is not zero', () => {
  const made = scene();
  const jump = (target: bigint): string | undefined => {
    // 40 bytes before, then data that looks like a JUMPDEST, then a true one at 75.
    const head = program(push(target, 32), 'JUMP');
    const filling = new Uint8Array(40 - head.length).fill(0xfe);
    const looks = push(BigInt(`0x${'5b'.repeat(32)}`), 32);
    return made.call({}, program(head, filling, looks, 'INVALID INVALID JUMPDEST')).error;
  };
  assert.equal(jump(75n), undefined);
  for (const target of [0n, 33n, 34n, 41n, 72n, 73n, 74n, 76n, 77n, ...far, 2n ** 32n + 75n]) {
    assert.equal(jump(target), 'invalid JUMP', `${target}`);
  }
  for (const target of far) {
    assert.equal(jump(BigInt.asUintN(256, target + 75n)), 'invalid JUMP', `${target} + 75`);
  }
  for (const condition of [0n, 1n, 2n ** 64n, 2n ** 128n, 2n ** 192n, 2n ** 255n, mask256]) {
    const code = program(push(condition, 32), push(60n, 1), 'JUMPI', 7n, returnTop());
    const filled = Buffer.concat([code, new Uint8Array(60 - code.length)]);
    const word = made.word(program(filled, 'JUMPDEST', 9n, returnTop()));
    assert.equal(word, condition === 0n ? 7n : 9n);
  }
  // A jump that is not taken may point anywhere.
  assert.equal(made.call({}, program(0n, mask256, 'JUMPI')).error, undefined);
  assert.equal(made.call({}, program(1n, mask256, 'JUMPI')).error, 'invalid JUMP');
});

test('storage and transient storage keep words by word', () => {
  const made = scene();
  const random = randomFrom(43);
  for (const [load, store] of [
    ['SLOAD', 'SSTORE'],
    ['TLOAD', 'TSTORE'],
  ] as const) {
    for (let i = 0; i < 60; i++) {
      const keys = [0n, 1n, mask256, randomWord(random), randomWord(random)];
      const kept = new Map<bigint, bigint>();
      const pieces: Piece[] = [];
      for (let j = 0; j < 10; j++) {
        const key = keys[Math.floor(random() * keys.length)] as bigint;
        const value = random() < 0.3 ? 0n : randomWord(random);
        pieces.push(value, key, store);
        kept.set(key, value);
      }
      for (const key of keys) {
        const word = made.word(program(...pieces, key, load, returnTop()));
        assert.equal(word, kept.get(key) ?? 0n);
      }
    }
  }
  // Neither outlives a call, nor does one show in the other.
  assert.equal(made.word(program(5n, 1n, 'TSTORE', 1n, 'SLOAD', returnTop())), 0n);
  assert.equal(made.word(program(1n, 'TLOAD', returnTop())), 0n);
});

test('storage that was there before is read and kept', () => {
  const made = scene();
  const storage = { 0: 7n, 5: mask256, [String(2n ** 200n)]: 2n ** 64n };
  const read = (slot: bigint): bigint => {
    made.place(contract, { code: program(slot, 'SLOAD', returnTop()), storage, nonce: 1n });
    return wordOf(made.call().output);
  };
  assert.deepEqual([0n, 1n, 5n, 2n ** 200n].map(read), [7n, 0n, mask256, 2n ** 64n]);
});
