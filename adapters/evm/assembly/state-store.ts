// The price of a store with state gas (EIP-8037, 8038).
import { sstoreClean, sstoreClearRefund } from './gas';
import { addRefund, slotOriginal, slotValue } from './state';
import { creditStateGas, payStateGas, slotStateGas } from './state-gas';
import { equal, isZero } from './word';

/**
 * Price of a store for the frame with the access to its slot, below zero when state gas comes back to it, above `before` when
 * that does not suffice. The first change of a slot costs the write, which comes back with the
 * original value; a slot that held nothing costs state gas while it holds something.
 */
export function stateStoreCost(
  frame: usize,
  slot: usize,
  value: usize,
  before: i64,
  access: i64,
): i64 {
  let cost = access;
  const current = slotValue(slot);
  if (equal(current, value)) return cost;
  const original = slotOriginal(slot);
  if (equal(original, current)) cost += sstoreClean;
  if (cost > before) return cost;
  const wasZero = isZero(current);
  const isCleared = isZero(value);
  if (equal(original, value)) addRefund(sstoreClean);
  if (!isZero(original)) {
    if (wasZero) addRefund(-sstoreClearRefund);
    else if (isCleared) addRefund(sstoreClearRefund);
    return cost;
  }
  const left = before - cost;
  if (isCleared) return before - creditStateGas(frame, slotStateGas, left);
  if (!wasZero) return cost;
  const paid = payStateGas(frame, slotStateGas, left);
  return paid < 0 ? before + 1 : before - paid;
}
