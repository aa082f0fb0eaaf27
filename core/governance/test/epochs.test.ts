import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  currentEpoch,
  defaultPolicy,
  epochDue,
  epochKeyRow,
  epochKeyRows,
  epochOwed,
  epochTables,
  governanceTables,
  isNodeGranted,
  newestEpoch,
  owedPatienceMs,
  readConstitution,
  recordEpoch,
  recordEpochOwed,
  recordKeyGrant,
} from '@concordat/governance';
import { Store } from '@concordat/kv';
import { type NodeId, toEpoch } from '@concordat/std';
import { action, Network } from './network.ts';

const members = ['ada', 'bob', 'cyd'];
const node = 'ab'.repeat(32) as NodeId;
const other = 'cd'.repeat(32) as NodeId;

/** A state with these policies, in which epoch 4 began at block 100. */
function stateWith(policies: Record<string, unknown> = {}) {
  const network = new Network(members, { policies });
  const set = new Store([...governanceTables, ...epochTables]).begin(1);
  for (const { name } of governanceTables) {
    for (const [key, value] of network.set.table(name).entries()) set.table(name).set(key, value);
  }
  const begun = { epoch: 4, height: 100, reason: 'vote', timeMs: 1_000_000 } as const;
  recordEpoch(set, begun, { keyNumber: 2, ciphertext: Uint8Array.of(4, 2) });
  return set;
}

test('the rows of an epoch read back as they were written', () => {
  const set = stateWith();
  assert.equal(currentEpoch(set), 4);
  assert.equal(newestEpoch(set)?.height, 100);
  const row = { epoch: 4, keyNumber: 2, ciphertext: Uint8Array.of(4, 2) };
  assert.deepEqual(epochKeyRows(set, toEpoch(4)), [row]);
  assert.deepEqual(epochKeyRow(set, { epoch: toEpoch(4), keyNumber: 2 }), row);
  assert.deepEqual(epochKeyRows(set, toEpoch(5)), []);
  assert.equal(epochKeyRow(set, { epoch: toEpoch(4), keyNumber: 3 }), undefined);
  const next = { epoch: 5, height: 120, reason: 'key', timeMs: 1 } as const;
  recordEpoch(set, next, { keyNumber: 3, ciphertext: Uint8Array.of(5, 3) });
  assert.equal(currentEpoch(set), 5);
  assert.equal(epochKeyRows(set, toEpoch(4)).length, 1, 'earlier keys stay');
});

test('an epoch is due by the policies of its time: so many seconds, so many blocks, or never', () => {
  const at = (nowMs: number, height: number) => ({ nowMs, height });
  const day = 86_400_000;
  const byDefault = stateWith();
  assert.equal(epochDue(byDefault, at(1_000_000 + day - 1, 1_000_000)), undefined);
  assert.equal(epochDue(byDefault, at(1_000_000 + day, 101)), 'time');
  const byBlocks = stateWith({ epochBlocks: 10, epochDuration: 0 });
  assert.equal(epochDue(byBlocks, at(1e15, 109)), undefined);
  assert.equal(epochDue(byBlocks, at(0, 110)), 'blocks');
  const never = stateWith({ epochDuration: 0 });
  assert.equal(epochDue(never, at(1e15, 1e9)), undefined);
  const empty = new Store([...governanceTables, ...epochTables]).begin(1);
  assert.equal(epochDue(empty, at(1e15, 1e9)), undefined, 'before the first block');
});

test('an epoch that is owed is due once it has waited three times as long as a phase of a ceremony', () => {
  const set = stateWith();
  const height = 101;
  assert.equal(epochOwed(set), undefined);
  recordEpochOwed(set, { height: 100, timeMs: 2_000_000 });
  recordEpochOwed(set, { height: 101, timeMs: 9_000_000 });
  assert.deepEqual(epochOwed(set), { height: 100, timeMs: 2_000_000 }, 'since the first change');
  assert.equal(epochDue(set, { nowMs: 2_029_999, height }), undefined);
  assert.equal(epochDue(set, { nowMs: 2_030_000, height }), 'actors');
  const begun = { epoch: 5, height: 120, reason: 'actors', timeMs: 2_030_000 } as const;
  recordEpoch(set, begun, { keyNumber: 3, ciphertext: Uint8Array.of(5, 3) });
  assert.equal(epochOwed(set), undefined);
  const slow = stateWith({ keyCeremonyDuration: 86_400 });
  assert.equal(owedPatienceMs(slow), 60_000, 'a minute at most');
});

test('a leader whose clock was ahead keeps the next ones from no epoch', () => {
  const height = 101;
  const set = stateWith();
  const aheadMs = 1_000_000 + 86_400_000;
  assert.equal(epochDue(set, { nowMs: 1_000_000 - 86_400_000, height }), 'time');
  assert.equal(epochDue(set, { nowMs: 1_000_000 - 60_000, height }), undefined, 'clocks differ');
  recordEpochOwed(set, { height: 100, timeMs: aheadMs });
  assert.equal(epochDue(set, { nowMs: aheadMs - 29_999, height }), undefined);
  assert.equal(epochDue(set, { nowMs: aheadMs - 30_000, height }), 'actors');
});

test('policies of epochs have their bounds', () => {
  assert.equal(defaultPolicy('epochDuration'), 86_400);
  assert.equal(defaultPolicy('epochBlocks'), 0);
  assert.equal(defaultPolicy('sessionKeyTtl'), 3_600);
  for (const [name, value] of [
    ['epochBlocks', 9],
    ['epochBlocks', -1],
    ['epochDuration', 1.5],
    ['epochDuration', 'day'],
    ['sessionKeyTtl', -1],
    ['sessionKeyTtl', 1_000_000_001],
  ]) {
    const network = new Network(members);
    network.refuses('INVALID_ACTION', () =>
      network.propose('ada', action('set_policy', { name, value })),
    );
  }
  const network = new Network(members);
  network.pass(members, action('set_policy', { name: 'epochBlocks', value: 10 }));
  assert.equal(readConstitution(network.set).policies.epochBlocks, 10);
});

test('members ask for an epoch by vote, under a voting policy of its own', () => {
  const network = new Network(members);
  const { effects } = network.pass(members, action('begin_epoch', {}));
  assert.deepEqual(effects, [{ kind: 'epoch-asked' }]);
  network.refuses('INVALID_ACTION', () =>
    network.propose('ada', action('begin_epoch', { epoch: 7 })),
  );
  const policy = { kind: 'unanimous' };
  network.pass(members, action('set_voting_policy', { kind: 'begin_epoch', policy }));
  const { proposalId } = network.propose('ada', action('begin_epoch', {}));
  network.vote('ada', proposalId);
  assert.equal(network.vote('bob', proposalId).state, 'open');
  assert.equal(network.vote('cyd', proposalId).state, 'accepted');
});

test('a node is granted what a grant to it covers, and nothing that was given to others or for audits', () => {
  const set = stateWith();
  const granted = (epoch: number, to = node): boolean => isNodeGranted(set, to, toEpoch(epoch));
  assert.equal(granted(1), false);
  recordKeyGrant(set, { epochs: [1, 3], reason: 'joined', to: [node] });
  recordKeyGrant(set, { epochs: [4, 4], reason: 'begun', to: [other, node] });
  recordKeyGrant(set, { epochs: [5, 5], reason: 'begun', to: [other] });
  recordKeyGrant(set, { epochs: [6, 9], reason: 'audit', to: [node] });
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6, 9].map((epoch) => granted(epoch)),
    [true, true, true, true, false, false, false],
  );
  assert.equal(granted(4, other), true);
  assert.equal(granted(3, other), false);
  assert.equal(granted(4, 'ab'.repeat(31) as NodeId), false, 'a part of a name is no name');
});
