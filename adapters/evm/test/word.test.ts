import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assemblyOf } from './assembly.ts';
import { cornerWords, mask256, randomFrom, randomWord } from './corner-words.ts';
import { type WordModel, wordModels } from './word-models.ts';

type Words = (...pointers: number[]) => number;
type Part = (...pointers: number[]) => bigint;

const { functions, memory } = await assemblyOf<Record<string, Words>>('assembly/word.ts');
/** Behind the static areas of the module; 64 bytes a word, so that overruns show. */
const base = 32_768;
const places = [base, base + 64, base + 128, base + 192] as const;
const limbs = new BigUint64Array(memory.buffer);
const bytes = new Uint8Array(memory.buffer);
const sentinel = 0xdead_beef_dead_beefn;

function put(place: number, word: bigint): void {
  let rest = word;
  for (let i = 0; i < 4; i++) {
    limbs[place / 8 + i] = rest;
    rest >>= 64n;
  }
  for (let i = 4; i < 8; i++) limbs[place / 8 + i] = sentinel;
}

function get(place: number): bigint {
  let word = 0n;
  for (let i = 3; i >= 0; i--) word = (word << 64n) | (limbs[place / 8 + i] as bigint);
  for (let i = 4; i < 8; i++) assert.equal(limbs[place / 8 + i], sentinel, 'written beyond');
  return word;
}

const signed = (word: bigint): bigint => BigInt.asIntN(256, word);
const wrapped = (number: bigint): bigint => BigInt.asUintN(256, number);
const hex = (word: bigint): string => `0x${word.toString(16)}`;

const models: Readonly<Record<string, readonly [operands: 1 | 2 | 3, model: WordModel]>> = {
  ...wordModels,
  copyWord: [1, (a) => a],
  negate: [1, (a) => wrapped(-a)],
};

/** Every choice of places where the result may be one of the operands, and operands one another. */
const layouts: Readonly<Record<1 | 2 | 3, readonly (readonly number[])[]>> = {
  1: [
    [0, 1],
    [1, 1],
  ],
  2: [
    [0, 1, 2],
    [1, 1, 2],
    [2, 1, 2],
    [0, 1, 1],
    [1, 1, 1],
  ],
  3: [
    [0, 1, 2, 3],
    [1, 1, 2, 3],
    [2, 1, 2, 3],
    [3, 1, 2, 3],
    [0, 1, 1, 3],
    [0, 1, 2, 2],
    [0, 1, 2, 1],
    [1, 1, 1, 1],
  ],
};

function check(name: string, operands: readonly bigint[]): void {
  const [count, model] = models[name] as (typeof models)[string];
  for (const layout of layouts[count]) {
    const [r, ...at] = layout.map((i) => places[i] as number) as [number, ...number[]];
    put(r, 0n);
    at.forEach((place, i) => {
      put(place, operands[i] as bigint);
    });
    const [a = 0n, b = 0n, n = 0n] = at.map(get);
    (functions[name] as Words)(r, ...at);
    const wanted = model(a, b, n);
    if (get(r) !== wanted) {
      assert.fail(
        `${name}(${[a, b, n].slice(0, count).map(hex)}) is ${hex(get(r))}, not ${hex(wanted)}`,
      );
    }
    for (const [i, place] of at.entries()) {
      if (place !== r) assert.equal(get(place), [a, b, n][i], `${name} changed an operand`);
    }
  }
}

for (const [name, [count]] of Object.entries(models)) {
  test(`${name} is what BigInt says, whichever operand the result replaces`, () => {
    const random = randomFrom(7);
    for (const a of cornerWords) {
      for (const b of count > 1 ? cornerWords : [0n]) check(name, [a, b, cornerWords[5] as bigint]);
    }
    for (let i = 0; i < 3_000; i++) {
      const [a, b, n] = [randomWord(random), randomWord(random), randomWord(random)];
      check(name, [a, b, n]);
      // Counts that mean something to shifts, bytes and powers.
      check(name, [BigInt(Math.floor(random() * 300)), b, n]);
      check(name, [a, BigInt(Math.floor(random() * 300)), n]);
    }
  });
}

for (const name of ['addmod', 'mulmod']) {
  test(`${name} is what BigInt says for three corner values`, () => {
    const random = randomFrom(11);
    const corner = (): bigint => cornerWords[Math.floor(random() * cornerWords.length)] as bigint;
    for (let i = 0; i < 6_000; i++) check(name, [corner(), corner(), corner()]);
  });
}

test('division corrects a guessed digit that is one too high', () => {
  // The step D6 of algorithm D is needed about twice in 2^32 digits; these need it.
  const cases: [bigint, bigint][] = [
    [0x7fff_ffff_8000_0000_0000_0000_0000_0000n, 0x8000_0000_0000_0000_0000_0001n],
    [0x8000_0000_0000_0000_0000_0000_0000_0003n, 0x2000_0000_0000_0000_0000_0001n],
    [2n ** 255n, 2n ** 191n + 1n],
    [2n ** 256n - 2n ** 128n, 2n ** 128n - 1n],
  ];
  for (const [a, b] of cases) {
    for (const name of ['div', 'mod', 'sdiv', 'smod']) check(name, [a, b]);
  }
  const random = randomFrom(13);
  for (let i = 0; i < 5_000; i++) {
    // A dividend just below a multiple of the divisor.
    const b = randomWord(random) | 1n;
    const a = wrapped(b * (mask256 / b - (randomWord(random) % 3n)) - 1n);
    check('div', [a, b]);
    check('mod', [a, b]);
  }
});

const verdicts: Readonly<Record<string, (a: bigint, b: bigint) => number | bigint>> = {
  isZero: (a) => Number(a === 0n),
  equal: (a, b) => Number(a === b),
  below: (a, b) => Number(a < b),
  signedBelow: (a, b) => Number(signed(a) < signed(b)),
  fitsU64: (a) => Number(a < 2n ** 64n),
  lowU64: (a) => BigInt.asIntN(64, a),
  bitLength: (a) => (a === 0n ? 0 : a.toString(2).length),
  byteLength: (a) => (a === 0n ? 0 : Math.ceil(a.toString(16).length / 2)),
};

for (const [name, verdict] of Object.entries(verdicts)) {
  test(`${name} answers what BigInt answers`, () => {
    const random = randomFrom(17);
    const ask = functions[name] as Words | Part;
    const meet = (a: bigint, b: bigint): void => {
      put(places[1], a);
      put(places[2], b);
      assert.equal(ask(places[1], places[2]), verdict(a, b), `${hex(a)} ${hex(b)}`);
    };
    for (const a of cornerWords) for (const b of cornerWords) meet(a, b);
    for (let i = 0; i < 3_000; i++) {
      const a = randomWord(random);
      meet(a, randomWord(random));
      meet(a, a);
      meet(a, a ^ (1n << BigInt(Math.floor(random() * 256))));
    }
  });
}

const bigEndian = (word: bigint): Uint8Array =>
  Buffer.from(word.toString(16).padStart(64, '0'), 'hex');

test('words are read from and written as 32 big-endian bytes, in place too', () => {
  const random = randomFrom(19);
  const { loadBytes, storeBytes } = functions as Record<'loadBytes' | 'storeBytes', Words>;
  for (let i = 0; i < 500; i++) {
    const word = randomWord(random);
    // Raw bytes lie anywhere.
    const raw = places[1] + (i % 8);
    put(places[0], word);
    storeBytes(raw, places[0]);
    assert.deepEqual(bytes.slice(raw, raw + 32), new Uint8Array(bigEndian(word)));
    put(places[3], 0n);
    loadBytes(places[3], raw);
    assert.equal(get(places[3]), word);
    storeBytes(places[0], places[0]);
    assert.deepEqual(bytes.slice(places[0], places[0] + 32), new Uint8Array(bigEndian(word)));
    loadBytes(places[0], places[0]);
    assert.equal(get(places[0]), word);
  }
});

test('0 to 32 big-endian bytes are a word, right aligned, whatever lies around them', () => {
  const random = randomFrom(23);
  const { loadPart } = functions as Record<'loadPart', Words>;
  for (let n = 0; n <= 32; n++) {
    for (let i = 0; i < 50; i++) {
      bytes.fill(0xee, places[1], places[2]);
      const word = randomWord(random);
      const part = bigEndian(word).subarray(32 - n);
      const raw = places[1] + 16 + (i % 8);
      bytes.set(part, raw);
      put(places[0], mask256);
      loadPart(places[0], raw, n);
      assert.equal(get(places[0]), n === 0 ? 0n : BigInt.asUintN(8 * n, word));
    }
  }
});

test('addresses are the low 160 bits of words, in place too', () => {
  const random = randomFrom(29);
  const { loadAddress, storeAddress } = functions as Record<'loadAddress' | 'storeAddress', Words>;
  for (let i = 0; i < 500; i++) {
    const word = randomWord(random);
    const raw = places[1] + (i % 8);
    bytes.fill(0xee, places[1], places[2]);
    put(places[0], word);
    storeAddress(raw, places[0]);
    const wanted = new Uint8Array(bigEndian(word).subarray(12));
    assert.deepEqual(bytes.slice(raw, raw + 20), wanted);
    assert.equal(bytes[raw + 20], 0xee);
    loadAddress(places[3], raw);
    put(places[3], 0n);
    loadAddress(places[3], raw);
    assert.equal(get(places[3]), BigInt.asUintN(160, word));
    storeAddress(places[0], places[0]);
    assert.deepEqual(bytes.slice(places[0], places[0] + 20), wanted);
    loadAddress(places[0], places[0]);
    assert.equal(get(places[0]), BigInt.asUintN(160, word));
  }
});

test('a product keeps its 512 bits, and setters set', () => {
  const random = randomFrom(31);
  const { mulFull, setU64, zeroWord } = functions as Record<string, Words> &
    Record<'mulFull' | 'zeroWord', Words> & {
      setU64(r: number, v: bigint): void;
    };
  const meet = (a: bigint, b: bigint): void => {
    put(places[1], a);
    put(places[2], b);
    mulFull(places[3], places[1], places[2]);
    let product = 0n;
    for (let i = 7; i >= 0; i--) product = (product << 64n) | (limbs[places[3] / 8 + i] as bigint);
    assert.equal(product, a * b);
  };
  for (const a of cornerWords) for (const b of cornerWords) meet(a, b);
  for (let i = 0; i < 2_000; i++) meet(randomWord(random), randomWord(random));
  put(places[0], mask256);
  setU64(places[0], 2n ** 64n - 5n);
  assert.equal(get(places[0]), 2n ** 64n - 5n);
  zeroWord(places[0]);
  assert.equal(get(places[0]), 0n);
});
