import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  createVirtualEvidence,
  decodeEvidence,
  encodeEvidence,
  isRefusal,
  reportData,
  type Verdict,
  verifyEvidence,
  virtualSignedBytes,
  virtualVerifier,
} from '@concordat/attestation';
import { createSigningKey, sha256 } from '@concordat/crypto';
import { BinaryWriter, toHex, utf8 } from '@concordat/std';

const platformKey = createSigningKey(new Uint8Array(32).fill(1));
const other = createSigningKey(new Uint8Array(32).fill(2));
const measurement = 'ab'.repeat(32);
const report = reportData({
  domain: 'node',
  networkId: 'cd'.repeat(32),
  publicKeySpki: other.publicKeySpki,
  ledgerRoot: new Uint8Array(32),
  epoch: 1,
});
const evidence = createVirtualEvidence({ measurement, reportData: report, platformKey });
const context = { atMs: 0, verifiers: [virtualVerifier] };

const codeOf = (bytes: Uint8Array): string => {
  const result = verifyEvidence(bytes, context);
  return isRefusal(result) ? result.code : 'verdict';
};

test('virtual evidence proves measurement, report data and the machine that vouches', () => {
  const verdict = verifyEvidence(evidence, context) as Verdict;
  assert.equal(verdict.platform, 'virtual');
  assert.equal(verdict.measurement, measurement);
  assert.deepEqual(Buffer.from(verdict.reportData), Buffer.from(report));
  assert.equal(verdict.platformKey, toHex(sha256(platformKey.publicKeySpki)));
  assert.equal(verdict.debug, false);
});

test('the bytes are those of the published format', () => {
  const body = new BinaryWriter()
    .u8(1)
    .raw(Buffer.from(measurement, 'hex'))
    .raw(report)
    .bytes(platformKey.publicKeySpki);
  const { bytes, platform } = decodeEvidence(evidence);
  assert.equal(platform, 'virtual');
  const prefix = body.take();
  assert.deepEqual(bytes.subarray(0, prefix.length), prefix);
  assert.equal(toHex(evidence.subarray(0, 10)), `010007${toHex(utf8('virtual'))}`);
  const signed = virtualSignedBytes(Buffer.from(measurement, 'hex'), report);
  assert.equal(Buffer.from(signed).toString('latin1', 0, 30), 'concordat virtual evidence v1\0');
  assert.equal(signed.length, 30 + 64);
});

test('every flipped bit is refused', () => {
  for (let bit = 0; bit < evidence.length * 8; bit += 1) {
    const bytes = Uint8Array.from(evidence);
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
    assert.notEqual(codeOf(bytes), 'verdict', `bit ${bit}`);
  }
});

test('every truncation, extension and oversize is MALFORMED', () => {
  for (let length = 0; length < evidence.length; length += 1) {
    assert.equal(codeOf(evidence.subarray(0, length)), 'MALFORMED');
  }
  assert.equal(codeOf(Buffer.concat([evidence, Buffer.of(0)])), 'MALFORMED');
  assert.equal(codeOf(Buffer.alloc(70_000, 1)), 'MALFORMED');
  const { bytes } = decodeEvidence(evidence);
  const longer = Buffer.concat([bytes, Buffer.of(0)]);
  assert.equal(codeOf(encodeEvidence({ platform: 'virtual', bytes: longer })), 'MALFORMED');
  const huge = new BinaryWriter().u8(1).text('virtual').u32(0xffff_ffff).take();
  assert.equal(codeOf(huge), 'MALFORMED');
});

test('the measurement of one evidence cannot be put under the signature of another', () => {
  const second = createVirtualEvidence({
    measurement: 'ef'.repeat(32),
    reportData: report,
    platformKey,
  });
  const spliced = Buffer.from(evidence);
  const at = spliced.indexOf(measurement, 0, 'hex');
  Buffer.from(second).copy(spliced, at, at, at + 32);
  assert.equal(codeOf(spliced), 'BAD_SIGNATURE');
});

test('a signature by another key, or over other words, is refused', () => {
  const body = (signature: Uint8Array, spki = platformKey.publicKeySpki): Uint8Array =>
    encodeEvidence({
      platform: 'virtual',
      bytes: new BinaryWriter()
        .u8(1)
        .raw(Buffer.from(measurement, 'hex'))
        .raw(report)
        .bytes(spki)
        .bytes(signature)
        .take(),
    });
  const signed = virtualSignedBytes(Buffer.from(measurement, 'hex'), report);
  assert.equal(codeOf(body(platformKey.sign(signed))), 'verdict');
  assert.equal(codeOf(body(other.sign(signed))), 'BAD_SIGNATURE');
  assert.equal(codeOf(body(platformKey.sign(signed.subarray(30)))), 'BAD_SIGNATURE');
  assert.equal(codeOf(body(new Uint8Array(0))), 'BAD_SIGNATURE');
  assert.equal(codeOf(body(platformKey.sign(signed), new Uint8Array(91))), 'INVALID_KEY');
  assert.equal(codeOf(body(platformKey.sign(signed), new Uint8Array(0))), 'INVALID_KEY');
});

test('a platform without a verifier is refused, never skipped', () => {
  const bytes = encodeEvidence({ platform: 'sev-snp', bytes: new Uint8Array(10) });
  assert.equal(codeOf(bytes), 'UNKNOWN_PLATFORM');
  const none = verifyEvidence(evidence, { atMs: 0, verifiers: [] });
  assert.equal(isRefusal(none) && none.code, 'UNKNOWN_PLATFORM');
});

test('platform names and format versions of another form are MALFORMED', () => {
  for (const platform of ['', 'Virtual', 'a b', '../x', 'x'.repeat(33), '1x']) {
    assert.equal(codeOf(encodeEvidence({ platform, bytes: new Uint8Array(1) })), 'MALFORMED');
  }
  const versioned = Uint8Array.from(evidence);
  versioned[0] = 2;
  assert.equal(codeOf(versioned), 'MALFORMED');
});

test('a fault of a verifier itself is not taken for bad evidence', () => {
  const broken = {
    platform: 'virtual',
    verify: () => {
      throw new TypeError('bug');
    },
  };
  assert.throws(() => verifyEvidence(evidence, { atMs: 0, verifiers: [broken] }), TypeError);
});
