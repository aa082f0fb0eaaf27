import { assert, concatBytes, utf8 } from '@concordat/std';
import { KeysError } from './errors.ts';
import { hashToScalar } from './hash-to-group.ts';
import {
  addScalars,
  drawScalar,
  type Element,
  erase,
  groupBytes,
  isIdentity,
  multiplyScalars,
  type Scalar,
  sameEncoding,
  subtractElements,
  times,
  timesBase,
  toScalar,
} from './ristretto.ts';

/** That the prover knows the logarithm of `image` to the generator. */
export interface KnowledgeStatement {
  readonly image: Element;
  /** What the proof is bound to: 1 to 200 bytes. */
  readonly context: Uint8Array;
}

/** Bytes of a proof of knowledge: commitment and response. */
export const knowledgeProofBytes = 2 * groupBytes;

/**
 * Proves knowledge of a secret scalar (Schnorr 1991, made non-interactive by hashing).
 * @param entropy64 64 bytes, never used for another proof
 * @returns 64 bytes
 */
export function proveKnowledge(
  secret: Scalar,
  statement: KnowledgeStatement,
  entropy64: Uint8Array,
): Uint8Array {
  const nonce = drawScalar(entropy64);
  const commitment = timesBase(nonce);
  const challenge = challengeOf(statement, commitment);
  const product = multiplyScalars(challenge, secret);
  const response = addScalars(nonce, product);
  erase(nonce, product);
  return concatBytes(commitment, response);
}

/** Whether a proof of knowledge (64 bytes) holds. Malformed proofs do not. */
export function isKnowledgeProven(statement: KnowledgeStatement, proof: Uint8Array): boolean {
  if (proof.length !== knowledgeProofBytes || isIdentity(statement.image)) return false;
  const commitment = proof.subarray(0, groupBytes) as Element;
  let response: Scalar;
  try {
    response = toScalar(proof.subarray(groupBytes));
  } catch (error) {
    if (error instanceof KeysError) return false;
    throw error;
  }
  const challenge = challengeOf(statement, commitment);
  // Compared as encodings, so that a commitment that is no element equals nothing.
  const expected = subtractElements(timesBase(response), times(challenge, statement.image));
  return sameEncoding(expected, commitment);
}

function challengeOf({ image, context }: KnowledgeStatement, commitment: Element): Scalar {
  assert(context.length > 0 && context.length <= 200, 'context of 1 to 200 bytes');
  return hashToScalar(concatBytes(image, commitment), concatBytes(utf8('Knowledge-'), context));
}
