import { type Epoch, fromHex, isHex64, toEpoch, toHex, utf8 } from '@concordat/std';
import { isText, readForeignObject, requireField } from './foreign.ts';

// What nodes say to each other about session keys: requests for decryption shares, and a key that the
// leader sends with the block that begins its epoch. JSON in UTF-8; docs/format/epochs.md.

/** Epochs one request may name. */
export const maxEpochsAsked = 32;
/** A shared key of 255 holders takes 8.5 kB. */
const maxFormHex = 20_000;

/** A session key as it is encrypted to one shared key. */
export interface AskedKey {
  readonly epoch: Epoch;
  /** Number of the shared key. */
  readonly key: number;
}

/** The giver's decryption share of a session key. */
export interface GivenShare extends AskedKey {
  /** Number of the ceremony that dealt the giver's share. */
  readonly sharing: number;
  /** 98 bytes. */
  readonly share: Uint8Array;
}

/** How a key is shared, as the giver's committed ledger has it. */
export interface GivenForm {
  readonly key: number;
  readonly sharing: number;
  /** The encoded threshold key. */
  readonly form: Uint8Array;
}

/** The answer to a request for shares. */
export interface GivenShares {
  readonly shares: readonly GivenShare[];
  readonly forms: readonly GivenForm[];
}

/** A session key on its way to a node that it is granted to. */
export interface SentKey {
  readonly epoch: Epoch;
  /** 32 bytes. */
  readonly key: Uint8Array;
  /** Hex SHA-256 of the ciphertext it is the content of. */
  readonly digest: string;
}

/** `{"epochs":[{"epoch":n,"key":k}]}` */
export const encodeShareRequest = (asked: readonly AskedKey[]): Uint8Array =>
  utf8(JSON.stringify({ epochs: asked.map(({ epoch, key }) => ({ epoch, key })) }));

/** @throws ManagerError CHANNEL_FAILED */
export function decodeShareRequest(bytes: Uint8Array): AskedKey[] {
  const what = 'epochs';
  requireField(bytes.length <= 4096, what);
  const { epochs } = readForeignObject(bytes, 'request for shares');
  const asked = listOf(epochs, maxEpochsAsked, what).map(askedKeyOf);
  const names = new Set(asked.map(({ epoch, key }) => `${epoch}/${key}`));
  requireField(asked.length > 0 && names.size === asked.length, what);
  return asked;
}

/** `{"shares":[{"epoch","key","sharing","share"}],"forms":[{"key","sharing","form"}]}`, bytes in hex. */
export const encodeGivenShares = ({ shares, forms }: GivenShares): Uint8Array =>
  utf8(
    JSON.stringify({
      shares: shares.map((given) => ({ ...given, share: toHex(given.share) })),
      forms: forms.map((given) => ({ ...given, form: toHex(given.form) })),
    }),
  );

/** Reads an answer; whether the shares hold is still to be asked. @throws ManagerError CHANNEL_FAILED */
export function decodeGivenShares(bytes: Uint8Array): GivenShares {
  const answer = readForeignObject(bytes, 'decryption shares');
  return {
    shares: listOf(answer.shares, maxEpochsAsked, 'shares').map((item) => ({
      ...askedKeyOf(item),
      sharing: numberOf(item.sharing, 'sharing'),
      share: hexOf(item.share, 400, 'share'),
    })),
    forms: listOf(answer.forms, maxEpochsAsked, 'forms').map((item) => ({
      key: numberOf(item.key, 'key'),
      sharing: numberOf(item.sharing, 'sharing'),
      form: hexOf(item.form, maxFormHex, 'form'),
    })),
  };
}

/** `{"epoch":n,"key":hex,"digest":hex}` */
export const encodeSentKey = ({ epoch, key, digest }: SentKey): Uint8Array =>
  utf8(JSON.stringify({ epoch, key: toHex(key), digest }));

/** @throws ManagerError CHANNEL_FAILED */
export function decodeSentKey(bytes: Uint8Array): SentKey {
  requireField(bytes.length <= 512, 'session key');
  const { epoch, key, digest } = readForeignObject(bytes, 'session key');
  requireField(isHex64(key) && isHex64(digest), 'session key');
  return { epoch: toEpoch(numberOf(epoch, 'epoch')), key: hexOf(key, 64, 'key'), digest };
}

/** A node asks for the session key of an epoch that it is granted: `{"epoch":n}`. */
export const encodeKeyRequest = (epoch: Epoch): Uint8Array => utf8(JSON.stringify({ epoch }));

/** @throws ManagerError CHANNEL_FAILED */
export function decodeKeyRequest(bytes: Uint8Array): Epoch {
  requireField(bytes.length <= 64, 'epoch');
  return toEpoch(numberOf(readForeignObject(bytes, 'request for a key').epoch, 'epoch'));
}

/** Epoch 0 stands for the network's private key. */
const askedKeyOf = (item: Record<string, unknown>): AskedKey => ({
  epoch: toEpoch(item.epoch === 0 ? 0 : numberOf(item.epoch, 'epoch')),
  key: numberOf(item.key, 'key'),
});

function listOf(value: unknown, max: number, what: string): Record<string, unknown>[] {
  requireField(Array.isArray(value) && value.length <= max, what);
  for (const item of value) requireField(typeof item === 'object' && item !== null, what);
  return value;
}

function numberOf(value: unknown, what: string): number {
  requireField(typeof value === 'number' && Number.isSafeInteger(value) && value >= 1, what);
  return value;
}

function hexOf(value: unknown, max: number, what: string): Uint8Array {
  requireField(isText(value, max), what);
  const bytes = fromHex(value);
  requireField(bytes !== undefined, what);
  return bytes;
}
