import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '@concordat/std';
import { PresentIdentities } from '../present-identities.ts';

const [one, other] = [utf8('one'), utf8('other')];

test('whoever has a connection is present, and for two minutes after the last one ended', () => {
  let nowMs = 0;
  const present = new PresentIdentities(() => nowMs);
  assert.equal(present.has(one), false);
  const [first, second] = [present.arrive(one), present.arrive(one)];
  first();
  first();
  nowMs = 1_000_000;
  assert.equal(present.has(one), true);
  second();
  nowMs += 119_999;
  assert.equal(present.has(one), true);
  nowMs += 1;
  assert.equal(present.has(one), false);
  assert.equal(present.has(other), false);
  present.arrive(one);
  assert.equal(present.has(one), true);
});

test('an actor with any number of certificates takes no more room than there is, and nobody’s place', () => {
  let nowMs = 0;
  const present = new PresentIdentities(() => nowMs);
  present.arrive(one);
  for (let n = 0; n < 70_000; n++) {
    nowMs += 0.5;
    present.arrive(utf8(`staff ${n}`))();
  }
  assert.equal(present.size, 65_537);
  assert.equal(present.has(one), true, 'who is connected is not forgotten');
  assert.equal(present.has(utf8('staff 69999')), true);
  assert.equal(present.has(utf8('staff 4463')), false, 'the longest gone is');
  nowMs += 120_000;
  present.arrive(other)();
  assert.equal(present.size, 2);
});
