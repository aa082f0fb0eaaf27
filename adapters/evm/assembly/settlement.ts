// The end of a transaction (Yellow Paper, section 6.2; EIP-161, 3529, 6780, 7623).
import {
  messageCreated,
  messageError,
  messageGasLeft,
  messageHalt,
  messageOutput,
  messageOutputLength,
} from './calls';
import { cancun, coinbaseWord, london, revision, spuriousDragon } from './environment';
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
  resultStatus,
  unpaidFlag,
} from './exchange';
import { listLength, listStart } from './list';
import { clearable } from './marks';
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
  touch,
} from './state';
import { add, isZero, mul, setU64 } from './word';

const amount: usize = memory.data(32, 16);
const balance: usize = memory.data(32, 16);

/** Refunds, pays, destroys and clears. With {@link unpaidFlag} it only counts. */
export function settle(sender: usize, flags: u32): void {
  const gasLimit = load<u64>(input, inputGasLimit);
  const spent = gasLimit - <u64>messageGasLeft();
  const most = spent / (revision >= london ? 5 : 2);
  const refunded = min<u64>(<u64>max<i64>(refund(), 0), most);
  const used = max<u64>(spent - refunded, load<u64>(input, inputFloor));
  store<u64>(result, used, resultGasUsed);
  store<u64>(result, refunded, resultRefund);
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

/** Removes what was destroyed (EIP-6780) and what is empty (EIP-161). */
export function clearAccounts(): void {
  // Removing marks nothing, so the list stays as it is.
  const list = listStart(clearable);
  const end = list + listLength(clearable);
  for (let at = list; at < end; at += 4) {
    const account = <usize>load<u32>(at);
    if (isDestroyed(account) && (revision < cancun || isCreated(account))) removeAccount(account);
  }
  if (revision < spuriousDragon) return;
  for (let at = list; at < end; at += 4) {
    const account = <usize>load<u32>(at);
    if (isTouched(account) && isEmptyAccount(account) && accountExists(account)) {
      removeAccount(account);
    }
  }
}
