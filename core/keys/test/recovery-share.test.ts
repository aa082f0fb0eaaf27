import assert from 'node:assert/strict';
import test from 'node:test';
import { createEncryptionKey } from '@concordat/crypto';
import { toDigest } from '@concordat/std';
import { ceremonyIdOf } from '../ceremony-terms.ts';
import {
  decodeRecoveryShare,
  encodeRecoveryShare,
  openRecoveryShare,
  type RecoveryShare,
  type RecoveryShareName,
  sealRecoveryShare,
} from '../recovery-share.ts';
import type { Scalar } from '../ristretto.ts';
import { entropyOf } from './entropy.ts';
import { networkId, partiesOf, reshareTermsOf, run, termsOf } from './parties.ts';

const parties = partiesOf(3);
const terms = termsOf(parties, 2);
const made = run(terms, parties);
const key = made.ceremony.key(made.now);
const secret = (index: number): Scalar =>
  Uint8Array.from(made.shares.get(index) as Scalar) as Scalar;
const owner = createEncryptionKey(entropyOf('owner')(32));
const stranger = createEncryptionKey(entropyOf('stranger')(32));
const passphrase = 'correct horse battery staple';
const name: RecoveryShareName = {
  networkId,
  keyId: key.id,
  ceremonyId: ceremonyIdOf(terms),
  actor: 'party-2',
  index: 2,
};
const toKey = sealRecoveryShare({
  name,
  secret: secret(2),
  to: { publicKey: owner.publicKey },
  entropy: entropyOf('seal')(32),
});
const underPassphrase = sealRecoveryShare({
  name,
  secret: secret(2),
  to: { passphrase },
  entropy: entropyOf('salt')(16),
});

const notOpened = { code: 'RECOVERY_NOT_OPENED' };

test('a recovery share comes back from its file with its own key, and with no other', () => {
  const back = decodeRecoveryShare(encodeRecoveryShare(toKey));
  assert.deepEqual(openRecoveryShare(back, { key: owner }, key), secret(2));
  assert.throws(() => openRecoveryShare(back, { key: stranger }, key), notOpened);
  assert.throws(() => openRecoveryShare(back, { passphrase }, key), notOpened);
});

test('a recovery share comes back with its passphrase, however the keyboard composes it', () => {
  const back = decodeRecoveryShare(encodeRecoveryShare(underPassphrase));
  assert.deepEqual(openRecoveryShare(back, { passphrase }, key), secret(2));
  const other = { passphrase: `${passphrase} ` };
  assert.throws(() => openRecoveryShare(back, other, key), notOpened);
  assert.throws(() => openRecoveryShare(back, { passphrase: '' }, key), notOpened);
  assert.throws(() => openRecoveryShare(back, { key: owner }, key), notOpened);
  const composed = sealRecoveryShare({
    name,
    secret: secret(2),
    to: { passphrase: 'caf\u00e9 caf\u00e9 caf\u00e9' },
    entropy: entropyOf('salt 2')(16),
  });
  const decomposed = { passphrase: 'cafe\u0301 cafe\u0301 cafe\u0301' };
  assert.deepEqual(openRecoveryShare(composed, decomposed, key), secret(2));
});

test('a passphrase that is easily tried is refused: WEAK_PASSPHRASE; a key that is none: INVALID_RECIPIENT', () => {
  const seal = (to: Parameters<typeof sealRecoveryShare>[0]['to']) =>
    sealRecoveryShare({ name, secret: secret(2), to, entropy: entropyOf('weak')(16) });
  assert.throws(() => seal({ passphrase: '12345678901' }), { code: 'WEAK_PASSPHRASE' });
  assert.throws(() => seal({ publicKey: new Uint8Array(65) }), { code: 'INVALID_RECIPIENT' });
});

test('every member of the file is bound: one that says something else does not open', () => {
  const digest = toDigest(new Uint8Array(32).fill(3));
  const changes: Partial<RecoveryShare>[] = [
    { networkId: 'cd'.repeat(32) },
    { keyId: digest },
    { ceremonyId: digest },
    { actor: 'party-1' },
    { index: 1 },
    { sealed: Uint8Array.from(toKey.sealed, (byte, at) => (at === 70 ? byte ^ 1 : byte)) },
  ];
  for (const change of changes) {
    const changed = decodeRecoveryShare(encodeRecoveryShare({ ...toKey, ...change }));
    assert.throws(() => openRecoveryShare(changed, { key: owner }, key), notOpened);
  }
});

test('a share of an earlier sharing, another holder’s or of another key is refused: INVALID_SHARE', () => {
  const refused = { code: 'INVALID_SHARE' };
  const again = run(reshareTermsOf(key, parties, { parties, threshold: 2, openedAt: 9 }), parties, {
    from: { parties, shares: made.shares, key },
  });
  const reshared = again.ceremony.key(again.now);
  assert.throws(() => openRecoveryShare(toKey, { key: owner }, reshared), refused);
  const fresh = run(termsOf(parties, 2, 11), parties, { seed: 'fresh' });
  const freshKey = fresh.ceremony.key(fresh.now);
  assert.throws(() => openRecoveryShare(toKey, { key: owner }, freshKey), refused);
  const liar = sealRecoveryShare({
    name,
    secret: secret(3),
    to: { publicKey: owner.publicKey },
    entropy: entropyOf('liar')(32),
  });
  assert.throws(() => openRecoveryShare(liar, { key: owner }, key), refused);
  const nobody = sealRecoveryShare({
    name: { ...name, index: 9 },
    secret: secret(3),
    to: { publicKey: owner.publicKey },
    entropy: entropyOf('nobody')(32),
  });
  assert.throws(() => openRecoveryShare(nobody, { key: owner }, key), refused);
});

test('a file that is cut, extended, flipped, reordered or asks for other parameters is MALFORMED', () => {
  for (const share of [toKey, underPassphrase]) {
    const text = encodeRecoveryShare(share);
    const refuse = (bad: string): void => {
      assert.throws(() => decodeRecoveryShare(bad), { code: 'MALFORMED' }, bad);
    };
    for (let length = 0; length < text.length; length++) refuse(text.slice(0, length));
    for (const bad of [`${text} `, ` ${text}`, text.replace('\n', '\r\n'), '[]', 'null', '1', '']) {
      refuse(bad);
    }
    refuse(text.replace('"version": 1', '"version": 2'));
    refuse(text.replace('"version": 1', '"version": 1.0'));
    refuse(text.replace('"index": 2', '"index": 0'));
    refuse(text.replace('"index": 2', '"index": 256'));
    refuse(text.replace('"index": 2', '"index": 2.5'));
    refuse(text.replace('"index": 2', '"index": "2"'));
    refuse(text.replace('"actor": "party-2"', '"actor": ""'));
    refuse(text.replace('"actor": "party-2"', '"actor": ["party-2"]'));
    refuse(text.replace(networkId, networkId.toUpperCase()));
    refuse(text.replace('"sealedTo": "', '"sealedTo": "x'));
    refuse(text.replace('"index": 2', '"index": 2,\n  "more": 1'));
    refuse(`${text}${'\n'.repeat(5_000)}`);
  }
  const text = encodeRecoveryShare(underPassphrase);
  for (const bad of [
    text.replace('"passes": 3', '"passes": 1'),
    text.replace('"memoryKiB": 65536', '"memoryKiB": 4194304'),
    text.replace('argon2id', 'argon2i'),
  ]) {
    assert.throws(() => decodeRecoveryShare(bad), { code: 'MALFORMED' });
  }
  const swapped = encodeRecoveryShare({ ...underPassphrase, sealedTo: 'key' });
  assert.throws(() => decodeRecoveryShare(swapped), { code: 'MALFORMED' });
});
