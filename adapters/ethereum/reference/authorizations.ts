import { emptyBytes } from '@concordat/std';
import type { TransactionFields } from '../chain-reader.ts';
import { authorityOf } from '../transaction.ts';
import type { LibraryEvm } from './library-evm.ts';
import type { Account } from './state.ts';

/** One delegation of a type 4 transaction (EIP-7702). */
export type Authorization = TransactionFields['authorizationList'][number];

const delegation = Uint8Array.of(0xef, 0x01, 0x00);
const lastNonce = 0xffff_ffff_ffff_ffffn;
/** What an authorization costs less when the account is there already (EIP-7702). */
const authorizationRefund = 25_000 - 12_500;

/** Whether code is the designator of a delegation. */
export const isDelegation = (code: Uint8Array): boolean =>
  delegation.every((byte, at) => code[at] === byte);

/** Sets the delegations of a type 4 transaction; an invalid one is passed over (EIP-7702). */
export function authorize(evm: LibraryEvm, list: readonly Authorization[]): void {
  for (const entry of list) {
    const authority = validAuthority(evm, entry);
    if (authority === undefined) continue;
    if (authority.exists) evm.state.refund += authorizationRefund;
    delegate(evm, authority, entry);
  }
}

/** The account that signed an authorization, warm from then on; undefined when it is passed over. */
export function validAuthority(
  { state, fork }: LibraryEvm,
  entry: Authorization,
): Account | undefined {
  if (entry.chainId !== 0n && entry.chainId !== fork.chainId) return undefined;
  if (entry.nonce >= lastNonce) return undefined;
  const address = authorityOf(entry);
  if (address === undefined) return undefined;
  const authority = state.account(address);
  state.warmAddress(authority);
  const code = state.code(authority);
  if (code.length > 0 && !isDelegation(code)) return undefined;
  return authority.nonce === entry.nonce ? authority : undefined;
}

/** Does what a valid authorization says. */
export function delegate({ state }: LibraryEvm, authority: Account, entry: Authorization): void {
  state.touch(authority);
  state.setNonce(authority, authority.nonce + 1n);
  const code = clears(entry) ? emptyBytes : Buffer.concat([delegation, entry.address]);
  state.setCode(authority, code);
}

/** Whether an authorization takes the delegation away. */
export const clears = ({ address }: Authorization): boolean => address.every((byte) => byte === 0);
