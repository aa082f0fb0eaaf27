import { aeadOpen, aeadSeal, aeadTagBytes, CryptoError, hkdfSha256 } from '@concordat/crypto';
import {
  BinaryReader,
  BinaryWriter,
  concatBytes,
  DecodeError,
  type Digest,
  emptyBytes,
} from '@concordat/std';
import type { CeremonyTerms, Receiver } from './ceremony-terms.ts';
import { authorKeyOf, ceremonyIdOf } from './ceremony-terms.ts';
import { KeysError } from './errors.ts';
import { joinFields } from './hash-to-group.ts';
import { isKnowledgeProven, knowledgeProofBytes, proveKnowledge } from './knowledge-proof.ts';
import { commitmentsTo, drawPolynomial, erasePolynomial, imageAt, valueAt } from './polynomial.ts';
import {
  drawScalar,
  type Element,
  erase,
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
import { finishSteps, type Steps } from './steps.ts';

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
  /**
   * That the author made all of this: else whoever carries a dealing could change a sealed share, and
   * have an honest dealer thrown out. By the dealer's decryption key, or the share it deals on.
   */
  readonly authorProof: Uint8Array;
}

/** Who deals. */
export interface DealingAuthor {
  readonly dealer: number;
  /** The dealer's decryption key; in a resharing its share of the key, which is dealt on. */
  readonly authorKey: Scalar;
}

/**
 * Deals a fresh secret, or on the dealer's share of the key that is reshared.
 * @throws KeysError INVALID_TERMS, INVALID_DEALING when the dealer is not one of the terms
 */
export const createDealing = (
  terms: CeremonyTerms,
  author: DealingAuthor,
  entropy: (bytes: number) => Uint8Array,
): Dealing => finishSteps(createDealingSteps(terms, author, entropy));

/** {@link createDealing} in steps, one a receiver. */
export function* createDealingSteps(
  terms: CeremonyTerms,
  { dealer, authorKey }: DealingAuthor,
  entropy: (bytes: number) => Uint8Array,
): Steps<Dealing> {
  requirePlace(terms, dealer, timesBase(authorKey));
  const secret = terms.reshares && authorKey;
  const polynomial = drawPolynomial(terms.threshold, entropy, secret);
  const r = drawScalarFrom(entropy);
  try {
    const commitments = commitmentsTo(polynomial);
    const ephemeral = timesBase(r);
    const contexts = contextsOf(terms, dealer);
    const prove = (known: Scalar, image: Element, context: Uint8Array): Uint8Array => {
      const entropy64 = entropy(scalarEntropyBytes);
      const proof = proveKnowledge(known, { image, context }, entropy64);
      erase(entropy64);
      return proof;
    };
    const sealedShares: Uint8Array[] = [];
    for (const receiver of terms.receivers) {
      const value = valueAt(polynomial, receiver.index);
      const shared = times(r, receiver.encryptionKey);
      const key = shareKey(contexts.id, { dealer, ephemeral }, receiver, shared);
      sealedShares.push(aeadSeal(key, shareNonce, emptyBytes, value));
      erase(value, shared, key);
      yield;
    }
    const [first] = polynomial.coefficients as [Scalar];
    const body = {
      dealer,
      commitments,
      secretProof: prove(first, commitments[0] as Element, contexts.secret),
      ephemeral,
      ephemeralProof: prove(r, ephemeral, contexts.ephemeral),
      sealedShares,
    };
    return signDealing(terms, body, { authorKey, entropy64: entropy(scalarEntropyBytes) });
  } finally {
    erasePolynomial(polynomial);
    erase(r);
  }
}

/** A dealing as its author vouches for it. */
export function signDealing(
  terms: CeremonyTerms,
  body: Omit<Dealing, 'authorProof'>,
  author: { readonly authorKey: Scalar; readonly entropy64: Uint8Array },
): Dealing {
  const { authorKey, entropy64 } = author;
  const statement = {
    image: timesBase(authorKey),
    context: authorContext(ceremonyIdOf(terms), body),
  };
  const authorProof = proveKnowledge(authorKey, statement, entropy64);
  erase(entropy64);
  return { ...body, authorProof };
}

function requirePlace(terms: CeremonyTerms, dealer: number, authorImage: Element): void {
  ceremonyIdOf(terms);
  const expected = authorKeyOf(terms, dealer);
  if (expected && sameEncoding(expected, authorImage)) return;
  throw invalid(dealer, 'its author is not that dealer');
}

/**
 * Checks everything about a dealing that can be checked in the same time however many receivers there
 * are: form, proofs, author. Whether the sealed shares lie on the polynomial their receivers check.
 * @throws KeysError INVALID_DEALING with the dealer, INVALID_TERMS
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
  const author = authorKeyOf(terms, dealer) as Element;
  const signed = { image: author, context: authorContext(contexts.id, dealing) };
  if (!isKnowledgeProven(signed, dealing.authorProof)) {
    throw invalid(dealer, 'it is not as its author made it');
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
  const shared = times(receiver.decryptionKey, dealing.ephemeral);
  const value = openWith(terms, dealing, { index: receiver.index, shared });
  erase(shared);
  return value;
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
  const key = shareKey(ceremonyIdOf(terms), dealing, receiver, shared);
  let opened: Uint8Array | undefined;
  try {
    opened = aeadOpen(key, shareNonce, emptyBytes, sealed);
    return toScalar(opened);
  } catch (error) {
    if (error instanceof CryptoError || error instanceof KeysError) return undefined;
    throw error;
  } finally {
    erase(key, opened);
  }
}

/** Whether a value is the one that the dealing's commitments say lies at the index. */
export const isValueDealt = ({ commitments }: Dealing, index: number, value: Scalar): boolean =>
  sameEncoding(timesBase(value), imageAt(commitments, index));

/**
 * Bytes: u8 1, u8 dealer, u8 count and commitments, proof, ephemeral, proof, u8 count and shares, the
 * author's proof.
 */
export const encodeDealing = (dealing: Dealing): Uint8Array =>
  concatBytes(encodeBody(dealing), dealing.authorProof);

function encodeBody(dealing: Omit<Dealing, 'authorProof'>): Uint8Array {
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
      authorProof: take(knowledgeProofBytes),
    };
    reader.end();
    if (dealer < 1 || dealing.commitments.length === 0 || dealing.sealedShares.length === 0) {
      throw new KeysError('MALFORMED', 'a dealing without dealer, commitments or shares');
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

const authorContext = (id: Digest, body: Omit<Dealing, 'authorProof'>): Uint8Array =>
  sha512(joinFields('concordat dealing v1', id, encodeBody(body)));

function drawScalarFrom(entropy: (bytes: number) => Uint8Array): Scalar {
  const bytes = entropy(scalarEntropyBytes);
  const scalar = drawScalar(bytes);
  erase(bytes);
  return scalar;
}

function contextsOf(terms: CeremonyTerms, dealer: number) {
  const id = ceremonyIdOf(terms);
  return {
    id,
    secret: sha512(joinFields('concordat dealt secret v1', id, dealer)),
    ephemeral: sha512(joinFields('concordat dealt ephemeral v1', id, dealer)),
  };
}
