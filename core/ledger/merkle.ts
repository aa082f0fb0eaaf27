import { sha256Latin1 } from '@concordat/crypto';
import { toHex } from '@concordat/std';

/** One step of an inclusion proof: the sibling (64 hex digits) and the side it stands on. */
export type ProofStep = { readonly left: string } | { readonly right: string };

/** A digest that is SHA-256(left ‖ right), with its two children. */
export interface Branch {
  readonly digest: string;
  readonly left: string;
  readonly right: string;
}

const pair = Buffer.alloc(64);

/** SHA-256(left ‖ right) of two digests as binary strings. */
export function combine(left: string, right: string): string {
  pair.write(left, 0, 32, 'latin1');
  pair.write(right, 32, 32, 'latin1');
  return sha256Latin1(pair);
}

/** The 64 bytes left ‖ right: what is signed with SHA-256 to sign their parent digest. */
export const childrenBytes = ({ left, right }: Omit<Branch, 'digest'>): Buffer =>
  Buffer.from(left + right, 'latin1');

/**
 * Folds two or more leaves to their root: pairwise, an odd last one carried up unchanged. The array
 * is used up.
 */
export function foldLeaves(leaves: string[]): Branch {
  let length = leaves.length;
  for (; length > 2; length = (length + 1) >> 1) {
    for (let i = 0; i < length; i += 2) {
      const left = leaves[i] as string;
      leaves[i >> 1] = i + 1 < length ? combine(left, leaves[i + 1] as string) : left;
    }
  }
  const [left = '', right = ''] = leaves;
  return { digest: combine(left, right), left, right };
}

/** The levels of the tree over leaves, from the leaves up, without the root: for many proofs. */
export function treeLevels(leaves: readonly string[]): readonly (readonly string[])[] {
  const levels: (readonly string[])[] = [];
  for (let level = leaves; level.length > 1; ) {
    levels.push(level);
    const above: string[] = [];
    for (let i = 0; i < level.length; i += 2) {
      const left = level[i] as string;
      above.push(i + 1 < level.length ? combine(left, level[i + 1] as string) : left);
    }
    level = above;
  }
  return levels;
}

/** The steps from one of the leaves to their root. */
export function proveLeaf(levels: readonly (readonly string[])[], index: number): ProofStep[] {
  const steps: ProofStep[] = [];
  let at = index;
  for (const level of levels) {
    if ((at & 1) === 1) steps.push({ left: hexOf(level[at - 1] as string) });
    else if (at + 1 < level.length) steps.push({ right: hexOf(level[at + 1] as string) });
    at >>= 1;
  }
  return steps;
}

/** Lowercase hex of a digest as binary string. */
export const hexOf = (digest: string): string => toHex(Buffer.from(digest, 'latin1'));

/** The branch a proof ends in: the root and its two children; undefined for an empty proof. */
export function followProof(leaf: string, steps: readonly ProofStep[]): Branch | undefined {
  let branch: Branch | undefined;
  for (const step of steps) {
    const digest: string = branch?.digest ?? leaf;
    const sibling = Buffer.from('left' in step ? step.left : step.right, 'hex').toString('latin1');
    const [left, right] = 'left' in step ? [sibling, digest] : [digest, sibling];
    branch = { digest: combine(left, right), left, right };
  }
  return branch;
}
