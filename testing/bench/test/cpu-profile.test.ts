import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CpuProfile, summarizeProfile } from '../profile/cpu-profile.ts';

const frame = (functionName: string, url = '', lineNumber = -1) => ({
  functionName,
  url,
  lineNumber,
});

const profile: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame('(root)'), children: [2, 3, 5] },
    { id: 2, callFrame: frame('(idle)') },
    { id: 3, callFrame: frame('seal', 'file:///image/bundle.mjs', 9), children: [4] },
    { id: 4, callFrame: frame('hash', 'node:internal/crypto/hash', 293) },
    { id: 5, callFrame: frame('seal', 'file:///image/bundle.mjs', 9) },
  ],
  startTime: 1_000,
  samples: [3, 4, 2, 5, 4],
  timeDeltas: [100, 10, 20, 40, 80],
};

describe('the summary of a profile', () => {
  it('gives each function the time until the next sample, whoever called it', () => {
    // Samples at 1,100 (seal), 1,110 (hash), 1,130 (idle), 1,170 (seal) and 1,250 (hash).
    const { busyMicros, functions } = summarizeProfile(profile, { from: 0, to: 9_999 });
    assert.equal(busyMicros, 10 + 20 + 80);
    assert.deepEqual(functions, [
      { name: 'seal bundle.mjs:10', micros: 90, callers: [] },
      { name: 'hash hash:294', micros: 20, callers: ['seal'] },
    ]);
  });

  it('counts what was sampled in the window only', () => {
    const { busyMicros, functions } = summarizeProfile(profile, { from: 1_105, to: 1_170 });
    assert.equal(busyMicros, 20);
    assert.deepEqual(
      functions.map(({ name }) => name),
      ['hash hash:294'],
    );
  });
});
