import {
  aeadOpen,
  aeadSeal,
  aeadTagBytes,
  CryptoError,
  type EncryptionKey,
  sealTo,
} from '@concordat/crypto';
import {
  assert,
  type Digest,
  emptyBytes,
  equalBytes,
  fromBase64,
  fromHex,
  isHex64,
  toBase64,
  toHex,
  utf8,
} from '@concordat/std';
import sodium from 'libsodium-wrappers-sumo';
import { KeysError } from './errors.ts';
import { joinFields } from './hash-to-group.ts';
import { maxHolders } from './polynomial.ts';
import { erase, groupBytes, type Scalar, sameEncoding, timesBase, toScalar } from './ristretto.ts';
import { type ThresholdKey, verificationKeyOf } from './threshold-key.ts';

/** Which share it is. All of it is bound into what is sealed. */
export interface RecoveryShareName {
  /** 64 lowercase hex digits. */
  readonly networkId: string;
  /** Identity of the key. */
  readonly keyId: Digest;
  /** Identity of the ceremony that dealt the share: a resharing makes other shares of one key. */
  readonly ceremonyId: Digest;
  /** Name of the actor, as in the ceremony's terms, 1 to 128 characters. */
  readonly actor: string;
  /** The holder's index, 1 to 255. */
  readonly index: number;
}

/** What opens a recovery share: a key at hand or in a token, or a passphrase. */
export type RecoveryOpener =
  | { readonly key: Pick<EncryptionKey, 'open'> }
  | { readonly passphrase: string };

/** A share that its actor keeps outside, and how it is sealed. */
export interface RecoveryShare extends RecoveryShareName {
  readonly sealedTo: 'key' | 'passphrase';
  /** Under a passphrase 16 bytes, to a key none. */
  readonly salt: Uint8Array;
  /** To a key: ephemeral point (65), secret (32), tag (16). Under a passphrase: secret, tag. */
  readonly sealed: Uint8Array;
}

/** Fewest UTF-8 bytes of a passphrase: it guards a share for years, from whoever has the file. */
export const minPassphraseBytes = 12;
/** Bytes of salt. */
export const recoverySaltBytes = 16;
/** Most characters of the file. */
export const maxRecoveryFileLength = 4_096;

/** Argon2id as RFC 9106 (4, second recommendation) has it but for one lane: version 1 fixes both. */
const argon2id = { passes: 3, memoryKiB: 65_536 } as const;

const format = 'concordat recovery share';
const domain = 'concordat recovery share v1';
const nonce = new Uint8Array(12);

/**
 * Seals a holder's share for its actor, to the actor's own P-256 key (HPKE) or under a passphrase
 * (Argon2id, AES-256-GCM). The share is not opened to anybody else thereby.
 * @param request.entropy 32 bytes for a key, 16 (the salt) for a passphrase; never used again
 * @throws KeysError WEAK_PASSPHRASE, INVALID_RECIPIENT when the key is no point of P-256
 */
export function sealRecoveryShare(request: {
  readonly name: RecoveryShareName;
  readonly secret: Scalar;
  readonly to: { readonly publicKey: Uint8Array } | { readonly passphrase: string };
  readonly entropy: Uint8Array;
}): RecoveryShare {
  const { name, secret, to, entropy } = request;
  const info = infoOf(name);
  if ('publicKey' in to) {
    try {
      const sealed = sealTo(to.publicKey, secret, info, entropy);
      return { ...name, sealedTo: 'key', salt: emptyBytes, sealed };
    } catch (error) {
      if (!(error instanceof CryptoError)) throw error;
      throw new KeysError('INVALID_RECIPIENT', 'the recovery key is not a P-256 point');
    }
  }
  assert(entropy.length === recoverySaltBytes, `salt of ${entropy.length} bytes`);
  const salt = Uint8Array.from(entropy);
  const key = keyOfPassphrase(to.passphrase, salt);
  const sealed = aeadSeal(key, nonce, info, secret);
  erase(key);
  return { ...name, sealedTo: 'passphrase', salt, sealed };
}

/**
 * Opens a recovery share and checks it against the key it is to be a share of.
 * @param key the public side, as the ledger has it, of the sharing named by the file
 * @throws KeysError RECOVERY_NOT_OPENED: another key or passphrase, or the file was changed;
 *   INVALID_SHARE: of another key, or of an earlier or later sharing of it
 */
export function openRecoveryShare(
  share: RecoveryShare,
  opener: RecoveryOpener,
  key: ThresholdKey,
): Scalar {
  const secret = unseal(share, opener);
  const expected = verificationKeyOf(key, share.index);
  const isThisKey = equalBytes(share.keyId, key.id);
  if (isThisKey && expected && sameEncoding(timesBase(secret), expected)) return secret;
  erase(secret);
  const { index, actor } = share;
  const why = `the recovery share of ${actor} is not a share of this sharing of the key`;
  throw new KeysError('INVALID_SHARE', why, { index, actor });
}

function unseal(share: RecoveryShare, opener: RecoveryOpener): Scalar {
  const notOpened = (why: string): KeysError =>
    new KeysError('RECOVERY_NOT_OPENED', `the recovery share of ${share.actor} ${why}`);
  const way = 'key' in opener ? 'key' : 'passphrase';
  if (way !== share.sealedTo) throw notOpened(`is sealed to a ${share.sealedTo}, not a ${way}`);
  let opened: Uint8Array | undefined;
  try {
    opened =
      'key' in opener ? opener.key.open(share.sealed, infoOf(share)) : openWith(share, opener);
    return toScalar(opened);
  } catch (error) {
    if (!(error instanceof CryptoError || error instanceof KeysError)) throw error;
    throw notOpened(`does not open: it is another ${way}, or the file was changed`);
  } finally {
    erase(opened);
  }
}

function openWith(share: RecoveryShare, { passphrase }: { passphrase: string }): Uint8Array {
  const key = keyOfPassphrase(passphrase, share.salt);
  try {
    return aeadOpen(key, nonce, infoOf(share), share.sealed);
  } finally {
    erase(key);
  }
}

/** One way to write a passphrase (NFC), so that it opens on any keyboard. */
function keyOfPassphrase(passphrase: string, salt: Uint8Array): Uint8Array {
  const bytes = utf8(passphrase.normalize('NFC'));
  try {
    if (bytes.length < minPassphraseBytes) {
      const why = `a passphrase of a recovery share has at least ${minPassphraseBytes} bytes`;
      throw new KeysError('WEAK_PASSPHRASE', why);
    }
    return sodium.crypto_pwhash(
      32,
      bytes,
      salt,
      argon2id.passes,
      argon2id.memoryKiB * 1024,
      sodium.crypto_pwhash_ALG_ARGON2ID13,
    );
  } finally {
    erase(bytes);
  }
}

function infoOf({ networkId, keyId, ceremonyId, actor, index }: RecoveryShareName): Uint8Array {
  return joinFields(domain, networkId, keyId, ceremonyId, actor, index);
}

/** The file: JSON, members in this order, two spaces deep, a final newline. */
export function encodeRecoveryShare(share: RecoveryShare): string {
  const { networkId, keyId, ceremonyId, actor, index, sealedTo, salt, sealed } = share;
  const kdf = { algorithm: 'argon2id', ...argon2id, salt: toBase64(salt) };
  const file = {
    format,
    version: 1,
    networkId,
    keyId: toHex(keyId),
    ceremonyId: toHex(ceremonyId),
    actor,
    index,
    sealedTo,
    ...(sealedTo === 'passphrase' && { kdf }),
    sealed: toBase64(sealed),
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

/**
 * Reads the file. Only what {@link encodeRecoveryShare} writes is accepted, so nothing in it can ask
 * for other parameters or go unread.
 * @throws KeysError MALFORMED
 */
export function decodeRecoveryShare(text: string): RecoveryShare {
  const malformed = (why: string): KeysError =>
    new KeysError('MALFORMED', `recovery share: ${why}`);
  if (text.length > maxRecoveryFileLength) throw malformed(`${text.length} characters`);
  const share = readFile(text);
  if (!share) throw malformed('not a recovery share of version 1');
  const { sealedTo, salt, sealed, actor, index, networkId } = share;
  const isPassphrase = sealedTo === 'passphrase';
  const length = groupBytes + aeadTagBytes + (isPassphrase ? 0 : 65);
  const isFormed =
    isHex64(networkId) &&
    share.keyId.length === 32 &&
    share.ceremonyId.length === 32 &&
    actor.length >= 1 &&
    actor.length <= 128 &&
    Number.isInteger(index) &&
    index >= 1 &&
    index <= maxHolders &&
    (isPassphrase || sealedTo === 'key') &&
    salt.length === (isPassphrase ? recoverySaltBytes : 0) &&
    sealed.length === length;
  if (!isFormed) throw malformed('a member has no such value');
  if (encodeRecoveryShare(share) !== text) throw malformed('not written as version 1 writes it');
  return share;
}

/** The members where a file has them, of whatever value; undefined when it is nothing of the kind. */
function readFile(text: string): RecoveryShare | undefined {
  let json: Record<string, unknown>;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof json !== 'object' || json === null) return undefined;
  const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
  const bytesOf = (value: unknown): Uint8Array => fromBase64(textOf(value)) ?? emptyBytes;
  const digestOf = (value: unknown): Digest => (fromHex(textOf(value)) ?? emptyBytes) as Digest;
  const { kdf } = json;
  const salt = typeof kdf === 'object' && kdf !== null && 'salt' in kdf ? kdf.salt : '';
  return {
    networkId: textOf(json.networkId),
    keyId: digestOf(json.keyId),
    ceremonyId: digestOf(json.ceremonyId),
    actor: textOf(json.actor),
    index: typeof json.index === 'number' ? json.index : 0,
    sealedTo: textOf(json.sealedTo) as RecoveryShare['sealedTo'],
    salt: bytesOf(salt),
    sealed: bytesOf(json.sealed),
  };
}
