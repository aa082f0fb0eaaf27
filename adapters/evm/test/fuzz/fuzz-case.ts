import type { TransactionFields } from '../../../ethereum/chain-reader.ts';
import { addressOfKey, signDigest } from '../../../ethereum/crypto.ts';
import { signedAuthorization } from '../../../ethereum/transaction.ts';
import type { BlockEnvironment } from '../../index.ts';
import type { Execution } from '../proof/executor.ts';
import type { World, WorldAccount } from '../proof/world.ts';
import { ruleForks } from '../rule-forks.ts';
import { ages, initCode, ProgramWriter, type Surroundings } from './program.ts';
import { Random } from './random.ts';

const address = (byte: number): Uint8Array => new Uint8Array(20).fill(byte);
const keys = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte));
const people = keys.map(addressOfKey);
const sender = people[0] as Uint8Array;
/** Who send what follows the first transaction; nobody else knows them. */
const later = [address(0x51), address(0x52), address(0x53)];
const contracts = [0xc0, 0xc1, 0xc2, 0xc3].map(address);
const miner = address(0xcb);
const nobody = address(0xdd);
const poor = address(0xee);
const keyOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

const berlin = 8;
const prague = 13;
const chainId = 1_337n;

/** The execution of a seed. */
export function executionOf(seed: number): Execution {
  const random = new Random(seed);
  const age = random.chance(0.5) ? 11 + random.below(5) : random.below(ruleForks.length);
  const around = {
    age,
    addresses: [...contracts, ...contracts, ...people, miner, nobody, poor],
  };
  const world = worldOf(random, around);
  const block = blockOf(random, age);
  return {
    fork: ruleForks[age] as string,
    chainId,
    world,
    from: sender,
    fields: fieldsOf(random, around, block),
    block,
    followers: later
      .slice(0, random.chance(0.5) ? 0 : 1 + random.below(3))
      .map((from) => ({ from, fields: fieldsOf(random, around, block) })),
  };
}

function worldOf(random: Random, around: Surroundings): World {
  const world = new Map<string, WorldAccount>();
  const none = new Map<string, bigint>();
  const person = { nonce: 0n, code: new Uint8Array(0), storage: none };
  for (const one of [sender, ...later]) world.set(keyOf(one), { ...person, balance: 10n ** 20n });
  if (random.chance(0.5)) {
    world.set(keyOf(people[1] as Uint8Array), { ...person, nonce: 1n, balance: 5n });
  }
  if (around.age >= prague && random.chance(0.3)) {
    const code = Uint8Array.of(0xef, 1, 0, ...random.pick(around.addresses));
    world.set(keyOf(people[2] as Uint8Array), { ...person, nonce: 1n, balance: 9n, code });
  }
  if (random.chance(0.3)) world.set(keyOf(poor), { ...person, balance: 0n });
  if (random.chance(0.3)) world.set(keyOf(miner), { ...person, balance: 1n });
  for (const contract of contracts) {
    if (random.chance(0.1)) continue;
    world.set(keyOf(contract), {
      nonce: random.chance(0.03) ? (1n << 64n) - 1n - BigInt(random.below(2)) : 1n,
      balance: BigInt(random.below(2) * 1_000),
      code: new ProgramWriter(random, around).write(),
      storage: storageOf(random),
    });
  }
  return world;
}

function storageOf(random: Random): ReadonlyMap<string, bigint> {
  const storage = new Map<string, bigint>();
  for (let slot = 0; slot < 4; slot++) {
    if (random.chance(0.6)) continue;
    const name = Buffer.alloc(32);
    name[31] = slot;
    const value = random.word();
    if (value !== 0n) storage.set(keyOf(name), random.chance(0.5) ? 1n : value);
  }
  return storage;
}

/** Hashes of earlier blocks, by a rule, so that a case can be written down without them. */
export const blockHashOf = (number: bigint): bigint => BigInt.asUintN(256, number * 3n + 1n);

function blockOf(random: Random, age: number): BlockEnvironment {
  return {
    number: random.chance(0.2) ? random.below(3) : 300,
    timestamp: 1_700_000_000,
    coinbase: random.chance(0.9) ? miner : random.pick([sender, contracts[0] as Uint8Array, poor]),
    gasLimit: 30_000_000,
    difficulty: random.word(),
    prevRandao: random.word(),
    baseFee: age >= ages.london ? BigInt(random.below(20)) : 0n,
    blobBaseFee: age >= ages.cancun ? BigInt(1 + random.below(5)) : 0n,
    slotNumber: age >= ages.amsterdam ? random.below(1_000) : 0,
    blockHash: blockHashOf,
  };
}

function fieldsOf(
  random: Random,
  around: Surroundings,
  block: BlockEnvironment,
): TransactionFields {
  const type = typeOf(random, around.age);
  const creates = random.chance(0.12) && type < 3;
  const price = block.baseFee + BigInt(random.below(10));
  const data = creates
    ? initCode(random, around, 1)
    : random.bytes(random.chance(0.7) ? random.below(100) : random.below(2_000));
  return {
    type,
    chainId,
    nonce: random.chance(0.005) ? 1n : 0n,
    maxFeePerGas: random.chance(0.005) ? 0n : price,
    maxPriorityFeePerGas: type < 2 ? price : BigInt(random.below(Number(price) + 1)),
    gasLimit: BigInt(gasLimitOf(random, around.age)),
    ...(creates ? {} : { to: destination(random, around) }),
    value: random.chance(0.97) ? BigInt(random.below(50)) : random.word(),
    data,
    accessList: type === 0 ? [] : accessListOf(random, around),
    authorizationList: type === 4 ? authorizations(random, around) : [],
    blobVersionedHashes: type === 3 ? blobs(random) : [],
    maxFeePerBlobGas: type === 3 ? BigInt(random.chance(0.9) ? 8 : random.below(8)) : 0n,
    v: 0n,
    yParity: 0,
    r: 1n,
    s: 1n,
  };
}

function typeOf(random: Random, age: number): 0 | 1 | 2 | 3 | 4 {
  const most = age >= prague ? 4 : age >= ages.cancun ? 3 : age >= ages.london ? 2 : 1;
  if (age < berlin || random.chance(0.4)) return 0;
  return random.below(most + 1) as 0 | 1 | 2 | 3 | 4;
}

function gasLimitOf(random: Random, age: number): number {
  // State has its own gas since Amsterdam: much of it, and apart above a limit (EIP-8037).
  const scale = age >= ages.amsterdam ? 6 : 1;
  if (scale > 1 && random.chance(0.15)) return 16_700_000 + random.below(2_000_000);
  switch (random.below(5)) {
    case 0:
      return 22_000 + random.below(90_000);
    case 1:
      return 50_000 + random.below(2_000_000 * scale);
    default:
      return 80_000 + random.below(400_000 * scale);
  }
}

function destination(random: Random, around: Surroundings): Uint8Array {
  if (random.chance(0.9)) return contracts[random.below(2)] as Uint8Array;
  if (random.chance(0.7)) return random.pick(around.addresses);
  return new Uint8Array(20).with(19, random.below(0x14));
}

function accessListOf(random: Random, around: Surroundings) {
  return Array.from({ length: random.below(4) }, () => ({
    address: random.pick(around.addresses),
    storageKeys: Array.from({ length: random.below(4) }, () =>
      new Uint8Array(32).with(31, random.below(5)),
    ),
  }));
}

const blobs = (random: Random): Uint8Array[] =>
  Array.from({ length: 1 + random.below(3) }, () =>
    random.bytes(32).with(0, random.chance(0.98) ? 1 : 2),
  );

function authorizations(random: Random, around: Surroundings) {
  return Array.from({ length: 1 + random.below(3) }, () => {
    const signer = random.pick(keys);
    const signed = signedAuthorization(
      {
        chainId: random.pick([0n, chainId, chainId, 5n]),
        address: random.chance(0.2) ? new Uint8Array(20) : random.pick(around.addresses),
        nonce: BigInt(random.below(3)),
      },
      (digest) => signDigest(digest, signer),
    );
    return random.chance(0.1) ? { ...signed, s: (1n << 255n) + 1n } : signed;
  });
}
