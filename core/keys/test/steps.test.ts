import assert from 'node:assert/strict';
import test from 'node:test';
import { createDealing, createDealingSteps } from '../dealing.ts';
import { type Scalar, timesBase } from '../ristretto.ts';
import { finishSteps, type Steps } from '../steps.ts';
import {
  keyFrom,
  keySteps,
  receiveShare,
  receiveSteps,
  verificationKeyOf,
  verificationKeysOf,
} from '../threshold-key.ts';
import { entropyOf } from './entropy.ts';
import { authorOf, type Party, partiesOf, reshareTermsOf, run, termsOf } from './parties.ts';

/** All results of work done in steps, and how many there were. */
function counted<Result>(steps: Steps<Result>): { result: Result; count: number } {
  for (let count = 1; ; count++) {
    const step = steps.next();
    if (step.done) return { result: step.value, count };
  }
}

test('in steps comes out what comes out at once, in more steps the more holders there are', () => {
  const counts = [3, 12].map((holders) => {
    const parties = partiesOf(holders, 'steps');
    const terms = termsOf(parties, Math.floor(holders / 2) + 1);
    const [first] = parties as [Party];
    const dealing = counted(createDealingSteps(terms, authorOf(first), entropyOf('deal')));
    assert.deepEqual(dealing.result, createDealing(terms, authorOf(first), entropyOf('deal')));
    const { ceremony } = run(terms, parties);
    const received = counted(receiveSteps(terms, ceremony.good, first));
    assert.deepEqual(received.result, receiveShare(terms, ceremony.good, first));
    const key = counted(keySteps(terms, ceremony.good));
    assert.deepEqual(key.result, keyFrom(terms, ceremony.good));
    const keys = counted(verificationKeysOf(key.result));
    for (const [index, element] of keys.result) {
      assert.deepEqual(element, verificationKeyOf(key.result, index));
    }
    assert.equal(keys.result.size, holders);
    return [dealing.count, received.count, keys.count];
  });
  const [few, many] = counts as [number[], number[]];
  for (const [at, count] of many.entries()) assert.ok(count > (few[at] ?? 0), `${counts}`);
});

test('a receiver passes over the spare dealings of a resharing, as the key does', () => {
  const parties = partiesOf(4);
  const made = run(termsOf(parties, 2), parties);
  const key = made.ceremony.key(made.now);
  const terms = reshareTermsOf(key, parties, { parties, threshold: 3, openedAt: 9 });
  const { ceremony, now } = run(terms, parties, { from: { parties, shares: made.shares, key } });
  assert.equal(ceremony.good.length, 4);
  assert.equal(ceremony.counting.length, 2);
  const reshared = ceremony.key(now);
  const [first] = parties as [Party];
  const received = receiveShare(terms, ceremony.good, first) as { secret: Scalar };
  assert.deepEqual(timesBase(received.secret), verificationKeyOf(reshared, 1));
});

test('work given up half-way through erases what it opened', () => {
  const parties = partiesOf(5);
  const terms = termsOf(parties, 3);
  const { ceremony } = run(terms, parties);
  const filled: Uint8Array[] = [];
  const original = Uint8Array.prototype.fill;
  Uint8Array.prototype.fill = function fill(this: Uint8Array, ...given: [number]) {
    filled.push(this);
    return original.apply(this, given) as never;
  };
  try {
    const steps = receiveSteps(terms, ceremony.good, parties[0] as Party);
    steps.next();
    steps.next();
    filled.length = 0;
    steps.return(undefined as never);
  } finally {
    Uint8Array.prototype.fill = original;
  }
  assert.equal(filled.length, 2);
  assert.ok(filled.every((bytes) => bytes.every((byte) => byte === 0)));
  finishSteps(receiveSteps(terms, ceremony.good, parties[0] as Party));
});
