import assert from 'node:assert/strict';
import { test } from 'node:test';
import { governanceTables } from '@concordat/governance';
import { Store } from '@concordat/kv';
import { toEpoch } from '@concordat/std';
import { createNodeIdentity } from '../node-identity.ts';
import { currentEpoch, SessionKeys, sessionKeyTables, wrappedKey } from '../session-keys.ts';
import { entropyOf } from './fixture.ts';

const networkId = 'cd'.repeat(32);

/** The session keys of one node over a state of its own. */
function holder(name: string) {
  const { nodeId, encryption } = createNodeIdentity(entropyOf(name), 0);
  const keys = new SessionKeys(nodeId, encryption);
  keys.networkId = networkId;
  return { keys, recipient: { name: nodeId as string, publicKey: encryption.publicKey } };
}

const newStore = (): Store => new Store([...governanceTables, ...sessionKeyTables]);

test('an epoch a leader begins is opened by every recipient and by nobody else', () => {
  const leader = holder('leader');
  const follower = holder('follower');
  const stranger = holder('stranger');
  const store = newStore();
  const set = store.begin(1);
  const begun = leader.keys.begin(
    set,
    [leader.recipient, follower.recipient],
    entropyOf('epoch 1'),
  );
  const writes = [set.takeWriteSet()];
  set.finish();
  const other = newStore();
  other.applyLayer(1, writes);
  for (const { keys } of [follower, stranger]) keys.learnCurrent(other.head());
  assert.equal(currentEpoch(other.head()), 1);
  assert.deepEqual(follower.keys.current(other.head()).key, begun.key);
  assert.throws(() => stranger.keys.current(other.head()), { code: 'SESSION_KEY_MISSING' });
});

test('a key that was announced by a block taken back gives way to the next one', () => {
  const leader = holder('leader');
  const follower = holder('follower');
  const recipients = [leader.recipient, follower.recipient];
  const store = newStore();
  const begin = (layer: number, seed: string): Uint8Array => {
    const set = store.begin(layer);
    const { key } = leader.keys.begin(set, recipients, entropyOf(seed));
    set.takeWriteSet();
    set.finish();
    follower.keys.learnCurrent(store.head());
    return Uint8Array.from(key);
  };
  begin(1, 'epoch 1');
  const lost = begin(2, 'epoch 2');
  const held = follower.keys.get(toEpoch(2));
  store.rollback(1);
  for (const { keys } of [leader, follower]) keys.rolledBack(store.head());
  assert.equal(leader.keys.get(toEpoch(2)), undefined);
  assert.equal(follower.keys.get(toEpoch(2)), undefined);
  assert.throws(() => held?.key, { code: 'FORGOTTEN' });
  const kept = begin(2, 'epoch 2 again');
  assert.notDeepEqual(kept, lost);
  assert.deepEqual(follower.keys.get(toEpoch(2))?.key, kept);
});

test('a node that catches up keeps the keys it was given, whatever is taken back meanwhile', () => {
  const leader = holder('leader');
  const joiner = holder('joiner');
  const store = newStore();
  const set = store.begin(1);
  leader.keys.begin(set, [leader.recipient], entropyOf('1'));
  leader.keys.begin(set, [leader.recipient], entropyOf('2'));
  leader.keys.shareWith(set, joiner.recipient, entropyOf('share'));
  set.takeWriteSet();
  set.finish();
  joiner.keys.learnAll(leader.keys.wrapsFor(store.head(), joiner.recipient.name));
  joiner.keys.rolledBack(newStore().head());
  for (const epoch of [1, 2]) {
    const key = joiner.keys.get(toEpoch(epoch))?.key;
    assert.deepEqual(key, leader.keys.get(toEpoch(epoch))?.key);
  }
});

test('a wrap of another network, epoch or recipient, or a flipped one, teaches nothing', () => {
  const leader = holder('leader');
  const store = newStore();
  const set = store.begin(1);
  leader.keys.begin(set, [leader.recipient], entropyOf('1'));
  const wrap = wrappedKey(set, 1, leader.recipient.name) as Uint8Array;
  const fresh = holder('leader');
  assert.throws(() => fresh.keys.learn(toEpoch(2), wrap), { code: 'UNWRAP_FAILED' });
  assert.throws(() => fresh.keys.learn(toEpoch(1), wrap.with(70, 1)), { code: 'UNWRAP_FAILED' });
  assert.throws(() => fresh.keys.learn(toEpoch(1), wrap.subarray(1)), { code: 'UNWRAP_FAILED' });
  assert.throws(() => holder('other').keys.learn(toEpoch(1), wrap), { code: 'UNWRAP_FAILED' });
  fresh.keys.networkId = 'ef'.repeat(32);
  assert.throws(() => fresh.keys.learn(toEpoch(1), wrap), { code: 'UNWRAP_FAILED' });
});

test('a node that ends keeps no key', () => {
  const leader = holder('leader');
  const set = newStore().begin(1);
  const held = leader.keys.begin(set, [leader.recipient], entropyOf('1'));
  leader.keys.forgetAll();
  assert.throws(() => held.key, { code: 'FORGOTTEN' });
});
