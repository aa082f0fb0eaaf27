import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BothEngines } from './both-engines.ts';
import { type Piece, program, push } from './bytecode.ts';
import { contract } from './scene.ts';

// Operations that often follow each other run as one in the engine's loop. Whether they do must never
// show: not in the gas, not in the stack's limits, not at the end of the code, not for who jumps into
// the midst of them.

const zero = push(0n, 1);
const one = push(1n, 1);

/** Sequences for a jump's target, with the words they want on the stack. */
const sequences: Readonly<Record<string, (target: bigint) => readonly Piece[]>> = {
  'LT JUMPI': (target) => ['LT', push(target, 2), 'JUMPI'],
  'GT JUMPI': (target) => ['GT', push(target, 2), 'JUMPI'],
  'EQ JUMPI': (target) => ['EQ', push(target, 2), 'JUMPI'],
  'ISZERO JUMPI': (target) => ['ISZERO', push(target, 2), 'JUMPI'],
  'ISZERO ISZERO JUMPI': (target) => ['ISZERO ISZERO', push(target, 2), 'JUMPI'],
  'SLT JUMPI': (target) => ['SLT', push(target, 2), 'JUMPI'],
  'LT ISZERO JUMPI by one byte': (target) => ['LT ISZERO', push(target & 255n, 1), 'JUMPI'],
  'PUSH2 JUMPI': (target) => [push(target, 2), 'JUMPI'],
  'PUSH2 JUMP': (target) => [push(target, 2), 'JUMP'],
  'POP POP POP': () => ['POP POP POP'],
  'an address mask': () => [one, one, push(160n, 1), 'SHL SUB AND'],
  'an address mask over a jump': (target) => [
    one,
    one,
    push(160n, 1),
    'SHL SUB',
    push(target, 2),
    'JUMPI',
  ],
  'DUP and SWAP': () => ['DUP1 DUP2 SWAP1 SWAP2 POP POP DUP3 ADD'],
};

/** The sequence on a stack of so many words with two operands on top, then a landing place. */
function laidOut(
  sequence: (target: bigint) => readonly Piece[],
  { height, top, off }: { height: number; top: readonly Uint8Array[]; off: bigint },
): Uint8Array {
  const operands = top.slice(0, height);
  const filling = Array.from({ length: height - operands.length }, () => zero);
  const before = program(...filling, ...operands);
  const after = program('ADDRESS POP STOP JUMPDEST CALLER POP CALLER POP');
  const landing = BigInt(before.length + program(...sequence(0xffffn)).length + 3);
  return program(before, ...sequence(landing + off), after);
}

const tops = [
  [zero, one],
  [one, zero],
  [one, one],
] as const;

for (const [name, sequence] of Object.entries(sequences)) {
  test(`${name} ends at every gas limit and every height of the stack as the reference ends it`, async () => {
    const engines = new BothEngines('osaka');
    const seen = { successes: 0, failures: 0 };
    const meet = async (code: Uint8Array, gasLimits: readonly number[], label: string) => {
      engines.place(contract, { code, nonce: 1n });
      for (const gas of gasLimits) {
        const fields = { gasLimit: BigInt(21_000 + gas) };
        const { status } = await engines.run(fields, `${label} with ${gas}`);
        if (status === 1) seen.successes++;
        else seen.failures++;
      }
    };
    const each = Array.from({ length: 48 }, (_, gas) => gas);
    for (const top of tops) {
      for (const off of [0n, 1n, -1n, 30_000n]) {
        for (const height of [0, 1, 2, 3, 4]) {
          const code = laidOut(sequence, { height, top, off });
          const gas = off === 0n ? each : [1_000];
          await meet(code, gas, `${height} words, ${off} off`);
          // The code ends anywhere within it.
          if (height === 3 && off === 0n) {
            for (let end = 1; end < code.length; end++) {
              await meet(code.subarray(0, end), [1_000], `the first ${end} bytes`);
            }
          }
        }
      }
      for (const height of [1_021, 1_022, 1_023, 1_024]) {
        const code = laidOut(sequence, { height, top, off: 0n });
        await meet(code, [3_072 + 5, 3_072 + 30, 4_000], `${height} words`);
      }
    }
    assert.ok(seen.successes > 50 && seen.failures > 50, JSON.stringify(seen));
  });
}

test('who jumps into the midst of a sequence finds what is there', async () => {
  const engines = new BothEngines('osaka');
  for (const [name, sequence] of Object.entries(sequences)) {
    // The data of the pushes look like JUMPDESTs, and are none.
    const body = program(one, zero, 'JUMPDEST', ...sequence(0x5b5bn), 'JUMPDEST STOP');
    for (let target = 3; target < body.length + 8; target++) {
      const code = program(one, one, push(BigInt(target), 1), 'JUMP', body);
      engines.place(contract, { code, nonce: 1n });
      for (const gas of [10, 40, 1_000]) {
        await engines.run({ gasLimit: BigInt(21_000 + gas) }, `${name} at ${target} with ${gas}`);
      }
    }
  }
});

test('before Constantinople there is no SHL, whatever surrounds it', async () => {
  const engines = new BothEngines('byzantium');
  const code = program(one, one, push(160n, 1), 'SHL SUB', zero, 'SSTORE');
  engines.place(contract, { code, nonce: 1n });
  const legacy = { type: 0, maxFeePerGas: 10n, maxPriorityFeePerGas: 10n } as const;
  const { error } = await engines.run({ ...legacy, gasLimit: 100_000n });
  assert.equal(error, 'invalid opcode');
});
