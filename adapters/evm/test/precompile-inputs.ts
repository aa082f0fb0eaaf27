import { createHash } from 'node:crypto';
import { bls12_381 } from '@noble/curves/bls12-381.js';
import { bn254 } from '@noble/curves/bn254.js';
import { p256 } from '@noble/curves/nist.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { loadKZG } from 'kzg-wasm';

/** Bytes that follow from a seed, so that a failure can be had again. */
export class Bytes {
  #state: Buffer;

  constructor(seed: string) {
    this.#state = createHash('sha256').update(seed).digest();
  }

  next(length: number): Buffer {
    const parts: Buffer[] = [];
    for (let have = 0; have < length; have += 32) {
      this.#state = createHash('sha256').update(this.#state).digest();
      parts.push(createHash('sha256').update(this.#state).update('out').digest());
    }
    return Buffer.concat(parts).subarray(0, length);
  }

  below(limit: number): number {
    return this.next(6).readUIntBE(0, 6) % limit;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }

  number(bytes: number): bigint {
    return BigInt(`0x${this.next(bytes).toString('hex')}`);
  }
}

/** A number as big-endian bytes. */
export const big = (value: bigint, bytes: number): Buffer =>
  Buffer.from(value.toString(16).padStart(2 * bytes, '0'), 'hex');

type Make = (bytes: Bytes) => Uint8Array;

const bnPrime = bn254.fields.Fp.ORDER;
const blsPrime = bls12_381.fields.Fp.ORDER;

function bnG1(bytes: Bytes): Buffer {
  switch (bytes.below(6)) {
    case 0:
      return Buffer.alloc(64);
    case 1:
      return Buffer.concat([big(1n, 32), big(bnPrime - 2n, 32)]);
    default: {
      const { x, y } = bn254.G1.Point.BASE.multiply(scalar(bytes)).toAffine();
      return Buffer.concat([big(x, 32), big(y, 32)]);
    }
  }
}

const scalar = (bytes: Bytes): bigint => (bytes.number(16) + 1n) * (bytes.below(2) === 0 ? 1n : 7n);

function bnG2(bytes: Bytes): Buffer {
  if (bytes.below(6) === 0) return Buffer.alloc(128);
  const { x, y } = bn254.G2.Point.BASE.multiply(scalar(bytes)).toAffine();
  return Buffer.concat([x.c1, x.c0, y.c1, y.c0].map((part) => big(part, 32)));
}

/** Products of pairings that are one: e(aP, bQ) e(-abP, Q). */
function bnBalanced(bytes: Bytes): Buffer {
  const [a, b] = [scalar(bytes), scalar(bytes)];
  const p = bn254.G1.Point.BASE.multiply(a).toAffine();
  const q = bn254.G2.Point.BASE.multiply(b).toAffine();
  const r = bn254.G1.Point.BASE.multiply((a * b) % bn254.fields.Fr.ORDER)
    .negate()
    .toAffine();
  const g = bn254.G2.Point.BASE.toAffine();
  const parts = [p.x, p.y, q.x.c1, q.x.c0, q.y.c1, q.y.c0];
  const others = [r.x, r.y, g.x.c1, g.x.c0, g.y.c1, g.y.c0];
  return Buffer.concat([...parts, ...others].map((part) => big(part, 32)));
}

const blsField = (value: bigint): Buffer => big(value, 64);

type BlsG1 = InstanceType<typeof bls12_381.G1.Point>;
type BlsG2 = InstanceType<typeof bls12_381.G2.Point>;

const g1Bytes = (point: BlsG1): Buffer => {
  if (point.is0()) return Buffer.alloc(128);
  const { x, y } = point.toAffine();
  return Buffer.concat([blsField(x), blsField(y)]);
};

const g2Bytes = (point: BlsG2): Buffer => {
  if (point.is0()) return Buffer.alloc(256);
  const { x, y } = point.toAffine();
  return Buffer.concat([x.c0, x.c1, y.c0, y.c1].map(blsField));
};

/** A point of the curve; one in three is outside of the subgroup. */
function blsG1(bytes: Bytes, outside = true): Buffer {
  if (bytes.below(8) === 0) return Buffer.alloc(128);
  if (!outside || bytes.below(3) > 0) {
    return g1Bytes(bls12_381.G1.Point.BASE.multiply(scalar(bytes)));
  }
  const { Fp } = bls12_381.fields;
  for (let x = bytes.number(48) % blsPrime; ; x++) {
    try {
      const y = Fp.sqrt(Fp.add(Fp.mul(Fp.sqr(x), x), 4n));
      return Buffer.concat([blsField(x), blsField(y)]);
    } catch {
      // No point has this x.
    }
  }
}

function blsG2(bytes: Bytes, outside = true): Buffer {
  if (bytes.below(8) === 0) return Buffer.alloc(256);
  if (!outside || bytes.below(3) > 0) {
    return g2Bytes(bls12_381.G2.Point.BASE.multiply(scalar(bytes)));
  }
  const { Fp2 } = bls12_381.fields;
  const four = Fp2.fromBigTuple([4n, 4n]);
  for (let c0 = bytes.number(47); ; c0++) {
    const x = Fp2.fromBigTuple([c0, 5n]);
    try {
      const y = Fp2.sqrt(Fp2.add(Fp2.mul(Fp2.sqr(x), x), four));
      return Buffer.concat([x.c0, x.c1, y.c0, y.c1].map(blsField));
    } catch {
      // No point has this x.
    }
  }
}

const corners = (bytes: Bytes): Buffer =>
  bytes.pick([
    Buffer.alloc(32),
    big(1n, 32),
    Buffer.alloc(32, 0xff),
    big(bls12_381.fields.Fr.ORDER, 32),
    big(bls12_381.fields.Fr.ORDER - 1n, 32),
    big(bn254.fields.Fr.ORDER, 32),
    bytes.next(32),
    bytes.next(32),
  ]);

const many = (bytes: Bytes, most: number, make: Make): Buffer =>
  Buffer.concat(Array.from({ length: bytes.below(most + 1) }, () => make(bytes)));

function recovery(bytes: Bytes): Buffer {
  const digest = bytes.next(32);
  const key = big(bytes.number(31) + 1n, 32);
  const signature = secp256k1.sign(digest, key, { prehash: false, format: 'recovered' });
  const v = big(BigInt(27 + (signature[0] as number)), 32);
  return Buffer.concat([digest, v, signature.subarray(1)]);
}

function p256Signature(bytes: Bytes): Buffer {
  const digest = bytes.next(32);
  const key = big(bytes.number(31) + 1n, 32);
  const signature = p256.sign(digest, key, { prehash: false, lowS: false });
  return Buffer.concat([digest, signature, p256.getPublicKey(key, false).subarray(1)]);
}

function power(bytes: Bytes): Buffer {
  const length = (): number => bytes.pick([0, 1, 2, 7, 8, 9, 31, 32, 33, 64, 96, 128]);
  const [b, e, m] = [length(), bytes.pick([0, 1, 3, 4, 5, 32, 40]), length()];
  const modulus = bytes.next(m);
  // Even numbers, powers of two, small and zero ones take other ways.
  switch (bytes.below(6)) {
    case 0:
      modulus.fill(0, Math.floor(m / 2));
      break;
    case 1:
      modulus.fill(0);
      if (m > 0) modulus[bytes.below(m)] = 1 << bytes.below(8);
      break;
    case 2:
      modulus.fill(0, 0, Math.max(0, m - 1));
      break;
    case 3:
      modulus.fill(0xff);
      break;
    case 4:
      modulus.fill(0);
      break;
    default:
  }
  const exponent = bytes.pick([bytes.next(e), Buffer.alloc(e, 0xff), Buffer.alloc(e)]);
  if (e > 2) exponent.fill(0, 0, bytes.below(e));
  const lengths = [b, e, m].map((bytesLong) => big(BigInt(bytesLong), 32));
  return Buffer.concat([...lengths, bytes.next(b), exponent, modulus]);
}

function compression(bytes: Bytes): Buffer {
  const rounds = Buffer.alloc(4);
  rounds.writeUInt32BE(bytes.pick([0, 1, 2, 10, 12, 13, 100]));
  return Buffer.concat([rounds, bytes.next(208), Buffer.of(bytes.below(2))]);
}

const { Fr } = bls12_381.fields;
const blobLength = 4_096;

/** Position of an evaluation in a blob: its twelve bits from the other end. */
function reversed(index: number): number {
  let result = 0;
  for (let bit = 0; bit < 12; bit++) if ((index >> bit) & 1) result |= 1 << (11 - bit);
  return result;
}

/** The generator of the first group by the ceremony's secret: what the polynomial X commits to. */
async function secretPoint(): Promise<BlsG1> {
  const kzg = await loadKZG();
  const root = Fr.pow(7n, (Fr.ORDER - 1n) / BigInt(blobLength));
  const blob = Buffer.alloc(32 * blobLength);
  let value = 1n;
  for (let i = 0; i < blobLength; i++) {
    blob.set(big(value, 32), 32 * reversed(i));
    value = Fr.mul(value, root);
  }
  const commitment = kzg.blobToKZGCommitment(`0x${blob.toString('hex')}`);
  return bls12_381.G1.Point.fromHex((commitment as string).slice(2));
}

const secret = await secretPoint();

/** A value of s X + c with its proof; one in four is another value. */
function opening(bytes: Bytes): Buffer {
  const { BASE } = bls12_381.G1.Point;
  const z = bytes.number(31);
  const c = bytes.number(31) + 1n;
  // Without s the polynomial is constant, and its proof infinity.
  const s = bytes.below(4) === 0 ? 0n : bytes.number(31) + 1n;
  const constant = BASE.multiply(c);
  const commitment = s === 0n ? constant : secret.multiply(s).add(constant);
  const proof = s === 0n ? bls12_381.G1.Point.ZERO : BASE.multiply(s);
  const y = bytes.below(4) === 0 ? 5n : Fr.add(Fr.mul(s, z), c);
  const point = commitment.toBytes(true);
  const versioned = createHash('sha256').update(point).digest();
  versioned[0] = 1;
  return Buffer.concat([versioned, big(z, 32), big(y, 32), point, proof.toBytes(true)]);
}

/** Mostly good inputs of each precompile, by the number of its address. */
export const makers: ReadonlyMap<number, Make> = new Map<number, Make>([
  [0x01, recovery],
  [0x02, (bytes) => bytes.next(bytes.below(300))],
  [0x03, (bytes) => bytes.next(bytes.below(300))],
  [0x04, (bytes) => bytes.next(bytes.below(300))],
  [0x05, power],
  [0x06, (bytes) => Buffer.concat([bnG1(bytes), bnG1(bytes)])],
  [0x07, (bytes) => Buffer.concat([bnG1(bytes), corners(bytes)])],
  [
    0x08,
    (bytes) =>
      bytes.below(2) === 0
        ? bnBalanced(bytes)
        : many(bytes, 2, (some) => Buffer.concat([bnG1(some), bnG2(some)])),
  ],
  [0x09, compression],
  [0x0a, opening],
  [0x0b, (bytes) => Buffer.concat([blsG1(bytes), blsG1(bytes)])],
  [
    0x0c,
    (bytes) =>
      many(bytes, 4, (some) => Buffer.concat([blsG1(some, bytes.below(6) === 0), corners(some)])),
  ],
  [0x0d, (bytes) => Buffer.concat([blsG2(bytes), blsG2(bytes)])],
  [
    0x0e,
    (bytes) =>
      many(bytes, 3, (some) => Buffer.concat([blsG2(some, bytes.below(6) === 0), corners(some)])),
  ],
  [
    0x0f,
    (bytes) =>
      many(bytes, 2, (some) =>
        Buffer.concat([blsG1(some, bytes.below(6) === 0), blsG2(some, bytes.below(6) === 0)]),
      ),
  ],
  [0x10, (bytes) => blsField(bytes.pick([0n, 1n, blsPrime - 1n, bytes.number(47)]))],
  [
    0x11,
    (bytes) =>
      Buffer.concat([
        blsField(bytes.pick([0n, 1n, blsPrime - 1n, bytes.number(47)])),
        blsField(bytes.pick([0n, blsPrime - 1n, bytes.number(47)])),
      ]),
  ],
  [0x100, p256Signature],
]);

/** An input that somebody cut, lengthened, flipped or filled; often left as it is. */
export function distorted(input: Uint8Array, bytes: Bytes): Uint8Array {
  const copy = Buffer.from(input);
  switch (bytes.below(8)) {
    case 0:
      return copy.subarray(0, bytes.below(copy.length + 1));
    case 1:
      return Buffer.concat([copy, bytes.next(1 + bytes.below(64))]);
    case 2:
      if (copy.length > 0) copy[bytes.below(copy.length)] = bytes.below(256);
      return copy;
    case 3:
      copy.fill(bytes.pick([0, 1, 0xff]), bytes.below(copy.length + 1));
      return copy;
    case 4: {
      const at = 32 * bytes.below(Math.floor(copy.length / 32) + 1);
      return Buffer.concat([copy.subarray(0, at), corners(bytes), copy.subarray(at + 32)]);
    }
    default:
      return copy;
  }
}
