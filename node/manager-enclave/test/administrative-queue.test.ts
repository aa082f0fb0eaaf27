import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { currentEpoch, nodeRetired } from '@concordat/governance';
import type { TransactionSet } from '@concordat/kv';
import {
  batch,
  decide,
  entropyOf,
  grow,
  newNetwork,
  type Organisation,
  organisation,
  threeNodes,
} from './fixture.ts';

const nothing = (): undefined => undefined;

test('transactions are executed in order, each answered after its commit', async () => {
  const { world, first } = await newNetwork([organisation('a')]);
  const order: number[] = [];
  const answers = [1, 2, 3].map((n) => first.queue.administer(() => order.push(n)));
  const [one, two, three] = await world.until(Promise.all(answers));
  assert.deepEqual(order, [1, 2, 3]);
  assert(one && two && three);
  assert(one.height < two.height && two.height < three.height);
  assert.equal(first.log.committedHeight, three.height);
});

test('a body that throws leaves no trace and holds up nobody', async () => {
  const { world, first } = await newNetwork([organisation('a')]);
  const before = first.log.lastHeight;
  const failing = first.queue.administer(() => {
    throw new Error('no');
  });
  await assert.rejects(world.until(failing), { message: 'no' });
  assert.equal(first.log.lastHeight, before);
  await world.until(first.queue.administer(nothing));
});

test('a node that does not lead turns every transaction away', async () => {
  const { world, second } = await threeNodes();
  await assert.rejects(world.until(second.queue.administer(nothing)), { code: 'NOT_LEADER' });
});

test('a transaction that a new leader replaced is answered as lost', async () => {
  const { world, first, second, third } = await threeNodes();
  world.cut.add(first.id);
  const answer = first.queue.administer(nothing);
  answer.catch(nothing);
  await world.settle();
  const before = first.log.lastHeight;
  await world.elect();
  await world.tick(1, [second, third]);
  world.cut.clear();
  await world.tick(3, [second, third]);
  await assert.rejects(answer, { code: 'TRANSACTION_LOST' });
  assert(first.log.lastHeight >= before);
});

test('a transaction without a majority is answered as unknown, in bounded time', async () => {
  const { world, first } = await threeNodes();
  world.cut.add(first.id);
  const answer = first.queue.administer(nothing);
  await assert.rejects(answer, { code: 'TRANSACTION_UNKNOWN' });
});

test('those that wait behind a leader that steps down are turned away at once', async () => {
  const { world, first } = await threeNodes();
  world.cut.add(first.id);
  const placed = first.queue.administer(nothing);
  const waiting = first.queue.administer(nothing);
  placed.catch(nothing);
  waiting.catch(nothing);
  await world.tick(30, [first]);
  assert.equal(first.driver.leads, false);
  await assert.rejects(waiting, { code: 'NOT_LEADER' });
});

test('more than can wait are refused', async () => {
  const { world, first } = await threeNodes();
  world.cut.add(first.id);
  const answers = Array.from({ length: 257 }, () => first.queue.administer(nothing));
  for (const answer of answers) answer.catch(nothing);
  await assert.rejects(answers[256] as Promise<unknown>, { code: 'OVERLOADED' });
  first.driver.stop();
});

test('a transaction that cannot be placed leaves state and session keys as they were', async () => {
  const { world, first } = await threeNodes();
  const epoch = currentEpoch(first.administration.head);
  const begin = (set: TransactionSet): void => {
    first.sessionKeys.begin(set, {
      reason: 'vote',
      nowMs: Date.now(),
      entropy: entropyOf('begin'),
    });
  };
  assert(first.driver.transferLeadership());
  assert.throws(() => first.queue.placeNow(begin), { code: 'TRANSACTION_LOST' });
  assert.equal(currentEpoch(first.administration.head), epoch);
  assert.equal(first.sessionKeys.get((epoch + 1) as typeof epoch), undefined);
  await world.settle();
});

test('a change of actors starts an epoch that every node can read', async () => {
  const { world, members, first, second, third } = await threeNodes();
  const epoch = currentEpoch(first.administration.head);
  const newcomer = organisation('newcomer');
  const args = { kind: ['participant'], name: 'newcomer', certificate: newcomer.pem, roles: [] };
  await decide(world, first, members, [{ name: 'add_actor', args }]);
  await world.tick(2);
  for (const node of [first, second, third]) {
    assert.equal(currentEpoch(node.administration.committedState), epoch + 1);
    const key = node.sessionKeys.current(node.administration.head);
    assert.deepEqual(key.key, first.sessionKeys.current(first.administration.head).key);
  }
});

test('a node that is removed reads on until its removal is committed, for which it may be needed', async () => {
  const members = [1, 2].map((n) => organisation(`org ${n}`));
  const { world, first } = await newNetwork(members);
  const second = await grow(world, members, members[1] as Organisation);
  const epoch = currentEpoch(first.administration.head);
  const removal = first.queue.administer((set) => {
    nodeRetired(set, second.id);
    first.sessionKeys.begin(set, {
      reason: 'actors',
      nowMs: Date.now(),
      entropy: entropyOf('removal'),
    });
  });
  await nextTurn();
  assert.equal(currentEpoch(first.administration.head), epoch + 1);
  assert(first.driver.place(1, batch('behind it')).ok);
  await world.until(removal);
  await world.tick(2);
  assert.equal(second.broken, undefined);
  assert.equal(currentEpoch(first.administration.committedState), epoch + 1);
  assert.equal(first.log.committedHeight, first.log.lastHeight);
});

test('a removed node is not broken by what it has no key for, and forgets every key', async () => {
  const { world, first, third } = await threeNodes();
  world.cut.add(third.id);
  await world.until(
    first.queue.administer((set) => {
      nodeRetired(set, third.id);
      first.sessionKeys.begin(set, {
        reason: 'actors',
        nowMs: Date.now(),
        entropy: entropyOf('removal'),
      });
    }),
  );
  assert(first.driver.place(1, batch('of the next epoch')).ok);
  await world.settle();
  world.cut.clear();
  await world.tick(4);
  assert.equal(third.broken, undefined);
  const listed = third.administration.committedConstitution.nodes;
  assert.equal(listed.find(({ nodeId }) => nodeId === third.id)?.status, 'retired');
  assert.deepEqual(third.sessionKeys.epochs, []);
});

test('a message signed for the network is executed by the leader, wherever it arrives', async () => {
  const { world, members, first, third } = await threeNodes();
  const args = { name: 'maxBatchTransactions', value: 7 };
  const answer = await decide(world, third, members, [{ name: 'set_policy', args }]);
  assert.equal(answer.state, 'accepted');
  await world.tick(2);
  for (const node of [first, third]) {
    assert.equal(node.administration.committedConstitution.policies.maxBatchTransactions, 7);
  }
  assert(third.announced.length > 0, 'those who watch the other node are told');
});
