// What a finished transaction changed, net: what equals the stored record or value is left out.
// u32 accounts, u32 slots, u32 codes; accounts: 20 address, u32 length (all ones: delete), record;
// slots: u32 key length, key, u32 value length (0: delete), minimal big-endian value; codes: 32
// hash, u32 length, bytes. Unpadded.
import {
  accountBalance,
  accountCodeHash,
  accountFlags,
  accountIncarnation,
  accountNonce,
  codeFlag,
  encodeRecord,
  existsFlag,
  longestRecord,
  storedBalance,
  storedCodeHash,
  storedFlags,
  storedIncarnation,
  storedNonce,
  storeMinimal,
} from './accounts';
import { changedAccounts, writtenSlots } from './changes';
import { codeBytes, codeLength, codeOf, listCode } from './code';
import { cutList, emptyList, extendList, listHeader, listLength, listStart } from './list';
import { transactionNumber } from './marks';
import { slotAccount, slotBefore, slotIncarnation, slotKey, slotPresent } from './slots';
import { equal } from './word';

const set: usize = memory.data(listHeader, 16);
const deleted: u32 = 0xffff_ffff;
const longestKey: u32 = 56;

/** Writes the open transaction's write set and answers where it is. */
export function writeSet(): usize {
  emptyList(set);
  extendList(set, 12);
  let accounts: u32 = 0;
  let slots: u32 = 0;
  let codes: u32 = 0;
  const changed = listStart(changedAccounts);
  const changedEnd = changed + listLength(changedAccounts);
  for (let at = changed; at < changedEnd; at += 4) {
    if (addAccount(load<u32>(at))) accounts++;
  }
  const written = listStart(writtenSlots);
  const writtenEnd = written + listLength(writtenSlots);
  for (let at = written; at < writtenEnd; at += 4) {
    if (addSlot(load<u32>(at))) slots++;
  }
  for (let at = changed; at < changedEnd; at += 4) {
    if (addCode(load<u32>(at))) codes++;
  }
  const start = listStart(set);
  store<u32>(start, accounts);
  store<u32>(start, slots, 4);
  store<u32>(start, codes, 8);
  return start;
}

/** Ends the set at a position. */
function endAt(position: usize): void {
  cutList(set, <u32>(position - listStart(set)));
}

function addAccount(account: usize): bool {
  const flags = load<u32>(account, accountFlags);
  const incarnation = load<u32>(account, accountIncarnation);
  // One that is gone keeps a record for the number of its incarnation.
  const keep = (flags & existsFlag) != 0 || incarnation > 0;
  const stored = (load<u32>(account, storedFlags) & existsFlag) != 0;
  const wasKept = stored || load<u32>(account, storedIncarnation) > 0;
  if (keep == wasKept && (!keep || isUnchanged(account))) return false;
  const at = extendList(set, 24 + longestRecord);
  memory.copy(at, account, 20);
  const length = keep ? encodeRecord(at + 24, account) : 0;
  store<u32>(at, keep ? length : deleted, 20);
  endAt(at + 24 + length);
  return true;
}

function isUnchanged(account: usize): bool {
  return (
    equal(account + accountBalance, account + storedBalance) &&
    load<u64>(account, accountNonce) == load<u64>(account, storedNonce) &&
    load<u32>(account, accountFlags) == load<u32>(account, storedFlags) &&
    load<u32>(account, accountIncarnation) == load<u32>(account, storedIncarnation) &&
    equal(account + accountCodeHash, account + storedCodeHash)
  );
}

function addSlot(slot: usize): bool {
  const account = <usize>load<u32>(slot, slotAccount);
  // The storage that was wiped is gone with its incarnation.
  if (load<u32>(account, accountIncarnation) != load<u32>(slot, slotIncarnation)) return false;
  if (equal(slot + slotPresent, slot + slotBefore)) return false;
  const at = extendList(set, 4 + longestKey + 4 + 32);
  const keyLength = slotKey(at + 4, slot);
  store<u32>(at, keyLength);
  const value = at + 4 + <usize>keyLength;
  const length = storeMinimal(value + 4, slot + slotPresent);
  store<u32>(value, length);
  endAt(value + 4 + length);
  return true;
}

function addCode(account: usize): bool {
  if ((load<u32>(account, accountFlags) & codeFlag) == 0) return false;
  if (equal(account + accountCodeHash, account + storedCodeHash)) return false;
  const code = codeOf(account);
  if (listCode(code, transactionNumber)) return false;
  const length = codeLength(code);
  const at = extendList(set, 36 + length);
  memory.copy(at, account + accountCodeHash, 32);
  store<u32>(at, length, 32);
  memory.copy(at + 36, codeBytes(code), length);
  return true;
}
