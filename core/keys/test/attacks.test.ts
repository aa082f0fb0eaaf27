import assert from 'node:assert/strict';
import test from 'node:test';
import { aeadSeal } from '@concordat/crypto';
import { toDigest, utf8 } from '@concordat/std';
import { Ceremony } from '../ceremony.ts';
import { type CeremonyTerms, ceremonyIdOf } from '../ceremony-terms.ts';
import { createComplaint, decodeComplaint, encodeComplaint, judge } from '../complaint.ts';
import { createConfirmation, decodeConfirmation, encodeConfirmation } from '../confirmation.ts';
import {
  createDealing,
  type Dealing,
  decodeDealing,
  encodeDealing,
  requireDealing,
  signDealing,
} from '../dealing.ts';
import { createHolderKey, proveHolderKey, requireHolderKey } from '../holder-key.ts';
import {
  addElements,
  drawScalar,
  type Element,
  subtractElements,
  timesBase,
} from '../ristretto.ts';
import {
  combineDecryptionShares,
  createDecryptionShare,
  encryptToThreshold,
  isDecryptionShareValid,
} from '../tdh2.ts';
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
  networkId,
  type Party,
  partiesOf,
  reshareTermsOf,
  run,
  speak,
  termsOf,
} from './parties.ts';

/** Three parties, two of whom make up the key, in front of a ceremony with all dealings. */
function dealt(count = 3, threshold = 2) {
  const parties = partiesOf(count);
  const terms = termsOf(parties, threshold);
  const entropy = entropyOf('attack');
  const ceremony = new Ceremony(terms, deadlines);
  const dealings = parties.map((party) => createDealing(terms, authorOf(party), entropy));
  return { parties: parties as [Party, Party, Party], terms, entropy, ceremony, dealings };
}

const spoilShare = (sealedShares: readonly Uint8Array[], place: number): Uint8Array[] =>
  sealedShares.map((sealed, index) =>
    index === place ? Uint8Array.from(sealed, (byte, k) => (k === 0 ? byte ^ 1 : byte)) : sealed,
  );

test('a leader that changes anything in a dealing cannot pass it off as its dealer’s: INVALID_DEALING', () => {
  const { terms, ceremony, dealings, parties, entropy } = dealt();
  const [dealing, other] = dealings as [Dealing, Dealing, Dealing];
  const changes: Partial<Dealing>[] = [
    { sealedShares: spoilShare(dealing.sealedShares, 1) },
    { sealedShares: [...dealing.sealedShares].reverse() },
    { commitments: [dealing.commitments[0] as Element, other.commitments[1] as Element] },
    { authorProof: other.authorProof },
    { authorProof: dealing.authorProof.subarray(1) },
  ];
  for (const change of changes) {
    const refused = { code: 'INVALID_DEALING', details: { dealer: 1 } };
    assert.throws(() => ceremony.deal({ ...dealing, ...change }, at(1)), refused);
  }
  // Nor can it deal in somebody's place: it lacks that one's key.
  const [, second, third] = parties;
  const stranger = { dealer: 2, authorKey: third.decryptionKey };
  assert.throws(() => createDealing(terms, stranger, entropy), { code: 'INVALID_DEALING' });
  const posed = { ...dealings[2], dealer: second.index } as Dealing;
  const signed = signDealing(terms, posed, {
    authorKey: third.decryptionKey,
    entropy64: entropy(64),
  });
  assert.throws(() => ceremony.deal(signed, at(1)), { code: 'INVALID_DEALING' });
  ceremony.deal(dealing, at(1));
});

test('nobody confirms for another, for other dealings, or for another ceremony: INVALID_CONFIRMATION', () => {
  const { terms, ceremony, dealings, parties, entropy } = dealt();
  for (const dealing of dealings) ceremony.deal(dealing, at(1));
  const [first, second] = parties;
  const { counting } = ceremony;
  const own = createConfirmation(terms, counting, first, entropy(64));
  const refused = { code: 'INVALID_CONFIRMATION' };
  const refuse = (confirmation: typeof own): void => {
    assert.throws(() => ceremony.confirm(confirmation, at(2)), refused);
  };
  refuse({ ...own, receiver: second.index });
  refuse({ ...own, receiver: 9 });
  refuse({ ...own, proof: own.proof.subarray(1) });
  refuse(createConfirmation(terms, counting.slice(1), first, entropy(64)));
  refuse(createConfirmation(terms, [...counting].reverse(), first, entropy(64)));
  refuse(createConfirmation({ ...terms, openedAt: 8 }, counting, first, entropy(64)));
  ceremony.confirm(own, at(2));
  ceremony.confirm(own, at(3));
  assert.deepEqual(ceremony.progress.confirmed, [1]);
});

test('a confirmation of before a dealer was found out counts for nothing afterwards', () => {
  const { terms, ceremony, dealings, parties, entropy } = dealt();
  const [first, second] = parties;
  const [good1, bad, good3] = dealings as [Dealing, Dealing, Dealing];
  const spoiled = signDealing(
    terms,
    { ...bad, sealedShares: spoilShare(bad.sealedShares, 0) },
    { authorKey: second.decryptionKey, entropy64: entropy(64) },
  );
  for (const dealing of [good1, spoiled, good3]) ceremony.deal(dealing, at(1));
  const early = createConfirmation(terms, ceremony.counting, second, entropy(64));
  ceremony.confirm(early, at(2));
  ceremony.complain(createComplaint(terms, spoiled, first, entropy(64)), at(3));
  assert.deepEqual(ceremony.progress.confirmed, []);
  assert.throws(() => ceremony.confirm(early, at(4)), { code: 'INVALID_CONFIRMATION' });
});

test('two dealers whose errors cancel out gain nothing by one giving itself up at the deadline', () => {
  const parties = partiesOf(5);
  const terms = termsOf(parties, 3);
  const entropy = entropyOf('cancel');
  const ceremony = new Ceremony(terms, deadlines);
  const [first, second] = parties as [Party, Party];
  // Both cheat everybody else by opposite amounts: they seal each other's values.
  const [a, b] = [first, second].map((party) => createDealing(terms, authorOf(party), entropy)) as [
    Dealing,
    Dealing,
  ];
  const error = timesBase(drawScalar(entropy(64)));
  const moved = [
    {
      ...a,
      commitments: [...a.commitments.slice(0, 2), addElements(a.commitments[2] as Element, error)],
    },
    {
      ...b,
      commitments: [
        ...b.commitments.slice(0, 2),
        subtractElements(b.commitments[2] as Element, error),
      ],
    },
  ] as const;
  for (const [place, party] of [first, second].entries()) {
    const author = { authorKey: party.decryptionKey, entropy64: entropy(64) };
    ceremony.deal(signDealing(terms, moved[place] as Dealing, author), at(1));
  }
  for (const party of parties.slice(2)) {
    ceremony.deal(createDealing(terms, authorOf(party), entropy), at(1));
  }
  const shares = new Map();
  for (const party of parties.slice(2)) speak(ceremony, party, { shares, now: at(2), entropy });
  assert.deepEqual(ceremony.progress.confirmed, [3, 4, 5]);
  // One accomplice complains about the other in the last transaction before the deadline.
  const last = at(deadlines.checkBy - 1);
  const cheated = ceremony.good.find(({ dealer }) => dealer === 1) as Dealing;
  assert.equal(
    ceremony.complain(createComplaint(terms, cheated, second, entropy(64)), last),
    'dealer',
  );
  assert.equal(ceremony.phase(deadlines.checkBy), 'checking');
  for (const party of parties.slice(2)) {
    speak(ceremony, party, { shares, now: deadlines.checkBy, entropy });
  }
  assert.deepEqual(ceremony.atFault, [1, 2]);
  for (const party of parties) {
    if (ceremony.phase(deadlines.checkBy) === 'done') break;
    speak(ceremony, party, { shares, now: deadlines.checkBy, entropy });
  }
  const key = ceremony.key(deadlines.checkBy);
  for (const [index, share] of shares) {
    assert.deepEqual(timesBase(share), verificationKeyOf(key, index), `share ${index}`);
  }
});

test('a complaint is refused twice, about nobody, after its deadline, or from another ceremony', () => {
  const { terms, ceremony, dealings, parties, entropy } = dealt();
  const [first, second, third] = parties;
  const bad = dealings[1] as Dealing;
  const spoiled = signDealing(
    terms,
    { ...bad, sealedShares: bad.sealedShares.map(() => new Uint8Array(48)) },
    { authorKey: second.decryptionKey, entropy64: entropy(64) },
  );
  for (const dealing of [dealings[0] as Dealing, spoiled]) ceremony.deal(dealing, at(1));
  const complaint = createComplaint(terms, spoiled, first, entropy(64));
  const phase = { code: 'CEREMONY_PHASE' };
  assert.throws(() => ceremony.complain(complaint, at(1)), phase);
  ceremony.deal(dealings[2] as Dealing, at(1));
  assert.throws(() => ceremony.complain(complaint, deadlines.checkBy), phase);
  const elsewhere = createComplaint({ ...terms, openedAt: 8 }, spoiled, first, entropy(64));
  const refused = { code: 'INVALID_COMPLAINT' };
  assert.throws(() => ceremony.complain(elsewhere, at(2)), refused);
  assert.equal(ceremony.complain(complaint, at(2)), 'dealer');
  const again = createComplaint(terms, spoiled, third, entropy(64));
  assert.throws(() => ceremony.complain(again, at(2)), refused);
  assert.throws(() => ceremony.complain({ ...again, dealer: 200 }, at(2)), refused);
  assert.equal(
    judge(
      terms,
      dealings[0] as Dealing,
      createComplaint(terms, dealings[0] as Dealing, third, entropy(64)),
    ),
    'accuser',
  );
});

test('a dealing on a copied ephemeral key is refused: a complaint would open the copied one’s share', () => {
  const { terms, dealings, parties, entropy } = dealt();
  const [copied, own] = dealings as [Dealing, Dealing];
  const { ephemeral, ephemeralProof } = copied;
  const [, second] = parties;
  const copy = signDealing(
    terms,
    { ...own, ephemeral, ephemeralProof },
    { authorKey: second.decryptionKey, entropy64: entropy(64) },
  );
  assert.throws(() => requireDealing(terms, copy), { code: 'INVALID_DEALING' });
});

test('a rogue public share that cancels the others’ is refused: its dealer does not know its secret', () => {
  const { terms, dealings, parties, entropy } = dealt();
  const [a, b, own] = dealings as [Dealing, Dealing, Dealing];
  const sum = addElements(a.commitments[0] as Element, b.commitments[0] as Element);
  const rogue = subtractElements(timesBase(parties[2].decryptionKey), sum);
  const signed = signDealing(
    terms,
    { ...own, commitments: [rogue, own.commitments[1] as Element] },
    { authorKey: parties[2].decryptionKey, entropy64: entropy(64) },
  );
  assert.throws(() => requireDealing(terms, signed), { code: 'INVALID_DEALING' });
});

test('dealings that cancel each other’s slope give no key of a lower degree: INVALID_ELEMENT', () => {
  const { terms, dealings, parties, entropy } = dealt();
  const [first, second] = parties;
  const ceremony = new Ceremony({ ...terms, dealers: terms.dealers.slice(0, 2) }, deadlines);
  const fewer = ceremony.terms;
  const [a, b] = [first, second].map((p) => createDealing(fewer, authorOf(p), entropy)) as [
    Dealing,
    Dealing,
  ];
  assert.ok(dealings);
  const none = subtractElements(timesBase(first.decryptionKey), timesBase(first.decryptionKey));
  const slope = subtractElements(none, a.commitments[1] as Element);
  const author = { authorKey: second.decryptionKey, entropy64: entropy(64) };
  const cancelling = signDealing(
    fewer,
    { ...b, commitments: [b.commitments[0] as Element, slope] },
    author,
  );
  ceremony.deal(a, at(1));
  ceremony.deal(cancelling, at(1));
  for (const party of parties) {
    const all = createConfirmation(fewer, ceremony.counting, party, entropy(64));
    ceremony.confirm(all, at(2));
  }
  assert.throws(() => ceremony.key(at(2)), { code: 'INVALID_ELEMENT' });
});

test('terms that a ledger could not have meant are refused, not asserted: INVALID_TERMS', () => {
  const parties = partiesOf(3);
  const terms = termsOf(parties, 2);
  const [r1, r2, r3] = terms.receivers as [never, never, never];
  const [d1] = terms.dealers as [never];
  const receiver = (change: object) => [{ ...(r1 as object), ...change }, r2, r3];
  const changed: Record<string, object> = {
    'network in capitals': { networkId: 'AB'.repeat(32) },
    'negative seqno': { openedAt: -1 },
    'fractional seqno': { openedAt: 1.5 },
    'threshold 0': { threshold: 0 },
    'threshold above holders': { threshold: 4 },
    'fractional threshold': { threshold: 1.5 },
    'no receivers': { receivers: [] },
    'no dealers': { dealers: [] },
    'index 0': { receivers: receiver({ index: 0 }) },
    'index 256': { receivers: receiver({ index: 256 }) },
    'index twice': { receivers: receiver({ index: 2 }) },
    'actor twice': { receivers: receiver({ actor: 'party-2' }) },
    'no name': { receivers: receiver({ actor: '' }) },
    'key twice': {
      receivers: receiver({ encryptionKey: (r2 as { encryptionKey: Element }).encryptionKey }),
    },
    'identity as a key': { receivers: receiver({ encryptionKey: new Uint8Array(32) }) },
    'short key': { receivers: receiver({ encryptionKey: new Uint8Array(31) }) },
    'dealer of another index': {
      dealers: [{ ...(d1 as object), index: 9 }, ...terms.dealers.slice(1)],
    },
    'dealer of another name': { dealers: [{ index: 1, actor: 'eve' }, ...terms.dealers.slice(1)] },
    'fewer dealers than needed': { dealers: [d1] },
    'dealer with a share': {
      dealers: terms.dealers.map((d) => ({
        ...d,
        verificationKey: (r2 as { encryptionKey: Element }).encryptionKey,
      })),
    },
    'resharing without shares': { reshares: { keyId: toDigest(new Uint8Array(32)), threshold: 2 } },
  };
  for (const [what, change] of Object.entries(changed)) {
    const bad = { ...terms, ...change } as CeremonyTerms;
    assert.throws(() => ceremonyIdOf(bad), { code: 'INVALID_TERMS' }, what);
    assert.throws(() => new Ceremony(bad, deadlines), { code: 'INVALID_TERMS' }, what);
  }
});

test('terms of a resharing that are not about the key are refused: threshold, identity, shares', () => {
  const old = partiesOf(3, 'old');
  const made = run(termsOf(old, 2), old);
  const key = made.ceremony.key(made.now);
  const terms = reshareTermsOf(key, old, { parties: old, threshold: 2, openedAt: 9 });
  const reshares = terms.reshares as NonNullable<CeremonyTerms['reshares']>;
  const [d1, d2, d3] = terms.dealers as [never, never, never];
  const refuse = (bad: CeremonyTerms): void => {
    assert.throws(() => new Ceremony(bad, deadlines, { reshared: key }), { code: 'INVALID_TERMS' });
  };
  refuse({ ...terms, reshares: { ...reshares, threshold: 1 } });
  refuse({ ...terms, reshares: { ...reshares, keyId: toDigest(new Uint8Array(32).fill(1)) } });
  const swapped = { ...(d1 as object), verificationKey: timesBase(drawScalar(entropyOf('s')(64))) };
  refuse({ ...terms, dealers: [swapped as never, d2, d3] });
  refuse(termsOf(old, 2));
  assert.throws(() => new Ceremony(terms, deadlines), { code: 'INVALID_TERMS' });
});

test('a holder key is proved by its owner, for its network: a made-up or borrowed one is refused', () => {
  const entropy = entropyOf('holder');
  const owner = { networkId, actor: 'ada' };
  const key = createHolderKey(entropy(64));
  const proof = proveHolderKey(owner, key, entropy(64));
  requireHolderKey(owner, key.encryptionKey, proof);
  const refused = { code: 'INVALID_HOLDER_KEY' };
  const rogue = addElements(key.encryptionKey, timesBase(drawScalar(entropy(64))));
  const refuse = (who: typeof owner, image: Element, given: Uint8Array): void => {
    assert.throws(() => requireHolderKey(who, image, given), refused);
  };
  refuse({ ...owner, actor: 'eve' }, key.encryptionKey, proof);
  refuse({ ...owner, networkId: 'cd'.repeat(32) }, key.encryptionKey, proof);
  refuse({ ...owner, networkId: 'short' }, key.encryptionKey, proof);
  refuse({ ...owner, actor: '' }, key.encryptionKey, proof);
  refuse(owner, rogue, proof);
  refuse(owner, key.encryptionKey, new Uint8Array(64));
  refuse(owner, key.encryptionKey, proof.subarray(1));
});

test('a share of another epoch, network, requester, key or sharing reads nothing: INVALID_SHARE', () => {
  const parties = partiesOf(3);
  const one = run(termsOf(parties, 2), parties, { seed: 'one' });
  const key = one.ceremony.key(one.now);
  const two = run(termsOf(parties, 2, 8), parties, { seed: 'two' });
  const terms = reshareTermsOf(key, parties, { parties, threshold: 2, openedAt: 9 });
  const again = run(terms, parties, { from: { parties, shares: one.shares, key } });
  const entropy = entropyOf('shares');
  const label = utf8('network, epoch 3');
  const ciphertext = encryptToThreshold({
    publicKey: publicKeyOf(key),
    label,
    message32: new Uint8Array(32).fill(5),
    entropy128: entropy(128),
  });
  const request = { ciphertext, label, requester: utf8('node') };
  const combining = (of: typeof key) => ({
    threshold: of.threshold,
    verificationKey: (index: number) => verificationKeyOf(of, index),
  });
  const share = (from: typeof one, index: number, on = request) =>
    createDecryptionShare(on, { index, secret: from.shares.get(index) as never }, entropy(64));
  const good = share(one, 1);
  assert.ok(isDecryptionShareValid(request, good, verificationKeyOf(key, 1) as Element));
  const wrong = {
    'of a fresh key': share(two, 2),
    'of another sharing of the key': share(again, 2),
    'for another requester': share(one, 2, { ...request, requester: utf8('another') }),
    'of another holder': { ...share(one, 3), index: 2 },
  };
  for (const [what, bad] of Object.entries(wrong)) {
    const attempt = () => combineDecryptionShares(request, [good, bad], combining(key));
    assert.throws(attempt, { code: 'INVALID_SHARE', details: { index: 2 } }, what);
  }
  const other = { ...request, label: utf8('network, epoch 4') };
  assert.throws(() => share(one, 2, other), { code: 'INVALID_CIPHERTEXT' });
  assert.throws(() => combineDecryptionShares(request, [good], combining(key)), {
    code: 'TOO_FEW_SHARES',
  });
  assert.throws(() => combineDecryptionShares(request, [good, good], combining(key)), {
    code: 'DUPLICATE_SHARE',
  });
  const reshared = again.ceremony.key(again.now);
  const shares = [share(again, 3), share(again, 1)];
  const message = combineDecryptionShares(request, shares, combining(reshared));
  assert.deepEqual(message, new Uint8Array(32).fill(5));
});

test('foreign bytes of any length and content meet MALFORMED or INVALID_ELEMENT, never another throw', () => {
  const parties = partiesOf(3);
  const terms = termsOf(parties, 2);
  const entropy = entropyOf('fuzz');
  const dealing = createDealing(terms, authorOf(parties[0] as Party), entropy);
  const { ceremony, now } = run(terms, parties);
  const complaint = createComplaint(terms, dealing, parties[1] as Party, entropy(64));
  const confirmation = createConfirmation(
    terms,
    ceremony.counting,
    parties[0] as Party,
    entropy(64),
  );
  const forms: [Uint8Array, (bytes: Uint8Array) => unknown][] = [
    [encodeDealing(dealing), decodeDealing],
    [encodeComplaint(complaint), decodeComplaint],
    [encodeConfirmation(confirmation), decodeConfirmation],
    [encodeThresholdKey(ceremony.key(now)), decodeThresholdKey],
  ];
  for (const [bytes, decode] of forms) {
    const tryOne = (bad: Uint8Array): void => {
      try {
        decode(bad);
      } catch (error) {
        const { code } = error as { code?: string };
        assert.ok(code === 'MALFORMED' || code === 'INVALID_ELEMENT', `${error}`);
      }
    };
    for (let length = 0; length < bytes.length; length++) {
      const cut = bytes.subarray(0, length);
      assert.throws(() => decode(cut), { code: /MALFORMED|INVALID_ELEMENT/ } as never);
    }
    assert.throws(() => decode(Buffer.concat([bytes, Buffer.of(0)])), { code: 'MALFORMED' });
    for (let place = 0; place < bytes.length; place++) {
      tryOne(Uint8Array.from(bytes, (byte, k) => (k === place ? 0 : byte)));
      tryOne(Uint8Array.from(bytes, (byte, k) => (k === place ? 0xff : byte)));
      tryOne(Uint8Array.from(bytes, (byte, k) => (k === place ? byte ^ 0x80 : byte)));
    }
    for (let n = 0; n < 100; n++) tryOne(entropy(1 + ((n * 7) % 300)));
    tryOne(new Uint8Array(100_000).fill(1));
  }
});

test('a value that opens but is no scalar is a reason to complain, and the complaint holds', () => {
  const { terms, ceremony, dealings, parties, entropy } = dealt();
  const [first, second] = parties;
  // A cheat knows its own ephemeral secret; here the key of the share is of no use without it, so
  // any other sealed bytes stand in for what does not open to a scalar.
  const sealed = aeadSeal(
    new Uint8Array(32),
    new Uint8Array(12),
    new Uint8Array(0),
    new Uint8Array(32).fill(255),
  );
  const own = dealings[1] as Dealing;
  const bad = signDealing(
    terms,
    { ...own, sealedShares: [sealed, ...own.sealedShares.slice(1)] },
    { authorKey: second.decryptionKey, entropy64: entropy(64) },
  );
  for (const dealing of [dealings[0] as Dealing, bad, dealings[2] as Dealing])
    ceremony.deal(dealing, at(1));
  speak(ceremony, first, { shares: new Map(), now: at(2), entropy });
  assert.deepEqual(ceremony.atFault, [2]);
});
