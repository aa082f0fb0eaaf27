import { createECDH, createHmac, hash, type KeyObject } from 'node:crypto';

/** Order n of the base point of P-256 (SEC 2, section 2.4.2). */
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

const scalars = new WeakMap<KeyObject, bigint>();

/**
 * ECDSA over P-256 with SHA-256 and the nonce of RFC 6979: the same key and bytes give the same
 * signature, where OpenSSL draws another nonce each time.
 */
export function signDeterministically(
  bytes: Uint8Array,
  key: KeyObject,
  encoding: 'der' | 'ieee-p1363',
): Buffer {
  const secret = scalarOf(key);
  const digest = hash('sha256', bytes, 'buffer');
  const z = toNumber(digest) % order;
  for (const k of nonces(secret, z)) {
    const r = xOf(k) % order;
    const s = (inverse(k) * (z + r * secret)) % order;
    if (r === 0n || s === 0n) continue;
    return encoding === 'der' ? toDer(r, s) : Buffer.concat([toBytes(r), toBytes(s)]);
  }
  throw new Error('no nonce gives a signature');
}

function scalarOf(key: KeyObject): bigint {
  let scalar = scalars.get(key);
  if (scalar === undefined) {
    scalar = toNumber(Buffer.from(key.export({ format: 'jwk' }).d as string, 'base64url'));
    scalars.set(key, scalar);
  }
  return scalar;
}

/** Candidates for the nonce (RFC 6979, section 3.2), each from 1 to n-1. */
function* nonces(secret: bigint, z: bigint): Generator<bigint> {
  const seed = Buffer.concat([toBytes(secret), toBytes(z)]);
  let value: Buffer = Buffer.alloc(32, 1);
  let key: Buffer = Buffer.alloc(32);
  const step = (separator: number, material: Uint8Array): void => {
    key = hmac(key, value, Buffer.of(separator), material);
    value = hmac(key, value);
  };
  step(0, seed);
  step(1, seed);
  for (;;) {
    value = hmac(key, value);
    const candidate = toNumber(value);
    if (candidate >= 1n && candidate < order) yield candidate;
    step(0, Buffer.alloc(0));
  }
}

function hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Buffer {
  const mac = createHmac('sha256', key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

/** x of k·G, computed natively. */
function xOf(k: bigint): bigint {
  const curve = createECDH('prime256v1');
  curve.setPrivateKey(toBytes(k));
  return toNumber(curve.getPublicKey().subarray(1, 33));
}

/** Inverse modulo n by the extended Euclidean algorithm. */
function inverse(number: bigint): bigint {
  let [r, nextR, s, nextS] = [number % order, order, 1n, 0n];
  while (nextR !== 0n) {
    const quotient = r / nextR;
    [r, nextR] = [nextR, r - quotient * nextR];
    [s, nextS] = [nextS, s - quotient * nextS];
  }
  return ((s % order) + order) % order;
}

const toNumber = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString('hex')}`);
const toBytes = (number: bigint): Buffer =>
  Buffer.from(number.toString(16).padStart(64, '0'), 'hex');

/** DER SEQUENCE of two INTEGERs. */
function toDer(r: bigint, s: bigint): Buffer {
  const integers = [r, s].map((number) => {
    const hex = number.toString(16);
    const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
    const content = (bytes[0] as number) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes;
    return Buffer.concat([Buffer.of(0x02, content.length), content]);
  });
  const content = Buffer.concat(integers);
  return Buffer.concat([Buffer.of(0x30, content.length), content]);
}
