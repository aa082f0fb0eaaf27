// One transaction on the state (Yellow Paper, section 6). What needs no state is checked by the host.

import {
  messageCreated,
  messageError,
  messageGasLeft,
  messageHalt,
  messageOutput,
  messageOutputLength,
  runMessage,
} from './calls';
import { codeLength, codeOf, delegateDesignator, isDelegation } from './code';
import {
  berlin,
  blockArea,
  cancun,
  coinbaseWord,
  gasPriceWord,
  london,
  originWord,
  prague,
  revision,
  setBlobHashes,
  shanghai,
  spuriousDragon,
} from './environment';
import {
  authorizationBytes,
  authorizationChain,
  authorizationDelegate,
  authorizationNonce,
  clearResult,
  creationFlag,
  input,
  inputAccessed,
  inputAuthorizations,
  inputBlobFee,
  inputBlobHashes,
  inputData,
  inputDataLength,
  inputFlags,
  inputFloor,
  inputGasLimit,
  inputIntrinsic,
  inputNonce,
  inputPrice,
  inputSender,
  inputTip,
  inputTo,
  inputUpfront,
  inputValue,
  insufficientFunds,
  nonceTooHigh,
  nonceTooLow,
  recordedFlag,
  result,
  resultBalance,
  resultCreated,
  resultError,
  resultGasSpent,
  resultGasUsed,
  resultHalt,
  resultNonce,
  resultOfAccesses,
  resultOfLogs,
  resultOutcome,
  resultOutput,
  resultRefund,
  resultStatus,
  senderNotEoa,
  systemData,
  systemDataLength,
  uncheckedFlag,
  unpaidFlag,
} from './exchange';
import { listLength, listStart } from './list';
import { clearable } from './marks';
import {
  accountExists,
  accountOf,
  accountOfWord,
  addRefund,
  addressOf,
  balanceOf,
  boundCache,
  isCreated,
  isDestroyed,
  isEmptyAccount,
  isTouched,
  nonceOf,
  recordAccesses,
  refund,
  removeAccount,
  revertTransaction,
  setBalance,
  setCode,
  setNonce,
  slotOf,
  touch,
  warmAccount,
  warmSlot,
} from './state';
import { add, below, copyWord, isZero, loadAddress, loadBytes, mul, setU64, sub } from './word';

const amount: usize = memory.data(32, 16);
const balance: usize = memory.data(32, 16);
const number: usize = memory.data(32, 16);
const zero: usize = memory.data(32, 16);

/** Whether a transaction waits to be finished or abandoned. */
let isOpen: bool = false;

function open(): void {
  if (isOpen) abandon();
  boundCache();
  isOpen = true;
}

/** Before a look at the state: keeps the cache within its limits when no transaction is open. */
export function prepareLook(): void {
  if (!isOpen) boundCache();
}

/** Ends the open transaction without a trace. */
export function abandon(): void {
  revertTransaction();
  isOpen = false;
}

/** The open transaction was finished. */
export function setFinished(): void {
  isOpen = false;
}

/**
 * Applies the transaction in the input area, or runs it as a call, and leaves the outcome in the
 * result area. It stays open until it is finished or abandoned; a refusal leaves nothing but marks.
 */
export function applyTransaction(flags: u32): void {
  open();
  clearResult();
  const sender = accountOf(input + inputSender);
  const refusal = checkSender(sender, flags);
  store<u32>(result, refusal, resultOutcome);
  if (refusal != 0) return;
  deductUpfront(sender);
  const nonce = load<u64>(input, inputNonce);
  // A call may name the last nonce; that has no successor and creates nothing (EIP-2681).
  setNonce(sender, nonce == u64.MAX_VALUE ? nonce : nonce + 1);
  touch(sender);
  const to = (flags & creationFlag) != 0 ? <usize>0 : accountOf(input + inputTo);
  const end = prepare(sender, to);
  authorize(end);
  if ((flags & recordedFlag) != 0) recordAccesses();
  runMessage(
    sender,
    to,
    input + inputValue,
    input + inputData,
    load<i32>(input, inputDataLength),
    load<i64>(input, inputGasLimit) - load<i64>(input, inputIntrinsic),
  );
  settle(sender, flags);
}

/** Answers 0 or why the sender may not send this. */
function checkSender(sender: usize, flags: u32): u32 {
  if ((flags & uncheckedFlag) == 0) {
    const next = nonceOf(sender);
    const nonce = load<u64>(input, inputNonce);
    store<u64>(result, next, resultNonce);
    if (nonce != next) return nonce < next ? nonceTooLow : nonceTooHigh;
    const code = codeOf(sender);
    // EIP-3607 and 7702.
    if (codeLength(code) > 0 && !(revision >= prague && isDelegation(code))) return senderNotEoa;
  }
  const upfront = input + inputUpfront;
  copyWord(result + resultBalance, balanceOf(sender));
  if (isAllOnes(upfront) || below(balanceOf(sender), upfront)) return insufficientFunds;
  return 0;
}

function isAllOnes(word: usize): bool {
  return (load<u64>(word) & load<u64>(word, 8) & load<u64>(word, 16) & load<u64>(word, 24)) == ~0;
}

/** Buys the gas. */
function deductUpfront(sender: usize): void {
  setU64(amount, load<u64>(input, inputGasLimit));
  mul(amount, amount, input + inputPrice);
  sub(balance, balanceOf(sender), amount);
  sub(balance, balance, input + inputBlobFee);
  setBalance(sender, balance);
}

/** Sets what operations see of the transaction and warms up; answers the end of the access list. */
function prepare(sender: usize, to: usize): usize {
  loadAddress(originWord, addressOf(sender));
  loadAddress(coinbaseWord, blockArea + 32);
  copyWord(gasPriceWord, input + inputPrice);
  const hashes = input + inputData + ((<usize>load<u32>(input, inputDataLength) + 31) & ~31);
  const count = load<u32>(input, inputBlobHashes);
  setBlobHashes(hashes, count);
  const list = hashes + ((<usize>count) << 5);
  if (revision >= berlin) warmUp(sender, to);
  return warmList(list);
}

/** EIP-2929 and 3651: what is warm from the start. Precompiles are warm without a mark. */
function warmUp(sender: usize, to: usize): void {
  warmAccount(sender);
  if (to != 0) warmAccount(to);
  if (revision >= shanghai) warmAccount(accountOfWord(coinbaseWord));
}

/** EIP-2930. Answers the end of the list. */
function warmList(list: usize): usize {
  let at = list;
  for (let left = load<u32>(input, inputAccessed); left > 0; left--) {
    const account = accountOf(at);
    warmAccount(account);
    const slots = load<u32>(at, 20);
    at += 24;
    for (let i: u32 = 0; i < slots; i++) {
      loadBytes(number, at);
      warmSlot(slotOf(account, number));
      at += 32;
    }
  }
  return at;
}

/** What an authorization of an account that exists gives back (EIP-7702). */
const authorizationRefund: i64 = 25000 - 12500;

/** Sets the delegations of a type 4 transaction; an invalid one is passed over (EIP-7702). */
function authorize(list: usize): void {
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

/** Refunds, pays, destroys and clears (Yellow Paper, section 6.2; EIP-161, 3529, 6780, 7623). */
function settle(sender: usize, flags: u32): void {
  const gasLimit = load<u64>(input, inputGasLimit);
  const spent = gasLimit - <u64>messageGasLeft();
  const most = spent / (revision >= london ? 5 : 2);
  const refunded = min<u64>(<u64>max<i64>(refund(), 0), most);
  const used = max<u64>(spent - refunded, load<u64>(input, inputFloor));
  store<u64>(result, used, resultGasUsed);
  store<u64>(result, spent, resultGasSpent);
  store<u32>(result, <u32>min<u64>(refunded, u32.MAX_VALUE), resultRefund);
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
function resultOfMessage(): void {
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
function clearAccounts(): void {
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

/** Who calls system contracts (EIP-2935, 4788, 7002, 7251). */
const systemAddress: usize = memory.data<u8>([
  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
  0xff, 0xff, 0xff, 0xfe,
]);
const systemGas: u64 = 30_000_000;

/**
 * Calls the system contract in the input area, free of charge. What it does joins the transaction
 * that is open, if one is. Nothing happens where there is no code.
 */
export function systemCall(): void {
  if (!isOpen) open();
  clearResult();
  const target = accountOf(input);
  if (codeLength(codeOf(target)) == 0) {
    store<u32>(result, 1, resultStatus);
    return;
  }
  const caller = accountOf(systemAddress);
  loadAddress(originWord, systemAddress);
  loadAddress(coinbaseWord, blockArea + 32);
  setU64(gasPriceWord, 0);
  setBlobHashes(0, 0);
  const length = load<i32>(input, systemDataLength);
  runMessage(caller, target, zero, input + systemData, length, systemGas);
  store<u64>(result, systemGas - <u64>messageGasLeft(), resultGasUsed);
  store<u64>(result, systemGas - <u64>messageGasLeft(), resultGasSpent);
  resultOfMessage();
  clearAccounts();
}
