import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SharedKeysState, SharingState } from '@concordat/api';
import { sharedKeysText } from '../key-text.ts';

const plain = { write: () => {}, interactive: false };

const sharing = (number: number, copies: Readonly<Record<string, number>>): SharingState => ({
  number,
  threshold: 2,
  form: '',
  holders: Object.entries(copies).map(([name, times]) => ({
    actorId: name,
    name,
    copies: times,
    ...(times > 0 && { copiedAtSeconds: 1_700_000_000 }),
  })),
});

const stateOf = (...sharings: SharingState[]): SharedKeysState => ({
  epoch: 4,
  keys: [{ number: 1, keyId: 'ab'.repeat(32), sharings }],
  outOfReach: [],
});

test('copies of one sharing that reach its threshold are said to be enough, older ones too', () => {
  const now = sharedKeysText(plain, stateOf(sharing(1, { ada: 1, bob: 2, cyd: 0 })));
  assert.match(now, /sharing 1 {2}2 of 3 {4}ada {5}2023-11-14/);
  assert.match(now, /bob {5}2023-11-14, 2 times/);
  assert.match(now, /the copies of sharing 1 are enough/);
  const older = sharedKeysText(
    plain,
    stateOf(sharing(1, { ada: 1, bob: 1 }), sharing(2, { ada: 0, bob: 0, cyd: 0 })),
  );
  assert.match(older, /sharing 1, earlier/);
  assert.match(older, /the copies of sharing 1 are enough/);
});

test('copies of different sharings do not add up, and how many are missing is said', () => {
  const text = sharedKeysText(
    plain,
    stateOf(sharing(1, { ada: 1, bob: 0 }), sharing(2, { ada: 0, bob: 1, cyd: 0 })),
  );
  assert.match(text, /1 more copy of sharing 2 would be enough/);
  const none = sharedKeysText(plain, stateOf(sharing(3, { ada: 0, bob: 0, cyd: 0 })));
  assert.match(none, /2 more copies of sharing 3 would be enough/);
});

test('what is under way and what is out of reach is told', () => {
  const state: SharedKeysState = {
    ...stateOf(sharing(1, { ada: 0 })),
    outOfReach: [1],
    ceremony: { state: 'open', purpose: 'fresh', reason: 'removal', key: 2 },
  };
  const text = sharedKeysText(plain, state);
  assert.match(text, /its epochs need recovery copies/);
  assert.match(text, /A key ceremony is open: a new key 2 \(removal\)/);
});
