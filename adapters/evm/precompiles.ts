import type { Precompile } from './precompile.ts';

const sets = new Map<number, ReadonlyMap<number, Precompile>>();

/** Precompiles of a revision by the number of their address. 4 is done by the engine itself. */
export function precompilesOf(revision: number): ReadonlyMap<number, Precompile> {
  let set = sets.get(revision);
  if (set === undefined) {
    set = new Map();
    sets.set(revision, set);
  }
  return set;
}
