import assert from 'node:assert/strict';
import test from 'node:test';
import { concatBytes, fromHex, utf8 } from '@concordat/std';
import {
  type EqualityStatement,
  equalityProofBytes,
  isEqualityProven,
  proveEquality,
} from '../equality-proof.ts';
import { hashToElement } from '../hash-to-group.ts';
import { drawScalar, generator, times, timesBase, toElement, toScalar } from '../ristretto.ts';
import { entropyOf } from './entropy.ts';

const bytes = (hex: string): Uint8Array => fromHex(hex) as Uint8Array;

// RFC 9497, appendix A.1.2: ristretto255-SHA512, verifiable mode.
const context = concatBytes(utf8('OPRFV1-'), Uint8Array.of(1), utf8('-ristretto255-SHA512'));
const secret = toScalar(bytes('e6f73f344b79b379f1a0dd37e07ff62e38d9f71345ce62ae3a9bc60b04ccd909'));
const publicKey = 'c803e2cc6b05fc15064549b5920659ca4a77b2cca6f04f6b357009335476ad4e';
const blind = toScalar(bytes('64d37aed22a27f5191de1c1d69fadb899d8862b58eb4220029e036ec4c1f6706'));
const nonce = bytes('222a5e897cf59db8145db8d16e597e8facb80ae7d4e26d9881aa6f61d645fc0e');
const vectors = [
  {
    input: '00',
    blinded: '863f330cc1a1259ed5a5998a23acfd37fb4351a793a5b3c090b642ddc439b945',
    evaluated: 'aa8fa048764d5623868679402ff6108d2521884fa138cd7f9c7669a9a014267e',
    proof:
      'ddef93772692e535d1a53903db24367355cc2cc78de93b3be5a8ffcc6985dd06' +
      '6d4346421d17bf5117a2a1ff0fcb2a759f58a539dfbe857a40bce4cf49ec600d',
  },
  {
    input: '5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a',
    blinded: 'cc0b2a350101881d8a4cba4c80241d74fb7dcbfde4a61fde2f91443c2bf9ef0c',
    evaluated: '60a59a57208d48aca71e9e850d22674b611f752bed48b36f7a91b372bd7ad468',
    proof:
      '401a0da6264f8cf45bb2f5264bc31e109155600babb3cd4e5af7d181a2c9dc0a' +
      '67154fabf031fd936051dec80b0b6ae29c9503493dde7393b722eafdf5a50b02',
  },
];

const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');

for (const [at, vector] of vectors.entries()) {
  test(`RFC 9497 A.1.2, vector ${at + 1}: hash to group, evaluation and proof are byte for byte the same`, () => {
    const domain = concatBytes(utf8('HashToGroup-'), context);
    const blinded = times(blind, hashToElement(bytes(vector.input), domain));
    assert.equal(hex(blinded), vector.blinded);
    assert.equal(hex(timesBase(secret)), publicKey);
    const evaluated = times(secret, blinded);
    assert.equal(hex(evaluated), vector.evaluated);
    const statement: EqualityStatement = {
      base: generator,
      image: timesBase(secret),
      otherBase: blinded,
      otherImage: evaluated,
      context,
    };
    // A scalar is its own reduction: the vector's nonce, widened, is the entropy that draws it.
    const proof = proveEquality(secret, statement, concatBytes(nonce, new Uint8Array(32)));
    assert.equal(hex(proof), vector.proof);
    assert.ok(isEqualityProven(statement, proof));
  });
}

test('a proof holds for its statement only: any other element, context or flipped bit is refused', () => {
  const draw = entropyOf('equality');
  const k = drawScalar(draw(64));
  const otherBase = times(drawScalar(draw(64)), generator);
  const statement: EqualityStatement = {
    base: generator,
    image: timesBase(k),
    otherBase,
    otherImage: times(k, otherBase),
    context: utf8('one'),
  };
  const proof = proveEquality(k, statement, draw(64));
  assert.ok(isEqualityProven(statement, proof));
  const stranger = times(drawScalar(draw(64)), generator);
  for (const change of [
    { base: stranger },
    { image: stranger },
    { otherBase: stranger },
    { otherImage: stranger },
    { context: utf8('two') },
  ]) {
    assert.ok(!isEqualityProven({ ...statement, ...change }, proof), Object.keys(change)[0]);
  }
  for (let at = 0; at < equalityProofBytes; at++) {
    const flipped = Uint8Array.from(proof);
    flipped[at] = (flipped[at] as number) ^ (1 << (at % 8));
    assert.ok(!isEqualityProven(statement, flipped), `flipped byte ${at}`);
  }
  assert.ok(!isEqualityProven(statement, proof.subarray(1)));
  assert.ok(!isEqualityProven(statement, concatBytes(proof, Uint8Array.of(0))));
});

test('a proof that two different logarithms are equal cannot be made by proving one of them', () => {
  const draw = entropyOf('unequal');
  const k = drawScalar(draw(64));
  const otherBase = times(drawScalar(draw(64)), generator);
  const lie: EqualityStatement = {
    base: generator,
    image: timesBase(k),
    otherBase,
    otherImage: times(drawScalar(draw(64)), otherBase),
    context: utf8('lie'),
  };
  assert.ok(!isEqualityProven(lie, proveEquality(k, lie, draw(64))));
});

test('the identity, and what is no canonical encoding, are no elements; large scalars no scalars', () => {
  const refused = { code: 'INVALID_ELEMENT' };
  assert.throws(() => toElement(new Uint8Array(32)), refused);
  assert.throws(() => toElement(new Uint8Array(31)), refused);
  assert.throws(() => toElement(new Uint8Array(32).fill(0xff)), refused);
  // RFC 9496, appendix A.2: a non-canonical field element, a negative one, a non-square.
  for (const bad of [
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    '0100000000000000000000000000000000000000000000000000000000000000',
    '26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371',
  ]) {
    assert.throws(() => toElement(bytes(bad)), refused, bad);
  }
  const order = bytes('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010');
  assert.throws(() => toScalar(order), { code: 'INVALID_SCALAR' });
  assert.throws(() => toScalar(new Uint8Array(33)), { code: 'INVALID_SCALAR' });
});

test('Edwards points of small order, however they are written, are no elements: INVALID_ELEMENT', () => {
  // The points of order 1, 2, 4 and 8 of the curve beneath the group, and what decodes to them without
  // being canonical. The group has no such elements; its identity is refused as well.
  for (const small of [
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0000000000000000000000000000000000000000000000000000000000000080',
    '0100000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000080',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  ]) {
    assert.throws(() => toElement(bytes(small)), { code: 'INVALID_ELEMENT' }, small);
  }
});
