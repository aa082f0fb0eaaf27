import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AttestationError,
  createVirtualEvidence,
  decodeEvidenceRecord,
  type EvidenceRecord,
  encodeEvidenceRecord,
  maxEvidenceBytes,
  maxEvidenceRecordBytes,
  type PlatformVerifier,
  reportData,
  verifyRecordedEvidence,
  virtualVerifier,
} from '@concordat/attestation';
import { createSigningKey } from '@concordat/crypto';

const node = createSigningKey(new Uint8Array(32).fill(1));
const platformKey = createSigningKey(new Uint8Array(32).fill(2));
const challenge = {
  networkId: 'ab'.repeat(32),
  ledgerRoot: new Uint8Array(32).fill(3),
  epoch: 4,
};
const record: EvidenceRecord = {
  ...challenge,
  verifiedAtMs: 1_700_000_000_123,
  evidence: createVirtualEvidence({
    measurement: 'cd'.repeat(32),
    reportData: reportData({ ...challenge, domain: 'node', publicKeySpki: node.publicKeySpki }),
    platformKey,
  }),
};
const asked = { publicKeySpki: node.publicKeySpki, verifiers: [virtualVerifier] };

const codeOf = (changed: Partial<EvidenceRecord>, question = asked): string => {
  const verdict = verifyRecordedEvidence({ ...record, ...changed }, question);
  return 'code' in verdict ? verdict.code : verdict.measurement;
};

test('a record is read as it was written, and proves what it proved', () => {
  const read = decodeEvidenceRecord(encodeEvidenceRecord(record));
  assert.deepEqual(
    { ...read, evidence: [...read.evidence], ledgerRoot: [...read.ledgerRoot] },
    { ...record, evidence: [...record.evidence], ledgerRoot: [...record.ledgerRoot] },
  );
  assert.equal(codeOf(read), 'cd'.repeat(32));
});

test('the bytes of a record are those of the published layout', () => {
  const bytes = Buffer.from(encodeEvidenceRecord(record));
  const head = `01${'ab'.repeat(32)}${'03'.repeat(32)}00000000000000040000018bcfe5687b`;
  assert.equal(bytes.subarray(0, 81).toString('hex'), head);
  assert.equal(bytes.readUInt32BE(81), record.evidence.length);
  assert.deepEqual([...bytes.subarray(85)], [...record.evidence]);
});

test('evidence for another key, network, history or epoch is bound to something else', () => {
  const other = createSigningKey(new Uint8Array(32).fill(9));
  for (const changed of [
    { networkId: 'ac'.repeat(32) },
    { ledgerRoot: new Uint8Array(32) },
    { epoch: 5 },
  ]) {
    assert.equal(codeOf(changed), 'WRONG_REPORT_DATA');
  }
  const ofOther = { ...asked, publicKeySpki: other.publicKeySpki };
  assert.equal(codeOf({}, ofOther), 'WRONG_REPORT_DATA');
});

test('evidence is judged at the recorded instant: what has expired since held then', () => {
  const expiresMs = 1_800_000_000_000;
  const expiring: PlatformVerifier = {
    platform: 'virtual',
    verify: (body, atMs) =>
      atMs > expiresMs
        ? { code: 'BAD_SIGNATURE', message: 'its collateral has expired' }
        : virtualVerifier.verify(body, atMs),
  };
  const question = { ...asked, verifiers: [expiring] };
  assert.equal(codeOf({}, question), 'cd'.repeat(32));
  assert.equal(codeOf({ verifiedAtMs: expiresMs + 1 }, question), 'BAD_SIGNATURE');
});

test('a record that is truncated, extended, oversized or of another version is malformed', () => {
  const bytes = Buffer.from(encodeEvidenceRecord(record));
  const malformed = (changed: Uint8Array): void =>
    assert.throws(
      () => decodeEvidenceRecord(changed),
      (error) => error instanceof AttestationError && error.code === 'MALFORMED',
    );
  for (let length = 0; length < bytes.length; length++) malformed(bytes.subarray(0, length));
  malformed(Buffer.concat([bytes, Buffer.alloc(1)]));
  malformed(Buffer.concat([Buffer.of(2), bytes.subarray(1)]));
  malformed(Buffer.alloc(maxEvidenceRecordBytes + 1));
  const largest = { ...record, evidence: new Uint8Array(maxEvidenceBytes) };
  assert.equal(encodeEvidenceRecord(largest).length, maxEvidenceRecordBytes);
  decodeEvidenceRecord(encodeEvidenceRecord(largest));
});

test('a bit flipped anywhere never gives the same verdict for another challenge', () => {
  const bytes = Buffer.from(encodeEvidenceRecord(record));
  for (let at = 0; at < bytes.length; at++) {
    const flipped = Buffer.from(bytes);
    flipped[at] = (flipped[at] as number) ^ 1;
    let code: string;
    try {
      code = codeOf(decodeEvidenceRecord(flipped));
    } catch (error) {
      assert.ok(error instanceof AttestationError, String(error));
      continue;
    }
    // The instant is the asker's word: the auditor compares it with the time of the block.
    const isInstant = at >= 73 && at < 81;
    assert.equal(code === 'cd'.repeat(32), isInstant, `byte ${at}: ${code}`);
  }
});
