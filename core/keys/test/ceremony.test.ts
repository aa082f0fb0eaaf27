import assert from 'node:assert/strict';
import test from 'node:test';
import { ristretto255 } from '@noble/curves/ed25519.js';
import { Ceremony } from '../ceremony.ts';
import { type CeremonyTerms, ceremonyIdOf } from '../ceremony-terms.ts';
import { createComplaint, judge } from '../complaint.ts';
import { createConfirmation } from '../confirmation.ts';
import { createDealing, type Dealing, decodeDealing, encodeDealing } from '../dealing.ts';
import { imageAt } from '../polynomial.ts';
import {
  addScalars,
  drawScalar,
  multiplyScalars,
  type Scalar,
  scalarOf,
  timesBase,
  toElement,
} from '../ristretto.ts';
import {
  decodeThresholdKey,
  encodeThresholdKey,
  publicKeyOf,
  verificationKeyOf,
} from '../threshold-key.ts';
import { entropyOf } from './entropy.ts';
import {
  at,
  authorOf,
  deadlines,
  type Party,
  partiesOf,
  reshareTermsOf,
  run,
  secretBehind,
  termsOf,
} from './parties.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
test('RFC 9591, E.4: the shares of a polynomial, and the key they make up, are the vector’s', () => {
  const little = (text: string): Scalar => Uint8Array.from(Buffer.from(text, 'hex')) as Scalar;
  const secret = little('1b25a55e463cfd15cf14a5d3acc3d15053f08da49c8afcf3ab265f2ebc4f970b');
  const slope = little('410f8b744b19325891d73736923525a4f596c805d060dfb9c98009d34e3fec02');
  const key = 'e2a62f39eede11269e3bd5a7d97554f5ca384f9f6d3dd9c3c0d05083c7254f57';
  const expected = [
    '5c3430d391552f6e60ecdc093ff9f6f4488756aa6cebdbad75a768010b8f830e',
    'b06fc5eac20b4f6e1b271d9df2343d843e1e1fb03c4cbb673f2872d459ce6f01',
    'f17e505f0e2581c6acfe54d3846a622834b5e7b50cad9a2109a97ba7a80d5c04',
  ];
  const shares = new Map<number, Scalar>();
  for (const [place, share] of expected.entries()) {
    const index = place + 1;
    const value = addScalars(secret, multiplyScalars(slope, scalarOf(index)));
    assert.equal(hex(value), share);
    shares.set(index, value);
    const image = imageAt([timesBase(secret), timesBase(slope)], index);
    assert.equal(hex(image), hex(timesBase(value)));
  }
  for (const indices of [
    [1, 2],
    [1, 3],
    [3, 2],
  ]) {
    assert.equal(hex(timesBase(secretBehind(shares, indices))), key);
  }
});

for (const [count, threshold] of [
  [1, 1],
  [2, 2],
  [3, 2],
  [5, 3],
  [5, 1],
  [7, 7],
] as const) {
  test(`${threshold} of ${count}: any ${threshold} shares make up the key, and fewer another one`, () => {
    const parties = partiesOf(count);
    const terms = termsOf(parties, threshold);
    const { ceremony, now, shares } = run(terms, parties);
    const key = ceremony.key(now);
    assert.equal(key.threshold, threshold);
    const all = parties.map(({ index }) => index);
    const some = [all.slice(0, threshold), all.slice(-threshold)];
    for (const indices of some) {
      assert.deepEqual(timesBase(secretBehind(shares, indices)), publicKeyOf(key));
    }
    if (threshold > 1) {
      const few = secretBehind(shares, all.slice(0, threshold - 1));
      assert.notDeepEqual(timesBase(few), publicKeyOf(key));
    }
    // The independent verifier: the same images from the same scalars, by other code.
    for (const [index, share] of shares) {
      const scalar = Buffer.from(share).reverse().toString('hex');
      const image = ristretto255.Point.BASE.multiplyUnsafe(BigInt(`0x${scalar}`)).toBytes();
      assert.deepEqual(verificationKeyOf(key, index), toElement(image));
    }
    assert.equal(verificationKeyOf(key, count + 1), undefined);
    const encoded = encodeThresholdKey(key);
    assert.deepEqual(encodeThresholdKey(decodeThresholdKey(encoded)), encoded);
  });
}

test('a dealer that cheats one receiver is found out by that one, judged by all, and left out', () => {
  const parties = partiesOf(4);
  const terms = termsOf(parties, 2);
  const cheat = (dealing: Dealing): Partial<Dealing> => {
    if (dealing.dealer !== 2) return {};
    const sealedShares = [...dealing.sealedShares];
    const flipped = Uint8Array.from(sealedShares[2] as Uint8Array);
    flipped[5] = (flipped[5] as number) ^ 1;
    sealedShares[2] = flipped;
    return { sealedShares };
  };
  const { ceremony, now, shares } = run(terms, parties, { spoil: cheat });
  assert.deepEqual(ceremony.atFault, [2]);
  const key = ceremony.key(now);
  assert.deepEqual(timesBase(secretBehind(shares, [3, 4])), publicKeyOf(key));
});

test('a dealer that seals a value off its polynomial is found out as well', () => {
  const parties = partiesOf(3);
  const terms = termsOf(parties, 2);
  // Its sealed values open, but the slope it commits to is another one.
  const cheat = (dealing: Dealing): Partial<Dealing> =>
    dealing.dealer === 1
      ? { commitments: [dealing.commitments[0] as never, timesBase(scalarOf(77))] }
      : {};
  const { ceremony, now } = run(terms, parties, { spoil: cheat });
  assert.deepEqual(ceremony.atFault, [1]);
  assert.equal(ceremony.phase(now), 'done');
});

test('a complaint about an honest dealer convicts nobody but its author, and a forged one nothing', () => {
  const parties = partiesOf(3);
  const [first, second] = parties as [Party, Party];
  const terms = termsOf(parties, 2);
  const entropy = entropyOf('complaints');
  const dealing = createDealing(terms, authorOf(first), entropy);
  const complaint = createComplaint(terms, dealing, second, entropy(64));
  assert.equal(judge(terms, dealing, complaint), 'accuser');
  const refused = { code: 'INVALID_COMPLAINT' };
  // A wrong point would decrypt to nonsense: without a proof it convicts nobody.
  const forged = { ...complaint, shared: timesBase(first.decryptionKey) };
  assert.throws(() => judge(terms, dealing, forged), refused);
  assert.throws(() => judge(terms, dealing, { ...complaint, accuser: 3 }), refused);
  assert.throws(() => judge(terms, dealing, { ...complaint, accuser: 9 }), refused);
  assert.throws(() => judge(terms, { ...dealing, dealer: 2 }, complaint), refused);
  const elsewhere = { ...terms, openedAt: 8 };
  assert.throws(() => judge(elsewhere, dealing, complaint), refused);
});

test('dealings are refused that are malformed, unproved, of a stranger, of another ceremony or late', () => {
  const parties = partiesOf(3);
  const terms = termsOf(parties, 2);
  const [first, second] = parties as [Party, Party];
  const entropy = entropyOf('refused');
  const dealing = createDealing(terms, authorOf(first), entropy);
  const other = createDealing(terms, authorOf(second), entropy);
  const refuse = (bad: Dealing, on = terms): void => {
    const ceremony = new Ceremony(on, deadlines);
    assert.throws(() => ceremony.deal(bad, at(10)), { code: 'INVALID_DEALING' });
    assert.deepEqual(ceremony.good, []);
  };
  refuse({ ...dealing, dealer: 4 });
  refuse({ ...dealing, dealer: 2 });
  refuse({ ...dealing, commitments: dealing.commitments.slice(1) });
  refuse({ ...dealing, commitments: other.commitments });
  refuse({ ...dealing, sealedShares: dealing.sealedShares.slice(1) });
  refuse({ ...dealing, secretProof: other.secretProof });
  refuse({ ...dealing, ephemeralProof: other.ephemeralProof });
  refuse({ ...dealing, ephemeral: other.ephemeral });
  refuse(dealing, { ...terms, openedAt: 8 });
  refuse(dealing, { ...terms, networkId: 'cd'.repeat(32) });
  const ceremony = new Ceremony(terms, deadlines);
  ceremony.deal(dealing, at(10));
  assert.throws(() => ceremony.deal(dealing, at(11)), { code: 'DUPLICATE_DEALING' });
  assert.throws(() => ceremony.deal(other, at(100)), { code: 'CEREMONY_PHASE' });
  const early = createConfirmation(terms, ceremony.counting, first, entropy(64));
  assert.throws(() => ceremony.confirm(early, at(11)), { code: 'CEREMONY_PHASE' });
});

test('a ceremony of which too few deal fails, and gives no key', () => {
  const parties = partiesOf(3);
  const terms = termsOf(parties, 2);
  const ceremony = new Ceremony(terms, deadlines);
  ceremony.deal(createDealing(terms, authorOf(parties[0] as Party), entropyOf('alone')), at(10));
  assert.equal(ceremony.phase(at(99)), 'dealing');
  assert.equal(ceremony.phase(at(100)), 'failed');
  assert.throws(() => ceremony.key(at(100)), { code: 'CEREMONY_PHASE' });
});

test('receivers that never confirm hold a ceremony up no longer than its deadline', () => {
  const parties = partiesOf(3);
  const { ceremony, now } = run(termsOf(parties, 2), parties, { silent: [3] });
  assert.equal(now, deadlines.checkBy);
  assert.equal(ceremony.phase(at(199)), 'checking');
  assert.equal(ceremony.phase(at(200)), 'done');
  assert.equal(ceremony.key(at(200)).holders.length, 3);
});

test('a phase that waits for the silent can be ended before its deadline, and never for want of others', () => {
  const parties = partiesOf(3);
  const terms = termsOf(parties, 2);
  const ceremony = new Ceremony(terms, deadlines);
  const deal = (party: number, now: number): void => {
    const author = authorOf(parties[party] as Party);
    ceremony.deal(createDealing(terms, author, entropyOf(`dealer ${party}`)), at(now));
  };
  deal(0, 10);
  deal(1, 11);
  assert.equal(ceremony.phase(at(12)), 'dealing');
  ceremony.endPhase(at(12));
  assert.equal(ceremony.phase(at(12)), 'checking');
  assert.throws(() => deal(2, 13), { code: 'CEREMONY_PHASE' });
  assert.equal(ceremony.phase(at(111)), 'checking', 'a whole window from then on');
  assert.equal(ceremony.phase(at(112)), 'failed');
  ceremony.endPhase(at(20));
  assert.equal(ceremony.phase(at(20)), 'failed', 'nobody has confirmed that it holds a share');
  assert.throws(() => ceremony.endPhase(at(21)), { code: 'CEREMONY_PHASE' });

  const alone = new Ceremony(terms, deadlines);
  alone.deal(createDealing(terms, authorOf(parties[0] as Party), entropyOf('alone')), at(10));
  alone.endPhase(at(11));
  assert.equal(alone.phase(at(11)), 'failed', 'one dealer of two');
});

test('a key that fewer than its threshold are known to hold is none: what it sealed would be lost', () => {
  const parties = partiesOf(3);
  const { ceremony, now } = run(termsOf(parties, 2), parties, { silent: [2, 3] });
  assert.equal(ceremony.phase(now), 'failed');
  assert.throws(() => ceremony.key(now), { code: 'CEREMONY_PHASE' });
});

test('a resharing gives other holders shares of the same key, and old and new shares do not mix', () => {
  const old = partiesOf(3, 'old');
  const made = run(termsOf(old, 2), old);
  const key = made.ceremony.key(made.now);
  const next = partiesOf(5, 'next');
  const terms = reshareTermsOf(key, old, { parties: next, threshold: 4, openedAt: 300 });
  const from = { parties: old, shares: made.shares, key };
  const { ceremony, now, shares } = run(terms, next, { from });
  const reshared = ceremony.key(now);
  assert.deepEqual(publicKeyOf(reshared), publicKeyOf(key));
  assert.deepEqual(reshared.id, key.id);
  assert.equal(reshared.threshold, 4);
  assert.deepEqual(timesBase(secretBehind(shares, [1, 2, 4, 5])), publicKeyOf(key));
  const mixed = new Map([...shares, [1, made.shares.get(1) as Scalar]]);
  assert.notDeepEqual(timesBase(secretBehind(mixed, [1, 2, 4, 5])), publicKeyOf(key));
});

test('a holder that deals on something else than its share is refused in a resharing', () => {
  const old = partiesOf(3, 'old');
  const made = run(termsOf(old, 2), old);
  const key = made.ceremony.key(made.now);
  const terms = reshareTermsOf(key, old, { parties: old, threshold: 2, openedAt: 301 });
  const ceremony = new Ceremony(terms, deadlines, { reshared: key });
  const authorKey = drawScalar(entropyOf('wrong')(64));
  // The honest program refuses to make it; a changed one is refused by everybody else.
  const author = { dealer: 1, authorKey };
  const refused = { code: 'INVALID_DEALING' };
  assert.throws(() => createDealing(terms, author, entropyOf('wrong')), refused);
  const own = timesBase(authorKey);
  const dealers = terms.dealers.map((one) =>
    one.index === 1 ? { ...one, verificationKey: own } : one,
  );
  const wrong = createDealing({ ...terms, dealers }, author, entropyOf('wrong'));
  assert.throws(() => ceremony.deal(wrong, at(10)), refused);
});

test('the identity of a ceremony changes with every one of its terms', () => {
  const parties = partiesOf(3);
  const terms = termsOf(parties, 2);
  const [first, ...rest] = terms.receivers as [never];
  const changed: CeremonyTerms[] = [
    { ...terms, networkId: 'cd'.repeat(32) },
    { ...terms, openedAt: 8 },
    { ...terms, threshold: 3 },
    { ...terms, receivers: rest, dealers: terms.dealers.slice(1) },
    { ...terms, receivers: [...rest, first] },
    { ...terms, dealers: terms.dealers.slice(1) },
  ];
  const ids = [terms, ...changed].map((one) => hex(ceremonyIdOf(one)));
  assert.equal(new Set(ids).size, ids.length);
});

test('encoded dealings, complaints and keys that are cut, extended or flipped are refused or differ', () => {
  const parties = partiesOf(3);
  const terms = termsOf(parties, 2);
  const entropy = entropyOf('encoded');
  const dealing = createDealing(terms, authorOf(parties[0] as Party), entropy);
  const bytes = encodeDealing(dealing);
  assert.deepEqual(encodeDealing(decodeDealing(bytes)), bytes);
  const isRefusal = (error: { code?: string }): boolean =>
    ['MALFORMED', 'INVALID_ELEMENT'].includes(error.code ?? '');
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => decodeDealing(bytes.subarray(0, length)), isRefusal);
  }
  assert.throws(() => decodeDealing(Buffer.concat([bytes, Buffer.of(0)])), isRefusal);
  for (let place = 0; place < bytes.length; place++) {
    const flipped = Uint8Array.from(bytes);
    flipped[place] = (flipped[place] as number) ^ 0x10;
    try {
      // What still decodes is another dealing, and its public part does not hold, or a share.
      const decoded = decodeDealing(flipped);
      assert.notDeepEqual(encodeDealing(decoded), bytes, `byte ${place}`);
    } catch (error) {
      assert.ok(isRefusal(error as { code?: string }), `byte ${place}: ${error}`);
    }
  }
  const key = encodeThresholdKey(run(terms, parties).ceremony.key(at(10)));
  for (let length = 0; length < key.length; length++) {
    assert.throws(() => decodeThresholdKey(key.subarray(0, length)), isRefusal);
  }
});
