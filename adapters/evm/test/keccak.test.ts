import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKeccak } from 'hash-wasm';
import { assemblyOf } from './assembly.ts';
import { randomFrom } from './corner-words.ts';

const { functions, memory } = await assemblyOf<{
  keccak256(out: number, data: number, length: number): void;
}>('assembly/keccak.ts');
const reference = await createKeccak(256);
// Behind the static areas of the module.
const data = 1_048_576;
memory.grow(40);
const bytes = new Uint8Array(memory.buffer);

function hashOf(input: Uint8Array, at = data, out = data - 4_096): string {
  // What lies behind the input must not count.
  bytes.fill(0xee, at, at + input.length + 200);
  bytes.set(input, at);
  functions.keccak256(out, at, input.length);
  return Buffer.from(bytes.slice(out, out + 32)).toString('hex');
}

test('known vectors of Keccak-256 come out', () => {
  const vectors = {
    '': 'c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470',
    abc: '4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45',
    'Transfer(address,address,uint256)':
      'ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef',
  };
  for (const [text, hash] of Object.entries(vectors)) {
    assert.equal(hashOf(Buffer.from(text)), hash, text);
  }
});

test('every length from 0 to 300 and some large ones hash as hash-wasm hashes them', () => {
  const random = randomFrom(3);
  const lengths = Array.from({ length: 301 }, (_, length) => length);
  for (const length of [...lengths, 1_087, 1_088, 1_089, 24_576, 1_000_003]) {
    const input = Uint8Array.from({ length }, () => Math.floor(random() * 256));
    const wanted = reference.init().update(input).digest('hex');
    assert.equal(hashOf(input), wanted, `${length} bytes`);
    assert.equal(hashOf(input, data + 3), wanted, `${length} bytes, unaligned`);
  }
});

test('the hash may replace what it is of', () => {
  const input = Uint8Array.from({ length: 64 }, (_, i) => i);
  const wanted = reference.init().update(input).digest('hex');
  assert.equal(hashOf(input, data, data), wanted);
  assert.equal(hashOf(input, data, data + 32), wanted);
});

test('hashes of 64 bytes are right when they are new, kept, or have taken the place of another', () => {
  const random = randomFrom(4);
  const pairs = Array.from({ length: 10_000 }, (_, i) => {
    const pair = Buffer.alloc(64);
    // As contracts make them: an address or a number, and a small one.
    pair.writeUIntBE(i < 5_000 ? i : Math.floor(random() * 2 ** 48), 26, 6);
    pair[63] = i % 3;
    return pair;
  });
  const wanted = pairs.map((pair) => reference.init().update(pair).digest('hex'));
  for (let round = 0; round < 3; round++) {
    for (const [i, pair] of pairs.entries()) assert.equal(hashOf(pair), wanted[i], `pair ${i}`);
    for (const [i, pair] of pairs.slice(0, 100).entries()) {
      assert.equal(hashOf(pair, data, data), wanted[i], `pair ${i} in place`);
    }
  }
  // One bit apart, wherever it is.
  for (let bit = 0; bit < 512; bit++) {
    const pair = Buffer.alloc(64);
    pair[bit >> 3] = 1 << (bit & 7);
    const hash = reference.init().update(pair).digest('hex');
    assert.deepEqual([hashOf(pair), hashOf(pair)], [hash, hash], `bit ${bit}`);
  }
});
