import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { type ReportedIdentity, reportData } from '@concordat/attestation';
import { toHex } from '@concordat/std';

const identity: ReportedIdentity = {
  domain: 'node',
  networkId: 'ab'.repeat(32),
  publicKeySpki: new Uint8Array(91).fill(1),
  ledgerRoot: new Uint8Array(32).fill(2),
  epoch: 3,
};

test('report data is the hash of the published layout', () => {
  const layout = Buffer.concat([
    Buffer.from('concordat report data v1\0'),
    Buffer.from('0004', 'hex'),
    Buffer.from('node'),
    Buffer.alloc(32, 0xab),
    Buffer.from('0000005b', 'hex'),
    Buffer.alloc(91, 1),
    Buffer.alloc(32, 2),
    Buffer.from('0000000000000003', 'hex'),
  ]);
  assert.equal(toHex(reportData(identity)), createHash('sha256').update(layout).digest('hex'));
});

test('every part of the identity changes it', () => {
  const others: Partial<ReportedIdentity>[] = [
    { domain: 'worker' },
    { networkId: '00'.repeat(32) },
    { publicKeySpki: new Uint8Array(90).fill(1) },
    { publicKeySpki: new Uint8Array(91) },
    { ledgerRoot: new Uint8Array(32) },
    { epoch: 4 },
  ];
  const seen = new Set([toHex(reportData(identity))]);
  for (const other of others) seen.add(toHex(reportData({ ...identity, ...other })));
  assert.equal(seen.size, others.length + 1);
});

test('an identity of another form is a bug', () => {
  assert.throws(() => reportData({ ...identity, networkId: 'AB' }), { name: 'AssertionError' });
  assert.throws(() => reportData({ ...identity, ledgerRoot: new Uint8Array(31) }), {
    name: 'AssertionError',
  });
});
