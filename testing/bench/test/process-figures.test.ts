import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  cpuMicrosOf,
  figuresOf,
  parentOf,
  peakBytesOf,
  residentBytesOf,
} from '../process-figures.ts';

const stat =
  '4242 (odd) name (x)) S 17 4242 4242 0 -1 4194560 9000 0 0 0 150 50 7 9 20 0 11 0 1000 1 2';

describe('figures of processes', () => {
  it('reads user and system time behind a name with brackets and blanks', () => {
    assert.equal(cpuMicrosOf(stat), 2_000_000);
    assert.equal(parentOf(stat), 17);
  });

  it('knows a text that is no stat line', () => {
    assert.equal(cpuMicrosOf(''), undefined);
    assert.equal(cpuMicrosOf('4242 (cut'), undefined);
  });

  it('reads resident memory, at its peak and now', () => {
    assert.equal(peakBytesOf('VmPeak:\t  900 kB\nVmHWM:\t  512 kB\nVmRSS:\t 400 kB\n'), 512 * 1024);
    assert.equal(peakBytesOf(''), 0);
    assert.equal(residentBytesOf('VmHWM:\t  512 kB\nVmRSS:\t 400 kB\n'), 400 * 1024);
  });

  it('measures this very process', { skip: process.platform !== 'linux' }, () => {
    const before = figuresOf(process.pid);
    const until = performance.now() + 60;
    while (performance.now() < until);
    const after = figuresOf(process.pid);
    assert.ok(after.cpuMicros > before.cpuMicros);
    assert.ok(after.peakBytes > 10 * 1024 * 1024);
    assert.ok(after.residentBytes <= after.peakBytes);
  });
});
