import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeAccount } from '@concordat/evm';
import { emptyBytes, toHex } from '@concordat/std';
import { getOpcodesForHF, paramsEVM } from '@ethereumjs/evm';
import type { EngineName } from '../engines.ts';
import { forkOf } from '../fork.ts';
import { commonOf } from '../reference/library.ts';
import { memoryTables, type StateTables } from '../state-source.ts';
import { apply, executorOn, plainBlock, put, unsignedFields } from './execution.ts';

/** Small deterministic generator (mulberry32): a failing program can be named by its seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const sender = new Uint8Array(20).fill(0xaa);
const contracts = [0xc0, 0xc1, 0xc2].map((byte) => new Uint8Array(20).fill(byte));
const simple = [
  1, 2, 3, 4, 5, 6, 7, 8, 9, 0x0a, 0x0b, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19,
  0x1a, 0x1b, 0x1c, 0x1d, 0x30, 0x32, 0x33, 0x34, 0x35, 0x36, 0x38, 0x3a, 0x3d, 0x41, 0x42, 0x43,
  0x44, 0x45, 0x46, 0x47, 0x48, 0x50, 0x58, 0x59, 0x5a, 0x5b, 0x5f, 0x80, 0x81, 0x82, 0x85, 0x90,
  0x91, 0x92, 0x95, 0x5c, 0x5d, 0x1e, 0x3f, 0x31, 0x3b, 0x54, 0x55, 0x40, 0x49, 0x4a,
];
const push = (value: number): number[] => [0x61, value >> 8, value & 255];
const pushAddress = (address: Uint8Array): number[] => [0x73, ...address];

type Exists = (operation: number) => boolean;

/** The operations that the library knows under a fork. */
function operationsOf(fork: string): Exists {
  const common = commonOf(forkOf(fork, 1n));
  common.updateParams(paramsEVM);
  const { opcodes } = getOpcodesForHF(common);
  return (operation) => (opcodes.get(operation)?.name ?? 'INVALID') !== 'INVALID';
}

/** A program of plausible pieces: arithmetic, memory, storage, calls, creations, halts. */
function program(random: () => number, exists: Exists): Uint8Array {
  const known = simple.filter(exists);
  const pick = <Item>(items: readonly Item[]): Item =>
    items[Math.floor(random() * items.length)] as Item;
  const small = (): number => Math.floor(random() * 100);
  const target = (): number[] =>
    random() < 0.2 ? push(1 + Math.floor(random() * 10)) : pushAddress(pick(contracts));
  const offered = (codes: readonly number[]): number => pick(codes.filter(exists));
  const pieces: (() => number[])[] = [
    () => [pick(random() < 0.005 ? simple : known)],
    () => [pick(known)],
    () => [pick(known)],
    () => [0x62, small(), small(), small()],
    () => [0x7f, ...Array.from({ length: 32 }, () => Math.floor(random() * 256))],
    () => [...push(small()), ...push(small()), pick([0x52, 0x53, 0x20])],
    () => [...push(small()), 0x51],
    () => [...push(small() & 3), ...push(small() & 3), 0x55],
    () => [...push(small() & 3), 0x54],
    () => [...push(small()), ...push(small()), ...push(small()), offered([0x37, 0x39, 0x5e])],
    () => [...push(small()), ...push(small()), pick([0xa0])],
    () => [...push(1), ...push(small()), ...push(small()), 0xa1],
    () => [
      ...[small(), small(), small(), small()].flatMap(push),
      ...push(random() < 0.3 ? 1 : 0),
      ...target(),
      ...(random() < 0.5 ? push(20_000) : [0x5a]),
      offered([0xf1, 0xf2]),
    ],
    () => [
      ...[small(), small(), small(), small()].flatMap(push),
      ...target(),
      ...(random() < 0.5 ? push(20_000) : [0x5a]),
      offered([0xf4, 0xfa]),
    ],
    () => [...push(small()), ...push(small()), ...push(random() < 0.5 ? 1 : 0), 0xf0],
    () => [...push(7), ...push(small()), ...push(small()), ...push(0), offered([0xf5, 0xf0])],
    () => [...push(random() < 0.1 ? small() : 0), ...push(0), ...push(0), offered([0x3e, 0x37])],
  ];
  // A stack to draw on, so that few programs end by underflow.
  const bytes = Array.from({ length: 40 }, () => push(small())).flat();
  const count = 5 + Math.floor(random() * 60);
  for (let i = 0; i < count; i++) bytes.push(...pick(pieces)());
  const halts = [[0x00], [...push(32), ...push(0), 0xf3], [...push(9), ...push(0), 0xfd]];
  bytes.push(...pick([...halts, [...pushAddress(pick(contracts)), 0xff], [0xfe]]));
  return Uint8Array.from(bytes);
}

function stateOf(codes: readonly Uint8Array[]): StateTables {
  const tables = memoryTables();
  put(tables, sender, { balance: 10n ** 18n });
  for (const [i, code] of codes.entries()) {
    put(tables, contracts[i] as Uint8Array, { nonce: 1n, balance: 1_000n, code });
  }
  return tables;
}

/** The same tables, whose changes are written down as text. */
function recording(tables: StateTables) {
  const changes = new Map<string, string>();
  const hex = (key: string): string => Buffer.from(key, 'latin1').toString('hex');
  const recorded: StateTables = {
    ...tables,
    putAccount(key, bytes) {
      const record = bytes === undefined ? undefined : decodeAccount(bytes);
      const { nonce = 0n, balance = 0n, codeKey = '', exists = false } = record ?? {};
      changes.set(hex(key), `${exists} ${nonce} ${balance} ${hex(codeKey)}`);
    },
    putSlot: (key, value) => void changes.set(hex(key), toHex(value ?? emptyBytes)),
    putCode: (key, code) => void changes.set(hex(key), toHex(code)),
  };
  return { recorded, changes };
}

async function run(engine: EngineName, seed: number, fork: string) {
  const random = randomFrom(seed);
  const exists = operationsOf(fork);
  const tables = stateOf(contracts.map(() => program(random, exists)));
  const { recorded, changes } = recording(tables);
  const executor = executorOn(tables, { engine, fork });
  const applied = await apply(
    executor,
    recorded,
    {
      from: sender,
      fields: {
        ...unsignedFields,
        maxFeePerGas: 1n,
        maxPriorityFeePerGas: 1n,
        gasLimit: 100_000n + BigInt(Math.floor(random() * 400_000)),
        ...(random() < 0.9 ? { to: contracts[0] as Uint8Array } : {}),
        value: 3n,
        data: program(random, exists),
      },
    },
    {
      ...plainBlock,
      number: 300,
      timestamp: 1_700_000_000,
      coinbase: new Uint8Array(20).fill(0xcb),
      difficulty: 17n,
      prevRandao: 99n,
      blobBaseFee: 1n,
      blockHash: (number) => number * 3n + 1n,
    },
  );
  const { status, gasUsed, logs, output } = applied;
  return {
    status,
    gasUsed,
    logs: logs.map(({ address, topics, data }) => [address, ...topics, data].map(toHex)),
    output: toHex(output),
    changes: [...changes].toSorted(([a], [b]) => (a < b ? -1 : 1)),
  };
}

const forks = [
  'tangerineWhistle',
  'byzantium',
  'constantinople',
  'istanbul',
  'berlin',
  'cancun',
  'osaka',
];

for (const fork of forks) {
  test(`200 random programs under ${fork} end as the library's EVM ends them`, async () => {
    for (let seed = 1; seed <= 200; seed++) {
      const ours = await run('own', seed, fork);
      assert.deepEqual(ours, await run('reference', seed, fork), `seed ${seed}`);
    }
  });
}
