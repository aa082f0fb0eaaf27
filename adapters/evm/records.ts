import { viewOf } from '@concordat/std';
import { EvmError } from './errors.ts';
import { toBigInt, toMinimalBytes } from './quantities.ts';

/** What is stored of one account. */
export interface AccountRecord {
  /** False only for the tombstone of a destroyed account that once had storage. */
  readonly exists: boolean;
  readonly nonce: bigint;
  readonly balance: bigint;
  /** keccak256 of the code as a binary string of 32 characters. */
  readonly codeKey: string;
  /** Counts how often the storage was wiped; part of every slot's key, so a wipe is O(1). */
  readonly incarnation: number;
  /** Whether a slot was ever written in this incarnation. */
  readonly hasStorage: boolean;
}

/** keccak256 of no bytes, the code hash of an account without code; 32 bytes. */
export const emptyCodeHash: Uint8Array = Buffer.from(
  'c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470',
  'hex',
);

/** {@link emptyCodeHash} as a map key. */
export const emptyCodeKey: string = viewOf(emptyCodeHash).latin1Slice(0, 32);

const hasCode = 1;
const storage = 2;
const wiped = 4;
const absent = 8;

/** Longest account record: flags, two lengths, nonce, balance, code hash, incarnation. */
export const maxRecordBytes: number = 3 + 8 + 32 + 32 + 4;

/** Bytes of an account record; the room's README gives them in a table. */
export function encodeAccount(record: AccountRecord): Uint8Array {
  const nonce = toMinimalBytes(record.nonce);
  const balance = toMinimalBytes(record.balance);
  const withCode = record.codeKey !== emptyCodeKey;
  const flags =
    (withCode ? hasCode : 0) |
    (record.hasStorage ? storage : 0) |
    (record.incarnation > 0 ? wiped : 0) |
    (record.exists ? 0 : absent);
  const length =
    3 + nonce.length + balance.length + (withCode ? 32 : 0) + (record.incarnation > 0 ? 4 : 0);
  const bytes = Buffer.allocUnsafe(length);
  bytes[0] = flags;
  bytes[1] = nonce.length;
  bytes.set(nonce, 2);
  let at = 2 + nonce.length;
  bytes[at++] = balance.length;
  bytes.set(balance, at);
  at += balance.length;
  if (withCode) at += bytes.latin1Write(record.codeKey, at, 32);
  if (record.incarnation > 0) bytes.writeUInt32BE(record.incarnation, at);
  return bytes;
}

/** Refuses what {@link encodeAccount} does not make. @throws EvmError MALFORMED */
export function checkAccount(bytes: Uint8Array): void {
  const flags = bytes[0] ?? 255;
  const nonceLength = bytes[1] ?? 255;
  const balanceLength = bytes[2 + nonceLength] ?? 255;
  const length =
    3 +
    nonceLength +
    balanceLength +
    ((flags & hasCode) === 0 ? 0 : 32) +
    ((flags & wiped) === 0 ? 0 : 4);
  if (flags > 15 || nonceLength > 8 || balanceLength > 32 || length !== bytes.length) {
    throw new EvmError('MALFORMED', 'not an account record');
  }
}

/** Reads {@link encodeAccount}. @throws EvmError MALFORMED */
export function decodeAccount(bytes: Uint8Array): AccountRecord {
  checkAccount(bytes);
  const buffer = viewOf(bytes);
  const flags = buffer[0] as number;
  const balanceAt = 2 + (buffer[1] as number);
  const codeAt = balanceAt + 1 + (buffer[balanceAt] as number);
  const wipedAt = codeAt + ((flags & hasCode) === 0 ? 0 : 32);
  return {
    exists: (flags & absent) === 0,
    nonce: toBigInt(buffer.subarray(2, balanceAt)),
    balance: toBigInt(buffer.subarray(balanceAt + 1, codeAt)),
    codeKey: (flags & hasCode) === 0 ? emptyCodeKey : buffer.latin1Slice(codeAt, wipedAt),
    incarnation: (flags & wiped) === 0 ? 0 : buffer.readUInt32BE(wipedAt),
    hasStorage: (flags & storage) !== 0,
  };
}

/** Key of a slot: account (20 characters), incarnation (4, absent when 0), slot (32). */
export function slotKey(account: string, incarnation: number, slot: string): string {
  if (incarnation === 0) return account + slot;
  const prefix = Buffer.allocUnsafe(4);
  prefix.writeUInt32BE(incarnation);
  return account + prefix.latin1Slice(0, 4) + slot;
}
