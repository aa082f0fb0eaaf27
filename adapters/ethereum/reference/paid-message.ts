import { emptyBytes, equalBytes } from '@concordat/std';
import type { TransactionFields } from '../chain-reader.ts';
import {
  type Authorization,
  clears,
  delegate,
  isDelegation,
  validAuthority,
} from './authorizations.ts';
import { precompileAddresses } from './library.ts';
import type { LibraryEvm, Message, MessageResult, Surroundings } from './library-evm.ts';
import type { Account } from './state.ts';

/** State gas of one byte, and bytes of an account and a delegation (EIP-8037). */
const byteGas = 1_530;
const accountGas = 120 * byteGas;
const delegationGas = 23 * byteGas;
/** First write to an account (EIP-8038). */
const accountWriteGas = 9_000;
/** Most regular gas of a transaction (EIP-7825). */
const regularGasCap = 16_777_216;

/** A message with what precedes it; `gas` includes what is kept for state. */
export interface PaidMessage extends Message {
  readonly intrinsic: number;
  readonly authorizationList: TransactionFields['authorizationList'];
}

/**
 * Runs a transaction's message after its authorizations. Since Amsterdam gas beyond the regular
 * limit is for state, and what cannot be paid before the message leaves no delegation either, as
 * the library's `runTx` has it. The gas left includes that of the reservoir.
 */
export async function runPaidMessage(
  evm: LibraryEvm,
  message: PaidMessage,
  around: Surroundings,
): Promise<MessageResult> {
  const { state } = evm;
  const regular = Math.min(message.gas, Math.max(regularGasCap - message.intrinsic, 0));
  const reservoir = message.gas - regular;
  const mark = state.checkpoint();
  evm.openReservoir(reservoir);
  const gas = payAuthorizations(evm, message, regular);
  const result = gas === undefined ? outOfGas : await execute(evm, { ...message, gas }, around);
  if (gas === undefined || evm.isUnprepared) {
    state.revert(mark);
    evm.openReservoir(reservoir);
  } else if (result.error === outOfGas.error && evm.isOverdrawn) {
    return { ...result, stateGas: evm.stateGas.used };
  }
  const { left, used } = evm.stateGas;
  return { ...result, gasLeft: result.gasLeft + left, stateGas: used };
}

/** The library takes some failures of a precompile for a REVERT, which gives back state gas. */
async function execute(
  evm: LibraryEvm,
  message: Message,
  around: Surroundings,
): Promise<MessageResult> {
  const result = await evm.execute(message, around);
  const { to } = message;
  if (result.halt !== 'revert' || to === undefined) return result;
  const isPrecompile = precompileAddresses(evm.fork).some((one) => equalBytes(one, to.address));
  return isPrecompile ? { ...result, gasLeft: 0 } : result;
}

const outOfGas = { halt: 'error', error: 'out of gas', gasLeft: 0, output: emptyBytes } as const;

/** Sets delegations and pays for them; the gas left, undefined when it does not suffice. */
function payAuthorizations(
  evm: LibraryEvm,
  { caller, to, value, authorizationList }: PaidMessage,
  before: number,
): number | undefined {
  const { state } = evm;
  const written = new Set<Account>(value > 0n && to !== undefined ? [caller, to] : [caller]);
  const met = new Set<Account>();
  const designated = new Set<Account>();
  let gas = before;
  for (const entry of authorizationList) {
    const authority = validAuthority(evm, entry);
    if (authority === undefined) continue;
    const delegates = isDelegation(state.code(authority));
    if (!met.has(authority) && delegates) designated.add(authority);
    met.add(authority);
    if (!written.has(authority)) {
      if (gas < accountWriteGas) return undefined;
      gas -= accountWriteGas;
      written.add(authority);
    }
    const left = evm.takeStateGas(growth(entry, authority, delegates, designated), gas);
    if (left === undefined) return undefined;
    gas = left;
    delegate(evm, authority, entry);
  }
  return gas;
}

/** State gas of one delegation; notes whose designator is paid. */
function growth(
  entry: Authorization,
  authority: Account,
  delegates: boolean,
  designated: Set<Account>,
): number {
  const account = authority.exists ? 0 : accountGas;
  if (clears(entry) || delegates || designated.has(authority)) return account;
  designated.add(authority);
  return account + delegationGas;
}
