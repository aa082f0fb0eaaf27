import { sha256 } from '@concordat/crypto';
import { type Digest, emptyBytes, equalBytes, isHex64, toHex } from '@concordat/std';
import { KeysError } from './errors.ts';
import { joinFields } from './hash-to-group.ts';
import { maxHolders } from './polynomial.ts';
import { type Element, sameEncoding, toElement } from './ristretto.ts';

/** Someone who will hold a share of the key. */
export interface Receiver {
  /** 1 to 255, distinct: where the holder's share lies on the polynomial. */
  readonly index: number;
  /** Who it is, distinct, 1 to 128 characters: an actor holds one share, never two. */
  readonly actor: string;
  /** What shares are encrypted to: e·B, of which only the actor's enclaves know e; distinct. */
  readonly encryptionKey: Element;
}

/** Someone who deals: in a fresh key receivers, in a resharing holders of the old key. */
export interface Dealer {
  readonly index: number;
  readonly actor: string;
  /** In a resharing the verification key of the share that is dealt on. */
  readonly verificationKey?: Element;
}

/**
 * What everybody must agree on before a key is dealt. Every proof and every encrypted share is bound
 * to the identity of these terms, so nothing of one ceremony means anything in another. Never changed
 * once made.
 */
export interface CeremonyTerms {
  /** 64 lowercase hex digits. */
  readonly networkId: string;
  /** Ledger position (seqno) of the transaction that opened the ceremony: no two are equal. */
  readonly openedAt: number;
  /** How many shares of the new key read something. */
  readonly threshold: number;
  readonly receivers: readonly Receiver[];
  readonly dealers: readonly Dealer[];
  /** In a resharing: which key, and how many of its shares make it up. */
  readonly reshares?: { readonly keyId: Digest; readonly threshold: number };
}

/** How many dealers a ceremony needs: fewer could leave the key to a minority, or not make it up. */
export const dealersNeeded = ({ reshares, threshold }: CeremonyTerms): number =>
  reshares ? reshares.threshold : threshold;

const identities = new WeakMap<CeremonyTerms, Digest>();

/**
 * The identity of a ceremony and, of a fresh key, of the key: SHA-256 over all of its terms.
 * @throws KeysError INVALID_TERMS: names, indices or keys are not distinct or no such, thresholds
 *   cannot be met, dealers have no part in it. Terms read from a ledger are foreign.
 */
export function ceremonyIdOf(terms: CeremonyTerms): Digest {
  const known = identities.get(terms);
  if (known) return known;
  requireTerms(terms);
  const { networkId, openedAt, threshold, receivers, dealers, reshares } = terms;
  const fields: (Uint8Array | string | number)[] = [
    'concordat key ceremony v1',
    networkId,
    openedAt,
  ];
  fields.push(threshold, receivers.length);
  for (const { index, actor, encryptionKey } of receivers) fields.push(index, actor, encryptionKey);
  fields.push(dealers.length);
  for (const { index, actor, verificationKey } of dealers) {
    fields.push(index, actor, verificationKey ?? emptyBytes);
  }
  if (reshares) fields.push(reshares.keyId, reshares.threshold);
  const id = sha256(joinFields(...fields));
  identities.set(terms, id);
  return id;
}

/** What a dealer signs with: its encryption key, or in a resharing the share it deals on. */
export function authorKeyOf(terms: CeremonyTerms, dealer: number): Element | undefined {
  const place = terms.dealers.find(({ index }) => index === dealer);
  if (!place || terms.reshares) return place?.verificationKey;
  return terms.receivers.find(({ index }) => index === dealer)?.encryptionKey;
}

const invalid = (why: string): KeysError => new KeysError('INVALID_TERMS', `ceremony: ${why}`);

function requireTerms(terms: CeremonyTerms): void {
  const { networkId, openedAt, threshold, receivers, dealers, reshares } = terms;
  if (!isHex64(networkId)) throw invalid('the network is not named by 64 lowercase hex digits');
  if (!Number.isSafeInteger(openedAt) || openedAt < 0) throw invalid(`opened at ${openedAt}`);
  requireHolders(receivers, 'receivers');
  requireHolders(dealers, 'dealers');
  if (requireElements(receivers.map(({ encryptionKey }) => encryptionKey)) < receivers.length) {
    throw invalid('two receivers have one key');
  }
  requireThreshold(threshold, receivers.length);
  if (reshares) {
    if (reshares.keyId.length !== 32) throw invalid('the key it reshares is not named');
    requireElements(dealers.map(({ verificationKey }) => verificationKey));
  } else if (!dealers.every((dealer) => isReceiver(receivers, dealer))) {
    throw invalid('a dealer of a fresh key is not one of its receivers');
  }
  requireThreshold(dealersNeeded(terms), dealers.length);
}

function requireThreshold(threshold: number, of: number): void {
  if (Number.isInteger(threshold) && threshold >= 1 && threshold <= of) return;
  throw invalid(`threshold ${threshold} of ${of}`);
}

function requireHolders(
  holders: readonly { readonly index: number; readonly actor: string }[],
  what: string,
): void {
  if (holders.length < 1 || holders.length > maxHolders) {
    throw invalid(`${holders.length} ${what}`);
  }
  for (const { index, actor } of holders) {
    if (!Number.isInteger(index) || index < 1 || index > maxHolders) {
      throw invalid(`index ${index} among the ${what}`);
    }
    if (actor.length < 1 || actor.length > 128) throw invalid(`an actor of ${what} has no name`);
  }
  const isDistinct = (values: readonly unknown[]): boolean =>
    new Set(values).size === values.length;
  if (!isDistinct(holders.map(({ index }) => index))) throw invalid(`an index of ${what} twice`);
  if (!isDistinct(holders.map(({ actor }) => actor))) throw invalid(`an actor of ${what} twice`);
}

/** How many different ones there are: verification keys of a threshold of 1 are all the same. */
function requireElements(elements: readonly (Uint8Array | undefined)[]): number {
  const seen = new Set<string>();
  for (const element of elements) {
    try {
      seen.add(toHex(toElement(element ?? emptyBytes)));
    } catch (error) {
      if (error instanceof KeysError) throw invalid('a key in it is no element');
      throw error;
    }
  }
  return seen.size;
}

const isReceiver = (
  receivers: readonly Receiver[],
  { index, actor, verificationKey }: Dealer,
): boolean =>
  verificationKey === undefined &&
  receivers.some((receiver) => receiver.index === index && receiver.actor === actor);

/**
 * Whether terms of a resharing are about this very sharing of the key: its identity, its threshold,
 * and of every dealer the verification key that follows from it.
 */
export const resharesTheKey = (
  { reshares, dealers }: CeremonyTerms,
  key: {
    readonly id: Digest;
    readonly threshold: number;
    verificationKey(index: number): Element | undefined;
  },
): boolean =>
  reshares !== undefined &&
  reshares.threshold === key.threshold &&
  equalBytes(reshares.keyId, key.id) &&
  dealers.every(({ index, verificationKey }) => {
    const expected = key.verificationKey(index);
    return expected && verificationKey && sameEncoding(expected, verificationKey);
  });
