// Delegations since EIP-8037: each write and each growth of the state is paid when it happens.
import { clearsDelegation, delegate, validAuthority } from './authorizations';
import { codeOf, isDelegation } from './code';
import { authorizationBytes, input, inputAuthorizations, inputValue } from './exchange';
import { emptyList, extendList, listHeader, listLength, listStart } from './list';
import { accountExists } from './state';
import { accountStateGas, delegationStateGas, takeStateGas } from './state-gas';
import { isZero } from './word';

/** The first write to an account in the transaction (EIP-8038). */
const accountWriteGas: i64 = 9000;

/** What is paid for: an account and flags, u32 each. */
const paid: usize = memory.data(listHeader, 16);
const entryBytes: u32 = 8;
/** Its fields are written anyway, or the write is paid. */
const writeFlag: u32 = 1;
/** Some valid authorization of it was met. */
const metFlag: u32 = 2;
/** It delegated before the transaction, or its designator is paid. */
const designatorFlag: u32 = 4;

/** Sets the delegations of a list and pays for them; gas left, or -1. `to` is 0 for a creation. */
export function payAuthorizations(list: usize, sender: usize, to: usize, before: i64): i64 {
  emptyList(paid);
  store<u32>(flagsOf(sender), writeFlag);
  if (to != 0 && !isZero(input + inputValue)) store<u32>(flagsOf(to), writeFlag);
  let gas = before;
  let entry = list;
  for (let left = load<u32>(input, inputAuthorizations); left > 0 && gas >= 0; left--) {
    const authority = validAuthority(entry);
    if (authority != 0) {
      gas = payOne(authority, entry, gas);
      if (gas >= 0) delegate(authority, entry);
    }
    entry += authorizationBytes;
  }
  return gas;
}

function payOne(authority: usize, entry: usize, before: i64): i64 {
  const at = flagsOf(authority);
  let flags = load<u32>(at);
  let gas = before;
  const delegates = isDelegation(codeOf(authority));
  if ((flags & metFlag) == 0) flags |= metFlag | (delegates ? designatorFlag : 0);
  if ((flags & writeFlag) == 0) {
    gas -= accountWriteGas;
    if (gas < 0) return -1;
    flags |= writeFlag;
  }
  let growth: i64 = accountExists(authority) ? 0 : accountStateGas;
  if (!clearsDelegation(entry) && !delegates && (flags & designatorFlag) == 0) {
    growth += delegationStateGas;
    flags |= designatorFlag;
  }
  store<u32>(at, flags);
  return takeStateGas(growth, gas);
}

/** Where the flags of an account are; good until the next one is asked for. */
function flagsOf(account: usize): usize {
  const start = listStart(paid);
  const end = start + listLength(paid);
  for (let at = start; at < end; at += entryBytes) {
    if (load<u32>(at) == <u32>account) return at + 4;
  }
  const at = extendList(paid, entryBytes);
  store<u32>(at, <u32>account);
  store<u32>(at, 0, 4);
  return at + 4;
}
