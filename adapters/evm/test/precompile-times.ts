/**
 * Worst processor time of each precompile by the gas it costs, on inputs made to be slow for their
 * price. A call adds at least 100 gas of its own, which is counted in.
 *
 *   node adapters/evm/test/precompile-times.ts
 */
import { forkOf } from '../fork.ts';
import { precompilesOf } from '../precompiles.ts';
import { Bytes, big, makers } from './precompile-inputs.ts';

const bytes = new Bytes('times');
const warmCall = 100;

function powerOf(base: number, exponent: Uint8Array, modulus: Uint8Array): Uint8Array {
  const lengths = [base, exponent.length, modulus.length].map((length) => big(BigInt(length), 32));
  return Buffer.concat([...lengths, Buffer.alloc(base, 0xff), exponent, modulus]);
}

const ones = (length: number): Buffer => Buffer.alloc(length, 0xff);

/** 2^k, odd and half even moduli: the three ways of exponentiation. */
function moduli(length: number): readonly Buffer[] {
  const power = Buffer.alloc(length);
  power[0] = 0x80;
  const half = ones(length);
  half.fill(0, Math.ceil(length / 2));
  return [ones(length), power, half];
}

const powers = [1, 2, 4, 5, 7, 8, 16, 31, 32, 33, 64, 128, 256, 512, 1024].flatMap((length) =>
  [1, 3, 5, 8, 32, 64, 1024, 20_000].flatMap((exponent) =>
    moduli(length).map((modulus) => powerOf(length, ones(exponent), modulus)),
  ),
);

/** A good input of a maker, of `length` bytes where that matters. */
function good(id: number, length?: number): Uint8Array {
  const make = makers.get(id);
  if (make === undefined) throw new Error('inputs are made for each');
  for (;;) {
    const input = make(bytes);
    const isWanted = length === undefined || input.length === length;
    const precompile = precompilesOf(forkOf('osaka').revision).get(id);
    if (isWanted && !hasZeros(input, id) && precompile?.run(input) !== undefined) return input;
  }
}

/** Whether a point is infinity, which is fast. */
const hasZeros = (input: Uint8Array, id: number): boolean =>
  id >= 6 && id !== 9 && id < 0x100 && Buffer.from(input).includes(Buffer.alloc(40));

const repeated = (input: Uint8Array, times: number): Uint8Array =>
  Buffer.concat(Array.from({ length: times }, () => input));

function compression(rounds: number): Uint8Array {
  const input = Buffer.alloc(213, 7);
  input.writeUInt32BE(rounds);
  input[212] = 1;
  return input;
}

const lengths = [0, 1, 64, 1_000, 100_000].map((length) => ones(length));
const g1Term = good(0x0c, 160);
const g2Term = good(0x0e, 288);
const blsPair = good(0x0f, 384);
const bnPair = good(0x08, 192);

const inputs: ReadonlyMap<number, readonly Uint8Array[]> = new Map([
  [0x01, [good(1)]],
  [0x02, lengths],
  [0x03, lengths],
  [0x05, powers],
  [0x06, [good(6)]],
  [0x07, [Buffer.concat([good(7).subarray(0, 64), ones(32)])]],
  [0x08, [1, 2, 8, 64, 200].map((pairs) => repeated(bnPair, pairs))],
  [0x09, [0, 1, 12, 1_000, 100_000].map(compression)],
  [0x0a, [good(0x0a), good(0x0a), good(0x0a)]],
  [0x0b, [good(0x0b)]],
  [0x0c, [1, 2, 8, 64, 128, 400].map((terms) => repeated(g1Term, terms))],
  [0x0d, [good(0x0d)]],
  [0x0e, [1, 2, 8, 64, 128, 300].map((terms) => repeated(g2Term, terms))],
  [0x0f, [1, 2, 8, 64, 150].map((pairs) => repeated(blsPair, pairs))],
  [0x10, [good(0x10)]],
  [0x11, [good(0x11)]],
  [0x100, [good(0x100)]],
]);

/** Processor microseconds of one call. */
function timeOf(run: () => unknown): number {
  run();
  run();
  let calls = 0;
  const start = process.cpuUsage();
  for (;;) {
    for (let i = 0; i < 4; i++) run();
    calls += 4;
    const { user, system } = process.cpuUsage(start);
    if (user + system > 30_000) return (user + system) / calls;
  }
}

/** Above this a transaction has not the gas. */
const mostGas = 30_000_000;

for (const [fork, ids] of [
  ['byzantium', [5]],
  ['prague', [...inputs.keys()].filter((id) => id < 0x100)],
  ['osaka', [5, 0x100]],
] as const) {
  for (const id of ids) {
    const precompile = precompilesOf(forkOf(fork).revision).get(id);
    if (precompile === undefined) continue;
    let worst = { rate: 0, gas: 0, time: 0, length: 0 };
    for (const input of inputs.get(id) ?? []) {
      const gas = precompile.gas(input);
      if (gas > mostGas || precompile.run(input) === undefined) continue;
      const time = timeOf(() => precompile.run(input));
      const rate = time / (gas + warmCall);
      if (rate > worst.rate) worst = { rate, gas, time, length: input.length };
    }
    const { rate, gas, time, length } = worst;
    process.stdout.write(
      `${fork} 0x${id.toString(16).padStart(2, '0')}: ${rate.toFixed(4)} µs/gas ` +
        `(${time.toFixed(1)} µs for ${gas} gas, ${length} bytes)\n`,
    );
  }
}
