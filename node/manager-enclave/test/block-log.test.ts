import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toEpoch, toHeight, toSeqno, toView } from '@concordat/std';
import { BlockLog } from '../block-log.ts';
import { createNodeIdentity } from '../node-identity.ts';
import { batch, entropyOf } from './fixture.ts';

const identity = createNodeIdentity(entropyOf('log'), 1_700_000_000_000);
const sessionKey = { epoch: toEpoch(1), key: entropyOf('key')(32) };

const newLog = (): BlockLog =>
  new BlockLog(identity.nodeId, {
    sessionKey: () => sessionKey,
    nodeKey: () => identity.signing.publicKeySpki,
    sign: (bytes) => identity.signing.sign(bytes),
  });

const sealing = (view: number, ...texts: string[]) => ({
  view: toView(view),
  timeMs: 1,
  source: 1,
  flags: 0,
  transactions: batch(...texts),
  sessionKey,
});

test('what one log seals another opens, to the same root and positions', () => {
  const leader = newLog();
  const follower = newLog();
  for (const texts of [['a'], ['b', 'c'], ['d', 'e', 'f']]) {
    follower.open(leader.seal(sealing(1, ...texts)).bytes);
  }
  assert.deepEqual(follower.root, leader.root);
  assert.equal(follower.lastHeight, 3);
  assert.equal(follower.lastSeqno, 6);
  assert.deepEqual(follower.locate(3), { height: 2, index: 1 });
  assert.deepEqual(follower.locate(6), { height: 3, index: 2 });
  assert.equal(follower.locate(0), undefined);
  assert.equal(follower.locate(7), undefined);
});

test('blocks taken back leave no trace, and others take their place', () => {
  const log = newLog();
  log.seal(sealing(1, 'a'));
  const { root, lastSeqno } = log;
  log.seal(sealing(1, 'b', 'c'));
  log.seal(sealing(1, 'd'));
  log.truncate(toHeight(1));
  assert.deepEqual(log.root, root);
  assert.equal(log.lastSeqno, lastSeqno);
  log.seal(sealing(2, 'x'));
  assert.equal(log.viewAt(2), 2);
  assert.deepEqual(log.viewHistory(), [
    { view: 1, fromHeight: 1 },
    { view: 2, fromHeight: 2 },
  ]);
});

test('committed blocks are not taken back, and the committed seqno follows them', () => {
  const log = newLog();
  log.seal(sealing(1, 'a'));
  log.seal(sealing(1, 'b', 'c'));
  log.seal(sealing(1, 'd'));
  log.commit(toHeight(2));
  assert.equal(log.committedSeqno, 3);
  log.truncate(toHeight(2));
  assert.equal(log.lastHeight, 2);
  assert.throws(() => log.truncate(toHeight(1)), { name: 'AssertionError' });
  assert.throws(() => log.commit(toHeight(9)), { name: 'AssertionError' });
});

test('one position of one view is sealed once, even after it was taken back', () => {
  const log = newLog();
  log.seal(sealing(1, 'a'));
  log.truncate(toHeight(0));
  assert.throws(() => log.seal(sealing(1, 'b')), { name: 'AssertionError' });
});

test('a block that is flipped, cut, extended, repeated or out of order changes nothing', () => {
  const leader = newLog();
  const first = leader.seal(sealing(1, 'a')).bytes;
  const second = leader.seal(sealing(1, 'b')).bytes;
  const log = newLog();
  const { root } = log;
  const bad = [
    ...Array.from({ length: first.length }, (_, at) => first.with(at, (first[at] as number) ^ 4)),
    first.subarray(0, -1),
    Buffer.concat([first, Buffer.from([0])]),
    second,
    Buffer.alloc(0),
  ];
  for (const block of bad) assert.throws(() => log.open(block), { name: 'LedgerError' });
  assert.deepEqual(log.root, root);
  log.open(first);
  assert.throws(() => log.open(first), { code: 'WRONG_HEIGHT' });
});

const baseOf = (log: BlockLog) => {
  return { summary: log.committedSummary(), ...log.committedEnd };
};

test('a log goes on from the summary of another, and both stay the same', () => {
  const leader = newLog();
  for (const texts of [['a'], ['b', 'c'], ['d', 'e', 'f']]) leader.seal(sealing(1, ...texts));
  leader.commit(toHeight(2));
  const follower = newLog();
  follower.seal(sealing(1, 'of no use'));
  follower.restore(baseOf(leader));
  assert.equal(follower.lastHeight, 2);
  assert.equal(follower.committedHeight, 2);
  assert.equal(follower.committedSeqno, 3);
  assert.deepEqual(follower.root, leader.committedEnd.historyRoot);
  leader.truncate(toHeight(2));
  for (const texts of [['x'], ['y', 'z']]) follower.open(leader.seal(sealing(2, ...texts)).bytes);
  assert.deepEqual(follower.root, leader.root);
  assert.deepEqual(follower.viewHistory(), leader.viewHistory());
  assert.deepEqual(follower.locate(6), { height: 4, index: 1 });
});

test('a log does not go on from a summary of another history, nor from none', () => {
  const leader = newLog();
  leader.seal(sealing(1, 'a'));
  leader.commit(toHeight(1));
  const base = baseOf(leader);
  const other = newLog();
  other.seal(sealing(1, 'b'));
  other.commit(toHeight(1));
  const log = newLog();
  log.seal(sealing(1, 'own'));
  const { root } = log;
  const { historyRoot } = baseOf(other);
  assert.throws(() => log.restore({ ...base, historyRoot }), { code: 'WRONG_ROOT' });
  for (const wrong of [{ height: toHeight(2) }, { view: toView(2) }, { nextSeqno: toSeqno(3) }]) {
    assert.throws(() => log.restore({ ...base, ...wrong }), { code: 'WRONG_HEIGHT' });
  }
  const summary = base.summary.subarray(0, -1);
  assert.throws(() => log.restore({ ...base, summary }), { code: 'MALFORMED' });
  assert.deepEqual(log.root, root);
});

test('a position sealed before a log went on from a snapshot is not sealed again', () => {
  const other = newLog();
  other.seal(sealing(1, 'a'));
  other.commit(toHeight(1));
  const log = newLog();
  log.seal(sealing(1, 'x'));
  log.seal(sealing(1, 'y'));
  log.restore(baseOf(other));
  assert.throws(() => log.seal(sealing(1, 'z')), { name: 'AssertionError' });
  assert.equal(log.seal(sealing(2, 'z')).header.height, 2);
});
