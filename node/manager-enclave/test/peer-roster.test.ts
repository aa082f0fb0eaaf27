import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type NodeId, toNodeId } from '@concordat/std';
import type { PeerTarget } from '../node-channel.ts';
import { PeerRoster, type RosterChannel } from '../peer-roster.ts';

test('a removed node keeps its channel until consensus has told it, then it is refused', () => {
  const [self, stays, goes] = ['aa', 'bb', 'cc'].map((id) => toNodeId(id.repeat(32))) as [
    NodeId,
    NodeId,
    NodeId,
  ];
  const progress = new Map([[goes, {}]]);
  const refused: string[] = [];
  let targets: string[] = [];
  let asking = false;
  const channel: RosterChannel = {
    set targets(wanted: readonly PeerTarget[]) {
      targets = wanted.map(({ nodeId }) => nodeId);
    },
    refuse: (nodeId: NodeId, code: string) => {
      refused.push(`${nodeId} ${code}`);
    },
    isAsking: () => asking,
  };
  const learners = new Set<string>();
  const roster = new PeerRoster(self, channel, {
    addLearner: (peer) => learners.add(peer),
    removeLearner: (peer) => learners.delete(peer),
    status: { progress } as never,
  });
  const list = (...statuses: [typeof self, string][]) =>
    ({ nodes: statuses.map(([nodeId, status]) => ({ nodeId, status, address: nodeId })) }) as never;
  roster.update(list([self, 'trusted'], [stays, 'trusted'], [goes, 'learning']), 0);
  assert.deepEqual(targets, [stays, goes]);
  assert(learners.has(goes));
  roster.update(list([self, 'trusted'], [stays, 'trusted'], [goes, 'retired']), 0);
  assert.deepEqual(targets, [stays, goes]);
  assert.deepEqual(refused, []);
  progress.delete(goes);
  asking = true;
  roster.dismiss(50);
  assert.deepEqual(refused, [], 'it owes an answer');
  asking = false;
  roster.dismiss(100);
  assert.deepEqual(targets, [stays]);
  assert.deepEqual(refused, [`${goes} NODE_NOT_ADMITTED`]);
});
