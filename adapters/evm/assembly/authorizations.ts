// Delegations that a transaction of type 4 brings (EIP-7702).
import { codeLength, codeOf, delegateDesignator, isDelegation } from './code';
import {
  authorizationBytes,
  authorizationChain,
  authorizationDelegate,
  authorizationNonce,
  input,
  inputAuthorizations,
} from './exchange';
import {
  accountExists,
  accountOf,
  addRefund,
  nonceOf,
  setCode,
  setNonce,
  touch,
  warmAccount,
} from './state';

/** What an authorization of an account that exists gives back (EIP-7702). */
const authorizationRefund: i64 = 25000 - 12500;

/** Sets the delegations of a list; an invalid one is passed over. */
export function authorize(list: usize): void {
  let entry = list;
  for (let left = load<u32>(input, inputAuthorizations); left > 0; left--) {
    authorizeOne(entry);
    entry += authorizationBytes;
  }
}

function authorizeOne(entry: usize): void {
  const authority = validAuthority(entry);
  if (authority == 0) return;
  if (accountExists(authority)) addRefund(authorizationRefund);
  delegate(authority, entry);
}

/** The account that signed an authorization, which is warm from then on; 0 when it is passed over. */
export function validAuthority(entry: usize): usize {
  const nonce = load<u64>(entry, authorizationNonce);
  if (load<u32>(entry, authorizationChain) == 0 || nonce == u64.MAX_VALUE) return 0;
  const authority = accountOf(entry);
  warmAccount(authority);
  const code = codeOf(authority);
  if (codeLength(code) > 0 && !isDelegation(code)) return 0;
  return nonceOf(authority) == nonce ? authority : 0;
}

/** Does what a valid authorization says. */
export function delegate(authority: usize, entry: usize): void {
  touch(authority);
  setNonce(authority, nonceOf(authority) + 1);
  if (clearsDelegation(entry)) setCode(authority, 0, 0);
  else setCode(authority, delegateDesignator(entry + authorizationDelegate), 23);
}

/** Whether an authorization takes the delegation away. */
export function clearsDelegation(entry: usize): bool {
  const named = entry + authorizationDelegate;
  return (load<u64>(named) | load<u64>(named, 8) | <u64>load<u32>(named, 16)) == 0;
}
