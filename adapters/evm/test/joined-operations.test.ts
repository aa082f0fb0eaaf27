import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BothEngines } from './both-engines.ts';
import { program, push } from './bytecode.ts';
import { contract } from './scene.ts';

// The interpreter runs some operations that often follow each other as one. They must end as they do
// one by one: at every gas limit, at every height of the stack, and where the jump leads nowhere.

const legacy = { type: 0, maxFeePerGas: 10n, maxPriorityFeePerGas: 10n } as const;
const byte = (value: number): Uint8Array => push(BigInt(value), 1);
const words = (count: number): Uint8Array => Buffer.concat(Array(count).fill(byte(0)));

/** 6001600160a01b03: 2^160 - 1 as Solidity writes it. */
const mask = program(byte(1), byte(1), byte(0xa0), 'SHL SUB');

/** Stores what is on top in slot 0. */
const keep = program(byte(0), 'SSTORE');

/**
 * Behind `before`, a PUSH2 and a jump to a place `to`: 0 a JUMPDEST, 1 one that is data of a push, 2
 * another operation, 3 behind the code.
 */
function jumping(name: 'JUMP' | 'JUMPI', before: Uint8Array, to: number): Uint8Array {
  const fallen = program(byte(7), keep, 'STOP');
  const start = before.length + 4 + fallen.length;
  const targets = [start, start + 2, start + 3, 0xfffe];
  const target = program('JUMPDEST', Uint8Array.of(0x60, 0x5b), byte(9), keep, 'STOP');
  return program(before, push(BigInt(targets[to] as number), 2), name, fallen, target);
}

const far = push(1n << 200n, 32);
const conditions: readonly (readonly [name: string, code: Uint8Array])[] = [
  ['a word that is not zero', byte(3)],
  ['a word whose high limbs alone are not zero', far],
  ['zero', byte(0)],
  ...['LT', 'GT', 'EQ'].flatMap((name) =>
    [
      [byte(4), byte(4)],
      [byte(4), byte(5)],
      [far, byte(5)],
      [byte(5), far],
    ].map(
      ([a, b], i) => [`${name} ${i}`, program(a as Uint8Array, b as Uint8Array, name)] as const,
    ),
  ),
  ['ISZERO of zero', program(byte(0), 'ISZERO')],
  ['ISZERO of another', program(far, 'ISZERO')],
  ['ISZERO twice', program(far, 'ISZERO ISZERO')],
];

function both(fork: string, code: Uint8Array): BothEngines {
  const engines = new BothEngines(fork);
  engines.place(contract, { code, nonce: 1n });
  return engines;
}

/** Ends it with all the gas it wants, then at every limit from nothing on. */
async function atEveryLimit(fork: string, code: Uint8Array, label: string): Promise<void> {
  const engines = both(fork, code);
  await engines.run({ ...legacy, gasLimit: 100_000n }, label);
  for (let gas = 0; gas < 56; gas++) {
    await engines.run({ ...legacy, gasLimit: BigInt(21_000 + gas) }, `${label} with ${gas} gas`);
  }
}

/** Ends it on top of few words and of almost as many as there may be. */
async function atHeights(code: Uint8Array, label: string): Promise<void> {
  for (const height of [0, 1, 2, 3, 1019, 1020, 1021, 1022, 1023, 1024]) {
    const engines = both('prague', program(words(height), code));
    await engines.run({ ...legacy, gasLimit: 200_000n }, `${label} on ${height} words`);
  }
}

test('the mask of an address is what its five operations make', async () => {
  const code = program(mask, keep);
  const { changes } = await both('prague', code).run({ ...legacy, gasLimit: 100_000n });
  assert.ok(changes?.some(([, value]) => value.includes('ff'.repeat(20))));
  await atEveryLimit('prague', code, 'mask');
  await atEveryLimit('byzantium', code, 'mask without SHL');
  await atHeights(code, 'mask');
});

test('a jump that is taken or passed ends as the reference ends it', async () => {
  for (let to = 0; to < 4; to++) {
    await atEveryLimit('prague', jumping('JUMP', new Uint8Array(0), to), `JUMP to ${to}`);
    for (const [name, before] of conditions) {
      const engines = both('prague', jumping('JUMPI', before, to));
      await engines.run({ ...legacy, gasLimit: 100_000n }, `${name}, JUMPI to ${to}`);
    }
  }
  for (const [name, before] of conditions) {
    await atEveryLimit('prague', jumping('JUMPI', before, 0), name);
  }
});

test('jumps and comparisons meet an empty and a full stack', async () => {
  const bare = ['LT', 'GT', 'EQ', 'ISZERO'].map((name) => program(name));
  for (const before of [new Uint8Array(0), ...bare]) {
    // Targets move with the words before them, so that all of these lead nowhere or fall through.
    await atHeights(jumping('JUMPI', before, 0), `${before} JUMPI`);
  }
  await atHeights(program(push(0xfffen, 2), 'JUMP'), 'JUMP');
});

test('words are taken off in pairs as long as there are any', async () => {
  for (let count = 1; count <= 5; count++) {
    const code = program('POP '.repeat(count), 'STOP');
    await atHeights(code, `${count} POP`);
    await atEveryLimit('prague', program(words(4), code), `${count} POP of 4`);
  }
});

test('code may end within what could run as one', async () => {
  const tails = ['61', '6100', '610057', '600161', '15610057', '6001600160a01b', '50', '5050'];
  for (const tail of tails) {
    const engines = both('prague', program(words(3), Buffer.from(tail, 'hex')));
    await engines.run({ ...legacy, gasLimit: 100_000n }, tail);
  }
});
