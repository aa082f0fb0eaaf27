import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Cell } from '../consensus/commit-part.ts';
import { renderConsensus } from '../consensus/report.ts';
import type { ConsensusFigures } from '../sections/consensus-section.ts';

const spread = (median: number) => ({ median, lowest: median / 2, highest: median * 2 });

const cell: Cell = {
  voters: 3,
  what: 'write',
  inFlight: 1_000,
  leader: 'vn2',
  own: { perSecond: spread(20_000), p50: 25, p99: 50 },
  etcd: { perSecond: spread(10_000), p50: 50, p99: 90, cpuMicros: 80, clientMicros: 60 },
  costs: {
    cpuMicros: {
      'vn1 host': 2,
      'vn1 manager': 4,
      'vn1 worker': 1,
      'vn2 host': 5,
      'vn2 manager': 10,
      'vn2 worker': 6,
      'vn3 host': 4,
      'vn3 manager': 6,
      'vn3 worker': 3,
      client: 100,
    },
    ledgerBytes: 134,
    threadMicros: {},
    peakBytes: {},
  },
};

const none: ConsensusFigures = {
  id: 'consensus',
  commits: [],
  elections: [],
  catchUps: [],
  loads: {},
  notes: ['etcd: skipped: it is not installed'],
};

describe('the report on consensus', () => {
  it('sets our rate and latency over etcd, and followers to their mean', () => {
    const text = renderConsensus({
      ...none,
      commits: [cell],
      loads: { commits: { before: 0.5, after: 2.25 } },
    });
    assert.match(text, /load average 0\.5 before, 2\.3 after/);
    assert.match(text, /20,000 \(10,000-40,000\)\s+25\s+50\s+10,000\s+50\s+90\s+2\.00 ×\s+2\.00 ×/);
    assert.match(text, /5\.0\s+10\.0\s+6\.0\s+3\.0\s+5\.0\s+2\.0\s+41\s+100\.0\s+80\s+60\s+134/);
  });

  it('shows a cell without etcd, and a single node without followers', () => {
    const { etcd: _, ...alone } = cell;
    const cpuMicros = { 'vn2 host': 5, 'vn2 manager': 10, 'vn2 worker': 6, client: 1 };
    const commits = [{ ...alone, voters: 1, costs: { ...cell.costs, cpuMicros } }];
    const text = renderConsensus({
      ...none,
      commits,
      loads: { commits: { before: 0, after: 0 } },
    });
    assert.doesNotMatch(text, /NaN|undefined/);
    assert.match(text, /20,000/);
  });

  it('leaves out what was not measured, and says what was skipped', () => {
    const text = renderConsensus(none);
    assert.equal(text.trim(), 'etcd: skipped: it is not installed');
  });
});
