import { writeLimbs } from './quantities.ts';
import type { AccessListEntry, RecoveredAuthorization } from './transaction.ts';

/** Views over the engine's memory. They end when it grows. */
export interface MemoryViews {
  readonly bytes: Buffer;
  readonly view: DataView;
}

/** What the engine does differently, in the input's first word. */
export const inputFlags = {
  creation: 1,
  /** The sender's nonce and code are not looked at. */
  unchecked: 2,
  /** Accesses are listed in the result. */
  recorded: 4,
  /** Nobody gets the fee. */
  unpaid: 8,
} as const;

/** A message with its price, as `execute` and `call` of the engine read it. */
export interface EngineInput {
  /** Of {@link inputFlags}. */
  readonly flags: number;
  readonly nonce: bigint;
  readonly gasLimit: number | bigint;
  readonly intrinsic: number;
  readonly floor: number;
  readonly blobGas: number;
  readonly price: bigint;
  readonly value: bigint;
  /** What the sender must hold. */
  readonly upfront: bigint;
  readonly blobFee: bigint;
  readonly tip: bigint;
  readonly from: Uint8Array;
  readonly to: Uint8Array | undefined;
  readonly data: Uint8Array;
  readonly blobHashes: readonly Uint8Array[];
  readonly accessList: readonly AccessListEntry[];
  readonly authorizations: readonly RecoveredAuthorization[];
}

const headBytes = 288;
const authorizationBytes = 64;

const padded = (length: number): number => (length + 31) & ~31;

/** Bytes {@link writeInput} needs. */
export function inputBytes(input: EngineInput): number {
  let length = headBytes + padded(input.data.length) + 32 * input.blobHashes.length;
  for (const entry of input.accessList) length += 24 + 32 * entry.storageKeys.length;
  return length + authorizationBytes * input.authorizations.length;
}

/** Writes a message where the engine reads it. */
export function writeInput({ bytes, view }: MemoryViews, at: number, input: EngineInput): void {
  const { data, from, to } = input;
  view.setUint32(at, input.flags, true);
  view.setUint32(at + 4, data.length, true);
  view.setBigUint64(at + 8, input.nonce, true);
  view.setBigUint64(at + 16, BigInt(input.gasLimit), true);
  writeU53(view, at + 24, input.intrinsic);
  writeU53(view, at + 32, input.floor);
  view.setUint32(at + 40, input.accessList.length, true);
  view.setUint32(at + 44, input.authorizations.length, true);
  view.setUint32(at + 48, input.blobHashes.length, true);
  view.setUint32(at + 52, 0, true);
  writeU53(view, at + 56, input.blobGas);
  writeLimbs(view, at + 64, input.price);
  writeLimbs(view, at + 96, input.value);
  writeLimbs(view, at + 128, input.upfront);
  writeLimbs(view, at + 160, input.blobFee);
  for (let i = 0; i < 20; i++) bytes[at + 192 + i] = from[i] as number;
  if (to !== undefined) for (let i = 0; i < 20; i++) bytes[at + 224 + i] = to[i] as number;
  writeLimbs(view, at + 256, input.tip);
  bytes.set(data, at + headBytes);
  let end = at + headBytes + data.length;
  const padding = at + headBytes + padded(data.length);
  while (end < padding) bytes[end++] = 0;
  for (const hash of input.blobHashes) {
    bytes.set(hash, end);
    end += 32;
  }
  end = writeAccessList({ bytes, view }, end, input.accessList);
  writeAuthorizations({ bytes, view }, end, input.authorizations);
}

/** Writes an integer below 2^53 as 64 bits. */
function writeU53(view: DataView, at: number, value: number): void {
  view.setUint32(at, value, true);
  view.setUint32(at + 4, value / 0x1_0000_0000, true);
}

function writeAccessList(
  { bytes, view }: MemoryViews,
  at: number,
  list: readonly AccessListEntry[],
): number {
  let end = at;
  for (const { address, storageKeys } of list) {
    bytes.set(address, end);
    view.setUint32(end + 20, storageKeys.length, true);
    end += 24;
    for (const key of storageKeys) {
      bytes.set(key, end);
      end += 32;
    }
  }
  return end;
}

function writeAuthorizations(
  { bytes, view }: MemoryViews,
  at: number,
  list: readonly RecoveredAuthorization[],
): void {
  let end = at;
  for (const { authority, address, nonce } of list) {
    bytes.set(authority as Uint8Array, end);
    bytes.set(address, end + 20);
    view.setBigUint64(end + 40, nonce, true);
    view.setUint32(end + 48, 1, true);
    bytes.fill(0, end + 52, end + authorizationBytes);
    end += authorizationBytes;
  }
}
