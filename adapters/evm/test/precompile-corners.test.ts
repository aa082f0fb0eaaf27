import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bls12_381 } from '@noble/curves/bls12-381.js';
import { bn254 } from '@noble/curves/bn254.js';
import { forkOf } from '../fork.ts';
import type { Precompile } from '../precompile.ts';
import { precompilesOf } from '../precompiles.ts';
import { big } from './precompile-inputs.ts';
import { referencePrecompiles } from './precompile-reference.ts';

const own = precompilesOf(forkOf('osaka').revision);
const reference = referencePrecompiles('osaka');

async function agree(id: number, input: Uint8Array): Promise<string> {
  const precompile = own.get(id) as Precompile;
  const output = precompile.run(input);
  const expected = await reference.run(id, input, 30_000_000);
  const mine =
    output === undefined
      ? 'failure'
      : { gas: precompile.gas(input), output: Buffer.from(output).toString('hex') };
  assert.deepEqual(mine, expected);
  return typeof mine === 'string' ? mine : mine.output;
}

interface Affine<Field> {
  readonly x: Field;
  readonly y: Field;
}

const bn = ({ x, y }: Affine<bigint>): Buffer => Buffer.concat([big(x, 32), big(y, 32)]);
const g1 = ({ x, y }: Affine<bigint>): Buffer => Buffer.concat([big(x, 64), big(y, 64)]);
const g2 = ({ x, y }: Affine<{ c0: bigint; c1: bigint }>): Buffer =>
  Buffer.concat([x.c0, x.c1, y.c0, y.c1].map((part) => big(part, 64)));

const groups = [
  {
    add: 0x06,
    point: bn(bn254.G1.Point.BASE.multiply(9n).toAffine()),
    negative: bn(bn254.G1.Point.BASE.multiply(9n).negate().toAffine()),
  },
  {
    add: 0x0b,
    point: g1(bls12_381.G1.Point.BASE.multiply(9n).toAffine()),
    negative: g1(bls12_381.G1.Point.BASE.multiply(9n).negate().toAffine()),
  },
  {
    add: 0x0d,
    point: g2(bls12_381.G2.Point.BASE.multiply(9n).toAffine()),
    negative: g2(bls12_381.G2.Point.BASE.multiply(9n).negate().toAffine()),
  },
];

describe('points that meet themselves, their negatives and infinity', () => {
  for (const { add, point, negative } of groups) {
    test(`are added by 0x${add.toString(16)}`, async () => {
      const infinity = Buffer.alloc(point.length);
      for (const [a, b, isInfinite] of [
        [point, point, false],
        [point, negative, true],
        [point, infinity, false],
        [infinity, point, false],
        [infinity, infinity, true],
      ] as const) {
        const sum = await agree(add, Buffer.concat([a, b]));
        assert.equal(/^0*$/.test(sum), isInfinite);
      }
    });
  }

  test('cancel out in sums of multiples and in pairings', async () => {
    const [, first, second] = groups;
    assert.ok(first && second);
    for (const [id, { point, negative }] of [
      [0x0c, first],
      [0x0e, second],
    ] as const) {
      const terms = (scalar: bigint): Buffer =>
        Buffer.concat([point, big(scalar, 32), negative, big(scalar, 32)]);
      assert.match(await agree(id, terms(77n)), /^0*$/);
      assert.match(await agree(id, terms(0n)), /^0*$/);
      await agree(id, Buffer.concat([point, big(2n ** 256n - 1n, 32), point, big(1n, 32)]));
    }
    const pairs = Buffer.concat([first.point, second.point, first.negative, second.point]);
    assert.match(await agree(0x0f, pairs), /1$/);
    const infinite = Buffer.concat([
      Buffer.alloc(128),
      second.point,
      first.point,
      Buffer.alloc(256),
    ]);
    assert.match(await agree(0x0f, infinite), /1$/);
  });

  test('are summed beyond one batch of the library', async () => {
    const [, first] = groups;
    assert.ok(first);
    const terms = Array.from({ length: 131 }, (_, i) =>
      Buffer.concat([
        i % 3 === 0 ? first.negative : first.point,
        big(BigInt(i) ** 31n % 2n ** 256n, 32),
      ]),
    );
    await agree(0x0c, Buffer.concat(terms));
    // An odd and an even number of pairs whose product is one, past the batch.
    const pair = bnPairs(65);
    const precompile = own.get(0x08) as Precompile;
    assert.equal(precompile.run(pair)?.at(31), 1);
    assert.equal(precompile.run(pair.subarray(192))?.at(31), 0);
  });
});

/** `count` times e(P, Q) e(-P, Q). */
function bnPairs(count: number): Buffer {
  const { x, y } = bn254.G2.Point.BASE.toAffine();
  const q = Buffer.concat([x.c1, x.c0, y.c1, y.c0].map((part) => big(part, 32)));
  const [p] = groups;
  assert.ok(p);
  const one = Buffer.concat([p.point, q, p.negative, q]);
  return Buffer.concat(Array.from({ length: count }, () => one));
}
