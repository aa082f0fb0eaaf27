import { sha256 } from '@concordat/crypto';
import { assert, type Digest, isHex64, utf8 } from '@concordat/std';
import { joinFields } from './hash-to-group.ts';
import { maxHolders } from './polynomial.ts';
import type { Element } from './ristretto.ts';

/** Someone who will hold a share of the key. */
export interface Receiver {
  /** 1 to 255, distinct: where the holder's share lies on the polynomial. */
  readonly index: number;
  /** Name of the actor. */
  readonly actor: string;
  /** What shares are encrypted to: e·B, of which only the actor's enclaves know e. */
  readonly encryptionKey: Element;
}

/** Someone who deals: in a fresh key every receiver, in a resharing the holders of the old key. */
export interface Dealer {
  readonly index: number;
  readonly actor: string;
  /** In a resharing the verification key of the share that is dealt on. */
  readonly verificationKey?: Element;
}

/**
 * What everybody must agree on before a key is dealt. Every proof and every encrypted share is bound
 * to the identity of these terms, so nothing of one ceremony means anything in another.
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

/**
 * The identity of a ceremony and, of a fresh key, of the key: SHA-256 over all of its terms.
 * Asserts that indices are distinct and thresholds can be met.
 */
export function ceremonyIdOf(terms: CeremonyTerms): Digest {
  const { networkId, openedAt, threshold, receivers, dealers, reshares } = terms;
  assert(isHex64(networkId), 'network identity is 64 lowercase hex digits');
  requireHolders(receivers);
  requireHolders(dealers);
  assert(threshold >= 1 && threshold <= receivers.length, `threshold ${threshold}`);
  assert(dealersNeeded(terms) <= dealers.length, 'there are as many dealers as it needs');
  const resharing = dealers.every(
    ({ verificationKey }) => (verificationKey !== undefined) === (reshares !== undefined),
  );
  assert(resharing, 'dealers have a share to deal on exactly in a resharing');
  const fields: (Uint8Array | string | number)[] = [
    'concordat key ceremony v1',
    networkId,
    openedAt,
  ];
  fields.push(threshold, receivers.length);
  for (const { index, actor, encryptionKey } of receivers) fields.push(index, actor, encryptionKey);
  fields.push(dealers.length);
  for (const { index, actor, verificationKey } of dealers) {
    fields.push(index, actor, verificationKey ?? utf8(''));
  }
  if (reshares) fields.push(reshares.keyId, reshares.threshold);
  return sha256(joinFields(...fields));
}

function requireHolders(holders: readonly { readonly index: number }[]): void {
  assert(holders.length >= 1 && holders.length <= maxHolders, `${holders.length} holders`);
  const indices = holders.map(({ index }) => index);
  assert(new Set(indices).size === indices.length, 'indices are distinct');
  assert(
    indices.every((index) => Number.isInteger(index) && index >= 1 && index <= maxHolders),
    'indices are 1 to 255',
  );
}
