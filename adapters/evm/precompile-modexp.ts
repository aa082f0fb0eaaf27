import { emptyBytes } from '@concordat/std';
import { arithmetic, arithmeticRoom } from './arithmetic.ts';
import { type Precompile, padded } from './precompile.ts';
import { toBigInt } from './quantities.ts';

/** What a modular exponentiation costs, by fork. */
export interface ModexpRules {
  /** Longest base, exponent and modulus in bytes (EIP-7823). */
  readonly maxBytes: number;
  /** Gas by the longer of base and modulus and by the exponent's weight. */
  gas(longest: number, weight: number): number;
  /** Weight of each byte of the exponent beyond 32. */
  readonly byteWeight: number;
}

const words8 = (bytes: number): number => Math.ceil(bytes / 8);

/** EIP-198. */
export const modexpByzantium: ModexpRules = {
  maxBytes: Number.POSITIVE_INFINITY,
  byteWeight: 8,
  gas: (longest, weight) => Math.floor((complexity198(longest) * weight) / 20),
};

/** EIP-2565. */
export const modexpBerlin: ModexpRules = {
  maxBytes: Number.POSITIVE_INFINITY,
  byteWeight: 8,
  gas: (longest, weight) => Math.max(200, Math.floor((words8(longest) ** 2 * weight) / 3)),
};

/** EIP-7823 and 7883. */
export const modexpOsaka: ModexpRules = {
  maxBytes: 1_024,
  byteWeight: 16,
  gas: (longest, weight) => Math.max(500, (longest > 32 ? 2 * words8(longest) ** 2 : 16) * weight),
};

function complexity198(x: number): number {
  if (x <= 64) return x * x;
  if (x <= 1_024) return Math.floor((x * x) / 4) + 96 * x - 3_072;
  return Math.floor((x * x) / 16) + 480 * x - 199_680;
}

interface Lengths {
  readonly base: number;
  readonly exponent: number;
  readonly modulus: number;
}

/** The three lengths; those beyond 2^53 are infinite, for no gas pays for them. */
function lengthsOf(input: Uint8Array): Lengths {
  const at = (from: number): number => {
    const length = Number(toBigInt(padded(input, from, 32)));
    return Number.isSafeInteger(length) ? length : Number.POSITIVE_INFINITY;
  };
  return { base: at(0), exponent: at(32), modulus: at(64) };
}

/** Bits of the exponent below its highest, those beyond 32 bytes by their bytes; at least 1. */
function weightOf(input: Uint8Array, { base, exponent }: Lengths, byteWeight: number): number {
  const head = exponent === 0 || base > input.length ? emptyBytes : headOf(input, base, exponent);
  let bits = -1;
  for (let i = 0; i < head.length && bits < 0; i++) {
    const byte = head[i] as number;
    if (byte !== 0) bits = 8 * (head.length - i) - Math.clz32(byte) + 24 - 1;
  }
  return Math.max(1, byteWeight * Math.max(0, exponent - 32) + Math.max(0, bits));
}

const headOf = (input: Uint8Array, base: number, exponent: number): Uint8Array =>
  padded(input, 96 + base, Math.min(32, exponent));

/** base^exponent modulo modulus, each as long as the input says (EIP-198, 2565, 7823, 7883). */
export const modexp = (rules: ModexpRules): Precompile => ({
  gas(input) {
    const lengths = lengthsOf(input);
    const { base, exponent, modulus } = lengths;
    const weight = weightOf(input, lengths, rules.byteWeight);
    const longest = Math.max(base, modulus);
    // Without base and modulus an endless exponent costs what a short one does.
    if (longest === 0 && !Number.isFinite(weight)) return rules.gas(0, 1);
    const gas = rules.gas(longest, weight);
    return Number.isNaN(gas) || exponent > rules.maxBytes ? Number.POSITIVE_INFINITY : gas;
  },
  run(input) {
    const { base, exponent, modulus } = lengthsOf(input);
    // Where lengths have no limit, none is asked for where nothing is computed.
    const isNothing = base === 0 && modulus === 0 && rules.maxBytes === Number.MAX_SAFE_INTEGER;
    if (isNothing) return emptyBytes;
    if (Math.max(base, exponent, modulus) > rules.maxBytes) return undefined;
    if (modulus === 0) return emptyBytes;
    return power({
      base: padded(input, 96, base),
      exponent: padded(input, 96 + base, exponent),
      modulus: padded(input, 96 + base + exponent, modulus),
    });
  },
});

interface Operands {
  readonly base: Uint8Array;
  readonly exponent: Uint8Array;
  readonly modulus: Uint8Array;
}

/** The power, as long as the modulus. */
function power({ base, exponent, modulus }: Operands): Uint8Array {
  const m = toBigInt(modulus);
  const result = new Uint8Array(modulus.length);
  if (m <= 1n) return result;
  const b = toBigInt(base) % m;
  if (m < 256n) {
    result[modulus.length - 1] = bytePower(Number(b), exponent, Number(m));
    return result;
  }
  if (exponent.length <= 1 && modulus.length <= longestPlain) {
    write(result, shortPower(b, exponent[0] ?? 0, m));
    return result;
  }
  const twos = trailingZeros(modulus);
  const odd = m >> BigInt(twos);
  const x = odd === 1n ? 0n : oddPower(b, exponent, odd);
  write(result, twos === 0 ? x : combined(x, odd, { twos, y: evenPower(b, exponent, twos) }));
  return result;
}

/** Up to so many bytes of a modulus, few steps are faster done than handed over. */
const longestPlain = 256;

/** base^exponent modulo a number above 1, for an exponent of one byte. */
function shortPower(base: bigint, exponent: number, modulus: bigint): bigint {
  let result = 1n;
  for (let bit = 31 - Math.clz32(exponent); bit >= 0; bit--) {
    result = (result * result) % modulus;
    if (((exponent >> bit) & 1) === 1) result = (result * base) % modulus;
  }
  return result;
}

/**
 * base^exponent modulo a number of one byte, above 1: an exponent byte a step, by tables. Before
 * EIP-2565 a byte of the exponent costs less than half a gas here.
 */
function bytePower(base: number, exponent: Uint8Array, modulus: number): number {
  const powers = new Uint8Array(256);
  powers[0] = 1;
  for (let i = 1; i < 256; i++) powers[i] = ((powers[i - 1] as number) * base) % modulus;
  const raised = exponent.length > 1 ? raisedTable(modulus) : powers;
  let result = 1;
  for (let i = 0; i < exponent.length; i++) {
    const shifted = i === 0 ? 1 : (raised[result] as number);
    result = (shifted * (powers[exponent[i] as number] as number)) % modulus;
  }
  return result;
}

const raisedTables = new Map<number, Uint8Array>();

/** What each number below a modulus of one byte is to the power of 256. */
function raisedTable(modulus: number): Uint8Array {
  let table = raisedTables.get(modulus);
  if (table === undefined) {
    table = Uint8Array.from({ length: modulus }, (_, number) => {
      let power = number;
      for (let i = 0; i < 8; i++) power = (power * power) % modulus;
      return power;
    });
    raisedTables.set(modulus, table);
  }
  return table;
}

function trailingZeros(bytes: Uint8Array): number {
  let at = bytes.length - 1;
  while (bytes[at] === 0) at--;
  const last = bytes[at] as number;
  return 8 * (bytes.length - 1 - at) + (31 - Math.clz32(last & -last));
}

function write(to: Uint8Array, value: bigint): void {
  const digits = value.toString(16);
  const bytes = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
  to.set(bytes, to.length - bytes.length);
}

/** The number that is x modulo `odd` and y modulo 2^twos (Chinese remainders). */
function combined(
  x: bigint,
  odd: bigint,
  { twos, y }: { readonly twos: number; readonly y: bigint },
): bigint {
  // Newton: each step doubles the bits of the inverse that are right.
  let inverse = odd;
  for (let bits = 3; bits < twos; bits *= 2) {
    inverse = BigInt.asUintN(twos, inverse * (2n - odd * inverse));
  }
  return x + odd * BigInt.asUintN(twos, (y - x) * inverse);
}

const limbsOf = (value: bigint): number => Math.ceil(value.toString(16).length / 8);

/** Writes a number as `bytes` little-endian bytes. */
function writeNumber(memory: Buffer, at: number, bytes: number, value: bigint): void {
  memory.hexWrite(value.toString(16).padStart(bytes * 2, '0'), at, bytes);
  memory.subarray(at, at + bytes).reverse();
}

/** Reads {@link writeNumber}. */
const readNumber = (memory: Buffer, at: number, bytes: number): bigint =>
  toBigInt(Buffer.from(memory.subarray(at, at + bytes)).reverse());

/** base^exponent modulo an odd number above 1, by Montgomery multiplication. */
function oddPower(base: bigint, exponent: Uint8Array, odd: bigint): bigint {
  const count = limbsOf(odd);
  const bytes = 4 * count;
  const scratchBytes = (17 * count + 1) * 4;
  const { at, memory } = arithmeticRoom(4 * bytes + scratchBytes + exponent.length);
  const [factor, one, modulus, scratch] = [
    at + bytes,
    at + 2 * bytes,
    at + 3 * bytes,
    at + 4 * bytes,
  ];
  const radix = 1n << BigInt(8 * bytes);
  writeNumber(memory, factor, bytes, (base * radix) % odd);
  writeNumber(memory, one, bytes, radix % odd);
  writeNumber(memory, modulus, bytes, odd);
  const digits = scratch + scratchBytes;
  memory.set(exponent, digits);
  const { length } = exponent;
  arithmetic.montgomeryPower(at, factor, one, modulus, count, digits, length, scratch);
  return readNumber(memory, at, bytes);
}

/** base^exponent modulo 2^twos. */
function evenPower(base: bigint, exponent: Uint8Array, twos: number): bigint {
  const count = Math.ceil(twos / 32);
  const bytes = 4 * count;
  const scratchBytes = 17 * bytes;
  const { at, memory } = arithmeticRoom(2 * bytes + scratchBytes + exponent.length);
  const scratch = at + 2 * bytes;
  writeNumber(memory, at + bytes, bytes, BigInt.asUintN(twos, base));
  const digits = scratch + scratchBytes;
  memory.set(exponent, digits);
  arithmetic.truncatedPower(at, at + bytes, count, digits, exponent.length, scratch);
  return BigInt.asUintN(twos, readNumber(memory, at, bytes));
}
