import { CryptoError, type EncryptionKey, sealTo } from '@concordat/crypto';
import {
  BinaryReader,
  BinaryWriter,
  DecodeError,
  type Epoch,
  fromBase64,
  fromHex,
  isHex64,
  toBase64,
  toEpoch,
} from '@concordat/std';
import { KeysError } from './errors.ts';
import { joinFields } from './hash-to-group.ts';
import {
  type DecryptionShare,
  decodeDecryptionShare,
  decryptionShareBytes,
  encodeDecryptionShare,
} from './tdh2.ts';

/** Whose shares they are, and for whom. All of it is bound into what is sealed. */
export interface AuditSharesName {
  /** 64 lowercase hex digits. */
  readonly networkId: string;
  /** Name of the auditor, as granted. */
  readonly auditor: string;
  /** The auditor's 65-byte uncompressed P-256 point, hex: what the shares are sealed to. */
  readonly encryptionKey: string;
  /** Id of the actor that gives, hex. */
  readonly actor: string;
}

/** One decryption share, and what it is of. */
export interface AuditShare {
  readonly epoch: Epoch;
  /** Number of the shared key the epoch's session key is encrypted to. */
  readonly key: number;
  /** Number of the ceremony that dealt the holder's share. */
  readonly sharing: number;
  readonly share: DecryptionShare;
}

/** A file of shares as it is handed over: only the auditor's private key opens it. */
export interface SealedAuditShares extends AuditSharesName {
  readonly sealed: Uint8Array;
}

/** Most characters of a file. */
export const maxAuditSharesLength = 1024 * 1024;

const format = 'concordat audit shares';
const names = ['format', 'version', 'networkId', 'auditor', 'encryptionKey', 'actor', 'sealed'];
/** u64 epoch, u32 key, u32 sharing, the share. */
const entryBytes = 16 + decryptionShareBytes;

const infoOf = ({ networkId, auditor, encryptionKey, actor }: AuditSharesName): Uint8Array =>
  joinFields('concordat audit shares v1', networkId, auditor, encryptionKey, actor);

/**
 * Seals an actor's decryption shares to an auditor (HPKE, RFC 9180), as the text of a file.
 * @param entropy32 never used for another sealing
 * @throws KeysError INVALID_RECIPIENT when the key is no point of P-256
 */
export function sealAuditShares(
  name: AuditSharesName,
  shares: readonly AuditShare[],
  entropy32: Uint8Array,
): string {
  const writer = new BinaryWriter();
  for (const { epoch, key, sharing, share } of shares) {
    writer.u64(epoch).u32(key).u32(sharing).raw(encodeDecryptionShare(share));
  }
  const { networkId, auditor, encryptionKey, actor } = name;
  const point = fromHex(encryptionKey) ?? new Uint8Array();
  try {
    const sealed = toBase64(sealTo(point, writer.take(), infoOf(name), entropy32));
    const file = { format, version: 1, networkId, auditor, encryptionKey, actor, sealed };
    return `${JSON.stringify(file, undefined, 2)}\n`;
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    throw new KeysError('INVALID_RECIPIENT', "the auditor's key is not a P-256 point");
  }
}

/**
 * Reads such a file strictly; what is sealed in it shows when it is opened.
 * @throws KeysError MALFORMED
 */
export function decodeAuditShares(text: string): SealedAuditShares {
  const malformed = (why: string): KeysError =>
    new KeysError('MALFORMED', `not a file of audit shares: ${why}`);
  if (text.length > maxAuditSharesLength) {
    throw malformed(`more than ${maxAuditSharesLength} characters`);
  }
  let file: Readonly<Record<string, unknown>>;
  try {
    file = JSON.parse(text) as typeof file;
  } catch {
    throw malformed('not JSON');
  }
  const isRecord = typeof file === 'object' && file !== null && !Array.isArray(file);
  const members = isRecord ? Object.keys(file) : [];
  if (members.length !== names.length || !names.every((name) => members.includes(name))) {
    throw malformed(`it has not exactly the members ${names.join(', ')}`);
  }
  const { networkId, auditor, encryptionKey, actor, sealed } = file;
  if (file.format !== format || file.version !== 1) throw malformed('not of version 1');
  if (!isHex64(networkId) || !isHex64(actor)) throw malformed('identities are 64 hex digits');
  if (typeof auditor !== 'string' || auditor.length > 64) throw malformed('no name of an auditor');
  const isPoint = typeof encryptionKey === 'string' && /^[0-9a-f]{130}$/.test(encryptionKey);
  if (!isPoint) throw malformed('the key is not 130 hex digits');
  const bytes = typeof sealed === 'string' ? fromBase64(sealed) : undefined;
  if (!bytes) throw malformed('what is sealed is not base64');
  return { networkId, auditor, encryptionKey, actor, sealed: bytes };
}

/**
 * Opens a file with the auditor's private key. Whether the shares hold is checked when they are
 * combined.
 * @throws KeysError SHARES_NOT_OPENED: another key, or the file was changed; MALFORMED,
 *   INVALID_ELEMENT: what was sealed is no list of shares
 */
export function openAuditShares(file: SealedAuditShares, key: EncryptionKey): AuditShare[] {
  let opened: Uint8Array;
  try {
    opened = key.open(file.sealed, infoOf(file));
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    const why = `the shares of ${file.actor} do not open: sealed to another key, or changed`;
    throw new KeysError('SHARES_NOT_OPENED', why);
  }
  const malformed = new KeysError('MALFORMED', `the shares of ${file.actor} are no list of shares`);
  if (opened.length % entryBytes !== 0) throw malformed;
  try {
    const reader = new BinaryReader(opened);
    return Array.from({ length: opened.length / entryBytes }, () => ({
      epoch: toEpoch(reader.u64()),
      key: reader.u32(),
      sharing: reader.u32(),
      share: decodeDecryptionShare(reader.raw(decryptionShareBytes)),
    }));
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw malformed;
  }
}
