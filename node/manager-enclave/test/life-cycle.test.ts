import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type NodeId, toNodeId } from '@concordat/std';
import { ManagerError } from '../errors.ts';
import { LifeCycle } from '../life-cycle.ts';

const electionTimeoutMs = 1_000;
const [one, two] = ['a', 'b'].map((digit) => toNodeId(digit.repeat(64))) as [NodeId, NodeId];

function create(): { readonly life: LifeCycle; readonly rejoins: () => number } {
  const life = new LifeCycle({ onPhase: () => {}, onFailed: () => {} });
  let count = 0;
  life.onNetworkLive = () => {
    count += 1;
  };
  return { life, rejoins: () => count };
}

/** A peer says at intervals of two seconds that the network runs; its last word is that at the end. */
function goesOnSaying(life: LifeCycle, peer: NodeId, fromMs: number, toMs: number): void {
  for (let nowMs = fromMs; nowMs <= toMs; nowMs += 2_000) {
    life.refusedBy(peer, 'NETWORK_LIVE', nowMs);
    life.checkNetworkLive(electionTimeoutMs, nowMs);
  }
}

test('a resuming node gives up its identity only when a peer goes on saying that the network runs', () => {
  const { life, rejoins } = create();
  life.enter('resuming');
  goesOnSaying(life, one, 0, 2_000);
  assert.equal(rejoins(), 0);
  goesOnSaying(life, one, 4_000, 4_000);
  assert.equal(rejoins(), 1);
});

test('a peer that believed in a leader lost with this node, and then notices, is not believed', () => {
  const { life, rejoins } = create();
  life.enter('resuming');
  goesOnSaying(life, one, 0, 2_000);
  life.channelChanged(two, { up: false, code: 'DIAL_FAILED', nowMs: 0 });
  life.refusedBy(one, 'LEADER_UNKNOWN', 2_500);
  goesOnSaying(life, one, 4_000, 6_000);
  assert.equal(rejoins(), 0);
});

test('a peer that said so just before it was gone is not believed, however soon', () => {
  const { life, rejoins } = create();
  life.enter('resuming');
  goesOnSaying(life, one, 0, 2_000);
  life.channelChanged(one, { up: false, code: 'DIAL_FAILED', nowMs: 2_100 });
  for (let nowMs = 3_000; nowMs <= 30_000; nowMs += 500) {
    life.checkNetworkLive(electionTimeoutMs, nowMs);
  }
  goesOnSaying(life, one, 30_000, 32_000);
  assert.equal(rejoins(), 0);
});

test('a peer that takes this node in is not held to what it said before', () => {
  const { life, rejoins } = create();
  life.enter('resuming');
  goesOnSaying(life, one, 0, 2_000);
  life.channelChanged(one, { up: true, code: undefined, nowMs: 3_000 });
  goesOnSaying(life, one, 4_000, 6_000);
  assert.equal(rejoins(), 0);
  goesOnSaying(life, one, 8_000, 8_000);
  assert.equal(rejoins(), 1);
});

test('a running node takes resumers in only after elections have had time to succeed without them', () => {
  const { life } = create();
  life.enter('running');
  assert.equal(life.acceptsResumers(electionTimeoutMs, 0), false);
  life.hearsLeader(false, 1_000);
  life.hearsLeader(false, 2_000);
  assert.equal(life.acceptsResumers(electionTimeoutMs, 5_999), false);
  assert.equal(life.acceptsResumers(electionTimeoutMs, 6_000), true);
  life.hearsLeader(true, 6_500);
  assert.equal(life.acceptsResumers(electionTimeoutMs, 60_000), false);
});

test('nodes that resume take each other in at once', () => {
  const { life } = create();
  life.enter('resuming');
  assert.equal(life.acceptsResumers(electionTimeoutMs, 0), true);
});

test('each stage is told once, and a failed launch stays failed', () => {
  const phases: string[] = [];
  const failures: string[] = [];
  const life = new LifeCycle({
    onPhase: (phase, reason) => phases.push(reason ? `${phase}: ${reason}` : phase),
    onFailed: (code) => failures.push(code),
  });
  life.enter('joining', 'asking');
  life.enter('joining', 'asking');
  life.fail(new ManagerError('HOST_FAULT', 'disk full'));
  life.fail(new ManagerError('WORKER_REFUSED', 'gone'));
  life.enter('running');
  assert.deepEqual(phases, ['joining: asking', 'failed: HOST_FAULT: disk full']);
  assert.deepEqual(failures, ['HOST_FAULT']);
});

test('one refusal by a peer is ahead of its time, a lasting one without a leader is not', () => {
  const { life } = create();
  life.enter('running');
  const refused = (nowMs: number) => ({ up: false, code: 'NODE_NOT_ADMITTED', nowMs });
  life.channelChanged(one, refused(1_000));
  life.checkDisowned(false, 5_000);
  life.checkDisowned(true, 60_000);
  assert.equal(life.phase, 'running');
  life.channelChanged(one, { up: true, code: undefined, nowMs: 60_000 });
  life.checkDisowned(false, 90_000);
  assert.equal(life.phase, 'running');
  life.channelChanged(one, refused(90_000));
  life.checkDisowned(false, 101_000);
  assert.equal(life.phase, 'failed');
});
