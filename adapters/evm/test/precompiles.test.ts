import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { forkOf } from '../fork.ts';
import type { Precompile } from '../precompile.ts';
import { precompilesOf } from '../precompiles.ts';
import { Bytes, distorted, makers } from './precompile-inputs.ts';
import { type Answer, referencePrecompiles } from './precompile-reference.ts';

/** Runs of each precompile in each fork that changed one; the slow reference sets the number. */
const runs = Number(process.env.PRECOMPILE_RUNS ?? 12);
const plenty = 30_000_000;

function answerOf(precompile: Precompile, input: Uint8Array, gas: number): Answer {
  const cost = precompile.gas(input);
  if (cost > gas) return 'failure';
  const output = precompile.run(input);
  if (output === undefined) return 'failure';
  return { gas: cost, output: Buffer.from(output).toString('hex') };
}

const firstForks = ['chainstart', 'byzantium', 'istanbul', 'berlin', 'cancun', 'prague', 'osaka'];

for (const name of firstForks) {
  describe(`precompiles of ${name}`, () => {
    const reference = referencePrecompiles(name);
    const own = precompilesOf(forkOf(name).revision);

    test('are those of the reference', () => {
      assert.deepEqual([...own.keys()].toSorted(order), [...reference.ids].toSorted(order));
    });

    const last = firstForks[firstForks.indexOf(name) - 1];
    const before = last === undefined ? new Map() : precompilesOf(forkOf(last).revision);
    for (const [id, precompile] of own) {
      // What did not change is compared where it came.
      if (before.get(id) === precompile) continue;
      test(`0x${id.toString(16)} answers good, bent and broken inputs as the reference does`, async () => {
        const bytes = new Bytes(`${name} ${id}`);
        const make = makers.get(id);
        assert.ok(make, 'inputs are made for each');
        for (let run = 0; run < runs; run++) {
          const input = distorted(make(bytes), bytes);
          const expected = await reference.run(id, input, plenty);
          const mine = answerOf(precompile, input, plenty);
          assert.deepEqual(mine, expected, `input ${Buffer.from(input).toString('hex')}`);
        }
      });
    }
  });
}

const order = (a: number, b: number): number => a - b;
