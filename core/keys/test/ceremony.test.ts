import assert from 'node:assert/strict';
import test from 'node:test';
import { type Seqno, toSeqno } from '@concordat/std';
import { ristretto255 } from '@noble/curves/ed25519.js';
import { Ceremony } from '../ceremony.ts';
import { type CeremonyTerms, ceremonyIdOf } from '../ceremony-terms.ts';
import { createComplaint, decodeComplaint, encodeComplaint, judge } from '../complaint.ts';
import { createDealing, type Dealing, decodeDealing, encodeDealing } from '../dealing.ts';
import { imageAt, lagrangeAtZero } from '../polynomial.ts';
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
  receiveShare,
  type ThresholdKey,
  verificationKeyOf,
} from '../threshold-key.ts';
import { entropyOf } from './entropy.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const at = (seqno: number): Seqno => toSeqno(seqno);
const deadlines = { dealBy: at(100), checkBy: at(200) };
const networkId = 'ab'.repeat(32);

interface Party {
  readonly index: number;
  readonly actor: string;
  readonly decryptionKey: Scalar;
}

function partiesOf(count: number, name = 'party'): Party[] {
  const entropy = entropyOf(name);
  return Array.from({ length: count }, (_, index) => ({
    index: index + 1,
    actor: `${name}-${index + 1}`,
    decryptionKey: drawScalar(entropy(64)),
  }));
}

function termsOf(parties: readonly Party[], threshold: number): CeremonyTerms {
  return {
    networkId,
    openedAt: 7,
    threshold,
    receivers: parties.map(({ index, actor, decryptionKey }) => ({
      index,
      actor,
      encryptionKey: timesBase(decryptionKey),
    })),
    dealers: parties.map(({ index, actor }) => ({ index, actor })),
  };
}

/** Runs a ceremony in which all are honest but those whose dealings `spoil` changes. */
function run(
  terms: CeremonyTerms,
  parties: readonly Party[],
  options: {
    readonly seed?: string;
    readonly spoil?: (dealing: Dealing) => Dealing;
    readonly secrets?: ReadonlyMap<number, Scalar>;
    readonly reshared?: ThresholdKey;
  } = {},
) {
  const { seed = 'run', spoil = (dealing) => dealing, secrets, reshared } = options;
  const ceremony = new Ceremony(terms, deadlines, reshared);
  const entropy = entropyOf(seed);
  for (const { index } of terms.dealers) {
    const secret = secrets?.get(index);
    const dealing = createDealing(terms, { dealer: index, ...(secret && { secret }) }, entropy);
    const spoiled = spoil(dealing);
    try {
      ceremony.deal(decodeDealing(encodeDealing(spoiled)), at(10));
    } catch (error) {
      assert.notEqual(spoiled, dealing, `an honest dealing is refused: ${error}`);
    }
  }
  const now = ceremony.phase(at(10)) === 'dealing' ? at(100) : at(10);
  const shares = new Map<number, Scalar>();
  for (let round = 0; round < 300 && ceremony.phase(now) === 'checking'; round++) {
    for (const party of parties) {
      if (ceremony.phase(now) !== 'checking') break;
      const received = receiveShare(terms, ceremony.counting, party);
      if ('secret' in received) {
        shares.set(party.index, received.secret);
        ceremony.confirm(party.index, now);
        continue;
      }
      for (const dealer of received.cheatedBy) {
        const dealing = ceremony.good.find((one) => one.dealer === dealer) as Dealing;
        const complaint = createComplaint(terms, dealing, party, entropy(64));
        const sent = decodeComplaint(encodeComplaint(complaint));
        assert.equal(ceremony.complain(sent, now), 'dealer');
      }
    }
  }
  return { ceremony, now, shares };
}

/** The private key that nobody ever has, from enough shares: for tests alone. */
function secretBehind(shares: ReadonlyMap<number, Scalar>, indices: readonly number[]): Scalar {
  let secret = scalarOf(0);
  for (const index of indices) {
    const share = shares.get(index) as Scalar;
    secret = addScalars(secret, multiplyScalars(lagrangeAtZero(index, indices), share));
  }
  return secret;
}

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
  const cheat = (dealing: Dealing): Dealing => {
    if (dealing.dealer !== 2) return dealing;
    const sealedShares = [...dealing.sealedShares];
    const flipped = Uint8Array.from(sealedShares[2] as Uint8Array);
    flipped[5] = (flipped[5] as number) ^ 1;
    sealedShares[2] = flipped;
    return { ...dealing, sealedShares };
  };
  const { ceremony, now, shares } = run(terms, parties, { spoil: cheat });
  assert.deepEqual(ceremony.atFault, [2]);
  const key = ceremony.key(now);
  assert.deepEqual(timesBase(secretBehind(shares, [3, 4])), publicKeyOf(key));
});

test('a dealer that seals a value off its polynomial is found out as well', () => {
  const parties = partiesOf(3);
  const terms = termsOf(parties, 2);
  // The values of another dealing under the same ephemeral key would open, but lie elsewhere.
  const { commitments } = createDealing(terms, { dealer: 1 }, entropyOf('another'));
  const other = createDealing(terms, { dealer: 1 }, entropyOf('run'));
  const cheat = (dealing: Dealing): Dealing =>
    dealing.dealer === 1
      ? { ...other, commitments: [other.commitments[0] as never, commitments[1] as never] }
      : dealing;
  const { ceremony, now } = run(terms, parties, { spoil: cheat });
  assert.deepEqual(ceremony.atFault, [1]);
  assert.equal(ceremony.phase(now), 'done');
});

test('a complaint about an honest dealer convicts nobody but its author, and a forged one nothing', () => {
  const parties = partiesOf(3);
  const [first, second] = parties as [Party, Party];
  const terms = termsOf(parties, 2);
  const entropy = entropyOf('complaints');
  const dealing = createDealing(terms, { dealer: 1 }, entropy);
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
  const entropy = entropyOf('refused');
  const dealing = createDealing(terms, { dealer: 1 }, entropy);
  const other = createDealing(terms, { dealer: 2 }, entropy);
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
  assert.throws(() => ceremony.confirm(1, at(11)), { code: 'CEREMONY_PHASE' });
});

test('a ceremony of which too few deal fails, and gives no key', () => {
  const parties = partiesOf(3);
  const terms = termsOf(parties, 2);
  const ceremony = new Ceremony(terms, deadlines);
  ceremony.deal(createDealing(terms, { dealer: 1 }, entropyOf('alone')), at(10));
  assert.equal(ceremony.phase(at(99)), 'dealing');
  assert.equal(ceremony.phase(at(100)), 'failed');
  assert.throws(() => ceremony.key(at(100)), { code: 'CEREMONY_PHASE' });
});

test('receivers that never confirm hold a ceremony up no longer than its deadline', () => {
  const parties = partiesOf(3);
  const terms = termsOf(parties, 2);
  const ceremony = new Ceremony(terms, deadlines);
  const entropy = entropyOf('silent');
  for (const { index } of parties) {
    ceremony.deal(createDealing(terms, { dealer: index }, entropy), at(10));
  }
  ceremony.confirm(1, at(20));
  assert.throws(() => ceremony.confirm(9, at(20)), { code: 'INVALID_CONFIRMATION' });
  assert.equal(ceremony.phase(at(199)), 'checking');
  assert.equal(ceremony.phase(at(200)), 'done');
  assert.equal(ceremony.key(at(200)).holders.length, 3);
});

test('a resharing gives other holders shares of the same key, and old and new shares do not mix', () => {
  const old = partiesOf(3, 'old');
  const made = run(termsOf(old, 2), old);
  const key = made.ceremony.key(made.now);
  const next = partiesOf(5, 'next');
  const terms: CeremonyTerms = {
    ...termsOf(next, 4),
    openedAt: 300,
    dealers: old.map(({ index, actor }) => ({
      index,
      actor,
      verificationKey: verificationKeyOf(key, index) as never,
    })),
    reshares: { keyId: key.id, threshold: key.threshold },
  };
  const { ceremony, now, shares } = run(terms, next, { secrets: made.shares, reshared: key });
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
  const terms: CeremonyTerms = {
    ...termsOf(old, 2),
    openedAt: 301,
    dealers: old.map(({ index, actor }) => ({
      index,
      actor,
      verificationKey: verificationKeyOf(key, index) as never,
    })),
    reshares: { keyId: key.id, threshold: key.threshold },
  };
  const ceremony = new Ceremony(terms, deadlines, key);
  const secret = drawScalar(entropyOf('wrong')(64));
  const wrong = createDealing(terms, { dealer: 1, secret }, entropyOf('wrong'));
  assert.throws(() => ceremony.deal(wrong, at(10)), { code: 'INVALID_DEALING' });
});

test('the identity of a ceremony changes with every one of its terms', () => {
  const parties = partiesOf(3);
  const terms = termsOf(parties, 2);
  const [first, ...rest] = terms.receivers as [never];
  const changed: CeremonyTerms[] = [
    { ...terms, networkId: 'cd'.repeat(32) },
    { ...terms, openedAt: 8 },
    { ...terms, threshold: 3 },
    { ...terms, receivers: rest },
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
  const dealing = createDealing(terms, { dealer: 1 }, entropy);
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
