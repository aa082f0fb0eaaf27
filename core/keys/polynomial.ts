import { assert } from '@concordat/std';
import {
  addElements,
  addScalars,
  drawScalar,
  type Element,
  erase,
  invertScalar,
  multiplyScalars,
  type Scalar,
  scalarEntropyBytes,
  scalarOf,
  subtractScalars,
  times,
  timesBase,
} from './ristretto.ts';
import { additionsPerStep, finishSteps, multiplicationsPerStep, type Steps } from './steps.ts';

/** Most holders of a key, and so the highest index and threshold. */
export const maxHolders = 255;

/**
 * A secret polynomial of degree `threshold - 1`; any `threshold` of its values determine it, fewer
 * say nothing of its value at 0 (Shamir 1979).
 */
export interface Polynomial {
  /** Lowest first: `coefficients[0]` is the secret. */
  readonly coefficients: readonly Scalar[];
}

/** Draws a polynomial; its secret too unless one is given. */
export function drawPolynomial(
  threshold: number,
  entropy: (bytes: number) => Uint8Array,
  secret?: Scalar,
): Polynomial {
  assert(threshold >= 1 && threshold <= maxHolders, `threshold of ${threshold}`);
  const coefficients = Array.from({ length: threshold }, (_, at) =>
    at === 0 && secret ? (Uint8Array.from(secret) as Scalar) : draw(entropy),
  );
  return { coefficients };
}

function draw(entropy: (bytes: number) => Uint8Array): Scalar {
  const bytes = entropy(scalarEntropyBytes);
  const scalar = drawScalar(bytes);
  bytes.fill(0);
  return scalar;
}

/** The polynomial's value at a holder's index, 1 to {@link maxHolders}. */
export function valueAt({ coefficients }: Polynomial, index: number): Scalar {
  requireIndex(index);
  const x = scalarOf(index);
  let value = scalarOf(0);
  for (let at = coefficients.length - 1; at >= 0; at--) {
    const product = multiplyScalars(value, x);
    erase(value);
    value = addScalars(product, coefficients[at] as Scalar);
    erase(product);
  }
  return value;
}

/** Zeroes the coefficients. */
export const erasePolynomial = ({ coefficients }: Polynomial): void => erase(...coefficients);

/** What a dealer publishes of its polynomial: each coefficient times the generator (Feldman 1987). */
export const commitmentsTo = ({ coefficients }: Polynomial): Element[] =>
  coefficients.map(timesBase);

/** The polynomial's value at an index, times the generator, from its commitments alone. */
export const imageAt = (commitments: readonly Element[], index: number): Element =>
  finishSteps(imageSteps(commitments, index));

/** {@link imageAt} in steps. */
export function* imageSteps(commitments: readonly Element[], index: number): Steps<Element> {
  requireIndex(index);
  const x = scalarOf(index);
  let image = commitments.at(-1) as Element;
  for (let at = commitments.length - 2; at >= 0; at--) {
    image = addElements(times(x, image), commitments[at] as Element);
    if (at % multiplicationsPerStep === 0) yield;
  }
  return image;
}

/**
 * Commitments to the weighted sum of polynomials of one degree, in steps; without weights, to their
 * sum.
 */
export function* combinedCommitments(
  dealt: readonly { readonly commitments: readonly Element[]; readonly weight?: Scalar }[],
): Steps<Element[]> {
  const threshold = dealt[0]?.commitments.length ?? 0;
  const combined: Element[] = [];
  let done = 0;
  for (let at = 0; at < threshold; at++) {
    let sum: Element | undefined;
    for (const { commitments, weight } of dealt) {
      const commitment = commitments[at] as Element;
      const summand = weight ? times(weight, commitment) : commitment;
      sum = sum ? addElements(sum, summand) : summand;
      done++;
      if (done % (weight ? multiplicationsPerStep : additionsPerStep) === 0) yield;
    }
    combined.push(sum as Element);
  }
  return combined;
}

/**
 * What the value at one index counts when the polynomial's value at 0 is put together from the
 * values at these indices (Lagrange). Asserts that they are distinct and that it is among them.
 */
export function lagrangeAtZero(index: number, indices: readonly number[]): Scalar {
  assert(indices.includes(index), 'the index is one of the indices');
  assert(new Set(indices).size === indices.length, 'indices are distinct');
  let numerator = scalarOf(1);
  let denominator = scalarOf(1);
  for (const other of indices) {
    requireIndex(other);
    if (other === index) continue;
    numerator = multiplyScalars(numerator, scalarOf(other));
    denominator = multiplyScalars(denominator, subtractScalars(scalarOf(other), scalarOf(index)));
  }
  return multiplyScalars(numerator, invertScalar(denominator));
}

const requireIndex = (index: number): void =>
  assert(Number.isInteger(index) && index >= 1 && index <= maxHolders, `index ${index}`);
