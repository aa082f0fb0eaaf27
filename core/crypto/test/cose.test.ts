import assert from 'node:assert/strict';
import { sign } from 'node:crypto';
import { test } from 'node:test';
import {
  type CborKey,
  CborTag,
  type CborValue,
  CryptoError,
  coseHeaders,
  createSigningKey,
  decodeCbor,
  decodeCose,
  encodeCbor,
  kidOf,
  signCose,
  signCoseWith,
  verifyCose,
} from '@concordat/crypto';
import { emptyBytes, fromUtf8, toHex, utf8 } from '@concordat/std';
import { authority } from './authorities.ts';

const hex = (text: string): Uint8Array => Buffer.from(text, 'hex');
const key = createSigningKey(new Uint8Array(32).fill(1));
const malformed = (error: unknown): boolean =>
  error instanceof CryptoError && ['MALFORMED_COSE', 'MALFORMED_CBOR'].includes(error.code);

// RFC 9052 (and 8152), appendix C.2.1: Single ECDSA Signature, with the public key of kid "11".
const example = hex(
  [
    'd28443a10126a10442313154546869732069732074686520636f6e74656e742e58408eb33e4ca31d',
    '1c465ab05aac34cc6b23d58fef5c083106c4d25a91aef0b0117e2af9a291aa32e14ab834dc56ed2a',
    '223444547e01f11d3b0916e5a4c345cacb36',
  ].join(''),
);
const exampleKey = hex(
  [
    '3059301306072a8648ce3d020106082a8648ce3d03010703420004bac5b11cad8f99f9c72b05cf4b',
    '9e26d244dc189f745228255a219a86d6a09eff20138bf82dc1b6d562be0fa54ab7804a3a64b6d72c',
    'cfed6b6fb6ed28bbfc117e',
  ].join(''),
);

const headers = new Map<CborKey, CborValue>([
  [coseHeaders.kid, utf8('kid')],
  ['concordat.type', 'proposal'],
  ['concordat.created-at', 1_790_000_000],
]);
const payload = utf8('{"actions":[]}');
const message = signCose({ protectedHeaders: headers, payload, key });

test('the COSE_Sign1 example of RFC 9052 C.2.1 verifies', () => {
  const decoded = decodeCose(example);
  assert.equal(fromUtf8(decoded.payload), 'This is the content.');
  assert.deepEqual(decoded.unprotectedHeaders.get(coseHeaders.kid), Buffer.from('11'));
  assert.equal(
    toHex(decoded.tbs),
    '846a5369676e61747572653143a101264054546869732069732074686520636f6e74656e742e',
  );
  assert.equal(verifyCose(decoded, exampleKey), true);
  assert.equal(verifyCose(decoded, key.publicKeySpki), false);
});

test('a signed message comes back with its headers and verifies', () => {
  const decoded = decodeCose(message);
  assert.equal(decoded.protectedHeaders.get(coseHeaders.alg), -7);
  assert.equal(decoded.protectedHeaders.get('concordat.type'), 'proposal');
  assert.deepEqual(decoded.payload, Buffer.from(payload));
  assert.equal(decoded.unprotectedHeaders.size, 0);
  assert.equal(verifyCose(decoded, key.publicKeySpki), true);
});

test('kid is the fingerprint of the certificate in hex', () => {
  assert.match(fromUtf8(kidOf(authority('x', 1).der)), /^[0-9a-f]{64}$/);
});

test('a signature made elsewhere makes the same message', () => {
  let signed: Uint8Array = emptyBytes;
  const elsewhere = signCoseWith({
    protectedHeaders: headers,
    payload,
    sign: (tbs) => {
      signed = tbs;
      return sign('sha256', tbs, { key: key.keyObject, dsaEncoding: 'ieee-p1363' });
    },
  });
  assert.equal(verifyCose(decodeCose(elsewhere), key.publicKeySpki), true);
  assert.deepEqual(decodeCose(elsewhere).tbs, signed);
  assert.deepEqual(elsewhere.subarray(0, -64), message.subarray(0, -64));
});

test('a DER signature in place of r and s is a bug of the signer', () => {
  const sign = (tbs: Uint8Array): Uint8Array => key.sign(tbs);
  assert.throws(() => signCoseWith({ protectedHeaders: headers, payload, sign }), {
    name: 'AssertionError',
  });
});

test('no flipped bit verifies, save in what is not signed', () => {
  for (let bit = 0; bit < message.length * 8; bit += 1) {
    const bytes = Uint8Array.from(message);
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
    try {
      const decoded = decodeCose(bytes);
      const same = toHex(decoded.tbs) === toHex(decodeCose(message).tbs);
      const signature = toHex(decoded.signature) === toHex(decodeCose(message).signature);
      assert.ok(!(same && signature), `bit ${bit} changes nothing`);
      assert.equal(verifyCose(decoded, key.publicKeySpki), false, `bit ${bit}`);
    } catch (error) {
      assert.ok(malformed(error), `bit ${bit}: ${error}`);
    }
  }
});

test('every truncation and an extension is refused', () => {
  for (let length = 0; length < message.length; length += 1) {
    assert.throws(() => decodeCose(message.subarray(0, length)), malformed);
  }
  assert.throws(() => decodeCose(Buffer.concat([message, Buffer.of(0)])), malformed);
  assert.throws(() => decodeCose(message, { maxBytes: message.length - 1 }), malformed);
});

/** The message with its four fields changed. */
function rebuilt(change: (fields: CborValue[]) => CborValue, tag = 18): Uint8Array {
  const { value } = decodeCbor(message) as CborTag;
  return encodeCbor(new CborTag(tag, change([...(value as CborValue[])])));
}

test('anything but four fields of the right types under tag 18 is refused', () => {
  const replace =
    (at: number, value: CborValue) =>
    (fields: CborValue[]): CborValue =>
      fields.with(at, value);
  assert.deepEqual(
    rebuilt((fields) => fields),
    message,
  );
  const wrong = [
    rebuilt((fields) => fields, 17),
    rebuilt((fields) => fields, 98),
    encodeCbor((decodeCbor(message) as CborTag).value),
    rebuilt((fields) => fields.slice(0, 3)),
    rebuilt((fields) => [...fields, 0]),
    rebuilt(replace(0, new Map())),
    rebuilt(replace(0, hex('00'))),
    rebuilt(replace(0, hex('a101'))),
    rebuilt(replace(1, null)),
    rebuilt(replace(1, new Map([[1, -7]]))),
    rebuilt(replace(2, 'text')),
    rebuilt(replace(2, null)),
    rebuilt(replace(3, new Uint8Array(63))),
    rebuilt(replace(3, new Uint8Array(65))),
    rebuilt(replace(3, null)),
    rebuilt(
      replace(
        0,
        encodeCbor(
          new Map<number, CborValue>([
            [1, -7],
            [2, [4]],
          ]),
        ),
      ),
    ),
  ];
  for (const bytes of wrong) assert.throws(() => decodeCose(bytes), malformed, toHex(bytes));
});

test('another algorithm, or none, never verifies', () => {
  for (const protectedBytes of [
    emptyBytes,
    encodeCbor(new Map([[1, -8]])),
    encodeCbor(new Map([[1, -35]])),
    encodeCbor(new Map([[1, 'ES256']])),
  ]) {
    const tbs = encodeCbor(['Signature1', protectedBytes, emptyBytes, payload]);
    const signature = sign('sha256', tbs, { key: key.keyObject, dsaEncoding: 'ieee-p1363' });
    const bytes = encodeCbor(new CborTag(18, [protectedBytes, new Map(), payload, signature]));
    assert.equal(verifyCose(decodeCose(bytes), key.publicKeySpki), false);
  }
});

test('headers of another signer are taken in any order, yet no label twice', () => {
  const build = (protectedBytes: Uint8Array): Uint8Array => {
    const tbs = encodeCbor(['Signature1', protectedBytes, emptyBytes, payload]);
    const signature = sign('sha256', tbs, { key: key.keyObject, dsaEncoding: 'ieee-p1363' });
    return encodeCbor(new CborTag(18, [protectedBytes, new Map(), payload, signature]));
  };
  assert.equal(verifyCose(decodeCose(build(hex('a204410a0126'))), key.publicKeySpki), true);
  assert.throws(() => decodeCose(build(hex('a201260126'))), malformed);
});

test('a zero or oversized r or s never verifies', () => {
  const order = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551';
  const zero = '00'.repeat(32);
  const one = `${'00'.repeat(31)}01`;
  for (const [r, s] of [
    [zero, zero],
    [zero, one],
    [one, zero],
    [one, one],
    [order, one],
    [one, order],
    ['ff'.repeat(32), 'ff'.repeat(32)],
  ]) {
    const bytes = rebuilt((fields) => fields.with(3, hex(`${r}${s}`)));
    assert.equal(verifyCose(decodeCose(bytes), key.publicKeySpki), false);
  }
});

test('a detached payload is signed, left out, and given back to be verified', () => {
  const detached = signCose({ protectedHeaders: headers, payload, key, detached: true });
  assert.ok(detached.length < message.length);
  assert.throws(() => decodeCose(detached), malformed);
  const decoded = decodeCose(detached, { detachedPayload: payload });
  assert.equal(verifyCose(decoded, key.publicKeySpki), true);
  const other = decodeCose(detached, { detachedPayload: utf8('{}') });
  assert.equal(verifyCose(other, key.publicKeySpki), false);
  assert.throws(() => decodeCose(message, { detachedPayload: payload }), malformed);
});

test('two signatures of one content differ, and what is signed identifies it', () => {
  const again = signCose({ protectedHeaders: headers, payload, key });
  assert.notDeepEqual(again, message);
  assert.deepEqual(decodeCose(again).tbs, decodeCose(message).tbs);
});
