import { diffieHellman, type KeyObject } from 'node:crypto';
import { assert, concatBytes, emptyBytes, utf8 } from '@concordat/std';
import { aeadOpen, aeadSeal } from './aead.ts';
import { CryptoError } from './errors.ts';
import {
  deriveScalar,
  isP256Spki,
  keyOfScalar,
  labeledExpand,
  labeledExtract,
  pointBytes,
  pointOfSpki,
  spkiOfPoint,
} from './p256.ts';
import { importP256, importPrivateP256, loadPublicKey, toPkcs8Pem } from './public-key.ts';

// Public-key encryption is HPKE base mode, single shot (RFC 9180, section 6.1) with
// DHKEM(P-256, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM; one message a context, sequence 0.

const kemSuite = concatBytes(utf8('KEM'), Uint8Array.of(0x00, 0x10));

/** An AEAD of RFC 9180, table 5. */
export interface HpkeAead {
  readonly id: 1 | 2;
  readonly keyBytes: 16 | 32;
}

const aes256: HpkeAead = { id: 2, keyBytes: 32 };

/** What both ends of a context have. */
interface Context {
  /** Uncompressed point, 65 bytes: `enc` of RFC 9180. */
  readonly ephemeral: Uint8Array;
  /**
   * A secret that only both ends know, bound to this context (RFC 9180, section 5.3): 32 bytes.
   * @param label of what it is used for
   */
  export(label: Uint8Array): Uint8Array;
}

/** The sending end of a context for one message. */
export interface SendingContext extends Context {
  /** Seals the one message of this context. @returns ciphertext ‖ tag (16) */
  seal(plaintext: Uint8Array, additionalData: Uint8Array): Uint8Array;
}

/** The receiving end of a context for one message. */
export interface ReceivingContext extends Context {
  /** @throws CryptoError AUTHENTICATION_FAILED */
  open(sealed: Uint8Array, additionalData: Uint8Array): Uint8Array;
}

/** A P-256 private key that opens what was sealed to its public key. */
export interface EncryptionKey {
  /** Uncompressed point, 65 bytes. */
  readonly publicKey: Uint8Array;
  /**
   * Opens sealed bytes under the same info they were sealed with.
   * @throws CryptoError AUTHENTICATION_FAILED
   */
  open(sealed: Uint8Array, info: Uint8Array): Uint8Array;
  /**
   * The receiving end of a context (SetupBaseR of RFC 9180, section 5.1.1).
   * @param ephemeral what the sender sent, 65 bytes
   * @throws CryptoError AUTHENTICATION_FAILED when it is no point of P-256
   */
  receive(ephemeral: Uint8Array, info: Uint8Array): ReceivingContext;
  /** The private key as PKCS#8 PEM. Secret. */
  toPkcs8Pem(): string;
}

/** KeySchedule in base mode (RFC 9180, section 5.1): key, nonce of sequence 0, and exports. */
export function hpkeSchedule(
  sharedSecret: Uint8Array,
  info: Uint8Array,
  aead: HpkeAead = aes256,
): { key: Uint8Array; nonce: Uint8Array; exportOf: (label: Uint8Array) => Uint8Array } {
  const suite = concatBytes(utf8('HPKE'), Uint8Array.of(0x00, 0x10, 0x00, 0x01, 0x00, aead.id));
  const context = concatBytes(
    Uint8Array.of(0),
    labeledExtract(suite, emptyBytes, 'psk_id_hash', emptyBytes),
    labeledExtract(suite, emptyBytes, 'info_hash', info),
  );
  const secret = labeledExtract(suite, sharedSecret, 'secret', emptyBytes);
  return {
    key: labeledExpand(suite, secret, 'key', context, aead.keyBytes),
    nonce: labeledExpand(suite, secret, 'base_nonce', context, 12),
    exportOf: (label) => {
      const exporter = labeledExpand(suite, secret, 'exp', context, 32);
      return labeledExpand(suite, exporter, 'sec', label, 32);
    },
  };
}

/**
 * ExtractAndExpand of the Diffie-Hellman value (RFC 9180, section 4.1): the shared secret.
 * @param points ephemeral ‖ recipient public key, 130 bytes
 */
function sharedSecretOf(dh: Uint8Array, points: Uint8Array): Uint8Array {
  const extracted = labeledExtract(kemSuite, emptyBytes, 'eae_prk', dh);
  return labeledExpand(kemSuite, extracted, 'shared_secret', points, 32);
}

/** The recipient's half of the key exchange; undefined when the ephemeral point is not one. */
export function hpkeDecap(
  key: KeyObject,
  publicKey: Uint8Array,
  ephemeral: Uint8Array,
): Uint8Array | undefined {
  const spki = spkiOfPoint(ephemeral);
  const peer = isP256Spki(spki) ? loadPublicKey(spki) : undefined;
  if (!peer) return undefined;
  const dh = diffieHellman({ privateKey: key, publicKey: peer });
  return sharedSecretOf(dh, concatBytes(ephemeral, publicKey));
}

function encryptionKeyOf(key: KeyObject, publicKey: Uint8Array): EncryptionKey {
  return {
    publicKey,
    toPkcs8Pem: () => toPkcs8Pem(key),
    open(sealed, info) {
      const shared = hpkeDecap(key, publicKey, sealed.subarray(0, pointBytes));
      return openWith(shared, sealed, info);
    },
    receive(ephemeral, info) {
      const isPoint = ephemeral.length === pointBytes;
      const shared = isPoint ? hpkeDecap(key, publicKey, ephemeral) : undefined;
      if (shared === undefined) {
        throw new CryptoError('AUTHENTICATION_FAILED', 'the ephemeral key is no point of P-256');
      }
      const { key: aeadKey, nonce, exportOf } = hpkeSchedule(shared, info);
      return {
        ephemeral,
        export: exportOf,
        open: (sealed, additionalData) => aeadOpen(aeadKey, nonce, additionalData, sealed),
      };
    },
  };
}

function openWith(
  shared: Uint8Array | undefined,
  sealed: Uint8Array,
  info: Uint8Array,
): Uint8Array {
  if (shared === undefined) {
    throw new CryptoError('AUTHENTICATION_FAILED', 'sealed bytes hold no ephemeral key');
  }
  const schedule = hpkeSchedule(shared, info);
  return aeadOpen(schedule.key, schedule.nonce, emptyBytes, sealed.subarray(pointBytes));
}

/**
 * What opens bytes sealed to a public key whose private key is elsewhere (a token, a card).
 * @param publicKey uncompressed point, 65 bytes
 * @param agree Diffie-Hellman with a point of P-256 (65 bytes, checked): the x coordinate, 32 bytes
 */
export const openerBy = (
  publicKey: Uint8Array,
  agree: (ephemeral: Uint8Array) => Uint8Array,
): Pick<EncryptionKey, 'publicKey' | 'open'> => ({
  publicKey,
  open(sealed, info) {
    const ephemeral = sealed.subarray(0, pointBytes);
    if (!isEncryptionPublicKey(ephemeral)) return openWith(undefined, sealed, info);
    const shared = sharedSecretOf(agree(ephemeral), concatBytes(ephemeral, publicKey));
    return openWith(shared, sealed, info);
  },
});

/**
 * The encryption key of 32 bytes of the caller's entropy (DeriveKeyPair of RFC 9180): the same seed
 * gives the same key.
 */
export function createEncryptionKey(seed: Uint8Array): EncryptionKey {
  const { key, point } = keyOfScalar(deriveScalar(kemSuite, seed));
  return encryptionKeyOf(key, point);
}

/**
 * An encryption key from PKCS#8 PEM.
 * @throws CryptoError INVALID_KEY when it is not a P-256 private key
 */
export function importEncryptionKey(pkcs8Pem: string): EncryptionKey {
  const { key, spki } = importPrivateP256(pkcs8Pem);
  return encryptionKeyOf(key, pointOfSpki(spki));
}

/**
 * Encrypts to a public key so that only its owner, naming the same info, opens it.
 * @param publicKey the recipient's uncompressed point, 65 bytes
 * @param info what the message is bound to; not sent
 * @param entropy 32 bytes that are never used for another message
 * @returns ephemeral point (65) ‖ ciphertext ‖ tag (16)
 * @throws CryptoError INVALID_KEY when the public key is not a point of P-256
 */
export function sealTo(
  publicKey: Uint8Array,
  plaintext: Uint8Array,
  info: Uint8Array,
  entropy: Uint8Array,
): Uint8Array {
  const context = sendTo(publicKey, info, entropy);
  return concatBytes(context.ephemeral, context.seal(plaintext, emptyBytes));
}

/**
 * The sending end of a context for one message (SetupBaseS of RFC 9180, section 5.1.1).
 * @param publicKey the recipient's uncompressed point, 65 bytes
 * @param info what the context is bound to; not sent
 * @param entropy 32 bytes that are never used for another context
 * @throws CryptoError INVALID_KEY when the public key is not a point of P-256
 */
export function sendTo(
  publicKey: Uint8Array,
  info: Uint8Array,
  entropy: Uint8Array,
): SendingContext {
  const peer = publicKey.length === pointBytes ? importP256(spkiOfPoint(publicKey)) : undefined;
  if (peer === undefined) throw new CryptoError('INVALID_KEY', 'not an uncompressed P-256 point');
  const { key, point } = keyOfScalar(deriveScalar(kemSuite, entropy));
  const dh = diffieHellman({ privateKey: key, publicKey: peer });
  const shared = sharedSecretOf(dh, concatBytes(point, publicKey));
  const { key: aeadKey, nonce, exportOf } = hpkeSchedule(shared, info);
  let isUsed = false;
  return {
    ephemeral: point,
    export: exportOf,
    seal: (plaintext, additionalData) => {
      assert(!isUsed, 'a context seals one message: its nonce would come back');
      isUsed = true;
      return aeadSeal(aeadKey, nonce, additionalData, plaintext);
    },
  };
}

/** Whether the bytes are an uncompressed point of P-256 that can be sealed to. */
export function isEncryptionPublicKey(publicKey: Uint8Array): boolean {
  return publicKey.length === pointBytes && importP256(spkiOfPoint(publicKey)) !== undefined;
}
