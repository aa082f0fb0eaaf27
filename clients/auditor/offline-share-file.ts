import { maxSharesHolders } from '@concordat/api';
import {
  type DecryptionShare,
  decodeDecryptionShare,
  encodeDecryptionShare,
  KeysError,
} from '@concordat/keys';
import {
  type ActorId,
  type Epoch,
  emptyBytes,
  fromBase64,
  isHex64,
  toBase64,
  toEpoch,
} from '@concordat/std';
import { AuditorError } from './errors.ts';
import { holderAt, type KeyRecord } from './offline-record.ts';
import type { HolderShares } from './offline-shares.ts';

/** Decryption shares of one or more actors' copies, as they travel to whoever combines them. */
export interface DecryptionSharesFile {
  /** 64 lowercase hex digits. */
  readonly networkId: string;
  /** What every share is bound to. */
  readonly requester: string;
  readonly holders: readonly SharesOfHolder[];
}

/** The shares of one holder of one sharing. */
export interface SharesOfHolder {
  readonly actor: string;
  /** 1 to 255. */
  readonly index: number;
  /** Hex, 32 bytes: identity of the ceremony that dealt the sharing. */
  readonly ceremonyId: string;
  /** Ascending by epoch. */
  readonly shares: readonly { readonly epoch: Epoch; readonly share: DecryptionShare }[];
}

/** Most characters of a file: some 180 for each epoch. */
export const maxSharesFileLength = 32 * 1024 * 1024;
/** Most epochs of one holder. */
export const maxSharesEpochs = 100_000;

const format = 'concordat decryption shares';

/** What a file says of shares that were made here. */
export const sharesFileOf = (
  { networkId }: KeyRecord,
  requester: string,
  made: readonly HolderShares[],
): DecryptionSharesFile => ({
  networkId,
  requester,
  holders: made.map(({ actorId, index, sharing, shares }) => ({
    actor: actorId,
    index,
    ceremonyId: sharing.ceremonyId,
    shares: Array.from(shares, ([epoch, share]) => ({ epoch, share })),
  })),
});

/** The file: JSON, a share a line (docs/format/recovery-files.md). */
export function encodeSharesFile({ networkId, requester, holders }: DecryptionSharesFile): string {
  const head = { format, version: 1, networkId, requester };
  const lists = holders.map(({ actor, index, ceremonyId, shares }) => {
    const lines = shares.map(({ epoch, share }) => {
      return JSON.stringify({ epoch, share: toBase64(encodeDecryptionShare(share)) });
    });
    const who = JSON.stringify({ actor, index, ceremonyId }).slice(0, -1);
    return `${who},"shares":[\n${lines.join(',\n')}]}`;
  });
  return `${JSON.stringify(head).slice(0, -1)},"holders":[\n${lists.join(',\n')}]}\n`;
}

/**
 * Reads such a file strictly. Whether the shares are right shows when they are combined.
 * @throws AuditorError INVALID_DECRYPTION_SHARES
 */
export function decodeSharesFile(text: string): DecryptionSharesFile {
  if (text.length > maxSharesFileLength) throw invalid(`over ${maxSharesFileLength} characters`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid('not JSON');
  }
  const members = ['format', 'version', 'networkId', 'requester', 'holders'];
  const file = membersOf(value, members, 'the file');
  if (file.format !== format || file.version !== 1) throw invalid('not of version 1');
  const { networkId, requester } = file;
  if (!isHex64(networkId)) throw invalid('networkId is not 64 lowercase hex digits');
  if (typeof requester !== 'string' || !/^[a-z]+:[\x20-\x7e]{1,300}$/.test(requester)) {
    throw invalid('requester names nobody');
  }
  const holders = listOf(file.holders, maxSharesHolders, 'holders').map(readHolder);
  return { networkId, requester, holders };
}

function readHolder(value: unknown): SharesOfHolder {
  const holder = membersOf(value, ['actor', 'index', 'ceremonyId', 'shares'], 'a holder');
  const { actor, index, ceremonyId } = holder;
  if (typeof actor !== 'string' || actor.length < 1 || actor.length > 128) {
    throw invalid('actor is no text of 1 to 128 characters');
  }
  if (typeof index !== 'number' || !Number.isInteger(index) || index < 1 || index > 255) {
    throw invalid('index is not between 1 and 255');
  }
  if (!isHex64(ceremonyId)) throw invalid('ceremonyId is not 64 lowercase hex digits');
  let last = 0;
  const shares = listOf(holder.shares, maxSharesEpochs, 'shares').map((item) => {
    const { epoch, share } = membersOf(item, ['epoch', 'share'], 'a share');
    if (typeof epoch !== 'number' || !Number.isSafeInteger(epoch) || epoch <= last) {
      throw invalid('epochs are whole numbers from 1, ascending, each once');
    }
    last = epoch;
    return { epoch: toEpoch(epoch), share: readShare(share, { epoch, index }) };
  });
  return { actor, index, ceremonyId, shares };
}

function readShare(value: unknown, of: { epoch: number; index: number }): DecryptionShare {
  try {
    const bytes = (typeof value === 'string' && fromBase64(value)) || emptyBytes;
    const share = decodeDecryptionShare(bytes);
    if (share.index === of.index && toBase64(bytes) === value) return share;
  } catch (error) {
    if (!(error instanceof KeysError)) throw error;
  }
  throw invalid(`the share for epoch ${of.epoch} is none of holder ${of.index}`);
}

function listOf(value: unknown, most: number, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(`${what} is not a list`);
  if (value.length > most) throw invalid(`${what} has more than ${most} items`);
  return value;
}

function membersOf(
  value: unknown,
  names: readonly string[],
  what: string,
): Readonly<Record<string, unknown>> {
  const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value);
  const found = isRecord ? Object.keys(value) : [];
  if (found.length === names.length && names.every((name) => found.includes(name))) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw invalid(`${what} has not exactly the members ${names.join(', ')}`);
}

const invalid = (why: string): AuditorError =>
  new AuditorError('INVALID_DECRYPTION_SHARES', `not a file of decryption shares: ${why}`);

/**
 * The shares of a file, as they go with a ledger.
 * @param requester whom they must be bound to
 * @throws AuditorError WRONG_NETWORK, OTHER_REQUESTER, UNKNOWN_SHARING
 */
export function sharesOfFile(
  record: KeyRecord,
  file: DecryptionSharesFile,
  requester: string,
): HolderShares[] {
  if (file.networkId !== record.networkId) {
    const why = `the decryption shares are of network ${file.networkId}, not of this ledger's`;
    throw new AuditorError('WRONG_NETWORK', why, { networkId: file.networkId });
  }
  if (file.requester !== requester) {
    const why = `the decryption shares were made for ${file.requester}, not for ${requester}`;
    throw new AuditorError('OTHER_REQUESTER', why, { requester: file.requester });
  }
  return file.holders.map(({ actor, index, ceremonyId, shares }) => {
    const sharing = record.sharings.find((one) => one.ceremonyId === ceremonyId);
    if (!sharing || holderAt(sharing, index) !== actor) {
      const who = `${record.nameOf(actor)} as holder ${index}`;
      const why = `this ledger knows no sharing ${ceremonyId} with ${who}`;
      throw new AuditorError('UNKNOWN_SHARING', why, { ceremonyId, index });
    }
    const byEpoch = new Map(shares.map(({ epoch, share }) => [epoch, share]));
    return { actorId: actor as ActorId, index, sharing, shares: byEpoch };
  });
}
