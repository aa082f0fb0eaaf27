import { toLatin1, viewOf } from '@concordat/std';
import type { CustomCrypto } from '@ethereumjs/common';
import { createKeccak } from 'hash-wasm';
import secp256k1 from 'secp256k1';

// One WebAssembly instance, reused: 0.9 million hashes/s against 150 thousand of the pure one.
const hasher = await createKeccak(256);

/** Keccak-256 (the original padding, not SHA3-256), 32 bytes. */
export function keccak256(bytes: Uint8Array): Uint8Array {
  hasher.init();
  hasher.update(bytes);
  return hasher.digest('binary');
}

/** Keccak-256 as the number whose big-endian bytes it is: what the KECCAK256 operation pushes. */
export function keccak256Word(bytes: Uint8Array): bigint {
  hasher.init();
  hasher.update(bytes);
  return BigInt(`0x${hasher.digest('hex')}`);
}

/** keccak256 of no bytes: the code hash of an account without code. */
export const emptyCodeHash: Uint8Array = keccak256(new Uint8Array(0));

/** {@link emptyCodeHash} as a map key. */
export const emptyCodeKey: string = toLatin1(emptyCodeHash);

/** Order of the secp256k1 group. */
export const curveOrder = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

/** Greatest `s` of a signature that EIP-2 accepts. */
export const greatestLowS: bigint = curveOrder / 2n;

/**
 * Address (20 bytes) that signed a 32-byte digest, or undefined when no key fits. `signature` is
 * r‖s, 32 bytes each.
 */
export function recoverAddress(
  digest: Uint8Array,
  signature: Uint8Array,
  yParity: number,
): Uint8Array | undefined {
  try {
    const point = secp256k1.ecdsaRecover(signature, yParity, digest, false);
    return keccak256(point.subarray(1)).slice(12);
  } catch {
    return undefined;
  }
}

/** Address (20 bytes) of a 32-byte secret key. Test and demonstration tools use it. */
export function addressOfKey(key: Uint8Array): Uint8Array {
  return keccak256(secp256k1.publicKeyCreate(key, false).subarray(1)).slice(12);
}

/** Signs a 32-byte digest with a 32-byte secret key: r‖s with low s, and the parity. */
export function signDigest(
  digest: Uint8Array,
  key: Uint8Array,
): { readonly signature: Uint8Array; readonly yParity: 0 | 1 } {
  const { signature, recid } = secp256k1.ecdsaSign(digest, key);
  return { signature, yParity: recid === 1 ? 1 : 0 };
}

/** Unsigned big-endian bytes to bigint; empty bytes are zero. */
export function toBigInt(bytes: Uint8Array): bigint {
  const length = bytes.length;
  if (length === 0) return 0n;
  const buffer = viewOf(bytes);
  if (length <= 6) return BigInt(buffer.readUIntBE(0, length));
  return BigInt(`0x${buffer.hexSlice(0, length)}`);
}

/** Shortest unsigned big-endian bytes; zero has none. */
export function toMinimalBytes(value: bigint): Uint8Array {
  if (value === 0n) return new Uint8Array(0);
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
}

/** 32-byte big-endian form of a word. */
export function toWord(value: bigint): Uint8Array {
  return Buffer.from(value.toString(16).padStart(64, '0'), 'hex');
}

/**
 * The same primitives for the EVM library. The KZG check answers false: chains here carry no blobs,
 * so the point evaluation precompile fails like on an invalid proof instead of ending the batch.
 */
export const evmCrypto: CustomCrypto = {
  keccak256,
  ecrecover: (digest, v, r, s) => {
    const signature = new Uint8Array(64);
    signature.set(r, 32 - r.length);
    signature.set(s, 64 - s.length);
    return secp256k1.ecdsaRecover(signature, Number(v) - 27, digest, false).slice(1);
  },
  ecdsaRecover: (signature, recovery, digest) =>
    secp256k1.ecdsaRecover(signature, recovery, digest, false),
  kzg: {
    verifyProof: () => false,
  } as unknown as NonNullable<CustomCrypto['kzg']>,
};
