// The areas through which input and results go in and out. Layouts: numbers are little-endian, words
// have four limbs of 64 bits, the least significant first.

import { allocate, release } from './arena';
import { emptyList, extendList, listHeader, listLength, listStart } from './list';
import { logCount, logsLength, logsStart } from './logs';
import { accessed } from './marks';
import { slotAccount } from './slots';
import { accountExists, accountOf, addressOf, balanceOf, codeHashOf, nonceOf } from './state';
import { copyWord, storeBytes } from './word';

// Input of a transaction or call.
/** u32, of the flags below */
export const inputFlags: i32 = 0;
/** u32 */
export const inputDataLength: i32 = 4;
/** u64 */
export const inputNonce: i32 = 8;
/** u64 */
export const inputGasLimit: i32 = 16;
/** u64 */
export const inputIntrinsic: i32 = 24;
/** u64: least gas to be paid (EIP-7623), 0 before Prague */
export const inputFloor: i32 = 32;
/** u32: addresses in the access list */
export const inputAccessed: i32 = 40;
/** u32 */
export const inputAuthorizations: i32 = 44;
/** u32 */
export const inputBlobHashes: i32 = 48;
/** word: effective gas price */
export const inputPrice: i32 = 64;
/** word */
export const inputValue: i32 = 96;
/** word: what the sender must hold; all ones is more than anyone holds */
export const inputUpfront: i32 = 128;
/** word: deducted and burnt (EIP-4844) */
export const inputBlobFee: i32 = 160;
/** 20 raw bytes */
export const inputSender: i32 = 192;
/** 20 raw bytes */
export const inputTo: i32 = 224;
/** word: what the coinbase gets per gas */
export const inputTip: i32 = 256;
/**
 * Data, padded to 32; blob hashes, 32 raw bytes each; access list, per address 20 raw bytes, u32
 * count, 32 raw bytes per slot; authorizations.
 */
export const inputData: i32 = 288;

/** Creates a contract; there is no recipient. */
export const creationFlag: u32 = 1;
/** The sender's nonce and code are not checked. */
export const uncheckedFlag: u32 = 2;
/** Accounts and slots that are met are listed in the result. */
export const recordedFlag: u32 = 4;
/** Nothing is paid at the end: a call whose state nobody keeps. */
export const unpaidFlag: u32 = 8;

// An authorization (EIP-7702): first who signed, 20 raw bytes.
/** 20 raw bytes */
export const authorizationDelegate: i32 = 20;
/** u64 */
export const authorizationNonce: i32 = 40;
/** u32: whether it is for this chain or any */
export const authorizationChain: i32 = 48;
/** Bytes of an authorization. */
export const authorizationBytes: usize = 64;

// Input of a system call: first the target, 20 raw bytes.
/** u32 */
export const systemDataLength: i32 = 32;
/** The data. */
export const systemData: i32 = 36;

// Result area.
/** u32: 0 applied, else why not */
export const resultOutcome: i32 = 0;
/** u32: 1 for a success */
export const resultStatus: i32 = 4;
/** u32 */
export const resultHalt: i32 = 8;
/** u32 */
export const resultError: i32 = 12;
/** u64 */
export const resultGasUsed: i32 = 16;
/** u64: gas given back as refund */
export const resultRefund: i32 = 24;
/** u32 pointer, u32 length */
export const resultOutput: i32 = 32;
/** u32, then 20 raw bytes */
export const resultCreated: i32 = 40;
/** u32 pointer, u32 count, u32 bytes */
const resultLogs: i32 = 64;
/** u32 pointer, u32 count */
const resultAccessed: i32 = 76;
/** u64 */
export const resultNonce: i32 = 88;
/** word */
export const resultBalance: i32 = 96;
const resultBytes: usize = 128;
/** u64: regular gas that a block counts (EIP-7778, 8037); since Amsterdam only, as is the next */
export const resultRegularGas: i32 = 128;
/** u64: state gas that a block counts (EIP-8037) */
export const resultStateGas: i32 = 136;

// Outcomes beside 0.
/** The sender has had this nonce. */
export const nonceTooLow: u32 = 1;
/** The sender has not come to this nonce yet. */
export const nonceTooHigh: u32 = 2;
/** The sender has code (EIP-3607). */
export const senderNotEoa: u32 = 3;
/** The sender does not hold the upfront cost. */
export const insufficientFunds: u32 = 4;

/** What came of the last transaction, call or system call. */
export const result: usize = memory.data(144, 16);

const smallestRoom: i32 = 4096;
/** A larger room goes back when a smaller one is asked for. */
const keptRoom: i32 = 1 << 20;

/** Where input lies. */
export let input: usize = 0;
let capacity: i32 = 0;

/** Room for input of so many bytes; the room before is no longer good. */
export function inputRoom(length: i32): i32 {
  if (length < 0) unreachable();
  if (length > capacity || (capacity > keptRoom && length <= keptRoom)) {
    if (capacity > 0) release(input, capacity);
    capacity = max(length, smallestRoom);
    input = allocate(capacity);
  }
  return <i32>input;
}

/** Empties the result area. */
export function clearResult(): void {
  memory.fill(result, 0, resultBytes);
}

/** Says in the result where the logs are. */
export function resultOfLogs(): void {
  store<u32>(result, <u32>logsStart(), resultLogs);
  store<u32>(result, logCount(), resultLogs + 4);
  store<u32>(result, logsLength(), resultLogs + 8);
}

const accesses: usize = memory.data(listHeader, 16);
const accessBytes: u32 = 56;

/** Writes what was accessed: u32 kind (1 for a slot), 20 address, 32 slot (raw bytes). */
export function resultOfAccesses(): void {
  emptyList(accesses);
  const count = listLength(accessed) >> 2;
  if (count == 0) return;
  let out = extendList(accesses, count * accessBytes);
  let from = listStart(accessed);
  for (let i: u32 = 0; i < count; i++) {
    const pointer = <usize>load<u32>(from);
    const entry = pointer & ~1;
    const isSlot = (pointer & 1) != 0;
    store<u32>(out, isSlot ? 1 : 0);
    const account = isSlot ? <usize>load<u32>(entry, slotAccount) : entry;
    memory.copy(out + 4, addressOf(account), 20);
    if (isSlot) storeBytes(out + 24, entry);
    else memory.fill(out + 24, 0, 32);
    from += 4;
    out += accessBytes;
  }
  store<u32>(result, <u32>listStart(accesses), resultAccessed);
  store<u32>(result, count, resultAccessed + 4);
}

const information: usize = memory.data(80, 16);

/** An account as it is now: u32 exists, u32 0, u64 nonce, balance word, 32 raw bytes code hash. */
export function accountInfo(address: usize): usize {
  const account = accountOf(address);
  store<u32>(information, accountExists(account) ? 1 : 0);
  store<u64>(information, nonceOf(account), 8);
  copyWord(information + 16, balanceOf(account));
  copyWord(information + 48, codeHashOf(account));
  return information;
}
