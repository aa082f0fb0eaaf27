// Storage, and what is read of other accounts. Operands, gas and answers as in operations-memory.

import { codeBytes, codeLength, codeOf } from './code';
import {
  berlin,
  blobHashCount,
  blobHashes,
  blockNumberAt,
  istanbul,
  revision,
} from './environment';
import { atAccount, atInput, atInputLength } from './frame';
import {
  coldAccountGas,
  coldSlotGas,
  netPricing,
  plainPricing,
  sstoreClean,
  sstoreCleanRefund,
  sstoreClearRefund,
  sstoreDirty,
  sstoreInitRefund,
  sstoreNoop,
  sstoreResetGas,
  sstoreSentry,
  sstoreSetGas,
  storePricing,
  warmGas,
} from './gas';
import { hostBlockHash } from './host';
import { copyForeign } from './operations-memory';
import {
  accountOfWord,
  addRefund,
  balanceOf,
  codeHashOf,
  isAlive,
  setSlot,
  setTransient,
  slotOf,
  slotOriginal,
  slotValue,
  transientOf,
  warmAccount,
  warmSlot,
} from './state';
import { stateStoreCost } from './state-store';
import { copyWord, equal, fitsU64, isZero, loadBytes, lowU64, setU64, zeroWord } from './word';

/** EIP-2929 price of reading an account, which it marks warm; nothing before. */
export function accessCost(account: usize): i64 {
  if (revision < berlin) return 0;
  return warmAccount(account) ? coldAccountGas : warmGas;
}

/** SLOAD: key. */
export function loadSlot(frame: usize, sp: usize, before: i64): i64 {
  let gas = before;
  const slot = slotOf(load<usize>(frame, atAccount), sp);
  if (revision >= berlin) {
    gas -= warmSlot(slot) ? coldSlotGas : warmGas;
    if (gas < 0) return -1;
  }
  copyWord(sp, slotValue(slot));
  return gas;
}

/** SSTORE: key, value. */
export function storeSlot(frame: usize, sp: usize, before: i64): i64 {
  // EIP-2200: leaves a stipend's worth, so that a plain transfer can never write.
  if (revision >= istanbul && before <= sstoreSentry) return -1;
  const slot = slotOf(load<usize>(frame, atAccount), sp);
  const gas = before - storeCost(frame, slot, sp + 32, before);
  if (gas < 0) return -1;
  setSlot(slot, sp + 32);
  return gas;
}

/** Price of a store by the rules in force. */
function storeCost(frame: usize, slot: usize, value: usize, before: i64): i64 {
  if (storePricing == netPricing) return netStoreCost(slot, value);
  if (storePricing == plainPricing) return plainStoreCost(slot, value);
  // Called twice, so that it stays out of what the stores of other forks run through.
  return warmSlot(slot)
    ? stateStoreCost(frame, slot, value, before, coldSlotGas)
    : stateStoreCost(frame, slot, value, before, warmGas);
}

/** Price of a store before EIP-1283 and after its withdrawal. */
function plainStoreCost(slot: usize, value: usize): i64 {
  const wasZero = isZero(slotValue(slot));
  const isCleared = isZero(value);
  if (!wasZero && isCleared) addRefund(sstoreClearRefund);
  return wasZero && !isCleared ? sstoreSetGas : sstoreResetGas;
}

/** Price of a store by its net change in the transaction (EIP-1283, 2200, 2929, 3529). */
function netStoreCost(slot: usize, value: usize): i64 {
  const cold: i64 = revision >= berlin && warmSlot(slot) ? coldSlotGas : 0;
  const current = slotValue(slot);
  if (equal(current, value)) return cold + sstoreNoop;
  const original = slotOriginal(slot);
  const beganZero = isZero(original);
  if (equal(original, current)) {
    if (beganZero) return cold + sstoreSetGas;
    if (isZero(value)) addRefund(sstoreClearRefund);
    return cold + sstoreClean;
  }
  if (!beganZero) {
    if (isZero(current)) addRefund(-sstoreClearRefund);
    else if (isZero(value)) addRefund(sstoreClearRefund);
  }
  if (equal(original, value)) addRefund(beganZero ? sstoreInitRefund : sstoreCleanRefund);
  return cold + sstoreDirty;
}

/** TLOAD: key (EIP-1153). */
export function loadTransient(frame: usize, sp: usize): void {
  copyWord(sp, transientOf(load<usize>(frame, atAccount), sp));
}

/** TSTORE: key, value. */
export function storeTransient(frame: usize, sp: usize): void {
  setTransient(load<usize>(frame, atAccount), sp, sp + 32);
}

/** BALANCE: address. */
export function readBalance(sp: usize, before: i64): i64 {
  const account = accountOfWord(sp);
  const gas = before - accessCost(account);
  if (gas >= 0) copyWord(sp, balanceOf(account));
  return gas < 0 ? -1 : gas;
}

/** EXTCODESIZE: address. */
export function readCodeSize(sp: usize, before: i64): i64 {
  const account = accountOfWord(sp);
  const gas = before - accessCost(account);
  if (gas < 0) return -1;
  setU64(sp, <u64>codeLength(codeOf(account)));
  return gas;
}

/** EXTCODEHASH: address; zero for what EIP-161 calls dead (EIP-1052). */
export function readCodeHash(sp: usize, before: i64): i64 {
  const account = accountOfWord(sp);
  const gas = before - accessCost(account);
  if (gas < 0) return -1;
  if (isAlive(account)) loadBytes(sp, codeHashOf(account));
  else zeroWord(sp);
  return gas;
}

/** EXTCODECOPY: address, to, from, length. */
export function copyForeignCode(frame: usize, sp: usize, before: i64): i64 {
  const account = accountOfWord(sp);
  const gas = before - accessCost(account);
  if (gas < 0) return -1;
  const code = codeOf(account);
  return copyForeign(frame, sp + 32, gas, codeBytes(code), codeLength(code));
}

/** BLOCKHASH: number; zero unless it is one of the last 256. */
export function readBlockHash(sp: usize): void {
  const present = load<u64>(blockNumberAt);
  const number = lowU64(sp);
  const known = fitsU64(sp) && number < present && present - number <= 256;
  zeroWord(sp);
  if (!known) return;
  hostBlockHash(<f64>number, sp);
  loadBytes(sp, sp);
}

/** BLOBHASH: index (EIP-4844). */
export function readBlobHash(sp: usize): void {
  const index = lowU64(sp);
  if (fitsU64(sp) && index < blobHashCount) loadBytes(sp, blobHashes + ((<usize>index) << 5));
  else zeroWord(sp);
}

/** CALLDATALOAD: offset; bytes past the end are zero. */
export function loadInput(frame: usize, sp: usize): void {
  const length = <u64>load<u32>(frame, atInputLength);
  const offset = lowU64(sp);
  const fits = fitsU64(sp);
  zeroWord(sp);
  if (!fits || offset >= length) return;
  const there = length - offset;
  memory.copy(sp, load<usize>(frame, atInput) + <usize>offset, there < 32 ? <usize>there : 32);
  loadBytes(sp, sp);
}
