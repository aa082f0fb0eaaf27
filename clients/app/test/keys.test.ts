import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { AppFailure, type KeyCodec, key } from '@concordat/app';
import { numbers } from './numbers.ts';

type Next = (below: number) => number;
// biome-ignore lint/suspicious/noExplicitAny: codecs and keys are made together at random
type AnyCodec = KeyCodec<any, any>;
type Compare = (a: unknown, b: unknown) => number;

const sign = (a: number | bigint | boolean, b: typeof a): number => (a < b ? -1 : a > b ? 1 : 0);

/** Texts by their code points: the order that UTF-8 has, and UTF-16 has not. */
const compareTexts: Compare = (a, b) => {
  const [left, right] = [[...(a as string)], [...(b as string)]];
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const order = sign(
      (left[at] as string).codePointAt(0) as number,
      (right[at] as string).codePointAt(0) as number,
    );
    if (order !== 0) return order;
  }
  return left.length - right.length;
};
const compareLists =
  (each: readonly Compare[]): Compare =>
  (a, b) => {
    for (const [at, compare] of each.entries()) {
      const order = compare((a as unknown[])[at], (b as unknown[])[at]);
      if (order !== 0) return order;
    }
    return 0;
  };

interface Kind {
  readonly codec: AnyCodec;
  readonly compare: Compare;
  readonly make: () => unknown;
}

const points = [
  '\0',
  '\u0001',
  'a',
  '\x7f',
  '\u0080',
  '\u07ff',
  '\uffff',
  '\u{10000}',
  '\u{10ffff}',
];
const edges = [0, 1, -1, 255, 256, -256, 2 ** 32, -(2 ** 32), 2 ** 53 - 1, 1 - 2 ** 53];

function kindFrom(next: Next, depth: number): Kind {
  const kind = next(depth > 0 ? 6 : 4);
  if (kind === 0) {
    const make = () => Array.from({ length: next(4) }, () => points[next(points.length)]).join('');
    return { codec: key.string(), compare: compareTexts, make };
  }
  if (kind === 1) {
    const make = () => (next(2) === 0 ? edges[next(edges.length)] : next(1_000) - 500);
    return { codec: key.integer(), compare: (a, b) => sign(a as number, b as number), make };
  }
  if (kind === 2) {
    const make = () => Uint8Array.from({ length: next(4) }, () => [0, 1, 0x7f, 0xff][next(4)] ?? 0);
    const compare: Compare = (a, b) => Buffer.compare(a as Uint8Array, b as Uint8Array);
    return { codec: key.bytes(), compare, make };
  }
  if (kind === 3) {
    const compare: Compare = (a, b) => sign(a as boolean, b as boolean);
    return { codec: key.boolean(), compare, make: () => next(2) === 0 };
  }
  const parts = Array.from({ length: 1 + next(3) }, () => kindFrom(next, depth - 1));
  return {
    codec: key.tuple(...parts.map(({ codec }) => codec)) as AnyCodec,
    compare: compareLists(parts.map(({ compare }) => compare)),
    make: () => parts.map(({ make }) => make()),
  };
}

suite('keys', () => {
  test('are ordered as their bytes are, and come back as they were', () => {
    for (let seed = 1; seed <= 20_000; seed++) {
      const next = numbers(seed);
      const { codec, compare, make } = kindFrom(next, 2);
      const [a, b] = [make(), make()];
      const [first, second] = [codec.encode(a), codec.encode(b)];
      const told = `seed ${seed}: ${Buffer.from(first).toString('hex')}`;
      assert.equal(Math.sign(Buffer.compare(first, second)), Math.sign(compare(a, b)), told);
      assert.deepEqual(codec.decode(first), a, told);
    }
  });

  test('begin with their prefixes, and no other key does', () => {
    for (let seed = 1; seed <= 5_000; seed++) {
      const next = numbers(seed);
      const parts = Array.from({ length: 3 }, () => kindFrom(next, 1));
      const codec = key.tuple(...parts.map(({ codec }) => codec)) as AnyCodec;
      const [a, b] = [0, 1].map(() => parts.map(({ make }) => make())) as [unknown[], unknown[]];
      const length = 1 + next(3);
      const prefix = Buffer.from(codec.encodePrefix(a.slice(0, length)));
      const begins = (one: unknown[]) =>
        Buffer.from(codec.encode(one)).subarray(0, prefix.length).equals(prefix);
      assert.ok(begins(a));
      const leading = compareLists(parts.slice(0, length).map(({ compare }) => compare));
      assert.equal(begins(b), leading(a, b) === 0, `seed ${seed}`);
    }
  });

  test('that are foreign bytes are refused or read to what gives the same bytes', () => {
    let read = 0;
    for (let seed = 1; seed <= 20_000; seed++) {
      const next = numbers(seed);
      const { codec, make } = kindFrom(next, 2);
      const bytes = [...codec.encode(make())];
      if (next(2) === 0) bytes.splice(next(bytes.length + 1), next(2), next(256));
      else bytes.length = next(bytes.length + 1);
      try {
        const found = codec.decode(Uint8Array.from(bytes)) as unknown;
        assert.deepEqual([...codec.encode(found)], bytes, `seed ${seed}`);
        read += 1;
      } catch (error) {
        assert.ok(error instanceof TypeError, `seed ${seed}: ${error}`);
      }
    }
    assert.ok(read > 1_000);
  });

  test('that cannot be are refused: too long, half a character, no safe integer, another type', () => {
    for (const [codec, value] of [
      [key.string(), 'x'.repeat(16_385)],
      [key.string(), '\ud800'],
      [key.integer(), 0.5],
      [key.integer(), 2 ** 53],
      [key.tuple(key.string(), key.bytes()), ['a'.repeat(9_000), new Uint8Array(9_000)]],
    ] as [AnyCodec, unknown][]) {
      assert.throws(
        () => codec.encode(value),
        (error) => error instanceof AppFailure && error.code === 'InvalidInput',
      );
    }
    for (const [codec, value] of [
      [key.string(), 1],
      [key.string(), undefined],
      [key.bytes(), 'a'],
      [key.boolean(), 1],
      [key.tuple(key.string()), []],
      [key.tuple(key.string()), 'a'],
      [key.tuple(key.string()), ['a', 'b']],
    ] as [AnyCodec, unknown][]) {
      assert.throws(() => codec.encode(value), TypeError);
    }
    assert.throws(() => (key.integer() as AnyCodec).encodePrefix(1), TypeError);
    const pair: AnyCodec = key.tuple(key.string(), key.string());
    assert.throws(() => pair.encodePrefix(['a', 'b', 'c']), TypeError);
  });

  test('of a table that is CCF’s too are plain UTF-8', () => {
    assert.deepEqual(Buffer.from(key.string().encode('aß')), Buffer.from('aß'));
  });
});
