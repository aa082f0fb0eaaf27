import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type NodeId, toNodeId } from '@concordat/std';
import { ManagerError } from '../errors.ts';
import { decodePosition, encodePosition, type LogPosition, RollCall } from '../roll-call.ts';

const ids = ['aa', 'bb', 'cc'].map((hex) => toNodeId(hex.repeat(32))) as [NodeId, NodeId, NodeId];

/** A roll call among nodes whose logs end there, or that do not answer. */
function called(
  own: LogPosition,
  positions: readonly (LogPosition | undefined)[],
  patienceMs = 500,
) {
  let nowMs = 0;
  const asked: NodeId[] = [];
  const others = positions.map((_, at) => ids[at] as NodeId);
  const rollCall = new RollCall({
    others,
    own,
    patienceMs,
    channel: {
      request: async (node, kind) => {
        assert.equal(kind, 'log-position');
        asked.push(node);
        const position = positions[others.indexOf(node)];
        if (!position) throw new ManagerError('CHANNEL_FAILED', 'no channel');
        return Buffer.from(encodePosition(position));
      },
    },
    nowMs: () => nowMs,
    pause: async (ms) => {
      nowMs += ms;
    },
  });
  const waited: number[] = [];
  const complete = rollCall.complete((missing) => waited.push(missing.length));
  return {
    rollCall,
    asked,
    complete,
    waited,
    pass: (ms: number) => {
      nowMs += ms;
    },
    now: () => nowMs,
  };
}

const at = (view: number, height: number): LogPosition => ({ view, height });

test('with all voters heard, the ones with the longest log may stand at once, no others', async () => {
  const longest = called(at(3, 10), [at(3, 10), at(2, 12)]);
  await longest.complete;
  assert.equal(longest.now(), 0);
  assert.equal(longest.rollCall.holdsBack(), false);
  for (const others of [[at(3, 11)], [at(4, 1)], [at(1, 1), at(3, 11)]]) {
    const behind = called(at(3, 10), others);
    await behind.complete;
    assert.equal(behind.rollCall.isBehind, true);
    assert.equal(behind.rollCall.holdsBack(), true);
    // Should the one with the longer log be gone by now, it does not wait for ever.
    behind.pass(2 * 500);
    assert.equal(behind.rollCall.holdsBack(), false);
  }
});

test('a voter that is not heard is waited for as long as there is patience, and asked again', async () => {
  const alone = called(at(1, 5), [at(1, 4), undefined]);
  await alone.complete;
  assert.ok(alone.now() >= 500 && alone.now() < 900);
  assert.deepEqual(alone.rollCall.missing, [ids[1]]);
  assert.deepEqual([...new Set(alone.waited)], [1]);
  assert.equal(alone.asked.filter((node) => node === ids[0]).length, 1);
  assert.ok(alone.asked.filter((node) => node === ids[1]).length >= 3);
  assert.equal(alone.rollCall.holdsBack(), false);
});

test('a lone voter, and a network without patience, wait for nobody', async () => {
  const lone = called(at(1, 5), []);
  await lone.complete;
  assert.equal(lone.now(), 0);
  const hasty = called(at(1, 5), [undefined, at(9, 9)], 0);
  await hasty.complete;
  assert.equal(hasty.now(), 0);
  assert.equal(hasty.rollCall.holdsBack(), false);
});

test('what is no position is refused by name, and its sender counts as not heard', () => {
  assert.deepEqual(decodePosition(encodePosition(at(7, 9))), at(7, 9));
  for (const text of ['', '{', 'null', '[]', '{"height":1}', '{"height":-1,"view":1}']) {
    assert.throws(() => decodePosition(Buffer.from(text)), { code: 'CHANNEL_FAILED' });
  }
  for (const odd of [
    '{"height":1.5,"view":1}',
    '{"height":"1","view":1}',
    '{"height":1,"view":1e99}',
  ]) {
    assert.throws(() => decodePosition(Buffer.from(odd)), { code: 'CHANNEL_FAILED' });
  }
});
