// One transaction on the state (Yellow Paper, section 6). What needs no state is checked by the host.
import { authorize } from './authorizations';
import { runMessage } from './calls';
import { codeLength, codeOf, isDelegation } from './code';
import {
  amsterdam,
  berlin,
  blockArea,
  coinbaseWord,
  gasPriceWord,
  originWord,
  prague,
  revision,
  setBlobHashes,
  shanghai,
} from './environment';
import {
  clearResult,
  creationFlag,
  input,
  inputAccessed,
  inputBlobFee,
  inputBlobHashes,
  inputData,
  inputDataLength,
  inputGasLimit,
  inputIntrinsic,
  inputNonce,
  inputPrice,
  inputSender,
  inputTo,
  inputUpfront,
  inputValue,
  insufficientFunds,
  nonceTooHigh,
  nonceTooLow,
  recordedFlag,
  result,
  resultBalance,
  resultNonce,
  resultOutcome,
  senderNotEoa,
  uncheckedFlag,
} from './exchange';
import { open } from './open-transaction';
import { runPaidMessage } from './paid-message';
import { settle } from './settlement';
import {
  accountOf,
  accountOfWord,
  addressOf,
  balanceOf,
  nonceOf,
  recordAccesses,
  setBalance,
  setNonce,
  slotOf,
  touch,
  warmAccount,
  warmSlot,
} from './state';
import { below, copyWord, loadAddress, loadBytes, mul, setU64, sub } from './word';

const amount: usize = memory.data(32, 16);
const balance: usize = memory.data(32, 16);
const number: usize = memory.data(32, 16);

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
  const isPaid = revision >= amsterdam;
  if (!isPaid) authorize(end);
  if ((flags & recordedFlag) != 0) recordAccesses();
  const gas = load<i64>(input, inputGasLimit) - load<i64>(input, inputIntrinsic);
  if (isPaid) runPaidMessage(sender, to, end, gas);
  else runInput(sender, to, gas);
  settle(sender, flags);
}

/** Runs the message of the input with so much gas. */
export function runInput(sender: usize, to: usize, gas: i64): void {
  const length = load<i32>(input, inputDataLength);
  runMessage(sender, to, input + inputValue, input + inputData, length, gas);
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
