import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  verify,
} from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isEncryptionPublicKey } from '@concordat/crypto';
import { utf8 } from '@concordat/std';
import { loadKoffi } from '../binding.ts';
import { openToken, Pkcs11Error, type Pkcs11ErrorCode, type Token, tokensOf } from '../index.ts';
import { pin, SoftTokens, skipTokens, softModule } from './soft-token.ts';

const module = softModule ?? '';
const open = (token: string, secret = pin): Token =>
  openToken({ module, token, pin: utf8(secret) });

const refuses = (code: Pkcs11ErrorCode, body: () => unknown, says?: RegExp): void =>
  assert.throws(body, (error) => {
    assert.ok(error instanceof Pkcs11Error, String(error));
    assert.equal(error.code, code);
    if (says) assert.match(error.message, says);
    assert.ok(!error.message.includes(pin), 'a PIN is in no message');
    return true;
  });

const pointOf = (key: KeyObject): Uint8Array => {
  const { x = '', y = '' } = key.export({ format: 'jwk' });
  return Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
};

const publicKeyOf = (point: Uint8Array): KeyObject => {
  const [x = '', y = ''] = [point.subarray(1, 33), point.subarray(33)].map((half) =>
    Buffer.from(half).toString('base64url'),
  );
  return createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' });
};

describe('a token', { skip: skipTokens }, () => {
  let tokens: SoftTokens;

  before(() => {
    tokens = new SoftTokens('aurora', 'borealis');
  });
  after(() => tokens?.end());

  it('makes a key that signs, and what it signed verifies', () => {
    const token = open('aurora');
    const key = token.generateKey('identity', 'sign');
    assert.ok(isEncryptionPublicKey(key.publicKey));
    const verifier = { key: publicKeyOf(key.publicKey), dsaEncoding: 'ieee-p1363' } as const;
    for (const text of ['', 'a proposal', 'x'.repeat(100_000)]) {
      const signature = key.sign(utf8(text));
      assert.equal(signature.length, 64);
      assert.ok(verify('sha256', Buffer.from(text), verifier, signature));
      assert.ok(!verify('sha256', Buffer.from(`${text}.`), verifier, signature));
    }
    assert.throws(() => key.agree(key.publicKey), { code: 'KEY_UNSUITABLE' });
    token.close();
  });

  it('agrees on what the other side agrees on', () => {
    const token = open('aurora');
    const key = token.generateKey('copies', 'agree');
    for (let count = 0; count < 20; count += 1) {
      const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const theirs = diffieHellman({
        privateKey: other.privateKey,
        publicKey: publicKeyOf(key.publicKey),
      });
      assert.deepEqual(Buffer.from(key.agree(pointOf(other.publicKey))), theirs);
    }
    refuses('KEY_UNSUITABLE', () => key.sign(utf8('no')));
    token.close();
  });

  it('refuses to agree with what is no point of the curve', () => {
    const token = open('aurora');
    const key = token.key({ label: 'copies' });
    const off = Uint8Array.from(key.publicKey);
    off[64] = (off[64] as number) ^ 1;
    const infinity = new Uint8Array(65);
    for (const bad of [off, infinity, off.subarray(0, 64), Uint8Array.of(0), new Uint8Array(0)]) {
      refuses('INVALID_POINT', () => key.agree(bad));
    }
    token.close();
  });

  it('finds a key by label in another session, and says what is missing', () => {
    const first = open('aurora');
    const again = open('aurora');
    const key = again.key({ label: 'identity' });
    assert.deepEqual(first.key({ label: 'identity' }).publicKey, key.publicKey);
    first.close();
    assert.equal(key.sign(utf8('still open')).length, 64);
    refuses('KEY_NOT_FOUND', () => again.key({ label: 'nobody' }), /"nobody"/);
    refuses('KEY_NOT_FOUND', () => again.key({ id: Buffer.of(1, 2) }), /0102/);
    refuses('INVALID_NAME', () => again.key({ label: '' }));
    refuses('INVALID_NAME', () => again.key({ id: new Uint8Array(256) }));
    refuses('KEY_EXISTS', () => again.generateKey('identity', 'sign'));
    again.close();
    refuses('TOKEN_CLOSED', () => key.sign(utf8('closed')));
    refuses('TOKEN_CLOSED', () => again.key({ label: 'identity' }));
    again.close();
  });

  it('tells the tokens it shows, and refuses to guess between them', () => {
    assert.deepEqual(
      tokensOf(module)
        .map(({ label }) => label)
        .sort(),
      ['aurora', 'borealis'],
    );
    refuses('TOKEN_AMBIGUOUS', () => openToken({ module, pin: utf8(pin) }), /"aurora"/);
    refuses('TOKEN_NOT_FOUND', () => open('nemesis'), /"borealis"/);
  });

  it('tries a wrong PIN once, erases every PIN, and asks for one that is missing', () => {
    refuses('PIN_WRONG', () => open('aurora', 'wrong-pin'), /counts/);
    refuses('PIN_WRONG', () => open('aurora', 'x'.repeat(1_000)));
    refuses('PIN_REQUIRED', () => openToken({ module, token: 'aurora' }));
    refuses('PIN_REQUIRED', () => open('aurora', ''));
    const given = utf8(pin);
    openToken({ module, token: 'aurora', pin: given }).close();
    assert.ok(given.every((byte) => byte === 0));
    const refused = utf8(pin);
    refuses('MODULE_UNREADABLE', () => openToken({ module: '/nowhere.so', pin: refused }));
    assert.ok(refused.every((byte) => byte === 0));
  });

  it('refuses keys of other kinds by name', () => {
    const directory = tokens.directory;
    const put = (label: string, id: string, algorithm: string[]): void => {
      const file = join(directory, `${label}.pem`);
      const made = spawnSync('openssl', ['genpkey', ...algorithm, '-out', file]);
      assert.equal(made.status, 0, String(made.stderr));
      const where = ['--token', 'borealis', '--label', label, '--id', id, '--pin', pin];
      tokens.tool(['--import', file, ...where]);
    };
    put('rsa', '0a', ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048']);
    put('p384', '0b', ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384']);
    put('good', '0c', ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']);
    put('good', '0d', ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']);
    const token = open('borealis');
    refuses('KEY_UNSUITABLE', () => token.key({ label: 'rsa' }), /elliptic/);
    refuses('KEY_UNSUITABLE', () => token.key({ label: 'p384' }), /P-256/);
    refuses('KEY_AMBIGUOUS', () => token.key({ label: 'good' }), /id/);
    assert.equal(token.key({ id: Buffer.of(0x0d) }).publicKey.length, 65);
    token.close();
  });

  it('stands a thousand uses while memory is collected around it', () => {
    const token = open('aurora');
    const signer = token.key({ label: 'identity' });
    const copies = token.key({ label: 'copies' });
    const expected = Buffer.from(copies.agree(signer.publicKey));
    for (let count = 0; count < 1_000; count += 1) {
      assert.deepEqual(Buffer.from(copies.agree(signer.publicKey)), expected);
      new Uint8Array(100_000).fill(count);
    }
    token.close();
  });
});

describe('a module', () => {
  it('that is none is refused by name, and so is one that cannot be called', () => {
    const file = join(import.meta.dirname, 'soft-token.ts');
    refuses('MODULE_UNREADABLE', () => openToken({ module: file }), /no PKCS#11 module/);
    refuses('MODULE_UNREADABLE', () => openToken({ module: '/nowhere/lib.so' }), /there is no/);
    refuses('BINDING_MISSING', () => loadKoffi('koffi-that-is-not-here'), /npm install/);
  });

  it('that lacks what every module has is refused', { skip: process.platform !== 'linux' }, () => {
    refuses('MODULE_UNREADABLE', () => openToken({ module: process.execPath }));
    const file = join(tmpdir(), `concordat-empty-${process.pid}.so`);
    writeFileSync(file, '');
    try {
      refuses('MODULE_UNREADABLE', () => openToken({ module: file }));
    } finally {
      rmSync(file);
    }
  });
});
