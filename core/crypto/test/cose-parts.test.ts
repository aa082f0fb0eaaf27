import assert from 'node:assert/strict';
import { createPrivateKey, sign } from 'node:crypto';
import { test } from 'node:test';
import {
  CryptoError,
  createSigningKey,
  decodeCose,
  joinCose,
  signatureOfDer,
  signCose,
  verifyCose,
} from '@concordat/crypto';
import { concatBytes, utf8 } from '@concordat/std';

const key = createSigningKey(new Uint8Array(32).fill(7));
const message = signCose({
  protectedHeaders: new Map([['concordat.type', 'vote']]),
  payload: utf8('{"accept":true}'),
  key,
});
const { tbs, signature } = decodeCose(message);

const isCoded = (error: unknown): boolean => error instanceof CryptoError;

test('what was signed and its signature make the message again, byte for byte', () => {
  assert.deepEqual(Buffer.from(joinCose(tbs, signature)), Buffer.from(message));
});

test('a signature another program made in DER is taken, with short and with padded halves', () => {
  const pem = createPrivateKey(key.toPkcs8Pem());
  const lengths = new Set<number>();
  for (let round = 0; round < 400; round++) {
    const der = sign('sha256', tbs, pem);
    lengths.add(der.length);
    assert.ok(verifyCose(decodeCose(joinCose(tbs, signatureOfDer(der))), key.publicKeySpki));
  }
  assert.ok(lengths.size >= 3, `lengths ${[...lengths]}`);
});

test('other bytes than those a signature covers are refused, cut, extended or flipped', () => {
  for (let end = 0; end < tbs.length; end++) {
    assert.throws(() => joinCose(tbs.subarray(0, end), signature), isCoded);
  }
  assert.throws(() => joinCose(concatBytes(tbs, Uint8Array.of(0)), signature), isCoded);
  assert.throws(() => joinCose(message, signature), isCoded);
  assert.throws(() => joinCose(tbs, signature.subarray(1)), isCoded);
  for (let at = 0; at < tbs.length; at++) {
    const flipped = Uint8Array.from(tbs);
    flipped[at] = (flipped[at] as number) ^ 0x41;
    try {
      assert.equal(verifyCose(decodeCose(joinCose(flipped, signature)), key.publicKeySpki), false);
    } catch (error) {
      assert.ok(isCoded(error), String(error));
    }
  }
});

test('DER that is no signature of P-256 is refused by its code', () => {
  const der = sign('sha256', tbs, createPrivateKey(key.toPkcs8Pem()));
  for (let end = 0; end < der.length; end++) {
    assert.throws(() => signatureOfDer(der.subarray(0, end)), isCoded);
  }
  assert.throws(() => signatureOfDer(concatBytes(der, Uint8Array.of(0))), isCoded);
  const wide = Buffer.concat([
    Buffer.from('30270222', 'hex'),
    Buffer.alloc(34, 1),
    Buffer.from('020101', 'hex'),
  ]);
  assert.throws(() => signatureOfDer(wide), isCoded);
  for (const halves of ['020180020101', '02020001020101', '0200020101']) {
    const bytes = Buffer.from(halves, 'hex');
    assert.throws(
      () => signatureOfDer(Buffer.concat([Buffer.of(0x30, bytes.length), bytes])),
      isCoded,
    );
  }
});
