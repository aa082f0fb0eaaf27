import assert from 'node:assert/strict';
import { type Seqno, toSeqno } from '@concordat/std';
import { Ceremony } from '../ceremony.ts';
import type { CeremonyTerms } from '../ceremony-terms.ts';
import { createComplaint, decodeComplaint, encodeComplaint } from '../complaint.ts';
import { createConfirmation, decodeConfirmation, encodeConfirmation } from '../confirmation.ts';
import {
  createDealing,
  type Dealing,
  type DealingAuthor,
  decodeDealing,
  encodeDealing,
  signDealing,
} from '../dealing.ts';
import { lagrangeAtZero } from '../polynomial.ts';
import {
  addScalars,
  drawScalar,
  multiplyScalars,
  type Scalar,
  scalarOf,
  timesBase,
} from '../ristretto.ts';
import { receiveShare, type ThresholdKey, verificationKeyOf } from '../threshold-key.ts';
import { entropyOf } from './entropy.ts';

export const at = (seqno: number): Seqno => toSeqno(seqno);
export const deadlines = { dealBy: at(100), checkBy: at(200) };
export const networkId = 'ab'.repeat(32);

/** An actor with its holder key. */
export interface Party {
  readonly index: number;
  readonly actor: string;
  readonly decryptionKey: Scalar;
}

export function partiesOf(count: number, name = 'party'): Party[] {
  const entropy = entropyOf(name);
  return Array.from({ length: count }, (_, index) => ({
    index: index + 1,
    actor: `${name}-${index + 1}`,
    decryptionKey: drawScalar(entropy(64)),
  }));
}

export function termsOf(parties: readonly Party[], threshold: number, openedAt = 7): CeremonyTerms {
  return {
    networkId,
    openedAt,
    threshold,
    receivers: parties.map(({ index, actor, decryptionKey }) => ({
      index,
      actor,
      encryptionKey: timesBase(decryptionKey),
    })),
    dealers: parties.map(({ index, actor }) => ({ index, actor })),
  };
}

/** Terms under which the holders of a key deal it on to `next`. */
export function reshareTermsOf(
  key: ThresholdKey,
  old: readonly Party[],
  next: {
    readonly parties: readonly Party[];
    readonly threshold: number;
    readonly openedAt: number;
  },
): CeremonyTerms {
  return {
    ...termsOf(next.parties, next.threshold, next.openedAt),
    dealers: old.map(({ index, actor }) => ({
      index,
      actor,
      verificationKey: verificationKeyOf(key, index) as never,
    })),
    reshares: { keyId: key.id, threshold: key.threshold },
  };
}

/** Who deals for a party: with its own key, or in a resharing with its share. */
export const authorOf = (
  { index, decryptionKey }: Party,
  shares?: ReadonlyMap<number, Scalar>,
): DealingAuthor => ({
  dealer: index,
  authorKey: shares ? (shares.get(index) as Scalar) : decryptionKey,
});

export interface RunOptions {
  readonly seed?: string;
  /** Changes or withholds a dealing; the author signs what comes out, as a cheat would. */
  readonly spoil?: (dealing: Dealing) => Partial<Dealing> | undefined;
  /** Who deals, when it is not the receivers: the holders of the reshared key, with their shares. */
  readonly from?: {
    readonly parties: readonly Party[];
    readonly shares: ReadonlyMap<number, Scalar>;
    readonly key: ThresholdKey;
  };
  /** Receivers that say nothing. */
  readonly silent?: readonly number[];
}

/** Runs a ceremony in which all are honest but those whose dealings `spoil` changes. */
export function run(terms: CeremonyTerms, parties: readonly Party[], options: RunOptions = {}) {
  const { seed = 'run', spoil = (): Partial<Dealing> => ({}), from, silent = [] } = options;
  const ceremony = new Ceremony(terms, deadlines, from && { reshared: from.key });
  const entropy = entropyOf(seed);
  const dealing = from?.parties ?? parties;
  for (const { index } of terms.dealers) {
    const party = dealing.find((one) => one.index === index) as Party;
    const author = authorOf(party, from?.shares);
    const made = createDealing(terms, author, entropy);
    const change = spoil(made);
    if (!change) continue;
    const isHonest = Object.keys(change).length === 0;
    const { authorKey } = author;
    const sent = isHonest
      ? made
      : signDealing(terms, { ...made, ...change }, { authorKey, entropy64: entropy(64) });
    try {
      ceremony.deal(decodeDealing(encodeDealing(sent)), at(10));
    } catch (error) {
      assert.ok(!isHonest, `an honest dealing is refused: ${error}`);
      assert.equal((error as { code?: string }).code, 'INVALID_DEALING');
    }
  }
  let now = ceremony.phase(at(10)) === 'dealing' ? at(100) : at(10);
  const shares = new Map<number, Scalar>();
  const speaking = parties.filter(({ index }) => !silent.includes(index));
  for (let round = 0; round < 300 && ceremony.phase(now) === 'checking'; round++) {
    const before = ceremony.progress;
    for (const party of speaking) {
      if (ceremony.phase(now) !== 'checking') break;
      speak(ceremony, party, { shares, now, entropy });
    }
    const { confirmed } = ceremony.progress;
    const isStable = ceremony.progress === before || confirmed.length === speaking.length;
    if (isStable && ceremony.phase(now) === 'checking') now = at(ceremony.progress.checkBy);
  }
  return { ceremony, now, shares };
}

/** What an honest receiver does: it complains about whoever cheated it, or it confirms. */
export function speak(
  ceremony: Ceremony,
  party: Party,
  turn: { shares: Map<number, Scalar>; now: Seqno; entropy: (bytes: number) => Uint8Array },
): void {
  const { terms } = ceremony;
  const { shares, now, entropy } = turn;
  const received = receiveShare(terms, ceremony.good, party);
  if ('secret' in received) {
    shares.set(party.index, received.secret);
    const confirmation = createConfirmation(terms, ceremony.counting, party, entropy(64));
    ceremony.confirm(decodeConfirmation(encodeConfirmation(confirmation)), now);
    return;
  }
  for (const dealer of received.cheatedBy) {
    const dealing = ceremony.good.find((one) => one.dealer === dealer) as Dealing;
    const complaint = createComplaint(terms, dealing, party, entropy(64));
    const sent = decodeComplaint(encodeComplaint(complaint));
    assert.equal(ceremony.complain(sent, now), 'dealer');
    if (ceremony.phase(now) !== 'checking') return;
  }
}

/** The private key that nobody ever has, from enough shares: for tests alone. */
export function secretBehind(
  shares: ReadonlyMap<number, Scalar>,
  indices: readonly number[],
): Scalar {
  let secret = scalarOf(0);
  for (const index of indices) {
    const share = shares.get(index) as Scalar;
    secret = addScalars(secret, multiplyScalars(lagrangeAtZero(index, indices), share));
  }
  return secret;
}
