import {
  assert,
  BinaryReader,
  BinaryWriter,
  DecodeError,
  type Digest,
  toDigest,
} from '@concordat/std';
import { type CeremonyTerms, ceremonyIdOf, dealersNeeded } from './ceremony-terms.ts';
import { type Dealing, openDealtValue } from './dealing.ts';
import { KeysError } from './errors.ts';
import { combinedCommitments, imageAt, imageSteps, lagrangeAtZero } from './polynomial.ts';
import {
  addScalars,
  type Element,
  erase,
  groupBytes,
  isIdentity,
  multiplyScalars,
  type Scalar,
  sameEncoding,
  scalarOf,
  timesBase,
  toElement,
} from './ristretto.ts';
import { finishSteps, type Steps } from './steps.ts';

/** The public side of a key of which nobody holds the private side (paper: shared network key). */
export interface ThresholdKey {
  /** Identity of the ceremony that made it; a resharing keeps it. */
  readonly id: Digest;
  /** Shares it takes to read something. */
  readonly threshold: number;
  /** Commitments to the polynomial all shares lie on; the first is the public key. */
  readonly commitments: readonly Element[];
  /** Indices of the holders, ascending. */
  readonly holders: readonly number[];
}

/** What session keys are encrypted to. */
export const publicKeyOf = ({ commitments }: ThresholdKey): Element => commitments[0] as Element;

/** Verification keys of all holders, in steps: what decryption shares are checked against, kept. */
export function* verificationKeysOf(key: ThresholdKey): Steps<ReadonlyMap<number, Element>> {
  const keys = new Map<number, Element>();
  for (const index of key.holders) {
    keys.set(index, yield* imageSteps(key.commitments, index));
    yield;
  }
  return keys;
}

/** What a holder's decryption shares are checked against; undefined when there is no such holder. */
export const verificationKeyOf = (key: ThresholdKey, index: number): Element | undefined =>
  key.holders.includes(index) ? imageAt(key.commitments, index) : undefined;

/** The dealings that make up the key: all good ones, or as many as the reshared key needs. */
export function dealingsThatCount(
  terms: CeremonyTerms,
  good: readonly Dealing[],
): readonly Dealing[] {
  const inOrder = [...good].sort((a, b) => a.dealer - b.dealer);
  return terms.reshares ? inOrder.slice(0, dealersNeeded(terms)) : inOrder;
}

/**
 * The key that good dealings make.
 * @throws KeysError TOO_FEW_DEALINGS; RESHARE_DIFFERS when the old key does not come out again;
 *   INVALID_ELEMENT when dealings cancel each other out
 */
export const keyFrom = (
  terms: CeremonyTerms,
  good: readonly Dealing[],
  reshared?: ThresholdKey,
): ThresholdKey => finishSteps(keySteps(terms, good, reshared));

/** {@link keyFrom} in steps. */
export function* keySteps(
  terms: CeremonyTerms,
  good: readonly Dealing[],
  reshared?: ThresholdKey,
): Steps<ThresholdKey> {
  const need = dealersNeeded(terms);
  if (good.length < need) {
    const why = `${good.length} good dealings of ${need}`;
    throw new KeysError('TOO_FEW_DEALINGS', why, { have: good.length, need });
  }
  const counted = yield* weighted(terms, dealingsThatCount(terms, good));
  const commitments = yield* combinedCommitments(counted);
  if (commitments.some(isIdentity)) {
    throw new KeysError('INVALID_ELEMENT', 'the dealings cancel each other out');
  }
  if (reshared && !sameEncoding(commitments[0] as Element, publicKeyOf(reshared))) {
    throw new KeysError('RESHARE_DIFFERS', 'the dealings do not make up the key they reshare');
  }
  const holders = terms.receivers.map(({ index }) => index).sort((a, b) => a - b);
  return {
    id: reshared?.id ?? ceremonyIdOf(terms),
    threshold: terms.threshold,
    commitments,
    holders,
  };
}

/** A receiver's share of the key, or which dealers it must complain about. */
export type Received = { readonly secret: Scalar } | { readonly cheatedBy: readonly number[] };

/** Whose share is received, and what opens it. */
export interface ShareReceiver {
  readonly index: number;
  readonly decryptionKey: Scalar;
}

/**
 * Adds up what a receiver was dealt by the dealings that count, and checks it: the sum first, which
 * is cheap, and each dealing only if the sum does not fit. Dealings whose errors cancel each other out
 * make a good share as long as all of them count; when one no longer does, check anew.
 * @param good every good dealing; the spare ones of a resharing are left aside
 */
export const receiveShare = (
  terms: CeremonyTerms,
  good: readonly Dealing[],
  receiver: ShareReceiver,
): Received => finishSteps(receiveSteps(terms, good, receiver));

/** {@link receiveShare} in steps. */
export function* receiveSteps(
  terms: CeremonyTerms,
  good: readonly Dealing[],
  receiver: ShareReceiver,
): Steps<Received> {
  const counted = yield* weighted(terms, dealingsThatCount(terms, good));
  const values: (Scalar | undefined)[] = [];
  try {
    for (const { dealing } of counted) {
      values.push(openDealtValue(terms, dealing, receiver));
      yield;
    }
    const image = yield* imageSteps(yield* combinedCommitments(counted), receiver.index);
    const secret = sumOf(counted, values);
    if (secret && sameEncoding(timesBase(secret), image)) return { secret };
    erase(secret);
    const cheatedBy: number[] = [];
    for (const [at, { dealing }] of counted.entries()) {
      const value = values[at];
      const expected = yield* imageSteps(dealing.commitments, receiver.index);
      const isGood = value !== undefined && sameEncoding(timesBase(value), expected);
      if (!isGood) cheatedBy.push(dealing.dealer);
    }
    return { cheatedBy };
  } finally {
    erase(...values);
  }
}

/** The weighted sum of all values; undefined when one is missing. */
function sumOf(
  counted: readonly Counted[],
  values: readonly (Scalar | undefined)[],
): Scalar | undefined {
  let sum = scalarOf(0);
  for (const [at, value] of values.entries()) {
    if (!value) {
      erase(sum);
      return undefined;
    }
    const { weight } = counted[at] as Counted;
    const summand = weight && multiplyScalars(weight, value);
    const next = addScalars(sum, summand ?? value);
    erase(sum, summand);
    sum = next;
  }
  return sum;
}

interface Counted {
  readonly dealing: Dealing;
  readonly commitments: readonly Element[];
  /** What it counts for; absent when all count alike. */
  readonly weight?: Scalar;
}

function* weighted(
  { reshares }: CeremonyTerms,
  dealings: readonly Dealing[],
): Steps<readonly Counted[]> {
  const dealers = dealings.map(({ dealer }) => dealer);
  assert(new Set(dealers).size === dealers.length, 'each dealer deals once');
  const counted: Counted[] = [];
  for (const dealing of dealings) {
    const { commitments, dealer } = dealing;
    if (!reshares) {
      counted.push({ dealing, commitments });
      continue;
    }
    counted.push({ dealing, commitments, weight: lagrangeAtZero(dealer, dealers) });
    yield;
  }
  return counted;
}

/** u8 1, id, u8 threshold, commitments, u8 holders, an index each. */
export function encodeThresholdKey({
  id,
  threshold,
  commitments,
  holders,
}: ThresholdKey): Uint8Array {
  const writer = new BinaryWriter().u8(1).raw(id).u8(threshold);
  for (const commitment of commitments) writer.raw(commitment);
  writer.u8(holders.length);
  for (const holder of holders) writer.u8(holder);
  return writer.take();
}

/** @throws KeysError MALFORMED, INVALID_ELEMENT */
export function decodeThresholdKey(bytes: Uint8Array): ThresholdKey {
  const malformed = (why: string): KeysError => new KeysError('MALFORMED', `threshold key: ${why}`);
  try {
    const reader = new BinaryReader(bytes);
    if (reader.u8() !== 1) throw malformed('not of version 1');
    const id = toDigest(Uint8Array.from(reader.raw(32)));
    const threshold = reader.u8();
    const commitments = Array.from({ length: threshold }, () => toElement(reader.raw(groupBytes)));
    // A u8 counts them, so there are never more than the 255 there may be.
    const holders = Array.from({ length: reader.u8() }, () => reader.u8());
    reader.end();
    const ascending = holders.every((holder, at) => holder > (holders[at - 1] ?? 0));
    if (threshold < 1 || threshold > holders.length || !ascending) {
      throw malformed(`${threshold} of ${holders.length} holders`);
    }
    return { id, threshold, commitments, holders };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw malformed(error.message);
  }
}
