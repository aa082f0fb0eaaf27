import { aeadOpen, aeadSeal, aeadTagBytes, CryptoError } from '@concordat/crypto';
import { assert, BinaryWriter, fromHex, utf8 } from '@concordat/std';
import { LedgerError } from './errors.ts';
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
