import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { test } from 'node:test';
import {
  CryptoError,
  createSigningKey,
  importSigningKey,
  isSigningPublicKey,
  nodeIdOf,
  verifySignature,
} from '@concordat/crypto';
import { emptyBytes, isHex64, toHex, utf8 } from '@concordat/std';

const hex = (text: string): Uint8Array => Buffer.from(text, 'hex');
const seed = (n: number): Uint8Array => new Uint8Array(32).fill(n);
const spkiOfXy = (x: string, y: string): Uint8Array =>
  hex(`3059301306072a8648ce3d020106082a8648ce3d03010703420004${x}${y}`);
/** ECDSA-Sig-Value of r and s, by hand. */
function derSignature(r: bigint, s: bigint): Uint8Array {
  const integer = (n: bigint): string => {
    let digits = n.toString(16);
    if (digits.length % 2 === 1) digits = `0${digits}`;
    if (Number.parseInt(digits.slice(0, 2), 16) >= 0x80) digits = `00${digits}`;
    return `02${(digits.length / 2).toString(16).padStart(2, '0')}${digits}`;
  };
  const body = integer(r) + integer(s);
  return hex(`30${(body.length / 2).toString(16).padStart(2, '0')}${body}`);
}
const n = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');

// RFC 6979, appendix A.2.5.
const rfcKey = spkiOfXy(
  '60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6',
  '7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299',
);
const rfcR = BigInt('0xefd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716');
const rfcS = BigInt('0xf7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8');

test('the signature of RFC 6979 A.2.5 over "sample" verifies', () => {
  assert.equal(verifySignature(rfcKey, utf8('sample'), derSignature(rfcR, rfcS)), true);
  assert.equal(verifySignature(rfcKey, utf8('samplf'), derSignature(rfcR, rfcS)), false);
});

test('r and s outside 1..n-1 are refused', () => {
  for (const [r, s] of [
    [0n, rfcS],
    [rfcR, 0n],
    [0n, 0n],
    [n, rfcS],
    [rfcR, n],
    [rfcR + n, rfcS],
    [rfcR, rfcS + n],
    [1n, 1n],
  ] as const) {
    assert.equal(verifySignature(rfcKey, utf8('sample'), derSignature(r, s)), false);
  }
});

test('a signature in anything but DER is refused', () => {
  const good = toHex(derSignature(rfcR, rfcS));
  const raw = `${rfcR.toString(16)}${rfcS.toString(16)}`;
  const malformed = {
    empty: '',
    'IEEE P1363': raw,
    'trailing byte': `${good}00`,
    'long-form length': `3081${good.slice(2)}`,
    'indefinite length': `3080${good.slice(4)}0000`,
    'padded r': `3047022200${good.slice(8, 8 + 66)}${good.slice(74)}`,
    'another tag': `31${good.slice(2)}`,
    'negative s': good.replace('022100f7cb', '0220f7cb').replace(/^3046/, '3045'),
    truncated: good.slice(0, -2),
  };
  for (const [name, bytes] of Object.entries(malformed)) {
    assert.equal(verifySignature(rfcKey, utf8('sample'), hex(bytes)), false, name);
  }
});

test('every flipped bit of a signature is refused', () => {
  const key = createSigningKey(seed(1));
  const signature = key.sign(utf8('block'));
  for (let bit = 0; bit < signature.length * 8; bit += 1) {
    const bytes = Uint8Array.from(signature);
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
    assert.equal(verifySignature(key.publicKeySpki, utf8('block'), bytes), false);
  }
});

test('a key verifies its own signatures only', () => {
  const [one, other] = [createSigningKey(seed(1)), createSigningKey(seed(2))];
  const signature = one.sign(utf8('block'));
  assert.equal(verifySignature(one.publicKeySpki, utf8('block'), signature), true);
  assert.equal(verifySignature(other.publicKeySpki, utf8('block'), signature), false);
  assert.equal(verifySignature(one.publicKeySpki, emptyBytes, signature), false);
});

test('a seed gives one key, and another seed another', () => {
  const spki = createSigningKey(seed(7)).publicKeySpki;
  assert.deepEqual(createSigningKey(seed(7)).publicKeySpki, spki);
  assert.equal(spki.length, 91);
  const seen = new Set<string>();
  for (let i = 0; i < 200; i += 1) seen.add(nodeIdOf(createSigningKey(seed(i)).publicKeySpki));
  assert.equal(seen.size, 200);
  assert.ok([...seen].every(isHex64));
});

test('the public key is the native one of the private key', () => {
  const key = createSigningKey(seed(3));
  const native = createPublicKey(key.keyObject);
  assert.deepEqual(native.export({ format: 'der', type: 'spki' }), Buffer.from(key.publicKeySpki));
  assert.equal(verify('sha256', utf8('x'), native, key.sign(utf8('x'))), true);
});

test('a key comes back from PKCS#8, PEM and DER', () => {
  const key = createSigningKey(seed(4));
  const pem = key.toPkcs8Pem();
  assert.match(pem, /^-----BEGIN PRIVATE KEY-----/);
  assert.deepEqual(importSigningKey(pem).publicKeySpki, Buffer.from(key.publicKeySpki));
  const der = key.keyObject.export({ format: 'der', type: 'pkcs8' });
  const again = importSigningKey(der);
  assert.equal(verifySignature(key.publicKeySpki, utf8('x'), again.sign(utf8('x'))), true);
});

test('what is not a P-256 private key is refused without quoting it', () => {
  const foreign = [
    'secret-nonsense',
    generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
    generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export({
      format: 'pem',
      type: 'pkcs8',
    }) as string,
    utf8('secret-nonsense'),
  ];
  for (const source of foreign) {
    assert.throws(
      () => importSigningKey(source),
      (error) =>
        error instanceof CryptoError &&
        error.code === 'INVALID_KEY' &&
        !error.message.includes('secret') &&
        error.cause === undefined,
    );
  }
});

test('a public key has one accepted encoding, and lies on the curve', () => {
  const { publicKeySpki } = createSigningKey(seed(5));
  assert.equal(isSigningPublicKey(publicKeySpki), true);
  const point = toHex(publicKeySpki.subarray(26));
  const compressed = `3039301306072a8648ce3d020106082a8648ce3d030107032200${
    (publicKeySpki.at(-1) as number) % 2 === 0 ? '02' : '03'
  }${point.slice(2, 66)}`;
  const hybrid = Uint8Array.from(publicKeySpki);
  hybrid[26] = 0x06 | ((publicKeySpki.at(-1) as number) & 1);
  const offCurve = Uint8Array.from(publicKeySpki);
  offCurve[90] = (offCurve[90] as number) ^ 1;
  const infinity = hex('3019301306072a8648ce3d020106082a8648ce3d03010703020000');
  const beyondField = spkiOfXy('ff'.repeat(32), 'ff'.repeat(32));
  const ed25519 = generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' });
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey;
  const refused = [
    hex(compressed),
    hybrid,
    offCurve,
    infinity,
    beyondField,
    ed25519,
    p384.export({ format: 'der', type: 'spki' }),
    emptyBytes,
    publicKeySpki.subarray(0, 90),
    Buffer.concat([publicKeySpki, Buffer.of(0)]),
  ];
  for (const spki of refused) {
    assert.equal(isSigningPublicKey(spki), false);
    assert.equal(verifySignature(spki, utf8('x'), utf8('x')), false);
  }
});

test('verification stays right when more keys pass than the cache holds', () => {
  const first = createSigningKey(seed(1));
  const signature = first.sign(utf8('x'));
  for (let i = 0; i < 1100; i += 1) {
    const bytes = new Uint8Array(32);
    new DataView(bytes.buffer).setUint32(0, i);
    assert.equal(
      verifySignature(createSigningKey(bytes).publicKeySpki, utf8('x'), signature),
      false,
    );
  }
  assert.equal(verifySignature(first.publicKeySpki, utf8('x'), signature), true);
});
