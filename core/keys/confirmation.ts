import { sha256 } from '@concordat/crypto';
import { BinaryReader, BinaryWriter, type Digest } from '@concordat/std';
import { type CeremonyTerms, ceremonyIdOf } from './ceremony-terms.ts';
import { type Dealing, encodeDealing } from './dealing.ts';
import { KeysError } from './errors.ts';
import { joinFields } from './hash-to-group.ts';
import { isKnowledgeProven, knowledgeProofBytes, proveKnowledge } from './knowledge-proof.ts';
import { maxHolders } from './polynomial.ts';
import { type Scalar, sha512, timesBase } from './ristretto.ts';

/**
 * A receiver says that it holds its share of the key that these dealings make. Only the receiver can
 * say so, and of no other dealings: else whoever orders the ledger could end the checking for it.
 */
export interface Confirmation {
  readonly receiver: number;
  /** Proof of knowledge of the receiver's decryption key, 64 bytes. */
  readonly proof: Uint8Array;
}

/** Bytes of an encoded confirmation. */
export const confirmationBytes = 2 + knowledgeProofBytes;

/** What names a dealing: SHA-256 of its bytes. */
export const dealingDigest = (dealing: Dealing): Digest => sha256(encodeDealing(dealing));

/**
 * Confirms that the share is held. Only after `receiveShare` found it good.
 * @param counting digests of the dealings that count, in the order of their dealers
 * @param entropy64 64 bytes, never used for another proof
 */
export function createConfirmation(
  terms: CeremonyTerms,
  counting: readonly Digest[],
  receiver: { readonly index: number; readonly decryptionKey: Scalar },
  entropy64: Uint8Array,
): Confirmation {
  const { index, decryptionKey } = receiver;
  const context = contextOf(terms, counting, index);
  const image = timesBase(decryptionKey);
  return { receiver: index, proof: proveKnowledge(decryptionKey, { image, context }, entropy64) };
}

/** @throws KeysError INVALID_CONFIRMATION: of no receiver, not its own, or of other dealings */
export function requireConfirmation(
  terms: CeremonyTerms,
  counting: readonly Digest[],
  { receiver, proof }: Confirmation,
): void {
  const place = terms.receivers.find(({ index }) => index === receiver);
  const context = contextOf(terms, counting, receiver);
  if (place && isKnowledgeProven({ image: place.encryptionKey, context }, proof)) return;
  const why = `the confirmation of receiver ${receiver} does not hold for these dealings`;
  throw new KeysError('INVALID_CONFIRMATION', why, { receiver });
}

/** 66 bytes: u8 1, u8 receiver, proof. */
export const encodeConfirmation = ({ receiver, proof }: Confirmation): Uint8Array =>
  new BinaryWriter().u8(1).u8(receiver).raw(proof).take();

/** @throws KeysError MALFORMED */
export function decodeConfirmation(bytes: Uint8Array): Confirmation {
  const receiver = bytes[1] ?? 0;
  if (bytes.length !== confirmationBytes || bytes[0] !== 1 || receiver < 1) {
    throw new KeysError('MALFORMED', 'not a confirmation of version 1');
  }
  const proof = Uint8Array.from(new BinaryReader(bytes, 2).raw(knowledgeProofBytes));
  return { receiver, proof };
}

function contextOf(
  terms: CeremonyTerms,
  counting: readonly Digest[],
  receiver: number,
): Uint8Array {
  const id = ceremonyIdOf(terms);
  const safe = Number.isInteger(receiver) && receiver >= 0 && receiver <= maxHolders ? receiver : 0;
  return sha512(joinFields('concordat confirmation v1', id, safe, counting.length, ...counting));
}
