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

test('a resuming node gives up its identity only when a peer goes on saying that the network runs', () => {
  const { life, rejoins } = create();
  life.enter('resuming');
  life.channelChanged(one, { up: false, code: 'NETWORK_LIVE', nowMs: 0 });
  life.checkNetworkLive(electionTimeoutMs, 3_000);
  assert.equal(rejoins(), 0);
  life.checkNetworkLive(electionTimeoutMs, 4_000);
  assert.equal(rejoins(), 1);
});

test('a peer that believed in a leader lost with this node, and then notices, is not believed', () => {
  const { life, rejoins } = create();
  life.enter('resuming');
  life.channelChanged(one, { up: false, code: 'NETWORK_LIVE', nowMs: 0 });
  life.channelChanged(two, { up: false, code: 'DIAL_FAILED', nowMs: 0 });
  life.channelChanged(one, { up: false, code: 'LEADER_UNKNOWN', nowMs: 2_500 });
  life.checkNetworkLive(electionTimeoutMs, 60_000);
  assert.equal(rejoins(), 0);
  life.channelChanged(one, { up: false, code: 'NETWORK_LIVE', nowMs: 60_000 });
  life.checkNetworkLive(electionTimeoutMs, 63_000);
  assert.equal(rejoins(), 0);
});

test('a resuming node whose own channels are up believes peers that keep turning away from it', () => {
  const { life, rejoins } = create();
  life.enter('resuming');
  life.channelChanged(one, { up: true, code: undefined, nowMs: 0 });
  for (let nowMs = 1_000; nowMs <= 5_000; nowMs += 2_000) {
    life.refusedBy(one, 'NETWORK_LIVE', nowMs);
    life.checkNetworkLive(electionTimeoutMs, nowMs);
  }
  assert.equal(rejoins(), 1);
});

test('a peer that turned away once, or for other reasons, is not believed', () => {
  const { life, rejoins } = create();
  life.enter('resuming');
  life.refusedBy(one, 'NETWORK_LIVE', 0);
  life.checkNetworkLive(electionTimeoutMs, 30_000);
  life.refusedBy(one, 'NETWORK_LIVE', 30_000);
  life.checkNetworkLive(electionTimeoutMs, 33_000);
  life.refusedBy(one, 'LEADER_UNKNOWN', 33_000);
  life.checkNetworkLive(electionTimeoutMs, 34_500);
  assert.equal(rejoins(), 0);
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
