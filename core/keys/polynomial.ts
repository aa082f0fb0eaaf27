import { assert } from '@concordat/std';
import {
  addElements,
  addScalars,
  drawScalar,
  type Element,
  invertScalar,
  multiplyScalars,
  type Scalar,
  scalarEntropyBytes,
  scalarOf,
  subtractScalars,
  sumOfElements,
  times,
  timesBase,
} from './ristretto.ts';

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
    value = addScalars(multiplyScalars(value, x), coefficients[at] as Scalar);
  }
  return value;
}

/** Zeroes the coefficients. */
export function erasePolynomial({ coefficients }: Polynomial): void {
  for (const coefficient of coefficients) coefficient.fill(0);
}

/** What a dealer publishes of its polynomial: each coefficient times the generator (Feldman 1987). */
export const commitmentsTo = ({ coefficients }: Polynomial): Element[] =>
  coefficients.map(timesBase);

/** The polynomial's value at an index, times the generator, from its commitments alone. */
export function imageAt(commitments: readonly Element[], index: number): Element {
  requireIndex(index);
  const x = scalarOf(index);
  let image = commitments.at(-1) as Element;
  for (let at = commitments.length - 2; at >= 0; at--) {
    image = addElements(times(x, image), commitments[at] as Element);
  }
  return image;
}

/** Commitments to the weighted sum of polynomials of one degree; without weights, to their sum. */
export function combinedCommitments(
  dealt: readonly { readonly commitments: readonly Element[]; readonly weight?: Scalar }[],
): Element[] {
  const threshold = dealt[0]?.commitments.length ?? 0;
  return Array.from({ length: threshold }, (_, at) =>
    sumOfElements(
      dealt.map(({ commitments, weight }) => {
        const commitment = commitments[at] as Element;
        return weight ? times(weight, commitment) : commitment;
      }),
    ),
  );
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
