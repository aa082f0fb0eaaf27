import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEncryptionKey, sealTo } from '@concordat/crypto';
import {
  type AuditShare,
  decodeAuditShares,
  KeysError,
  maxAuditSharesLength,
  openAuditShares,
  sealAuditShares,
  timesBase,
  toScalar,
} from '@concordat/keys';
import { fromBase64, toBase64, toEpoch, toHex } from '@concordat/std';
import { entropyOf } from './entropy.ts';

const entropy = entropyOf('audit shares');
const key = createEncryptionKey(entropy(32));
const name = {
  networkId: 'ab'.repeat(32),
  auditor: 'Audit: Ltd é',
  encryptionKey: toHex(key.publicKey),
  actor: 'cd'.repeat(32),
};
const value = timesBase(toScalar(Uint8Array.of(3, ...new Uint8Array(31))));
const shareOf = (epoch: number): AuditShare => ({
  epoch: toEpoch(epoch),
  key: 2,
  sharing: 7,
  share: { index: 3, value, proof: new Uint8Array(entropy(64)) },
});
const shares = [shareOf(2), shareOf(3), shareOf(900)];
const file = sealAuditShares(name, shares, entropy(32));

const code = (expected: string) => (error: unknown) =>
  error instanceof KeysError && error.code === expected;

test('an auditor opens the shares that were sealed to its key, and nobody else does', () => {
  const read = decodeAuditShares(file);
  assert.deepEqual({ ...read, sealed: undefined }, { ...name, sealed: undefined });
  assert.deepEqual(openAuditShares(read, key), shares);
  const other = createEncryptionKey(entropy(32));
  assert.throws(() => openAuditShares(read, other), code('SHARES_NOT_OPENED'));
});

test('whose shares they are, for whom and of which network cannot be changed afterwards', () => {
  const read = decodeAuditShares(file);
  const changes = [
    { networkId: 'ac'.repeat(32) },
    { auditor: 'Audit' },
    { encryptionKey: toHex(createEncryptionKey(entropy(32)).publicKey) },
    { actor: 'ce'.repeat(32) },
  ];
  for (const change of changes) {
    assert.throws(() => openAuditShares({ ...read, ...change }, key), code('SHARES_NOT_OPENED'));
  }
});

test('every flipped bit of what is sealed, and every cut, is noticed', () => {
  const read = decodeAuditShares(file);
  for (let at = 0; at < read.sealed.length; at++) {
    const sealed = Uint8Array.from(read.sealed);
    sealed[at] = (sealed[at] as number) ^ (1 << (at % 8));
    assert.throws(() => openAuditShares({ ...read, sealed }, key), code('SHARES_NOT_OPENED'));
  }
  for (let end = 0; end < read.sealed.length; end += 7) {
    const sealed = read.sealed.subarray(0, end);
    assert.throws(() => openAuditShares({ ...read, sealed }, key), code('SHARES_NOT_OPENED'));
  }
});

test('a file of another form is refused, and so is a key that is none', () => {
  const whole = JSON.parse(file) as Record<string, unknown>;
  const { actor: _, ...without } = whole;
  const others: unknown[] = [
    null,
    [],
    'x',
    { ...whole, format: 'x' },
    { ...whole, version: 2 },
    { ...whole, more: 1 },
    without,
    { ...whole, networkId: 'AB'.repeat(32) },
    { ...whole, auditor: 7 },
    { ...whole, auditor: 'x'.repeat(65) },
    { ...whole, encryptionKey: '04' },
    { ...whole, sealed: '*' },
    { ...whole, sealed: 7 },
  ];
  for (const other of others) {
    assert.throws(() => decodeAuditShares(JSON.stringify(other)), code('MALFORMED'));
  }
  for (let end = 0; end < file.trimEnd().length; end += 11) {
    assert.throws(() => decodeAuditShares(file.slice(0, end)), code('MALFORMED'));
  }
  const long = ' '.repeat(maxAuditSharesLength) + file;
  assert.throws(() => decodeAuditShares(long), code('MALFORMED'));
  const nobody = { ...name, encryptionKey: '04'.padEnd(130, '0') };
  assert.throws(() => sealAuditShares(nobody, shares, entropy(32)), code('INVALID_RECIPIENT'));
});

test('what is sealed and no list of shares is refused by its own code', () => {
  const read = decodeAuditShares(file);
  const info = new TextEncoder();
  const fields = ['concordat audit shares v1', ...Object.values(name)].map((field) => {
    const bytes = info.encode(field);
    return Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes]);
  });
  const reseal = (bytes: Uint8Array) => ({
    ...read,
    sealed: sealTo(key.publicKey, bytes, Buffer.concat(fields), entropy(32)),
  });
  const honest = key.open(fromBase64(toBase64(read.sealed)) as Uint8Array, Buffer.concat(fields));
  assert.deepEqual(openAuditShares(reseal(honest), key), shares);
  assert.throws(() => openAuditShares(reseal(honest.subarray(1)), key), code('MALFORMED'));
  const zeroIndex = Uint8Array.from(honest);
  zeroIndex.fill(0, 16, 18);
  assert.throws(() => openAuditShares(reseal(zeroIndex), key), code('MALFORMED'));
  const noElement = Uint8Array.from(honest);
  noElement.fill(0xff, 18, 50);
  assert.throws(() => openAuditShares(reseal(noElement), key), code('INVALID_ELEMENT'));
  const bigEpoch = Uint8Array.from(honest);
  bigEpoch.fill(0xff, 0, 8);
  assert.throws(() => openAuditShares(reseal(bigEpoch), key), code('MALFORMED'));
});
