import { aeadOpen, aeadSeal, aeadTagBytes, CryptoError, hkdfSha256 } from '@concordat/crypto';
import { BinaryReader, BinaryWriter, DecodeError, type Digest, emptyBytes } from '@concordat/std';
import type { CeremonyTerms, Receiver } from './ceremony-terms.ts';
import { ceremonyIdOf } from './ceremony-terms.ts';
import { KeysError } from './errors.ts';
import { joinFields } from './hash-to-group.ts';
import { isKnowledgeProven, knowledgeProofBytes, proveKnowledge } from './knowledge-proof.ts';
import {
  commitmentsTo,
  drawPolynomial,
  erasePolynomial,
  imageAt,
  maxHolders,
  valueAt,
} from './polynomial.ts';
import {
  drawScalar,
  type Element,
  groupBytes,
  type Scalar,
  sameEncoding,
  scalarEntropyBytes,
  sha512,
  times,
  timesBase,
  toElement,
  toScalar,
} from './ristretto.ts';

/** Bytes of one encrypted share. */
export const sealedShareBytes = groupBytes + aeadTagBytes;

/**
 * What one dealer puts on the ledger: commitments to its polynomial that anyone can check, and for
 * each receiver its value, which only that receiver can read (joint Feldman; paper, "Public Shared
 * Network Key": commitment 0 is the dealer's public share).
 */
export interface Dealing {
  readonly dealer: number;
  /** One a coefficient, lowest first; as many as the threshold. */
  readonly commitments: readonly Element[];
  /** That the dealer knows the secret behind commitment 0: nobody deals in answer to others. */
  readonly secretProof: Uint8Array;
  /** r·B: with a receiver's key it gives the key of its share. */
  readonly ephemeral: Element;
  readonly ephemeralProof: Uint8Array;
  /** One a receiver, in the order of the terms; 48 bytes each. */
  readonly sealedShares: readonly Uint8Array[];
}

/**
 * Deals a fresh secret, or on the dealer's share of the key that is reshared.
 * @param dealt.secret the dealer's share, in a resharing only
 */
export function createDealing(
  terms: CeremonyTerms,
  dealt: { readonly dealer: number; readonly secret?: Scalar },
  entropy: (bytes: number) => Uint8Array,
): Dealing {
  const { dealer, secret } = dealt;
  const polynomial = drawPolynomial(terms.threshold, entropy, secret);
  const commitments = commitmentsTo(polynomial);
  const r = drawScalar(entropy(scalarEntropyBytes));
  const ephemeral = timesBase(r);
  const contexts = contextsOf(terms, dealer);
  const [first] = polynomial.coefficients as [Scalar];
  const sealedShares = terms.receivers.map((receiver) => {
    const value = valueAt(polynomial, receiver.index);
    const shared = times(r, receiver.encryptionKey);
    const key = shareKey(contexts.id, { dealer, ephemeral }, receiver, shared);
    const sealed = aeadSeal(key, shareNonce, emptyBytes, value);
    value.fill(0);
    return sealed;
  });
  const dealing = {
    dealer,
    commitments,
    secretProof: proveKnowledge(
      first,
      { image: commitments[0] as Element, context: contexts.secret },
      entropy(scalarEntropyBytes),
    ),
    ephemeral,
    ephemeralProof: proveKnowledge(
      r,
      { image: ephemeral, context: contexts.ephemeral },
      entropy(scalarEntropyBytes),
    ),
    sealedShares,
  };
  erasePolynomial(polynomial);
  r.fill(0);
  return dealing;
}

/**
 * Checks everything about a dealing that is public.
 * @throws KeysError INVALID_DEALING with the dealer
 */
export function requireDealing(terms: CeremonyTerms, dealing: Dealing): void {
  const { dealer, commitments, ephemeral, sealedShares } = dealing;
  const place = terms.dealers.find(({ index }) => index === dealer);
  if (!place) throw invalid(dealer, 'not one of the dealers');
  if (commitments.length !== terms.threshold) {
    const why = `${commitments.length} commitments for a threshold of ${terms.threshold}`;
    throw invalid(dealer, why);
  }
  if (sealedShares.length !== terms.receivers.length) {
    const why = `${sealedShares.length} shares for ${terms.receivers.length} receivers`;
    throw invalid(dealer, why);
  }
  const [image] = commitments as [Element];
  if (place.verificationKey && !sameEncoding(image, place.verificationKey)) {
    throw invalid(dealer, 'it does not deal on the share it holds');
  }
  const contexts = contextsOf(terms, dealer);
  if (!isKnowledgeProven({ image, context: contexts.secret }, dealing.secretProof)) {
    throw invalid(dealer, 'its secret is not proved');
  }
  const known = { image: ephemeral, context: contexts.ephemeral };
  if (!isKnowledgeProven(known, dealing.ephemeralProof)) {
    throw invalid(dealer, 'its ephemeral key is not proved');
  }
}

const invalid = (dealer: number, why: string): KeysError =>
  new KeysError('INVALID_DEALING', `dealing of ${dealer}: ${why}`, { dealer });

/**
 * A receiver's value of one dealing, whatever it is worth: see {@link isValueDealt}.
 * @returns undefined when it does not decrypt or is no scalar: a reason to complain
 */
export function openDealtValue(
  terms: CeremonyTerms,
  dealing: Dealing,
  receiver: { readonly index: number; readonly decryptionKey: Scalar },
): Scalar | undefined {
  return openWith(terms, dealing, {
    index: receiver.index,
    shared: times(receiver.decryptionKey, dealing.ephemeral),
  });
}

/** The value behind a shared point that was made public by a complaint, or found by the receiver. */
export function openWith(
  terms: CeremonyTerms,
  dealing: Dealing,
  { index, shared }: { readonly index: number; readonly shared: Element },
): Scalar | undefined {
  const at = terms.receivers.findIndex((receiver) => receiver.index === index);
  const receiver = terms.receivers[at];
  const sealed = dealing.sealedShares[at];
  if (!receiver || !sealed) return undefined;
  try {
    const key = shareKey(ceremonyIdOf(terms), dealing, receiver, shared);
    return toScalar(aeadOpen(key, shareNonce, emptyBytes, sealed));
  } catch (error) {
    if (error instanceof CryptoError || error instanceof KeysError) return undefined;
    throw error;
  }
}

/** Whether a value is the one that the dealing's commitments say lies at the index. */
export const isValueDealt = ({ commitments }: Dealing, index: number, value: Scalar): boolean =>
  sameEncoding(timesBase(value), imageAt(commitments, index));

/** Bytes: u8 1, u8 dealer, u8 count and commitments, proofs and ephemeral, u8 count and shares. */
export function encodeDealing(dealing: Dealing): Uint8Array {
  const { dealer, commitments, secretProof, ephemeral, ephemeralProof, sealedShares } = dealing;
  const writer = new BinaryWriter().u8(1).u8(dealer).u8(commitments.length);
  for (const commitment of commitments) writer.raw(commitment);
  writer.raw(secretProof).raw(ephemeral).raw(ephemeralProof).u8(sealedShares.length);
  for (const sealed of sealedShares) writer.raw(sealed);
  return writer.take();
}

/** @throws KeysError MALFORMED, INVALID_ELEMENT */
export function decodeDealing(bytes: Uint8Array): Dealing {
  try {
    const reader = new BinaryReader(bytes);
    if (reader.u8() !== 1) throw new KeysError('MALFORMED', 'not a dealing of version 1');
    const dealer = reader.u8();
    const take = (length: number): Uint8Array => Uint8Array.from(reader.raw(length));
    const list = <Item>(read: () => Item): Item[] => Array.from({ length: reader.u8() }, read);
    const dealing = {
      dealer,
      commitments: list(() => toElement(reader.raw(groupBytes))),
      secretProof: take(knowledgeProofBytes),
      ephemeral: toElement(reader.raw(groupBytes)),
      ephemeralProof: take(knowledgeProofBytes),
      sealedShares: list(() => take(sealedShareBytes)),
    };
    reader.end();
    if (dealer < 1 || dealer > maxHolders || dealing.commitments.length === 0) {
      throw new KeysError('MALFORMED', 'a dealing without dealer or commitments');
    }
    return dealing;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new KeysError('MALFORMED', `dealing: ${error.message}`);
  }
}

/** Each share has a key of its own, so one nonce serves all. */
const shareNonce = new Uint8Array(12);

function shareKey(
  id: Digest,
  { dealer, ephemeral }: { readonly dealer: number; readonly ephemeral: Element },
  { index, encryptionKey }: Receiver,
  shared: Element,
): Uint8Array {
  const info = joinFields('concordat dealt share v1', id, dealer, index, ephemeral, encryptionKey);
  return hkdfSha256(shared, emptyBytes, info, 32);
}

function contextsOf(terms: CeremonyTerms, dealer: number) {
  const id = ceremonyIdOf(terms);
  return {
    id,
    secret: sha512(joinFields('concordat dealt secret v1', id, dealer)),
    ephemeral: sha512(joinFields('concordat dealt ephemeral v1', id, dealer)),
  };
}
