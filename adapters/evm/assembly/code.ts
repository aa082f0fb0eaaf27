// Codes by their hash, with what running them needs. Addressed by content, so a code stays right
// whatever happens to the state.

import { accountCode, accountCodeHash, emptyCodeHash } from './accounts';
import { allocate, release } from './arena';
import { hashSlot } from './hash';
import { hostCode, hostCodeLength } from './host';
import { firstCell, insertEntry, nextCell, openTable, tableHeader } from './table';
import { equal } from './word';

// Layout of a code: its hash (32 raw bytes), then these u32, then the bytes.
const codeSize: i32 = 32;
const jumpBits: i32 = 36;
/** Number of the transaction in whose write set it was last. */
const codeListed: i32 = 40;
const codeStart: usize = 64;

/** Zero bytes behind a code: the data of a PUSH32 at its end and the STOP behind that. */
const zeroBytes: i32 = 40;

/** Code of an account without code. */
export const emptyCode: usize = memory.data(128, 16);
const noJumps: usize = memory.data(16, 16);

const table: usize = memory.data(tableHeader, 16);
let cachedBytes: u32 = 0;

/** Bytes of the codes in the cache. */
export function cachedCodeBytes(): u32 {
  return cachedBytes;
}

/** Drops every code. */
export function forgetCodes(): void {
  const cells = <usize>load<u32>(table);
  if (cells != 0) {
    const end = cells + ((<usize>load<u32>(table, 4) + 1) << 3);
    for (let cell = cells; cell < end; cell += 8) {
      const code = <usize>load<u32>(cell, 4);
      if (code != 0) releaseCode(code);
    }
  }
  openTable(table);
  cachedBytes = 0;
}

/** Code of an account. */
export function codeOf(account: usize): usize {
  const known = <usize>load<u32>(account, accountCode);
  return known != 0 ? known : loadCode(account);
}

function loadCode(account: usize): usize {
  const hash = account + accountCodeHash;
  let code = findCode(hash);
  if (code == 0) {
    const length = hostCodeLength(hash);
    if (length > 0) {
      code = newCode(length);
      hostCode(code + codeStart);
      keep(code, hash);
    } else {
      code = emptyCode;
    }
  }
  store<u32>(account, <u32>code, accountCode);
  return code;
}

/** The code of a hash when it is in the cache, else 0. */
function findCode(hash: usize): usize {
  let cell = firstCell(table, hashSlot(0, hash));
  for (let code = <usize>load<u32>(cell, 4); code != 0; code = load<u32>(cell, 4)) {
    if (equal(code, hash)) return code;
    cell = nextCell(table, cell);
  }
  return 0;
}

function newCode(length: i32): usize {
  const code = allocate(<i32>codeStart + length + zeroBytes);
  store<u32>(code, length, codeSize);
  return code;
}

function keep(code: usize, hash: usize): void {
  memory.copy(code, hash, 32);
  insertEntry(table, hashSlot(0, hash), code);
  cachedBytes += load<u32>(code, codeSize);
}

/** The code of these bytes, not empty, whose hash is known; cached. */
export function rememberCode(hash: usize, bytes: usize, length: i32): usize {
  const known = findCode(hash);
  if (known != 0) return known;
  const code = makeCode(bytes, length);
  keep(code, hash);
  return code;
}

/** Code that runs once, such as init code; {@link releaseCode} hands it back. */
export function makeCode(bytes: usize, length: i32): usize {
  const code = newCode(length);
  memory.copy(code + codeStart, bytes, length);
  return code;
}

/** Hands back a code of {@link makeCode}. */
export function releaseCode(code: usize): void {
  const length = load<i32>(code, codeSize);
  const jumps = load<u32>(code, jumpBits);
  if (jumps != 0) release(jumps, (length >> 3) + 1);
  release(code, <i32>codeStart + length + zeroBytes);
}

/** Bytes of a code, followed by at least 40 zero bytes. */
export function codeBytes(code: usize): usize {
  return code + codeStart;
}

/** Length of a code in bytes. */
export function codeLength(code: usize): i32 {
  return load<i32>(code, codeSize);
}

/** Bitmap of the JUMPDESTs that are no push data; bit i of byte n is position 8 n + i. */
export function codeJumps(code: usize): usize {
  const known = <usize>load<u32>(code, jumpBits);
  return known != 0 ? known : findJumps(code);
}

function findJumps(code: usize): usize {
  const length = <usize>codeLength(code);
  if (length == 0) return noJumps;
  const bits = allocate((<i32>length >> 3) + 1);
  const bytes = code + codeStart;
  for (let i: usize = 0; i < length; i++) {
    const operation = <u32>load<u8>(bytes + i);
    if (operation == 0x5b) {
      const at = bits + (i >> 3);
      store<u8>(at, <u32>load<u8>(at) | (1 << (<u32>i & 7)));
    } else if (operation - 0x60 < 32) {
      i += operation - 0x5f;
    }
  }
  store<u32>(code, <u32>bits, jumpBits);
  return bits;
}

/** Length of an EIP-7702 designator. */
const designatorBytes: i32 = 23;

/** Whether a code is an EIP-7702 designator: 0xef0100 and an address. */
export function isDelegation(code: usize): bool {
  return (
    load<i32>(code, codeSize) == designatorBytes &&
    (load<u32>(code, codeStart) & 0xff_ffff) == 0x00_01ef
  );
}

const designator: usize = memory.data(32, 16);

/** The 23 bytes of a designator that names an address (20 raw bytes). */
export function delegateDesignator(address: usize): usize {
  store<u32>(designator, 0x00_01ef);
  memory.copy(designator + 3, address, 20);
  return designator;
}

/** Whether a code has been listed in this transaction's write set already; lists it. */
export function listCode(code: usize, transaction: u32): bool {
  if (load<u32>(code, codeListed) == transaction) return true;
  store<u32>(code, transaction, codeListed);
  return false;
}

/** Hash of a cached code, 32 raw bytes. */
export function codeKey(code: usize): usize {
  return code == emptyCode ? emptyCodeHash : code;
}
