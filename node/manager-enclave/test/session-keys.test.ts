import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  currentEpoch,
  epochKeyRows,
  epochTables,
  governanceTables,
  keyGrants,
  newestEpoch,
} from '@concordat/governance';
import { Store } from '@concordat/kv';
import { toEpoch, toHeight, utf8 } from '@concordat/std';
import { ciphertextDigest, SessionKeys } from '../session-keys.ts';
import { batch, decide, entropyOf, newNetwork, organisation, threeNodes } from './fixture.ts';

const member = organisation('session keys');
/** A network of one node, with its founder's shared key. */
const { first } = await newNetwork([member]);
const shared = first.administration;

const nextHeight = () => toHeight(2);
const day = 86_400_000;

/** The state after blocks, each of which begins an epoch; taken back one by one. */
function ledger() {
  const state = new Store([...governanceTables, ...epochTables]);
  const set = state.begin(1);
  for (const { name } of [...governanceTables, ...epochTables]) {
    for (const [key, value] of shared.head.table(name).entries()) set.table(name).set(key, value);
  }
  set.takeWriteSet();
  set.finish();
  return {
    state,
    begin(keys: SessionKeys, layer: number, seed: string): Uint8Array {
      const open = state.begin(layer);
      const { key } = keys.begin(open, { reason: 'vote', nowMs: 7, entropy: entropyOf(seed) });
      const copy = Uint8Array.from(key);
      open.takeWriteSet();
      open.finish();
      keys.align(state.head());
      return copy;
    },
    /** The ciphertext that the state names for an epoch. */
    digest(epoch: number): string {
      const [row] = epochKeyRows(state.head(), toEpoch(epoch));
      assert(row);
      return ciphertextDigest(row.ciphertext);
    },
  };
}

test('an epoch that begins is told with its reason, height and time, and granted to who takes part', () => {
  const { state, begin } = ledger();
  const keys = new SessionKeys(nextHeight);
  begin(keys, 2, 'a');
  const [before, grant] = [...keyGrants(state.head())];
  assert.equal(currentEpoch(state.head()), 2);
  assert.deepEqual(newestEpoch(state.head()), { epoch: 2, height: 2, reason: 'vote', timeMs: 7 });
  assert.deepEqual(before, { epochs: [1, 1], reason: 'begun', to: [first.id] });
  assert.deepEqual(grant, { epochs: [2, 2], reason: 'begun', to: [first.id] });
  assert.equal(epochKeyRows(state.head(), toEpoch(2)).length, 1);
});

test('a key that was announced by a block taken back gives way to the next one, and comes back with its block', () => {
  const { state, begin, digest } = ledger();
  const keys = new SessionKeys(nextHeight);
  const lost = begin(keys, 2, 'lost');
  const lostDigest = digest(2);
  const held = keys.get(toEpoch(2));
  state.rollback(1);
  keys.align(state.head());
  assert.equal(keys.get(toEpoch(2)), undefined);
  assert.throws(() => held?.key, { code: 'FORGOTTEN' });
  const kept = begin(keys, 2, 'kept');
  assert.notDeepEqual(kept, lost);
  assert.deepEqual(keys.get(toEpoch(2))?.key, kept);
  assert.notEqual(digest(2), lostDigest);
  state.rollback(1);
  const again = state.begin(2);
  new SessionKeys(nextHeight).begin(again, {
    reason: 'vote',
    nowMs: 7,
    entropy: entropyOf('lost'),
  });
  again.takeWriteSet();
  again.finish();
  keys.align(state.head());
  assert.equal(digest(2), lostDigest);
  assert.deepEqual(keys.get(toEpoch(2))?.key, lost);
});

test('a key that was sent is of use once the state names its ciphertext, and not for another under its number', () => {
  const { state, begin, digest } = ledger();
  const leader = new SessionKeys(nextHeight);
  const key = begin(leader, 2, 'a');
  const follower = new SessionKeys(nextHeight);
  const sent = { epoch: toEpoch(2), origin: 'sent', nowMs: 0 } as const;
  follower.hold({ ...sent, key: new Uint8Array(32).fill(9), digest: 'ab'.repeat(32) });
  follower.align(state.head());
  assert.equal(follower.get(toEpoch(2)), undefined);
  follower.hold({ ...sent, key, digest: digest(2) });
  assert.equal(follower.get(toEpoch(2)), undefined);
  follower.align(state.head());
  assert.deepEqual(follower.get(toEpoch(2))?.key, key);
});

test('a key proved by shares takes the place of a false one that was sent for the same ciphertext', () => {
  const { state, begin, digest } = ledger();
  const key = begin(new SessionKeys(nextHeight), 2, 'a');
  const follower = new SessionKeys(nextHeight);
  const of = { epoch: toEpoch(2), digest: digest(2), nowMs: 0 };
  follower.hold({ ...of, key: new Uint8Array(32).fill(9), origin: 'sent' });
  follower.align(state.head());
  assert.equal(follower.opens(toEpoch(2), utf8('no block')), false);
  assert.equal(follower.get(toEpoch(2)), undefined);
  follower.hold({ ...of, key: new Uint8Array(32).fill(9), origin: 'sent' });
  follower.align(state.head());
  follower.hold({ ...of, key, origin: 'collected' });
  assert.deepEqual(follower.get(toEpoch(2))?.key, key);
  follower.hold({ ...of, key: new Uint8Array(32).fill(9), origin: 'sent' });
  assert.deepEqual(follower.get(toEpoch(2))?.key, key);
  assert.equal(follower.opens(toEpoch(2), utf8('whatever the block')), true);
});

test('what another state names comes into use beside what is, and takes nothing away', () => {
  const { state, begin, digest } = ledger();
  const keys = new SessionKeys(nextHeight);
  const own = begin(keys, 2, 'a');
  const other = ledger();
  const key = other.begin(new SessionKeys(nextHeight), 2, 'b');
  keys.hold({ epoch: toEpoch(2), digest: other.digest(2), key, origin: 'collected', nowMs: 0 });
  keys.recognize(other.state.head());
  keys.recognize(new Store([...governanceTables, ...epochTables]).head());
  assert.deepEqual(keys.get(toEpoch(2))?.key, own);
  assert.notEqual(digest(2), other.digest(2));
  keys.align(other.state.head());
  assert.deepEqual(keys.get(toEpoch(2))?.key, key);
  keys.align(state.head());
  assert.deepEqual(keys.get(toEpoch(2))?.key, own);
});

test('keys that no block ever names do not pile up', () => {
  const { state, begin, digest } = ledger();
  const key = begin(new SessionKeys(nextHeight), 2, 'a');
  const follower = new SessionKeys(nextHeight);
  const sent = { epoch: toEpoch(2), origin: 'sent', nowMs: 0 } as const;
  follower.hold({ ...sent, key, digest: digest(2) });
  for (let n = 0; n < 16; n++) {
    follower.hold({ ...sent, key: new Uint8Array(32), digest: n.toString(16).padStart(64, '0') });
  }
  follower.align(state.head());
  assert.equal(follower.get(toEpoch(2)), undefined);
  follower.hold({ ...sent, key, digest: digest(2) });
  follower.sweep({ inForce: toEpoch(1), ttlMs: day, nowMs: 60_000 });
  follower.align(state.head());
  assert.equal(follower.get(toEpoch(2)), undefined, 'a minute later it is given up');
});

test('a key lives for its time after its epoch is over, and never shorter than what is done with it', async () => {
  const { state, begin } = ledger();
  const keys = new SessionKeys(nextHeight);
  begin(keys, 2, 'a');
  begin(keys, 3, 'b');
  const at = (nowMs: number, ttlMs: number) => keys.sweep({ inForce: toEpoch(3), ttlMs, nowMs });
  at(100_000, 10_000);
  at(109_999, 10_000);
  assert(keys.get(toEpoch(2)));
  const held = keys.get(toEpoch(2));
  await keys.whileKept([toEpoch(2)], async () => {
    at(120_000, 10_000);
    assert(keys.get(toEpoch(2)));
  });
  at(120_000, 10_000);
  assert.equal(keys.get(toEpoch(2)), undefined);
  assert.throws(() => held?.key, { code: 'FORGOTTEN' });
  assert(keys.get(toEpoch(3)), 'that of the epoch in force stays');
  keys.align(state.head());
  assert.equal(keys.get(toEpoch(2)), undefined);
});

test('a policy of no time at all still leaves five seconds, counted from when it came', () => {
  const { state, begin, digest } = ledger();
  const drawn = new SessionKeys(nextHeight);
  const key = begin(drawn, 2, 'a');
  begin(drawn, 3, 'b');
  const keys = new SessionKeys(nextHeight);
  const at = (nowMs: number) => keys.sweep({ inForce: toEpoch(3), ttlMs: 0, nowMs });
  at(0);
  keys.hold({ epoch: toEpoch(2), digest: digest(2), key, origin: 'collected', nowMs: 50_000 });
  keys.align(state.head());
  at(50_000);
  at(54_999);
  assert(keys.get(toEpoch(2)));
  at(55_000);
  assert.equal(keys.get(toEpoch(2)), undefined);
});

test('a node that forgets everything holds nothing, waiting or in use', () => {
  const { state, begin } = ledger();
  const keys = new SessionKeys(nextHeight);
  begin(keys, 2, 'a');
  state.rollback(1);
  keys.align(state.head());
  begin(keys, 2, 'b');
  keys.forgetAll();
  keys.align(state.head());
  assert.deepEqual(keys.epochs, []);
  assert.throws(() => keys.current(state.head()), { code: 'SESSION_KEY_MISSING' });
});

test('a node that the network has removed takes up no key that was still on its way', () => {
  const { state, begin, digest } = ledger();
  const keys = new SessionKeys(nextHeight);
  const late = { epoch: toEpoch(2), key: begin(keys, 2, 'a'), digest: digest(2), nowMs: 0 };
  keys.close();
  for (const origin of ['sent', 'collected', 'drawn'] as const) {
    keys.hold({ ...late, origin });
    keys.align(state.head());
    assert.deepEqual(keys.epochs, [], origin);
  }
  assert.throws(() => begin(keys, 3, 'b'), { code: 'SESSION_KEY_MISSING' });
});

test('without a shared key no epoch begins', () => {
  const state = new Store([...governanceTables, ...epochTables]);
  const set = state.begin(1);
  const beginning = { reason: 'vote', nowMs: 0, entropy: entropyOf('x') } as const;
  assert.throws(() => new SessionKeys(nextHeight).begin(set, beginning), {
    code: 'SESSION_KEY_MISSING',
  });
});

/** A vote for an epoch; the same proposal of the same second would be refused as a repetition. */
const anEpoch = (n: number) => [
  { name: 'begin_epoch', args: {} },
  { name: 'set_policy', args: { name: 'maxBatchTransactions', value: 100 + n } },
];

test('no nonce repeats under a key, whatever is taken back and begun anew', async () => {
  const { world, members, first: leader } = await threeNodes();
  const seen = new Set<string>();
  for (let round = 0; round < 4; round++) {
    const one = await world.elect();
    await decide(world, one, members, anEpoch(2 * round));
    assert(one.driver.place(1, batch(`round ${round}`)).ok);
    world.cut.add(one.id);
    const lost = one.queue
      .administer((set) => {
        one.sessionKeys.begin(set, {
          reason: 'vote',
          nowMs: Date.now(),
          entropy: entropyOf(`lost ${round}`),
        });
      })
      .catch((error: Error) => error);
    const other = await world.elect();
    await decide(world, other, members, anEpoch(2 * round + 1));
    world.cut.clear();
    await world.tick(6);
    await lost;
  }
  for (const { host, broken } of world.nodes) {
    assert.equal(broken, undefined);
    assert.equal(host.blocks.length, leader.host.blocks.length);
  }
  for (const node of world.nodes) {
    const epoch = currentEpoch(node.administration.committedState);
    assert.ok(epoch >= 9);
    const { key } = node.sessionKeys.current(node.administration.committedState);
    seen.add(Buffer.from(key).toString('hex'));
  }
  assert.equal(seen.size, 1);
});
