import assert from 'node:assert/strict';
import test from 'node:test';
import { utf8 } from '@concordat/std';
import { ristretto255 } from '@noble/curves/ed25519.js';
import type { Dealing } from '../dealing.ts';
import { type Element, type Scalar, scalarOf, timesBase } from '../ristretto.ts';
import { combineDecryptionShares, createDecryptionShare, encryptToThreshold } from '../tdh2.ts';
import { publicKeyOf, type ThresholdKey, verificationKeyOf } from '../threshold-key.ts';
import { entropyOf } from './entropy.ts';
import { partiesOf, reshareTermsOf, run, secretBehind, termsOf } from './parties.ts';

const { Point } = ristretto255;
type NoblePoint = InstanceType<typeof Point>;
const order = Point.Fn.ORDER;

/** Numbers of a seed: the same run every time. */
function numbersOf(name: string): (below: number) => number {
  const entropy = entropyOf(name);
  return (below) => new DataView(entropy(64).buffer).getUint32(0) % below;
}

const bigOf = (scalar: Uint8Array): bigint =>
  BigInt(`0x${Buffer.from(scalar).reverse().toString('hex')}`);
const pointOf = (element: Element): NoblePoint => Point.fromBytes(element);
const product = (point: NoblePoint, by: bigint): NoblePoint =>
  by % order === 0n ? Point.ZERO : point.multiplyUnsafe(by % order);

/** Every public relation of a key, by other code: commitments add up, shares lie on them. */
function verifyIndependently(
  key: ThresholdKey,
  dealings: readonly Dealing[],
  shares: ReadonlyMap<number, Scalar>,
  weights?: ReadonlyMap<number, bigint>,
): void {
  for (const [k, commitment] of key.commitments.entries()) {
    let sum = Point.ZERO;
    for (const { dealer, commitments } of dealings) {
      sum = sum.add(product(pointOf(commitments[k] as Element), weights?.get(dealer) ?? 1n));
    }
    assert.ok(sum.equals(pointOf(commitment)), `commitment ${k}`);
  }
  for (const [index, share] of shares) {
    let image = Point.ZERO;
    for (const [k, commitment] of key.commitments.entries()) {
      image = image.add(product(pointOf(commitment), BigInt(index) ** BigInt(k)));
    }
    assert.ok(image.equals(product(Point.BASE, bigOf(share))), `share ${index}`);
    assert.deepEqual(
      Buffer.from(image.toBytes()),
      Buffer.from(verificationKeyOf(key, index) ?? []),
    );
  }
}

/** Lagrange weights at 0, by other code. */
function weightsOf(indices: readonly number[]): Map<number, bigint> {
  const { Fn } = Point;
  return new Map(
    indices.map((i) => {
      let weight = 1n;
      for (const j of indices) {
        if (j === i) continue;
        weight = Fn.mul(weight, Fn.mul(BigInt(j), Fn.inv(Fn.create(BigInt(j - i)))));
      }
      return [i, weight];
    }),
  );
}

const cheats = {
  withholds: () => undefined,
  'seals garbage to one': (dealing: Dealing, pick: number) => ({
    sealedShares: dealing.sealedShares.map((sealed, at) =>
      at === pick % dealing.sealedShares.length ? new Uint8Array(48) : sealed,
    ),
  }),
  'seals garbage to several': (dealing: Dealing, pick: number) => ({
    sealedShares: dealing.sealedShares.map((sealed, at) =>
      (at + pick) % 2 === 0 ? Uint8Array.from(sealed).reverse() : sealed,
    ),
  }),
  'swaps two shares': (dealing: Dealing) => ({ sealedShares: [...dealing.sealedShares].reverse() }),
  'commits to another slope': (dealing: Dealing, pick: number) =>
    dealing.commitments.length === 1
      ? undefined
      : { commitments: [...dealing.commitments.slice(0, -1), timesBase(scalarOf(1 + pick))] },
  'deals a lower degree': (dealing: Dealing) => ({
    commitments: dealing.commitments.slice(0, -1).length
      ? dealing.commitments.slice(0, -1)
      : [...dealing.commitments, ...dealing.commitments],
  }),
  'borrows a proof': (dealing: Dealing) => ({ secretProof: dealing.ephemeralProof }),
} as const;
type Cheat = (dealing: Dealing, pick: number) => Partial<Dealing> | undefined;

test('for random N, M and cheats: enough honest dealers give a key that holds, too few give none', () => {
  const draw = numbersOf('ceremonies');
  const names = Object.keys(cheats) as (keyof typeof cheats)[];
  let keys = 0;
  let failures = 0;
  for (let trial = 0; trial < 24; trial++) {
    const count = 1 + draw(7);
    const threshold = 1 + draw(count);
    const parties = partiesOf(count, `trial-${trial}`);
    const terms = termsOf(parties, threshold);
    const cheating = new Map<number, keyof typeof cheats>();
    for (const { index } of parties) {
      if (draw(3) === 0) cheating.set(index, names[draw(names.length)] as never);
    }
    const spoil = (dealing: Dealing): Partial<Dealing> | undefined => {
      const name = cheating.get(dealing.dealer);
      return name ? (cheats[name] as Cheat)(dealing, draw(100)) : {};
    };
    const { ceremony, now, shares } = run(terms, parties, { seed: `trial-${trial}`, spoil });
    const what = `trial ${trial}: ${threshold} of ${count}, ${[...cheating]}`;
    const dealers = ceremony.good.map(({ dealer }) => dealer);
    // Reversing the shares of an odd or single list may leave somebody's in place; never an honest one out.
    for (const { index } of parties) {
      if (!cheating.has(index)) assert.ok(dealers.includes(index), `${what}: ${index} is out`);
    }
    if (ceremony.phase(now) !== 'done') {
      assert.ok(dealers.length < threshold, what);
      failures++;
      continue;
    }
    keys++;
    const key = ceremony.key(now);
    verifyIndependently(key, ceremony.good, shares);
    assert.equal(shares.size, count, what);
    const indices = [...shares.keys()].slice(-threshold);
    assert.deepEqual(timesBase(secretBehind(shares, indices)), publicKeyOf(key), what);
  }
  assert.ok(keys >= 10 && failures >= 2, `${keys} keys, ${failures} failures`);
});

test('chains of resharings keep the key, whatever sets and thresholds they go through', () => {
  const draw = numbersOf('chains');
  for (let chain = 0; chain < 3; chain++) {
    let count = 2 + draw(3);
    let parties = partiesOf(count, `chain-${chain}-0`);
    let made = run(termsOf(parties, 1 + draw(count)), parties, { seed: `chain-${chain}` });
    let key = made.ceremony.key(made.now);
    const publicKey = publicKeyOf(key);
    const label = utf8('label');
    const ciphertext = encryptToThreshold({
      publicKey,
      label,
      message32: new Uint8Array(32).fill(chain),
      entropy128: entropyOf(`chain-${chain}`)(128),
    });
    for (let step = 1; step <= 4; step++) {
      const shares = made.shares;
      const old = parties;
      count = 1 + draw(6);
      const threshold = 1 + draw(count);
      parties = partiesOf(count, `chain-${chain}-${step}`);
      const next = { parties, threshold, openedAt: 100 + step };
      // Up to N - M of the old holders do not deal on, or deal garbage.
      const bad = new Set(old.slice(key.threshold).map(({ index }) => index));
      const pick = draw(10);
      const spoil = (dealing: Dealing): Partial<Dealing> | undefined =>
        bad.has(dealing.dealer) ? (cheats['seals garbage to one'] as Cheat)(dealing, pick) : {};
      made = run(reshareTermsOf(key, old, next), parties, {
        seed: `chain-${chain}-${step}`,
        spoil,
        from: { parties: old, shares, key },
      });
      const { good } = made.ceremony;
      const counted = good.slice(0, key.threshold);
      const reshared = made.ceremony.key(made.now);
      verifyIndependently(reshared, counted, made.shares, weightsOf(counted.map((d) => d.dealer)));
      assert.deepEqual(publicKeyOf(reshared), publicKey);
      assert.deepEqual(reshared.id, key.id);
      assert.equal(reshared.threshold, threshold);
      key = reshared;
    }
    const request = { ciphertext, label, requester: utf8('requester') };
    const entropy = entropyOf(`combine-${chain}`);
    const given = parties
      .slice(-key.threshold)
      .map(({ index }) =>
        createDecryptionShare(
          request,
          { index, secret: made.shares.get(index) as Scalar },
          entropy(64),
        ),
      );
    const combining = {
      threshold: key.threshold,
      verificationKey: (index: number) => verificationKeyOf(key, index),
    };
    const message = combineDecryptionShares(request, given, combining);
    assert.deepEqual(message, new Uint8Array(32).fill(chain));
    // The mask's point is the one that the private key, which exists in this test alone, gives.
    const indices = parties.slice(0, key.threshold).map(({ index }) => index);
    const secret = bigOf(secretBehind(made.shares, indices));
    const direct = product(pointOf(ciphertext.u), secret);
    let combined = Point.ZERO;
    const weights = weightsOf(given.map(({ index }) => index));
    for (const { index, value } of given) {
      combined = combined.add(product(pointOf(value), weights.get(index) as bigint));
    }
    assert.ok(direct.equals(combined));
  }
});

test('after a removal all old shares together read nothing of the fresh key, and it nothing of the old', () => {
  const parties = partiesOf(4);
  const before = run(termsOf(parties, 3), parties, { seed: 'before' });
  const remaining = parties.slice(0, 3);
  const after = run(termsOf(remaining, 2, 50), remaining, { seed: 'after' });
  const [old, fresh] = [before.ceremony.key(before.now), after.ceremony.key(after.now)];
  assert.notDeepEqual(publicKeyOf(old), publicKeyOf(fresh));
  const label = utf8('epoch 9');
  const entropy = entropyOf('removed');
  const seal = (key: ThresholdKey) =>
    encryptToThreshold({
      publicKey: publicKeyOf(key),
      label,
      message32: new Uint8Array(32).fill(9),
      entropy128: entropy(128),
    });
  const attempt = (key: ThresholdKey, by: typeof before): void => {
    const request = { ciphertext: seal(key), label, requester: utf8('removed actor') };
    const shares = [...by.shares].map(([index, secret]) =>
      createDecryptionShare(request, { index, secret }, entropy(64)),
    );
    // Even against verification keys of its own the removed actor's shares give other bytes.
    const own = by === before ? old : fresh;
    const forced = combineDecryptionShares(request, shares, {
      threshold: own.threshold,
      verificationKey: (index) => verificationKeyOf(own, index),
    });
    assert.notDeepEqual(forced, new Uint8Array(32).fill(9));
    const checked = () =>
      combineDecryptionShares(request, shares, {
        threshold: key.threshold,
        verificationKey: (index) => verificationKeyOf(key, index),
      });
    assert.throws(checked, { code: 'INVALID_SHARE' });
  };
  attempt(fresh, before);
  attempt(old, after);
});
