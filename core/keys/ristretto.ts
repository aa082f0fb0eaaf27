import { constantTimeEqual } from '@concordat/crypto';
import { assert } from '@concordat/std';
import sodium from 'libsodium-wrappers-sumo';
import { KeysError } from './errors.ts';

// The library is compiled code that is ready once it is instantiated; nothing else here waits.
await sodium.ready;

declare const scalarBrand: unique symbol;
declare const elementBrand: unique symbol;

/** An integer modulo the order of the group: 32 bytes, little-endian, reduced. */
export type Scalar = Uint8Array & { readonly [scalarBrand]: true };
/** An element of ristretto255 (RFC 9496) in its one encoding: 32 bytes. */
export type Element = Uint8Array & { readonly [elementBrand]: true };

/** Bytes of a scalar and of an element. */
export const groupBytes = 32;
/** Bytes of entropy a scalar is drawn from: twice its size, so that it is unbiased. */
export const scalarEntropyBytes = 64;

const zero = new Uint8Array(groupBytes) as Scalar;
const identity = new Uint8Array(groupBytes) as Element;

/** The scalar that 64 uniform bytes stand for (little-endian, reduced). */
export function toScalarFromUniform(bytes64: Uint8Array): Scalar {
  assert(bytes64.length === scalarEntropyBytes, `scalar from ${bytes64.length} bytes`);
  return sodium.crypto_core_ristretto255_scalar_reduce(bytes64) as Scalar;
}

/** A secret scalar drawn from 64 bytes of entropy. Asserts that it is not zero. */
export function drawScalar(entropy64: Uint8Array): Scalar {
  const scalar = toScalarFromUniform(entropy64);
  assert(!isZero(scalar), 'the entropy is all zeros');
  return scalar;
}

/** A small number as a scalar: 0 to 2^32-1. */
export function scalarOf(value: number): Scalar {
  assert(Number.isInteger(value) && value >= 0 && value < 2 ** 32, `scalar of ${value}`);
  const bytes = new Uint8Array(groupBytes);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes as Scalar;
}

/**
 * Foreign bytes as a scalar, zero included.
 * @throws KeysError INVALID_SCALAR when they are not 32 bytes below the group's order
 */
export function toScalar(bytes: Uint8Array): Scalar {
  if (bytes.length === groupBytes) {
    const wide = new Uint8Array(scalarEntropyBytes);
    wide.set(bytes);
    const reduced = sodium.crypto_core_ristretto255_scalar_reduce(wide);
    wide.fill(0);
    if (constantTimeEqual(reduced, bytes)) return reduced as Scalar;
  }
  throw new KeysError('INVALID_SCALAR', 'not a scalar of ristretto255');
}

/**
 * Foreign bytes as an element other than the identity. ristretto255 has prime order: there are no
 * small-order elements to refuse beside it.
 * @throws KeysError INVALID_ELEMENT when they are no canonical encoding, or the identity
 */
export function toElement(bytes: Uint8Array): Element {
  if (bytes.length === groupBytes && !isIdentity(bytes as Element)) {
    const copy = Uint8Array.from(bytes);
    if (sodium.crypto_core_ristretto255_is_valid_point(copy)) return copy as Element;
  }
  throw new KeysError('INVALID_ELEMENT', 'not an element of ristretto255, or its identity');
}

/** Whether a scalar is zero. */
export const isZero = (scalar: Scalar): boolean => constantTimeEqual(scalar, zero);

/** Whether an element is the identity. */
export const isIdentity = (element: Element): boolean =>
  element.length === groupBytes && constantTimeEqual(element, identity);

/** Whether two elements, or two scalars, are the same: each has one encoding. */
export const sameEncoding = (a: Element | Scalar, b: Element | Scalar): boolean =>
  constantTimeEqual(a, b);

/** a + b */
export const addScalars = (a: Scalar, b: Scalar): Scalar =>
  sodium.crypto_core_ristretto255_scalar_add(a, b) as Scalar;

/** a - b */
export const subtractScalars = (a: Scalar, b: Scalar): Scalar =>
  sodium.crypto_core_ristretto255_scalar_sub(a, b) as Scalar;

/** a · b */
export const multiplyScalars = (a: Scalar, b: Scalar): Scalar =>
  sodium.crypto_core_ristretto255_scalar_mul(a, b) as Scalar;

/** 1 / a. Asserts that a is not zero. */
export function invertScalar(a: Scalar): Scalar {
  assert(!isZero(a), 'zero has no inverse');
  return sodium.crypto_core_ristretto255_scalar_invert(a) as Scalar;
}

/** P + Q */
export const addElements = (p: Element, q: Element): Element =>
  sodium.crypto_core_ristretto255_add(p, q) as Element;

/** P - Q */
export const subtractElements = (p: Element, q: Element): Element =>
  sodium.crypto_core_ristretto255_sub(p, q) as Element;

/** k·B for the group's generator B, in constant time but for k = 0. */
export const timesBase = (k: Scalar): Element =>
  isZero(k) ? identity : (sodium.crypto_scalarmult_ristretto255_base(k) as Element);

/** The group's generator B. */
export const generator: Element = timesBase(scalarOf(1));

/** k·P, in constant time but for k = 0 and the identity. */
export const times = (k: Scalar, p: Element): Element =>
  isZero(k) || isIdentity(p) ? identity : (sodium.crypto_scalarmult_ristretto255(k, p) as Element);

/** The sum of the elements; the identity of none. */
export const sumOfElements = (elements: Iterable<Element>): Element => {
  let sum = identity;
  for (const element of elements) sum = addElements(sum, element);
  return sum;
};

/** The element that 64 uniform bytes map to (RFC 9496, 4.3.4): nobody knows its logarithm. */
export const toElementFromUniform = (bytes64: Uint8Array): Element =>
  sodium.crypto_core_ristretto255_from_hash(bytes64) as Element;

/**
 * Overwrites secrets with zeros. What the compiled library copied into its own memory, and what the
 * runtime moved while collecting garbage, is out of reach.
 */
export function erase(...secrets: readonly (Uint8Array | undefined)[]): void {
  for (const secret of secrets) secret?.fill(0);
}

/** SHA-512 (FIPS 180-4): 64 bytes. */
export const sha512 = (bytes: Uint8Array): Uint8Array => sodium.crypto_hash_sha512(bytes);
