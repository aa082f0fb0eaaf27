import { hkdfSha256 } from '@concordat/crypto';
import { assert, BinaryReader, BinaryWriter, emptyBytes, utf8 } from '@concordat/std';
import { equalityProofBytes, isEqualityProven, proveEquality } from './equality-proof.ts';
import { KeysError } from './errors.ts';
import { hashToElement, hashToScalar, joinFields } from './hash-to-group.ts';
import { lagrangeAtZero, maxHolders } from './polynomial.ts';
import {
  addScalars,
  drawScalar,
  type Element,
  erase,
  generator,
  groupBytes,
  multiplyScalars,
  type Scalar,
  sameEncoding,
  sha512,
  subtractElements,
  sumOfElements,
  times,
  timesBase,
  toElement,
  toScalar,
} from './ristretto.ts';

/** Bytes of what is encrypted: a session key. */
export const sealedMessageBytes = 32;
/** Bytes of an encoded ciphertext. */
export const ciphertextBytes = 1 + sealedMessageBytes + 4 * groupBytes;
/** Bytes of an encoded decryption share. */
export const decryptionShareBytes = 2 + groupBytes + equalityProofBytes;

const domain = {
  proof: utf8('concordat tdh2 ciphertext v1'),
  mask: utf8('concordat tdh2 mask v1'),
  share: 'concordat tdh2 share v1',
};
/** A second generator that stands in no known relation to the first. */
const secondBase = hashToElement(emptyBytes, utf8('concordat tdh2 second generator v1'));

/**
 * A message of 32 bytes that nobody reads without a threshold of decryption shares (TDH2: Shoup and
 * Gennaro, Securing Threshold Cryptosystems against Chosen Ciphertext Attack, 2002). Everybody can
 * check that it was well made, and for which label.
 */
export interface ThresholdCiphertext {
  /** Message XOR mask, 32 bytes. */
  readonly masked: Uint8Array;
  readonly u: Element;
  readonly secondU: Element;
  readonly challenge: Scalar;
  readonly response: Scalar;
}

/**
 * Encrypts 32 bytes under the public shared key.
 * @param request.label what it is for; holders give shares for labels they accept, and no part of a
 *   ciphertext can be moved to another
 * @param request.entropy128 128 bytes, never used for another encryption
 */
export function encryptToThreshold(request: {
  readonly publicKey: Element;
  readonly label: Uint8Array;
  readonly message32: Uint8Array;
  readonly entropy128: Uint8Array;
}): ThresholdCiphertext {
  const { publicKey, label, message32, entropy128 } = request;
  assert(message32.length === sealedMessageBytes, `message of ${message32.length} bytes`);
  assert(entropy128.length === 128, `entropy of ${entropy128.length} bytes`);
  const r = drawScalar(entropy128.subarray(0, 64));
  const nonce = drawScalar(entropy128.subarray(64));
  const u = timesBase(r);
  const secondU = times(r, secondBase);
  const shared = times(r, publicKey);
  const mask = maskOf(shared);
  const masked = xor(message32, mask);
  const challenge = challengeOf(
    { masked, u, secondU },
    { label, first: timesBase(nonce), second: times(nonce, secondBase) },
  );
  const product = multiplyScalars(r, challenge);
  const response = addScalars(nonce, product);
  erase(r, nonce, shared, mask, product);
  return { masked, u, secondU, challenge, response };
}

/** Whether a ciphertext was made for this label by someone who knew what is in it. */
export function isCiphertextValid(ciphertext: ThresholdCiphertext, label: Uint8Array): boolean {
  const { u, secondU, challenge, response } = ciphertext;
  const first = subtractElements(timesBase(response), times(challenge, u));
  const second = subtractElements(times(response, secondBase), times(challenge, secondU));
  return sameEncoding(challengeOf(ciphertext, { label, first, second }), challenge);
}

/** One holder's contribution to reading one ciphertext; it says nothing of the holder's secret. */
export interface DecryptionShare {
  /** The holder's index, 1 to 255. */
  readonly index: number;
  readonly value: Element;
  /** That value and verification key have one logarithm, 64 bytes. */
  readonly proof: Uint8Array;
}

/** Which ciphertext a share is for, and who may use it. */
export interface ShareRequest {
  readonly ciphertext: ThresholdCiphertext;
  readonly label: Uint8Array;
  /** Whom the share is given to, as the holder knows it: a share for one is none for another. */
  readonly requester: Uint8Array;
}

/**
 * A holder's decryption share. Whether it may be given (the label is committed, the requester is
 * entitled) is the caller's question, and asked before.
 * @throws KeysError INVALID_CIPHERTEXT: a share for a forged one would be an oracle
 */
export function createDecryptionShare(
  request: ShareRequest,
  holder: { readonly index: number; readonly secret: Scalar },
  entropy64: Uint8Array,
): DecryptionShare {
  const { ciphertext, label } = request;
  if (!isCiphertextValid(ciphertext, label)) {
    throw new KeysError('INVALID_CIPHERTEXT', 'the ciphertext does not hold for its label');
  }
  const value = times(holder.secret, ciphertext.u);
  const statement = statementOf(request, {
    index: holder.index,
    value,
    verificationKey: timesBase(holder.secret),
  });
  return {
    index: holder.index,
    value,
    proof: proveEquality(holder.secret, statement, entropy64),
  };
}

/** Whether a share is the right one of the holder with this verification key. */
export function isDecryptionShareValid(
  request: ShareRequest,
  share: DecryptionShare,
  verificationKey: Element,
): boolean {
  const statement = statementOf(request, { ...share, verificationKey });
  return isEqualityProven(statement, share.proof);
}

/** What a combination is checked against. */
export interface CombinationKey {
  readonly threshold: number;
  /** The verification key of a holder; undefined when there is none of this index. */
  verificationKey(index: number): Element | undefined;
}

/**
 * Puts the message together from shares of `threshold` different holders. Every share is checked,
 * also beyond the threshold.
 * @returns 32 bytes
 * @throws KeysError INVALID_CIPHERTEXT, INVALID_SHARE and DUPLICATE_SHARE with the index,
 *   TOO_FEW_SHARES
 */
export function combineDecryptionShares(
  request: ShareRequest,
  shares: readonly DecryptionShare[],
  key: CombinationKey,
): Uint8Array {
  const { ciphertext, label } = request;
  assert(key.threshold >= 1, 'a key of no shares at all');
  if (!isCiphertextValid(ciphertext, label)) {
    throw new KeysError('INVALID_CIPHERTEXT', 'the ciphertext does not hold for its label');
  }
  const seen = new Set<number>();
  for (const share of shares) {
    const { index } = share;
    if (seen.has(index)) {
      throw new KeysError('DUPLICATE_SHARE', `two shares of holder ${index}`, { index });
    }
    seen.add(index);
    const verificationKey = key.verificationKey(index);
    if (!verificationKey || !isDecryptionShareValid(request, share, verificationKey)) {
      throw new KeysError('INVALID_SHARE', `the share of holder ${index} does not hold`, { index });
    }
  }
  if (shares.length < key.threshold) {
    const why = `${shares.length} of ${key.threshold} shares`;
    throw new KeysError('TOO_FEW_SHARES', why, { have: shares.length, need: key.threshold });
  }
  const used = shares.slice(0, key.threshold);
  const indices = used.map(({ index }) => index);
  const shared = sumOfElements(
    used.map(({ index, value }) => times(lagrangeAtZero(index, indices), value)),
  );
  const mask = maskOf(shared);
  const message = xor(ciphertext.masked, mask);
  erase(shared, mask);
  return message;
}

/** 161 bytes: u8 1, masked message, u, second u, challenge, response. */
export function encodeCiphertext(ciphertext: ThresholdCiphertext): Uint8Array {
  const { masked, u, secondU, challenge, response } = ciphertext;
  return new BinaryWriter()
    .u8(1)
    .raw(masked)
    .raw(u)
    .raw(secondU)
    .raw(challenge)
    .raw(response)
    .take();
}

/**
 * Reads a ciphertext; whether it is valid is still to be asked.
 * @throws KeysError MALFORMED, INVALID_ELEMENT, INVALID_SCALAR
 */
export function decodeCiphertext(bytes: Uint8Array): ThresholdCiphertext {
  if (bytes.length !== ciphertextBytes || bytes[0] !== 1) {
    throw new KeysError('MALFORMED', 'not a ciphertext of version 1');
  }
  const reader = new BinaryReader(bytes, 1);
  return {
    masked: Uint8Array.from(reader.raw(sealedMessageBytes)),
    u: toElement(reader.raw(groupBytes)),
    secondU: toElement(reader.raw(groupBytes)),
    challenge: toScalar(reader.raw(groupBytes)),
    response: toScalar(reader.raw(groupBytes)),
  };
}

/** 98 bytes: u16 index, value, proof. */
export const encodeDecryptionShare = ({ index, value, proof }: DecryptionShare): Uint8Array =>
  new BinaryWriter().u16(index).raw(value).raw(proof).take();

/** @throws KeysError MALFORMED, INVALID_ELEMENT */
export function decodeDecryptionShare(bytes: Uint8Array): DecryptionShare {
  if (bytes.length !== decryptionShareBytes) {
    throw new KeysError('MALFORMED', `decryption share of ${bytes.length} bytes`);
  }
  const reader = new BinaryReader(bytes);
  const index = reader.u16();
  if (index < 1 || index > maxHolders) {
    throw new KeysError('MALFORMED', `decryption share of holder ${index}`);
  }
  const value = toElement(reader.raw(groupBytes));
  return { index, value, proof: Uint8Array.from(reader.raw(equalityProofBytes)) };
}

/** The proof's context binds share, ciphertext, label and requester. */
function statementOf(
  { ciphertext, label, requester }: ShareRequest,
  share: { readonly index: number; readonly value: Element; readonly verificationKey: Element },
) {
  const bound = joinFields(domain.share, encodeCiphertext(ciphertext), label, requester);
  return {
    base: generator,
    image: share.verificationKey,
    otherBase: ciphertext.u,
    otherImage: share.value,
    context: sha512(joinFields(bound, share.index)),
  };
}

function challengeOf(
  { masked, u, secondU }: Pick<ThresholdCiphertext, 'masked' | 'u' | 'secondU'>,
  { label, first, second }: { label: Uint8Array; first: Element; second: Element },
): Scalar {
  return hashToScalar(joinFields(masked, label, u, first, secondU, second), domain.proof);
}

const maskOf = (shared: Element): Uint8Array =>
  hkdfSha256(shared, emptyBytes, domain.mask, sealedMessageBytes);

const xor = (a: Uint8Array, b: Uint8Array): Uint8Array =>
  a.map((byte, at) => byte ^ (b[at] as number));
