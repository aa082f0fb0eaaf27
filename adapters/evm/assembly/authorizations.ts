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
  const nonce = load<u64>(entry, authorizationNonce);
  if (load<u32>(entry, authorizationChain) == 0 || nonce == u64.MAX_VALUE) return;
  const authority = accountOf(entry);
  warmAccount(authority);
  const code = codeOf(authority);
  if (codeLength(code) > 0 && !isDelegation(code)) return;
  if (nonceOf(authority) != nonce) return;
  if (accountExists(authority)) addRefund(authorizationRefund);
  touch(authority);
  setNonce(authority, nonce + 1);
  const delegate = entry + authorizationDelegate;
  const clears = (load<u64>(delegate) | load<u64>(delegate, 8) | <u64>load<u32>(delegate, 16)) == 0;
  if (clears) setCode(authority, 0, 0);
  else setCode(authority, delegateDesignator(delegate), 23);
}
