// State gas (EIP-8037): what growth of the state costs. It is paid from a reservoir, the gas of a
// transaction beyond the limit of its regular gas, and from a frame's own gas once that is empty.
import { reverted, succeeded } from './failures';
import { atCharged, atGas, atReservoir, atSpilled, atStateUsed } from './frame';
import { leaveGas } from './message';

const byteGas: i64 = 1530;
/** A slot that held nothing. */
export const slotStateGas: i64 = 64 * byteGas;
/** An account that was not there. */
export const accountStateGas: i64 = 120 * byteGas;
/** The first delegation of an account (EIP-7702). */
export const delegationStateGas: i64 = 23 * byteGas;
/** Each byte of deployed code. */
export const codeByteStateGas: i64 = byteGas;

let reservoir: i64 = 0;
let used: i64 = 0;

/** Begins a message with a reservoir of so much gas. */
export function openReservoir(gas: i64): void {
  reservoir = gas;
  used = 0;
}

/** Gas in the reservoir. */
export function reservoirLeft(): i64 {
  return reservoir;
}

/** State gas that the transaction has used. */
export function stateGasUsed(): i64 {
  return used;
}

/** Puts both back to what they were. */
export function restoreStateGas(reservoirBefore: i64, usedBefore: i64): void {
  reservoir = reservoirBefore;
  used = usedBefore;
}

/** Whether the reservoir and so much gas suffice for an amount. */
export function affordsState(amount: i64, gas: i64): bool {
  return amount <= gas + reservoir;
}

/** Takes an amount from the reservoir, then from `gas`; what is left of that, or -1. */
export function takeStateGas(amount: i64, gas: i64): i64 {
  if (!affordsState(amount, gas)) return -1;
  const drawn = min<i64>(amount, reservoir);
  reservoir -= drawn;
  used += amount;
  return gas - (amount - drawn);
}

/** {@link takeStateGas} within a frame, which may get back what it paid itself. */
export function payStateGas(frame: usize, amount: i64, gas: i64): i64 {
  const left = takeStateGas(amount, gas);
  if (left >= 0) store<i64>(frame, load<i64>(frame, atSpilled) + gas - left, atSpilled);
  return left;
}

/** Gives an amount back, to the frame's gas first what that paid; answers the gas. */
export function creditStateGas(frame: usize, amount: i64, gas: i64): i64 {
  const spilled = load<i64>(frame, atSpilled);
  const back = min<i64>(amount, spilled);
  store<i64>(frame, spilled - back, atSpilled);
  reservoir += amount - back;
  used -= amount;
  return gas + back;
}

/** A frame begins. */
export function beginStateGas(frame: usize): void {
  store<i64>(frame, 0, atSpilled);
  store<i64>(frame, reservoir, atReservoir);
  store<i64>(frame, used, atStateUsed);
}

/**
 * A frame has ended and given its gas back: a failed one has made nothing, so what it paid goes
 * back too, of a revert to the gas, and what was paid for it.
 */
export function endStateGas(frame: usize, parent: usize, how: i32): void {
  const spilled = load<i64>(frame, atSpilled);
  if (how == succeeded) {
    if (parent != 0) store<i64>(parent, load<i64>(parent, atSpilled) + spilled, atSpilled);
    return;
  }
  restoreStateGas(load<i64>(frame, atReservoir), load<i64>(frame, atStateUsed));
  if (parent == 0) {
    if (how == reverted) leaveGas(spilled);
    return;
  }
  if (how == reverted) store<i64>(parent, load<i64>(parent, atGas) + spilled, atGas);
  settleCharge(parent);
}

/**
 * A child of the frame has failed: the account it was to make costs nothing. A frame whose child
 * used more than it had left is lost already.
 */
export function settleCharge(frame: usize): void {
  const gas = load<i64>(frame, atGas);
  const charged = load<i64>(frame, atCharged);
  if (charged != 0 && gas >= 0) store<i64>(frame, creditStateGas(frame, charged, gas), atGas);
}
