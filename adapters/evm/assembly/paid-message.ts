// The message of a transaction since Amsterdam (EIP-2780, 8037): its gas has a reservoir, and what
// depends on the state is paid before it runs. What cannot be paid leaves no delegation either.
import { delegateOf, forgetOverdrawn } from './call-price';
import { createdAddress } from './created-address';
import { input, inputIntrinsic, inputNonce, inputValue } from './exchange';
import { failed, outOfGas, reverted, succeeded } from './failures';
import { coldAccountGas, warmGas } from './gas';
import { clearMessage, endMessage, leaveGas, messageHalt, setCreated } from './message';
import { payAuthorizations } from './paid-authorizations';
import { accountOf, addressOf, checkpoint, isAlive, isWarm, nonceOf, revertTo } from './state';
import {
  accountStateGas,
  openReservoir,
  reservoirLeft,
  restoreStateGas,
  stateGasUsed,
  takeStateGas,
} from './state-gas';
import { runInput } from './transaction';
import { isZero } from './word';

/** Most regular gas of a transaction (EIP-7825); what it has beyond is for state. */
const regularGasCap: i64 = 16777216;

/** What the new account took from the regular gas. */
let spilled: i64 = 0;

/** Runs the message of the input with so much gas, after its authorizations. */
export function runPaidMessage(sender: usize, to: usize, authorizations: usize, gas: i64): void {
  const regular = max<i64>(regularGasCap - load<i64>(input, inputIntrinsic), 0);
  const given = min<i64>(gas, regular);
  openReservoir(gas - given);
  forgetOverdrawn();
  const mark = checkpoint();
  const target = to != 0 ? to : madeBy(sender);
  const authorized = payAuthorizations(authorizations, sender, to, given);
  const reservoir = reservoirLeft();
  const used = stateGasUsed();
  const left = authorized < 0 ? -1 : payTarget(to, target, authorized);
  if (left < 0) {
    revertTo(mark);
    openReservoir(gas - given);
    clearMessage();
    if (to == 0) setCreated(target);
    endMessage(failed, outOfGas, 0, 0);
    return;
  }
  runInput(sender, to, left);
  if (messageHalt() == succeeded) return;
  restoreStateGas(reservoir, used);
  if (messageHalt() == reverted) leaveGas(spilled);
}

/** The account that the sender's transaction creates. */
function madeBy(sender: usize): usize {
  // The nonce is counted up already, but for the last one, which creates nothing (EIP-2681).
  const isLast = load<u64>(input, inputNonce) == u64.MAX_VALUE;
  return accountOf(createdAddress(addressOf(sender), nonceOf(sender) - u64(!isLast)));
}

/** Pays for a new account and for the account that a delegating one names; gas left, or -1. */
function payTarget(to: usize, target: usize, before: i64): i64 {
  spilled = 0;
  let gas = before;
  const makes = to == 0 || !isZero(input + inputValue);
  if (makes && !isAlive(target)) {
    gas = takeStateGas(accountStateGas, before);
    if (gas < 0) return -1;
    spilled = before - gas;
  }
  const delegate = to == 0 ? 0 : delegateOf(target);
  return delegate == 0 ? gas : gas - (isWarm(delegate) ? warmGas : coldAccountGas);
}
