import { BinaryReader, BinaryWriter } from '@concordat/std';
import { type CeremonyTerms, ceremonyIdOf } from './ceremony-terms.ts';
import { type Dealing, isValueDealt, openWith } from './dealing.ts';
import { equalityProofBytes, isEqualityProven, proveEquality } from './equality-proof.ts';
import { KeysError } from './errors.ts';
import { joinFields } from './hash-to-group.ts';
import {
  type Element,
  generator,
  groupBytes,
  type Scalar,
  sha512,
  times,
  timesBase,
  toElement,
} from './ristretto.ts';

/**
 * A receiver's proof that a dealer cheated it: the point that decrypts its share, so that everybody
 * can look, and the proof that it is the right one. It gives away that one value and nothing else.
 */
export interface Complaint {
  readonly dealer: number;
  readonly accuser: number;
  /** e·R: the accuser's decryption key times the dealer's ephemeral key. */
  readonly shared: Element;
  /** 64 bytes. */
  readonly proof: Uint8Array;
}

/** Bytes of an encoded complaint. */
export const complaintBytes = 3 + groupBytes + equalityProofBytes;

/** Who is at fault: the dealer, or an accuser that got what it was promised. */
export type Judgement = 'dealer' | 'accuser';

/**
 * Complains about a dealing whose value did not open or does not fit the commitments.
 * @param entropy64 64 bytes, never used for another proof
 */
export function createComplaint(
  terms: CeremonyTerms,
  dealing: Dealing,
  accuser: { readonly index: number; readonly decryptionKey: Scalar },
  entropy64: Uint8Array,
): Complaint {
  const { index, decryptionKey } = accuser;
  const shared = times(decryptionKey, dealing.ephemeral);
  const statement = statementOf(terms, dealing, {
    index,
    shared,
    encryptionKey: timesBase(decryptionKey),
  });
  const proof = proveEquality(decryptionKey, statement, entropy64);
  return { dealer: dealing.dealer, accuser: index, shared, proof };
}

/**
 * Looks at the share that a complaint lays open. Everybody comes to the same judgement.
 * @throws KeysError INVALID_COMPLAINT when it is not about this dealing or not proved, INVALID_TERMS
 */
export function judge(terms: CeremonyTerms, dealing: Dealing, complaint: Complaint): Judgement {
  const { dealer, accuser, shared, proof } = complaint;
  const receiver = terms.receivers.find(({ index }) => index === accuser);
  const { encryptionKey } = receiver ?? {};
  const isProven =
    encryptionKey !== undefined &&
    dealer === dealing.dealer &&
    isEqualityProven(statementOf(terms, dealing, { index: accuser, shared, encryptionKey }), proof);
  if (!isProven) {
    const why = `the complaint of ${accuser} about ${dealer} does not hold`;
    throw new KeysError('INVALID_COMPLAINT', why, { accuser, dealer });
  }
  // The proof says that this is the point the sealed share was to be opened with.
  const value = openWith(terms, dealing, { index: accuser, shared });
  return value && isValueDealt(dealing, accuser, value) ? 'accuser' : 'dealer';
}

/** 99 bytes: u8 1, u8 dealer, u8 accuser, shared point, proof. */
export const encodeComplaint = ({ dealer, accuser, shared, proof }: Complaint): Uint8Array =>
  new BinaryWriter().u8(1).u8(dealer).u8(accuser).raw(shared).raw(proof).take();

/** @throws KeysError MALFORMED, INVALID_ELEMENT */
export function decodeComplaint(bytes: Uint8Array): Complaint {
  if (bytes.length !== complaintBytes || bytes[0] !== 1) {
    throw new KeysError('MALFORMED', 'not a complaint of version 1');
  }
  const reader = new BinaryReader(bytes, 1);
  const dealer = reader.u8();
  const accuser = reader.u8();
  if (dealer < 1 || accuser < 1) throw new KeysError('MALFORMED', 'a complaint of or about 0');
  const shared = toElement(reader.raw(groupBytes));
  return { dealer, accuser, shared, proof: Uint8Array.from(reader.raw(equalityProofBytes)) };
}

function statementOf(
  terms: CeremonyTerms,
  { dealer, ephemeral }: Dealing,
  accuser: { readonly index: number; readonly shared: Element; readonly encryptionKey: Element },
) {
  const { index, shared, encryptionKey } = accuser;
  return {
    base: generator,
    image: encryptionKey,
    otherBase: ephemeral,
    otherImage: shared,
    context: sha512(joinFields('concordat complaint v1', ceremonyIdOf(terms), dealer, index)),
  };
}
