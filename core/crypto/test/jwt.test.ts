import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { test } from 'node:test';
import { CryptoError, decodeJwt, spkiOfJwk, verifyJwt } from '../index.ts';
import { authority } from './authorities.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const claims = { iss: 'https://issuer.example', exp: 2, nbf: 1 };

const spki = (key: KeyObject): Uint8Array => key.export({ format: 'der', type: 'spki' });
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function tokenBy(key: KeyObject, header: object, payload: object = claims): string {
  const text = `${part(header)}.${part(payload)}`;
  const signature = sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}

const rs256 = tokenBy(rsa.privateKey, { alg: 'RS256', kid: 'a' });
const es256 = tokenBy(ec.privateKey, { alg: 'ES256', kid: 'b' });

const refused = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof CryptoError, String(error));
    return error.code;
  }
  return 'taken';
};

test('tokens by RS256 and ES256 are read and verified', () => {
  for (const [token, key] of [
    [rs256, spki(rsa.publicKey)],
    [es256, spki(ec.publicKey)],
  ] as const) {
    const decoded = decodeJwt(token);
    assert.deepEqual(decoded.payload, claims);
    assert.equal(verifyJwt(decoded, key), true);
  }
});

test('a token with any character changed is refused or does not verify', () => {
  for (const [token, key] of [
    [rs256, spki(rsa.publicKey)],
    [es256, spki(ec.publicKey)],
  ] as const) {
    for (let at = 0; at < token.length; at++) {
      for (const other of ['A', 'B', '_', '.', '=', '~']) {
        if (token[at] === other) continue;
        const changed = token.slice(0, at) + other + token.slice(at + 1);
        const outcome = refused(() => assert.equal(verifyJwt(decodeJwt(changed), key), false));
        assert.ok(['taken', 'MALFORMED_JWT'].includes(outcome), `${at}: ${outcome}`);
      }
      const cut = refused(() => assert.equal(verifyJwt(decodeJwt(token.slice(0, at)), key), false));
      assert.ok(['taken', 'MALFORMED_JWT'].includes(cut), `${at} characters: ${cut}`);
    }
  }
});

test('a header cannot choose how its token is verified', () => {
  const none = `${part({ alg: 'none' })}.${part(claims)}.AA`;
  assert.equal(verifyJwt(decodeJwt(none), spki(rsa.publicKey)), false);
  const text = `${part({ alg: 'HS256' })}.${part(claims)}`;
  const mac = createHmac('sha256', spki(rsa.publicKey)).update(text).digest('base64url');
  assert.equal(verifyJwt(decodeJwt(`${text}.${mac}`), spki(rsa.publicKey)), false);
  const mixed = tokenBy(rsa.privateKey, { alg: 'ES256' });
  assert.equal(verifyJwt(decodeJwt(mixed), spki(rsa.publicKey)), false);
  assert.equal(verifyJwt(decodeJwt(es256), spki(rsa.publicKey)), false);
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const small = tokenBy(weak.privateKey, { alg: 'RS256' });
  assert.equal(verifyJwt(decodeJwt(small), spki(weak.publicKey)), false);
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const other = tokenBy(p384.privateKey, { alg: 'ES256' });
  assert.equal(verifyJwt(decodeJwt(other), spki(p384.publicKey)), false);
});

test('what has not the one form of a token is malformed', () => {
  const signature = es256.split('.')[2] as string;
  const tokens = [
    '',
    '..',
    'a.b',
    `${es256}.a`,
    `${es256}=`,
    `${part([])}.${part(claims)}.${signature}`,
    `${part({ alg: 'ES256' })}.${part('x')}.${signature}`,
    `${Buffer.from('{').toString('base64url')}.${part(claims)}.${signature}`,
    `${Buffer.from([0xff]).toString('base64url')}.${part(claims)}.${signature}`,
    `${part({ alg: 'ES256', crit: ['exp'] })}.${part(claims)}.${signature}`,
    'a'.repeat(16_385),
  ];
  for (const token of tokens) {
    assert.equal(
      refused(() => decodeJwt(token)),
      'MALFORMED_JWT',
      token.slice(0, 40),
    );
  }
});

test('a JSON Web Key becomes the SPKI of its key, by numbers or by certificate', () => {
  assert.deepEqual(
    Buffer.from(spkiOfJwk(rsa.publicKey.export({ format: 'jwk' }))),
    spki(rsa.publicKey),
  );
  const jwk = ec.publicKey.export({ format: 'jwk' });
  assert.deepEqual(Buffer.from(spkiOfJwk({ ...jwk, use: 'sig', kid: 'b' })), spki(ec.publicKey));
  const { der, key } = authority('issuer', 9);
  const x5c = [Buffer.from(der).toString('base64')];
  assert.deepEqual(Buffer.from(spkiOfJwk({ kty: 'EC', x5c })), Buffer.from(key.publicKeySpki));
  assert.equal(
    refused(() => spkiOfJwk({ ...jwk, x5c })),
    'INVALID_KEY',
  );
});

test('keys that tokens are not to be verified by are refused', () => {
  const jwk = ec.publicKey.export({ format: 'jwk' });
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey;
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
  const keys: unknown[] = [
    undefined,
    [],
    'key',
    {},
    { kty: 'oct', k: 'AAAA' },
    { kty: 'EC' },
    { ...jwk, y: undefined },
    { ...jwk, x: jwk.y },
    { ...jwk, x: 'A'.repeat(3_000) },
    { kty: 'EC', x5c: [] },
    { kty: 'EC', x5c: ['!!'] },
    ec.privateKey.export({ format: 'jwk' }),
    p384.export({ format: 'jwk' }),
    weak.export({ format: 'jwk' }),
  ];
  for (const key of keys) {
    assert.equal(
      refused(() => spkiOfJwk(key)),
      'INVALID_KEY',
      JSON.stringify(key),
    );
  }
  assert.equal(
    refused(() => spkiOfJwk({ kty: 'EC', x5c: ['AAAA'] })),
    'INVALID_CERTIFICATE',
  );
});
