import { CryptoError, type EncryptionKey, sealTo } from '@concordat/crypto';
import { assert, BinaryWriter, type Epoch, fromHex, isHex64, utf8 } from '@concordat/std';
import { KeysError } from './errors.ts';

/** One epoch's session key, encrypted to one recipient. Public: it may stand in the ledger. */
export interface SessionKeyWrap {
  readonly epoch: Epoch;
  /** Node identity, or the name of a key holder. */
  readonly recipient: string;
  /** Ephemeral point (65) ‖ encrypted key (32) ‖ tag (16). */
  readonly wrapped: Uint8Array;
}

/** What a wrap is bound to: opening it under any other of these fails. */
export interface WrapBinding {
  readonly epoch: Epoch;
  /** Identity of the network, 64 lowercase hex digits. */
  readonly networkId: string;
  /** Node identity, or the name of a key holder. */
  readonly recipient: string;
}

/** Bytes of a session key. */
export const sessionKeyBytes = 32;
/** Bytes of a wrapped session key. */
export const wrappedKeyBytes = 65 + sessionKeyBytes + 16;

const domain = utf8('concordat session key wrap v1\0');

function infoOf({ epoch, networkId, recipient }: WrapBinding): Uint8Array {
  assert(isHex64(networkId), 'network identity is not 64 lowercase hex digits');
  const network = fromHex(networkId) as Uint8Array;
  return new BinaryWriter().raw(domain).raw(network).u64(epoch).text(recipient).take();
}

/**
 * Encrypts an epoch's session key to a recipient's public encryption key (paper, Encrypting
 * Persistent State).
 * @param request.key32 32 bytes
 * @param request.recipientPublicKey uncompressed P-256 point, 65 bytes
 * @param request.entropy32 32 bytes, never used for another wrap
 * @returns 113 bytes
 * @throws KeysError INVALID_RECIPIENT when the public key is not a point
 */
export function wrapSessionKey(
  request: WrapBinding & {
    readonly key32: Uint8Array;
    readonly recipientPublicKey: Uint8Array;
    readonly entropy32: Uint8Array;
  },
): Uint8Array {
  const { epoch, recipient, key32 } = request;
  assert(key32.length === sessionKeyBytes, `session key of ${key32.length} bytes`);
  try {
    return sealTo(request.recipientPublicKey, key32, infoOf(request), request.entropy32);
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    const why = `the public key of ${recipient} is not a P-256 point`;
    throw new KeysError('INVALID_RECIPIENT', why, { epoch, recipient });
  }
}

/**
 * Decrypts a wrap with the recipient's private key.
 * @returns the session key, 32 bytes
 * @throws KeysError UNWRAP_FAILED when network, epoch, recipient, key or a byte is not the same
 */
export function unwrapSessionKey(
  request: WrapBinding & { readonly wrapped: Uint8Array },
  key: EncryptionKey,
): Uint8Array {
  const { epoch, recipient, wrapped } = request;
  try {
    if (wrapped.length === wrappedKeyBytes) return key.open(wrapped, infoOf(request));
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
  }
  const why = `the session key of epoch ${epoch} does not open for ${recipient}`;
  throw new KeysError('UNWRAP_FAILED', why, { epoch, recipient });
}
