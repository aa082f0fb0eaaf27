import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHeight, toView } from '@concordat/std';
import { LifeCycle } from '../life-cycle.ts';
import { NodeStanding, type StandingNode } from '../node-standing.ts';

test('a resuming node that is given a snapshot goes on to resume, and serves when the network commits', async () => {
  const lifeCycle = new LifeCycle({ onPhase: () => {}, onFailed: () => {} });
  const node = {
    lifeCycle,
    get phase() {
      return lifeCycle.phase;
    },
    resumedView: 3,
    log: { viewAt: () => toView(4) },
  };
  const standing = new NodeStanding(node as unknown as StandingNode);
  lifeCycle.enter('resuming');
  standing.restoring(120);
  assert.equal(lifeCycle.phase, 'resuming');
  standing.committed(toHeight(121));
  await lifeCycle.live;
});
