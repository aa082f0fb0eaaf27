import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type NodeId, toNodeId } from '@concordat/std';
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
