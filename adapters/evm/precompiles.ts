import { revisions } from './fork.ts';
import type { Precompile } from './precompile.ts';
import { blake2f } from './precompile-blake2f.ts';
import { blsG1Add, blsG1Multiply, blsG2Add, blsG2Multiply } from './precompile-bls12-groups.ts';
import { blsMapToG1, blsMapToG2, blsPairing } from './precompile-bls12-pairing.ts';
import { bn254Add, bn254Multiply, bn254Pairing } from './precompile-bn254.ts';
import { ecrecover } from './precompile-ecrecover.ts';
import { identity, ripemd160, sha256 } from './precompile-hashes.ts';
import { kzgPointEvaluation } from './precompile-kzg.ts';
import { modexp, modexpBerlin, modexpByzantium, modexpOsaka } from './precompile-modexp.ts';
import { p256Verify } from './precompile-p256.ts';

type Numbered = readonly (readonly [id: number, precompile: Precompile])[];

/** What each revision adds or prices anew, by the number of the address. */
const changes: readonly (readonly [revision: number, precompiles: Numbered])[] = [
  [
    revisions.frontier,
    [
      [0x01, ecrecover],
      [0x02, sha256],
      [0x03, ripemd160],
      [0x04, identity],
    ],
  ],
  [
    revisions.byzantium,
    [
      [0x05, modexp(modexpByzantium)],
      [0x06, bn254Add(500)],
      [0x07, bn254Multiply(40_000)],
      [0x08, bn254Pairing(100_000, 80_000)],
    ],
  ],
  [
    revisions.istanbul,
    [
      [0x06, bn254Add(150)],
      [0x07, bn254Multiply(6_000)],
      [0x08, bn254Pairing(45_000, 34_000)],
      [0x09, blake2f],
    ],
  ],
  [revisions.berlin, [[0x05, modexp(modexpBerlin)]]],
  [revisions.cancun, [[0x0a, kzgPointEvaluation]]],
  [
    revisions.prague,
    [
      [0x0b, blsG1Add],
      [0x0c, blsG1Multiply],
      [0x0d, blsG2Add],
      [0x0e, blsG2Multiply],
      [0x0f, blsPairing],
      [0x10, blsMapToG1],
      [0x11, blsMapToG2],
    ],
  ],
  [
    revisions.osaka,
    [
      [0x05, modexp(modexpOsaka)],
      [0x100, p256Verify],
    ],
  ],
];

const sets = new Map<number, ReadonlyMap<number, Precompile>>();

/**
 * Precompiles of a revision by the number of their address. The engine does the identity function
 * (4) itself and asks for the others.
 */
export function precompilesOf(revision: number): ReadonlyMap<number, Precompile> {
  let set = sets.get(revision);
  if (set === undefined) {
    set = new Map(changes.filter(([since]) => since <= revision).flatMap(([, added]) => added));
    sets.set(revision, set);
  }
  return set;
}
