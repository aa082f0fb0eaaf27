// The end of a transaction (Yellow Paper, section 6.2; EIP-161, 3529, 6780, 7623).

import { wasOverdrawn } from './call-price';
import { amsterdam, cancun, coinbaseWord, london, revision, spuriousDragon } from './environment';
import {
  input,
  inputFloor,
  inputGasLimit,
  inputPrice,
  inputTip,
  result,
  resultCreated,
  resultError,
  resultGasUsed,
  resultHalt,
  resultOfAccesses,
  resultOfLogs,
  resultOutput,
  resultRefund,
  resultRegularGas,
  resultStateGas,
  resultStatus,
  unpaidFlag,
} from './exchange';
import { codeStoreOutOfGas, failed, outOfGas, returnDataBounds } from './failures';
import { listLength, listStart } from './list';
import { clearable } from './marks';
import {
  messageCreated,
  messageError,
  messageGasLeft,
  messageHalt,
  messageOutput,
  messageOutputLength,
} from './message';
import {
  accountExists,
  accountOfWord,
  addressOf,
  balanceOf,
  isCreated,
  isDestroyed,
  isEmptyAccount,
  isTouched,
  refund,
  removeAccount,
  setBalance,
  setCode,
  setNonce,
  touch,
  wipeStorage,
} from './state';
import { reservoirLeft, stateGasUsed } from './state-gas';
import { add, isZero, mul, setU64 } from './word';

const amount: usize = memory.data(32, 16);
const balance: usize = memory.data(32, 16);

/** Refunds, pays, destroys and clears. With {@link unpaidFlag} it only counts. */
export function settle(sender: usize, flags: u32): void {
  const gasLimit = load<u64>(input, inputGasLimit);
  const spent = gasLimit - <u64>messageGasLeft() - stateReserve();
  const most = spent / (revision >= london ? 5 : 2);
  const refunded = min<u64>(<u64>max<i64>(refund(), 0), most);
  const used = max<u64>(spent - refunded, load<u64>(input, inputFloor));
  store<u64>(result, used, resultGasUsed);
  store<u64>(result, refunded, resultRefund);
  if (revision >= amsterdam) countForBlock(spent);
  resultOfMessage();
  resultOfAccesses();
  if ((flags & unpaidFlag) != 0) return;
  setU64(amount, gasLimit - used);
  mul(amount, amount, input + inputPrice);
  add(balance, balanceOf(sender), amount);
  setBalance(sender, balance);
  payCoinbase(used);
  clearAccounts();
}

/** Gas of the reservoir that comes back; none before EIP-8037. */
function stateReserve(): u64 {
  if (revision < amsterdam) return 0;
  // As the reference has it: what is lost takes the reservoir along when a call was overdrawn.
  const error = messageError();
  const lacked = error == outOfGas || error == codeStoreOutOfGas || error == returnDataBounds;
  return messageHalt() == failed && lacked && wasOverdrawn() ? 0 : <u64>reservoirLeft();
}

/** Writes what a block counts of it: both kinds of gas without refunds (EIP-7778, 8037). */
function countForBlock(spent: u64): void {
  const ofState = <u64>max<i64>(stateGasUsed(), 0);
  store<u64>(result, max<u64>(spent - ofState, load<u64>(input, inputFloor)), resultRegularGas);
  store<u64>(result, ofState, resultStateGas);
}

/** Writes how the message ended. */
export function resultOfMessage(): void {
  store<u32>(result, messageHalt() == 0 ? 1 : 0, resultStatus);
  store<u32>(result, messageHalt(), resultHalt);
  store<u32>(result, messageError(), resultError);
  store<u32>(result, <u32>messageOutput(), resultOutput);
  store<u32>(result, messageOutputLength(), resultOutput + 4);
  const created = messageCreated();
  if (created != 0) {
    store<u32>(result, 1, resultCreated);
    memory.copy(result + resultCreated + 4, addressOf(created), 20);
  }
  resultOfLogs();
}

function payCoinbase(gasUsed: u64): void {
  const coinbase = accountOfWord(coinbaseWord);
  setU64(amount, gasUsed);
  mul(amount, amount, input + inputTip);
  if (isZero(amount) && revision >= spuriousDragon && !accountExists(coinbase)) return;
  touch(coinbase);
  add(balance, balanceOf(coinbase), amount);
  setBalance(coinbase, balance);
}

/** Takes everything but its balance from an account (EIP-8246). */
function emptyAccount(account: usize): void {
  setCode(account, 0, 0);
  wipeStorage(account);
  setNonce(account, 0);
  touch(account);
}

/** Removes what was destroyed (EIP-6780) and what is empty (EIP-161). */
export function clearAccounts(): void {
  // Removing marks nothing, so the list stays as it is.
  const list = listStart(clearable);
  const end = list + listLength(clearable);
  for (let at = list; at < end; at += 4) {
    const account = <usize>load<u32>(at);
    if (!isDestroyed(account) || (revision >= cancun && !isCreated(account))) continue;
    if (revision < amsterdam) removeAccount(account);
    else emptyAccount(account);
  }
  if (revision < spuriousDragon) return;
  for (let at = list; at < end; at += 4) {
    const account = <usize>load<u32>(at);
    if (isTouched(account) && isEmptyAccount(account) && accountExists(account)) {
      removeAccount(account);
    }
  }
}
