// What a call costs beside memory and the gas it hands on (EIP-150, 2929, 7702, 8037, 8038).
import { codeBytes, codeOf, isDelegation } from './code';
import { prague, revision, spuriousDragon, tangerineWhistle } from './environment';
import { atCharged, atGas } from './frame';
import { callValueGas, newAccountGas } from './gas';
import { accessCost } from './operations-state';
import { accountExists, accountOf, isAlive } from './state';
import { accountStateGas, affordsState, payStateGas } from './state-gas';
import { fitsU64, lowU64 } from './word';

/** Whether a call of the message could not pay once it had met its target (EIP-7928). */
let overdrawn: bool = false;

/** A message begins. */
export function forgetOverdrawn(): void {
  overdrawn = false;
}

/** Whether a call of the message could not pay once it had met its target. */
export function wasOverdrawn(): bool {
  return overdrawn;
}

/** Price before Amsterdam of a call of a target. */
export function targetCost(target: usize, hasValue: bool, mayMake: bool): i64 {
  let cost: i64 = hasValue ? callValueGas : 0;
  if (mayMake) {
    const makes =
      revision >= spuriousDragon ? hasValue && !isAlive(target) : !accountExists(target);
    if (makes) cost += newAccountGas;
  }
  cost += accessCost(target);
  if (revision < prague) return cost;
  // EIP-7702: access to the account whose code a delegating one runs.
  const code = codeOf(target);
  return isDelegation(code) ? cost + accessCost(delegateOf(target)) : cost;
}

/**
 * Pays for a call of a target since Amsterdam; answers the gas left, of which the call gets its part
 * before the state gas that it owes is taken by {@link payCharge}, or -1.
 */
export function payTarget(
  frame: usize,
  target: usize,
  hasValue: bool,
  mayMake: bool,
  before: i64,
): i64 {
  let gas = before - accessCost(target);
  if (hasValue) gas -= callValueGas;
  if (gas < 0) return -1;
  const charge = mayMake && hasValue && !isAlive(target) ? accountStateGas : 0;
  store<i64>(frame, charge, atCharged);
  const delegate = delegateOf(target);
  if (delegate != 0) gas -= accessCost(delegate);
  if (gas >= 0 && affordsState(charge, gas)) return gas;
  overdrawn = true;
  return -1;
}

/**
 * Takes the state gas that {@link payTarget} found to be owed, after the call was given its part. The
 * frame may be below zero then: it is lost if the call does not leave as much.
 */
export function payCharge(frame: usize, given: i64): void {
  const charge = load<i64>(frame, atCharged);
  if (charge == 0) return;
  const left = payStateGas(frame, charge, load<i64>(frame, atGas) + given);
  store<i64>(frame, left - given, atGas);
}

/** Gas a call gets: since EIP-150 all but a 64th at most; before, what it asks for, or -1. */
export function offered(available: i64, wanted: usize): i64 {
  const most = revision >= tangerineWhistle ? available - available / 64 : available;
  if (fitsU64(wanted) && lowU64(wanted) <= <u64>most) return <i64>lowU64(wanted);
  return revision >= tangerineWhistle ? most : -1;
}

/** The account that a delegating account names (EIP-7702); 0 when it does not delegate. */
export function delegateOf(account: usize): usize {
  const code = codeOf(account);
  return isDelegation(code) ? accountOf(codeBytes(code) + 3) : 0;
}
