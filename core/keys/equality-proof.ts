import { assert, BinaryWriter, concatBytes, utf8 } from '@concordat/std';
import { KeysError } from './errors.ts';
import { hashToScalar } from './hash-to-group.ts';
import {
  addElements,
  drawScalar,
  type Element,
  erase,
  groupBytes,
  isIdentity,
  multiplyScalars,
  type Scalar,
  sameEncoding,
  sha512,
  subtractScalars,
  times,
  toScalar,
} from './ristretto.ts';

/** That `secret·base = image` and `secret·otherBase = otherImage` for one secret. */
export interface EqualityStatement {
  /** Not hashed into the proof (RFC 9497 has one for all): never let a prover choose it. */
  readonly base: Element;
  readonly image: Element;
  readonly otherBase: Element;
  readonly otherImage: Element;
  /** What the proof is bound to: 1 to 200 bytes; a proof for one context proves nothing in another. */
  readonly context: Uint8Array;
}

/** Bytes of a proof: challenge and response, a scalar each. */
export const equalityProofBytes = 2 * groupBytes;

const text = {
  seed: utf8('Seed-'),
  composite: utf8('Composite'),
  challenge: utf8('Challenge'),
  hashToScalar: utf8('HashToScalar-'),
};

/**
 * Proves that two elements have the same logarithm (Chaum and Pedersen 1992), byte for byte as
 * RFC 9497, 2.2.1 GenerateProof with one pair.
 * @param entropy64 64 bytes, never used for another proof
 * @returns 64 bytes
 */
export function proveEquality(
  secret: Scalar,
  statement: EqualityStatement,
  entropy64: Uint8Array,
): Uint8Array {
  const nonce = drawScalar(entropy64);
  const weight = weightOf(statement);
  const composite = times(weight, statement.otherBase);
  const challenge = challengeOf(statement, {
    composite,
    image: times(secret, composite),
    first: times(nonce, statement.base),
    second: times(nonce, composite),
  });
  const product = multiplyScalars(challenge, secret);
  const response = subtractScalars(nonce, product);
  erase(nonce, product);
  return concatBytes(challenge, response);
}

/** Whether a proof (64 bytes) holds for the statement. Malformed proofs do not. RFC 9497, 2.2.2. */
export function isEqualityProven(statement: EqualityStatement, proof: Uint8Array): boolean {
  const { base, image, otherBase, otherImage } = statement;
  if (proof.length !== equalityProofBytes) return false;
  if ([base, image, otherBase, otherImage].some(isIdentity)) return false;
  const scalars = scalarsOf(proof);
  if (!scalars) return false;
  const { challenge, response } = scalars;
  const weight = weightOf(statement);
  const composite = times(weight, otherBase);
  const compositeImage = times(weight, otherImage);
  const expected = challengeOf(statement, {
    composite,
    image: compositeImage,
    first: addElements(times(response, base), times(challenge, image)),
    second: addElements(times(response, composite), times(challenge, compositeImage)),
  });
  return sameEncoding(expected, challenge);
}

function scalarsOf(proof: Uint8Array): { challenge: Scalar; response: Scalar } | undefined {
  try {
    return {
      challenge: toScalar(proof.subarray(0, groupBytes)),
      response: toScalar(proof.subarray(groupBytes)),
    };
  } catch (error) {
    if (error instanceof KeysError) return undefined;
    throw error;
  }
}

/** RFC 9497, 2.2.1 ComputeComposites for a list of one. */
function weightOf({ image, otherBase, otherImage, context }: EqualityStatement): Scalar {
  assert(context.length > 0 && context.length <= 200, 'context of 1 to 200 bytes');
  const writer = new BinaryWriter();
  const seedDomain = concatBytes(text.seed, context);
  const seed = sha512(
    writer.u16(groupBytes).raw(image).u16(seedDomain.length).raw(seedDomain).take(),
  );
  writer.u16(seed.length).raw(seed).u16(0);
  writer.u16(groupBytes).raw(otherBase).u16(groupBytes).raw(otherImage).raw(text.composite);
  return hashToScalar(writer.take(), concatBytes(text.hashToScalar, context));
}

function challengeOf(
  { image, context }: EqualityStatement,
  parts: { composite: Element; image: Element; first: Element; second: Element },
): Scalar {
  const writer = new BinaryWriter();
  for (const element of [image, parts.composite, parts.image, parts.first, parts.second]) {
    writer.u16(groupBytes).raw(element);
  }
  return hashToScalar(writer.raw(text.challenge).take(), concatBytes(text.hashToScalar, context));
}
