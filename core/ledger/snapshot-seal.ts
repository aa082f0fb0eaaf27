import { aeadOpen, aeadSeal, aeadTagBytes, CryptoError, hkdfSha256 } from '@concordat/crypto';
import { assert, BinaryWriter, concatBytes, fromHex, utf8 } from '@concordat/std';
import { LedgerError } from './errors.ts';
import type { SessionKey } from './session-key.ts';
import { snapshotChunkBytes } from './snapshot.ts';

/** Where a chunk lies in a snapshot that a host keeps. */
export interface SealedChunkPlace {
  /** 64 lowercase hex digits. */
  readonly networkId: string;
  /** Height of the snapshot. */
  readonly height: number;
  /** Index of the whole snapshot, from 0. */
  readonly index: number;
  /**
   * 32 bytes, secret. One key seals one snapshot: draw a new one for each that is taken or
   * received, or two chunks could share a nonce.
   */
  readonly key: Uint8Array;
}

/** Bytes that sealing adds to a chunk: version and tag. */
export const sealedChunkExtraBytes = 1 + aeadTagBytes;

const version = 1;
const domain = utf8('concordat snapshot chunk v1');

/** Seals a chunk for this node's host: `u8 1 ‖ ciphertext ‖ 16-byte tag` (AES-256-GCM). */
export function sealChunk(place: SealedChunkPlace, chunk: Uint8Array): Uint8Array {
  const { length } = chunk;
  assert(length > 0 && length <= snapshotChunkBytes, `snapshot chunk of ${length} bytes`);
  const sealed = aeadSeal(place.key, nonceOf(place), additionalData(place), chunk);
  const bytes = Buffer.allocUnsafeSlow(1 + sealed.length);
  bytes[0] = version;
  bytes.set(sealed, 1);
  return bytes;
}

/**
 * Opens what {@link sealChunk} made at the same place under the same key.
 * @throws LedgerError MALFORMED, AUTHENTICATION_FAILED
 */
export function openChunk(place: SealedChunkPlace, sealed: Uint8Array): Uint8Array {
  const { height, index } = place;
  const { length } = sealed;
  if (length <= sealedChunkExtraBytes || length > snapshotChunkBytes + sealedChunkExtraBytes) {
    throw new LedgerError('MALFORMED', `snapshot ${height}: chunk ${index} has ${length} bytes`, {
      height,
      index,
    });
  }
  if (sealed[0] !== version) {
    throw new LedgerError('MALFORMED', `snapshot ${height}: chunk ${index} has another version`, {
      height,
      index,
    });
  }
  try {
    return aeadOpen(place.key, nonceOf(place), additionalData(place), sealed.subarray(1));
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    throw new LedgerError(
      'AUTHENTICATION_FAILED',
      `snapshot ${height}: chunk ${index} does not open`,
      { height, index },
    );
  }
}

/** u64 0 ‖ u32 index. */
const nonceOf = ({ index }: SealedChunkPlace): Uint8Array =>
  new BinaryWriter(12).u64(0).u32(index).take();

const additionalData = ({ networkId, height, index }: SealedChunkPlace): Uint8Array =>
  new BinaryWriter(domain.length + 44)
    .raw(domain)
    .raw(fromHex(networkId) as Uint8Array)
    .u64(height)
    .u32(index)
    .take();

/** What a snapshot's key at rest is of. */
export interface SnapshotKeyPlace {
  /** 64 lowercase hex digits. */
  readonly networkId: string;
  /** Height of the snapshot. */
  readonly height: number;
}

/** Bytes of a snapshot's key as it is kept: nonce, 32 bytes, tag. */
export const sealedSnapshotKeyBytes = 12 + 32 + aeadTagBytes;

/**
 * Seals the key of a snapshot's closed part for the host that keeps it, under the session key of the
 * snapshot's epoch: `nonce(12) ‖ ciphertext ‖ tag`. So whoever stops must ask others again.
 * @param nonce 12 fresh random bytes
 */
export function sealSnapshotKey(
  { key, ...place }: SnapshotKeyPlace & { readonly key: Uint8Array },
  sessionKey: SessionKey,
  nonce: Uint8Array,
): Uint8Array {
  assert(key.length === 32 && nonce.length === 12, 'a key of 32 bytes and a nonce of 12');
  return concatBytes(nonce, aeadSeal(wrappingKeyOf(sessionKey), nonce, keyDataOf(place), key));
}

/**
 * Opens what {@link sealSnapshotKey} made.
 * @returns 32 bytes, secret
 * @throws LedgerError AUTHENTICATION_FAILED
 */
export function openSnapshotKey(
  place: SnapshotKeyPlace,
  sealed: Uint8Array,
  sessionKey: SessionKey,
): Uint8Array {
  const { height } = place;
  try {
    if (sealed.length === sealedSnapshotKeyBytes) {
      const nonce = sealed.subarray(0, 12);
      return aeadOpen(wrappingKeyOf(sessionKey), nonce, keyDataOf(place), sealed.subarray(12));
    }
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
  }
  const why = `snapshot ${height}: its key does not open with that of epoch ${sessionKey.epoch}`;
  throw new LedgerError('AUTHENTICATION_FAILED', why, { height });
}

/** A key of its own for this use, so that no nonce meets those of blocks. */
const wrappingKeyOf = ({ key }: SessionKey): Uint8Array =>
  hkdfSha256(key, new Uint8Array(0), utf8('concordat session v1 snapshot key'), 32);

const keyDataOf = ({ networkId, height }: SnapshotKeyPlace): Uint8Array =>
  new BinaryWriter(80)
    .raw(utf8('concordat snapshot key v1'))
    .raw(fromHex(networkId) as Uint8Array)
    .u64(height)
    .take();
