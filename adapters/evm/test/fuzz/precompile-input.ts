import type { Random } from './random.ts';

const word = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex');
const number = (value: number): Buffer => word(BigInt(value));

/** A signature by the key 1 over the digest of 32 bytes 0x01, with its recovery number. */
const signed = Buffer.from(
  `${'01'.repeat(32)}${'0'.repeat(62)}1b` +
    '79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798' +
    '7b1a4d2d6a3c0ee5ea4fcd7b1a5e0d2b2c1a4f7e5d6c3b2a19080706050403ff'.slice(0, 64),
  'hex',
);

/** Generators of the groups of EIP-196 and 197. */
const g1 = [word(1n), word(2n)];
const g2 = [
  '198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2',
  '1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed',
  '090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b',
  '12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa',
].map((hex) => Buffer.from(hex, 'hex'));

/** Order of the curve's field, EIP-196. */
const fieldOrder = 0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47n;

/** Inputs by precompile, with the age that brought it and how likely it is. */
const makers: readonly {
  readonly id: number;
  readonly age: number;
  readonly weight: number;
  readonly make: (random: Random) => Uint8Array;
}[] = [
  { id: 1, age: 0, weight: 6, make: recovery },
  { id: 2, age: 0, weight: 6, make: (random) => random.bytes(random.below(200)) },
  { id: 3, age: 0, weight: 6, make: (random) => random.bytes(random.below(200)) },
  { id: 4, age: 0, weight: 6, make: (random) => random.bytes(random.below(200)) },
  { id: 5, age: 4, weight: 8, make: power },
  { id: 6, age: 4, weight: 6, make: (random) => Buffer.concat([point(random), point(random)]) },
  { id: 7, age: 4, weight: 4, make: (r) => Buffer.concat([point(r), word(r.word())]) },
  { id: 8, age: 4, weight: 1, make: pairing },
  { id: 9, age: 7, weight: 6, make: compression },
  { id: 10, age: 12, weight: 1, make: (random) => random.bytes(192) },
  { id: 11, age: 13, weight: 1, make: (random) => new Uint8Array(random.pick([256, 255, 0])) },
  { id: 12, age: 13, weight: 1, make: (random) => new Uint8Array(random.pick([160, 159, 320])) },
  { id: 13, age: 13, weight: 1, make: (random) => new Uint8Array(random.pick([512, 511, 0])) },
  { id: 16, age: 13, weight: 1, make: (random) => random.bytes(64) },
  { id: 0x100, age: 14, weight: 2, make: (random) => random.bytes(random.pick([160, 159])) },
];

/** A precompile of an age and input for it: sound, nearly sound, or noise. */
export function precompileInput(
  random: Random,
  age: number,
): { readonly id: number; readonly input: Uint8Array } {
  const known = makers.filter((one) => age >= one.age);
  const { id, make } = random.weighted(known.map((one) => [one.weight, one] as const));
  let input = Buffer.from(make(random));
  if (input.length > 0 && random.chance(0.1)) {
    const at = random.below(input.length);
    input[at] = (input[at] as number) ^ (1 << random.below(8));
  }
  if (random.chance(0.05)) input = input.subarray(0, random.below(input.length + 1));
  return { id, input };
}

function recovery(random: Random): Uint8Array {
  const input = Buffer.from(signed);
  if (random.chance(0.5)) input[63] = 27 + random.below(3);
  if (random.chance(0.3)) input.set(random.bytes(32), 0);
  return input;
}

function power(random: Random): Uint8Array {
  const lengths = [random.below(40), random.below(40), random.below(40)];
  if (random.chance(0.3)) lengths[random.below(3)] = 0;
  const body = lengths.map((length) => random.bytes(length));
  if (random.chance(0.2)) body[2]?.fill(0);
  const heads = lengths.map(number);
  if (random.chance(0.03)) heads[random.below(3)] = word(random.word());
  return Buffer.concat([...heads, ...body]);
}

function point(random: Random): Buffer {
  const [x, y] = g1 as [Buffer, Buffer];
  switch (random.below(5)) {
    case 0:
      return Buffer.alloc(64);
    case 1:
      return Buffer.concat([x, word(fieldOrder - 2n)]);
    case 2:
      return Buffer.concat([word(random.word()), word(random.word())]);
    default:
      return Buffer.concat([x, y]);
  }
}

function pairing(random: Random): Uint8Array {
  const [x, y] = g1 as [Buffer, Buffer];
  const minus = Buffer.concat([x, word(fieldOrder - 2n), ...g2]);
  const plus = Buffer.concat([x, y, ...g2]);
  const zero = Buffer.alloc(192);
  return Buffer.concat(
    Array.from({ length: random.below(3) }, () => random.pick([minus, plus, zero])),
  );
}

function compression(random: Random): Uint8Array {
  const input = Buffer.from(random.bytes(213));
  input.writeUInt32BE(random.below(20), 0);
  input[212] = random.chance(0.05) ? 2 : random.below(2);
  return input;
}
