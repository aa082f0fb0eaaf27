import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAgainst, type Verdict } from '@concordat/attestation';
import { toDigest } from '@concordat/std';

const verdict: Verdict = {
  platform: 'virtual',
  measurement: 'aa'.repeat(32),
  reportData: toDigest(new Uint8Array(32).fill(1)),
  tcb: 'virtual-1',
  debug: false,
  platformKey: 'bb'.repeat(32),
};
const manifests = {
  codeManifest: [
    { measurement: 'cc'.repeat(32), role: 'manager' as const, version: '1' },
    { measurement: 'aa'.repeat(32), role: 'manager' as const, version: '2' },
  ],
  teeManifest: [
    { platform: 'sev-snp', rank: 2 },
    { platform: 'virtual', rank: 1 },
  ],
  role: 'manager' as const,
};

const codeOf = (result: ReturnType<typeof checkAgainst>): string =>
  result.ok ? 'ok' : result.code;

test('a listed TEE running listed code is admitted under the entries that list them', () => {
  const admission = checkAgainst(verdict, manifests);
  assert.ok(admission.ok);
  assert.equal(admission.codeEntry.version, '2');
  assert.equal(admission.teeEntry.rank, 1);
});

test('an unlisted TEE, debugging and unlisted code are refused, in this order', () => {
  const unlisted = { ...verdict, platform: 'sgx', debug: true, measurement: 'dd'.repeat(32) };
  assert.equal(codeOf(checkAgainst(unlisted, manifests)), 'UNLISTED_TEE');
  const debug = { ...unlisted, platform: 'virtual' };
  assert.equal(codeOf(checkAgainst(debug, manifests)), 'DEBUG');
  const code = { ...debug, debug: false };
  assert.equal(codeOf(checkAgainst(code, manifests)), 'UNLISTED_MEASUREMENT');
  assert.equal(
    codeOf(checkAgainst(verdict, { ...manifests, codeManifest: [] })),
    'UNLISTED_MEASUREMENT',
  );
  assert.equal(codeOf(checkAgainst(verdict, { ...manifests, teeManifest: [] })), 'UNLISTED_TEE');
});

test('code approved for one role does not play another', () => {
  assert.equal(codeOf(checkAgainst(verdict, { ...manifests, role: 'worker' })), 'WRONG_ROLE');
  const both = [
    ...manifests.codeManifest,
    { ...manifests.codeManifest[1]!, role: 'worker' as const },
  ];
  const expected = { ...manifests, codeManifest: both, role: 'worker' as const };
  assert.equal(codeOf(checkAgainst(verdict, expected)), 'ok');
});

test('the admitted machine and the bound key are compared where they are given', () => {
  const { platformKey, reportData } = verdict;
  assert.equal(codeOf(checkAgainst(verdict, { ...manifests, platformKey, reportData })), 'ok');
  assert.equal(
    codeOf(checkAgainst(verdict, { ...manifests, platformKey: 'cc'.repeat(32) })),
    'WRONG_PLATFORM_KEY',
  );
  for (const other of [new Uint8Array(32), new Uint8Array(0)]) {
    assert.equal(
      codeOf(checkAgainst(verdict, { ...manifests, reportData: other })),
      'WRONG_REPORT_DATA',
    );
  }
});
