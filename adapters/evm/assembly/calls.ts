// Call frames around the interpreter: value transfer, precompiles, creation, and what a parent gets
// back (Yellow Paper, sections 7 and 8). Frames are a list, so 1,024 nested calls cost no stack.
import { delegateOf, offered, payCharge, payTarget, targetCost } from './call-price';
import {
  codeBytes,
  codeJumps,
  codeLength,
  codeOf,
  isDelegation,
  makeCode,
  releaseCode,
} from './code';
import { createdAddress, saltedAddress } from './created-address';
import {
  amsterdam,
  berlin,
  homestead,
  london,
  prague,
  revision,
  shanghai,
  spuriousDragon,
  tangerineWhistle,
} from './environment';
import { input, inputNonce } from './exchange';
import {
  callRefused,
  codeStoreOutOfGas,
  codeTooLarge,
  createCollision,
  failed,
  initCodeTooLarge,
  invalidCode,
  outOfGas,
  precompileFailure,
  staticChange,
  succeeded,
} from './failures';
import {
  atAccount,
  atCaller,
  atCharged,
  atCheckpoint,
  atCode,
  atCodeBytes,
  atCodeLength,
  atDepth,
  atGas,
  atInput,
  atInputLength,
  atIsCreate,
  atIsStatic,
  atJumps,
  atMemory,
  atOutput,
  atOutputLength,
  atPc,
  atPlace,
  atPlaceLength,
  atReturnData,
  atReturnLength,
  atSp,
  atValue,
  closeFrame,
  deepest,
  openFrame,
  parentOf,
  payMemory,
  trimFrames,
} from './frame';
import {
  callStipend,
  codeByteGas,
  initCodeWordGas,
  keccakWordGas,
  maxCodeBytes,
  maxInitCodeBytes,
} from './gas';
import { run } from './interpreter';
import { checkpoint, revertTo } from './journal';
import { clearMessage, endMessage, leaveGas, setCreated } from './message';
import {
  precompileAt,
  precompileOutput,
  precompileOutputLength,
  runPrecompile,
} from './precompile';
import { isInitCodeTooLong } from './refusal';
import {
  accountOf,
  accountOfWord,
  addressOf,
  balanceOf,
  hasAnyStorage,
  isAlive,
  markCreated,
  nonceOf,
  setBalance,
  setCode,
  setNonce,
  touch,
  warmAccount,
} from './state';
import {
  accountStateGas,
  beginStateGas,
  codeByteStateGas,
  endStateGas,
  payStateGas,
  settleCharge,
} from './state-gas';
import { logTransfer } from './transfer-log';
import { add, below, copyWord, isZero, loadAddress, lowU64, setU64, sub } from './word';

const call: i32 = 0xf1;
const callCode: i32 = 0xf2;
const delegateCall: i32 = 0xf4;
const create2: i32 = 0xf5;
const staticCall: i32 = 0xfa;

/** Why the last `beginCall` or `beginCreate` answered 0. */
export let requestFailure: i32 = 0;

// What is asked for, by an operation or by the transaction.
const requestValue: usize = memory.data(32, 16);
const zero: usize = memory.data(32, 16);
const scratch: usize = memory.data(32, 16);
let requestGas: i64 = 0;
let requestInput: usize = 0;
let requestLength: i32 = 0;
/** The account a creation makes, where it is known already. */
let requestTarget: usize = 0;

/**
 * Runs the outermost call of a transaction, or its creation when `to` is 0. Gas is what is left of
 * the limit after the intrinsic cost; the caller's nonce is already counted up.
 */
export function runMessage(
  caller: usize,
  to: usize,
  value: usize,
  data: usize,
  length: i32,
  gas: i64,
): void {
  trimFrames();
  clearMessage();
  requestTarget = 0;
  copyWord(requestValue, value);
  requestGas = gas;
  requestInput = data;
  requestLength = length;
  const frame = to == 0 ? enterCreate(0, caller, 0xf0, zero) : enterCall(0, caller, to, call);
  if (frame != 0) run(frame);
}

/**
 * Charges for a call (Yellow Paper, appendix H; EIP-150, 2929, 7702) and enters it. Operands lie
 * at `sp`; the position behind the operation is stored. Answers the frame to go on with, 0 for a
 * failure of the calling frame.
 */
export function beginCall(frame: usize, operation: i32, sp: usize, before: i64): usize {
  const withValue = operation == call || operation == callCode;
  const target = accountOfWord(sp + 32);
  const value = withValue ? sp + 64 : zero;
  const input = withValue ? sp + 96 : sp + 64;
  const hasValue = !isZero(value);
  if (operation == call && load<i32>(frame, atIsStatic) != 0 && hasValue) {
    requestFailure = staticChange;
    return 0;
  }
  requestFailure = outOfGas;
  let gas = payMemory(frame, input, input + 32, before);
  if (gas >= 0) gas = payMemory(frame, input + 64, input + 96, gas);
  if (gas < 0) return 0;
  if (revision >= amsterdam) gas = payTarget(frame, target, hasValue, operation == call, gas);
  else gas -= targetCost(target, hasValue, operation == call);
  if (gas < 0) return 0;
  const given = offered(gas, sp);
  if (given < 0) return 0;
  store<i64>(frame, gas - given, atGas);
  store<usize>(frame, input + 128, atSp);
  const memory = load<usize>(frame, atMemory);
  store<usize>(frame, memory + <usize>lowU64(input + 64), atPlace);
  store<u32>(frame, <u32>lowU64(input + 96), atPlaceLength);
  copyWord(requestValue, value);
  requestGas = given;
  if (hasValue) {
    requestGas += callStipend;
    if (revision >= amsterdam) payCharge(frame, given);
  }
  requestLength = <i32>lowU64(input + 32);
  // An empty range may name any place.
  requestInput = requestLength == 0 ? 0 : memory + <usize>lowU64(input);
  return enterCall(frame, load<usize>(frame, atAccount), target, operation);
}

/** Enters the call that is asked for; answers the frame to run next, 0 when all is over. */
function enterCall(parent: usize, caller: usize, target: usize, operation: i32): usize {
  const depth = parent == 0 ? 0 : load<i32>(parent, atDepth) + 1;
  forgetReturned(parent);
  if (depth > deepest || below(balanceOf(caller), requestValue)) return refuse(parent);
  const mark = checkpoint();
  if (operation == call || operation == staticCall) transfer(caller, target);
  const precompile = precompileAt(addressOf(target));
  if (precompile != 0) return enterPrecompile(parent, precompile, mark);
  const code = codeToRun(target, depth);
  if (codeLength(code) == 0) {
    giveBack(parent, requestGas);
    return answer(parent, 1, 0, 0, succeeded, 0);
  }
  const frame = openFrame(depth);
  const own = operation == callCode || operation == delegateCall;
  store<usize>(frame, own ? caller : target, atAccount);
  if (operation == delegateCall) {
    store<usize>(frame, load<usize>(parent, atCaller), atCaller);
    copyWord(frame + atValue, parent + atValue);
  } else {
    store<usize>(frame, caller, atCaller);
    copyWord(frame + atValue, requestValue);
  }
  const isStatic = operation == staticCall || (parent != 0 && load<i32>(parent, atIsStatic) != 0);
  store<i32>(frame, i32(isStatic), atIsStatic);
  store<i32>(frame, 0, atIsCreate);
  store<usize>(frame, requestInput, atInput);
  store<i32>(frame, requestLength, atInputLength);
  start(frame, code, mark);
  return frame;
}

/** Code of an account, through one EIP-7702 delegation. */
function codeToRun(account: usize, depth: i32): usize {
  const code = codeOf(account);
  if (revision < prague || !isDelegation(code)) return code;
  const delegate = delegateOf(account);
  if (depth == 0) warmAccount(delegate);
  return codeOf(delegate);
}

/** Puts the frame at the beginning of its code. */
function start(frame: usize, code: usize, mark: i32): void {
  store<usize>(frame, code, atCode);
  store<usize>(frame, codeBytes(code), atCodeBytes);
  store<i32>(frame, codeLength(code), atCodeLength);
  store<usize>(frame, codeJumps(code), atJumps);
  store<usize>(frame, codeBytes(code), atPc);
  store<i64>(frame, requestGas, atGas);
  store<i32>(frame, mark, atCheckpoint);
  if (revision >= amsterdam) beginStateGas(frame);
}

function transfer(from: usize, to: usize): void {
  if (!isZero(requestValue)) {
    sub(scratch, balanceOf(from), requestValue);
    setBalance(from, scratch);
    add(scratch, balanceOf(to), requestValue);
    setBalance(to, scratch);
    if (revision >= amsterdam) logTransfer(from, to, requestValue);
  } else if (revision < spuriousDragon) {
    // Before EIP-161 a call of no value made the account.
    copyWord(scratch, balanceOf(to));
    setBalance(to, scratch);
  }
  touch(to);
}

/** A call that fails before it starts: nothing is charged but the operation. */
function refuse(parent: usize): usize {
  giveBack(parent, requestGas);
  return fail(parent, callRefused);
}

/** A call or creation that has failed without a frame. */
function fail(parent: usize, why: i32): usize {
  if (parent != 0 && revision >= amsterdam) settleCharge(parent);
  return answer(parent, 0, 0, 0, failed, why);
}

function enterPrecompile(parent: usize, id: i32, mark: i32): usize {
  const left = runPrecompile(id, requestInput, requestLength, requestGas);
  if (left < 0) {
    revertTo(mark);
    return fail(parent, precompileFailure);
  }
  giveBack(parent, left);
  return answer(parent, 1, precompileOutput(), precompileOutputLength(), succeeded, 0);
}

/**
 * Charges for a creation (EIP-150, 1014, 3860, 8037) and enters it. Operands and answer as of
 * {@link beginCall}.
 */
export function beginCreate(frame: usize, operation: i32, sp: usize, before: i64): usize {
  const isLate = revision >= amsterdam;
  const isStatic = load<i32>(frame, atIsStatic) != 0;
  if (isLate ? isInitCodeTooLong(sp + 64) : isStatic) {
    requestFailure = isLate ? initCodeTooLarge : staticChange;
    return 0;
  }
  requestFailure = outOfGas;
  let gas = payMemory(frame, sp + 32, sp + 64, before);
  if (gas < 0) return 0;
  const length = lowU64(sp + 64);
  const perWord = operation == create2 ? initCodeWordGas + keccakWordGas : initCodeWordGas;
  gas -= perWord * <i64>((length + 31) >> 5);
  if (gas < 0) return 0;
  if (revision >= shanghai && length > <u64>maxInitCodeBytes) {
    requestFailure = initCodeTooLarge;
    return 0;
  }
  requestInput = length == 0 ? 0 : load<usize>(frame, atMemory) + <usize>lowU64(sp + 32);
  requestLength = <i32>length;
  requestTarget = 0;
  if (isLate) {
    gas = chargeCreation(frame, operation, sp + 96, gas);
    if (gas < 0) return 0;
    if (isStatic) {
      requestFailure = staticChange;
      return 0;
    }
  }
  const kept: i64 = revision >= tangerineWhistle ? gas / 64 : 0;
  store<i64>(frame, kept, atGas);
  store<usize>(frame, operation == create2 ? sp + 128 : sp + 96, atSp);
  // What a creation returns stays out of the creator's memory.
  store<i32>(frame, 0, atPlaceLength);
  copyWord(requestValue, sp);
  requestGas = gas - kept;
  return enterCreate(frame, load<usize>(frame, atAccount), operation, sp + 96);
}

/** EIP-8037: pays for the account of a creation, unless it is there; gas left, or -1. */
function chargeCreation(frame: usize, operation: i32, salt: usize, gas: i64): i64 {
  const creator = load<usize>(frame, atAccount);
  requestTarget = madeAccount(creator, operation, salt, nonceOf(creator));
  const charge = isAlive(requestTarget) ? 0 : accountStateGas;
  store<i64>(frame, charge, atCharged);
  return payStateGas(frame, charge, gas);
}

/** The account that a creation makes. */
function madeAccount(creator: usize, operation: i32, salt: usize, nonce: u64): usize {
  return accountOf(
    operation == create2
      ? saltedAddress(addressOf(creator), salt, requestInput, requestLength)
      : createdAddress(addressOf(creator), nonce),
  );
}

/** Enters the creation that is asked for; answers the frame to run next, 0 when all is over. */
function enterCreate(parent: usize, creator: usize, operation: i32, salt: usize): usize {
  const depth = parent == 0 ? 0 : load<i32>(parent, atDepth) + 1;
  forgetReturned(parent);
  const next = nonceOf(creator);
  // EIP-2681. The nonce of a transaction is counted already, and may have come to the last number.
  const counted = parent == 0 ? load<u64>(input, inputNonce) : next;
  if (depth > deepest || below(balanceOf(creator), requestValue) || counted == u64.MAX_VALUE) {
    return refuse(parent);
  }
  const nonce = parent == 0 ? next - 1 : next;
  if (parent != 0) setNonce(creator, next + 1);
  const known = requestTarget;
  const account = known != 0 ? known : madeAccount(creator, operation, salt, nonce);
  if (parent == 0) setCreated(account);
  if (revision >= berlin) warmAccount(account);
  const mark = checkpoint();
  // EIP-684, and EIP-7610 for an account that has nothing but storage.
  if (nonceOf(account) > 0 || codeLength(codeOf(account)) > 0 || hasAnyStorage(account)) {
    return fail(parent, createCollision);
  }
  const code = makeCode(requestInput, requestLength);
  const frame = openFrame(depth);
  markCreated(account);
  touch(account);
  sub(scratch, balanceOf(creator), requestValue);
  setBalance(creator, scratch);
  add(scratch, balanceOf(account), requestValue);
  setBalance(account, scratch);
  if (revision >= amsterdam && !isZero(requestValue)) logTransfer(creator, account, requestValue);
  if (revision >= spuriousDragon) setNonce(account, 1);
  store<usize>(frame, account, atAccount);
  store<usize>(frame, creator, atCaller);
  copyWord(frame + atValue, requestValue);
  store<i32>(frame, 0, atIsStatic);
  store<i32>(frame, 1, atIsCreate);
  store<usize>(frame, 0, atInput);
  store<i32>(frame, 0, atInputLength);
  start(frame, code, mark);
  return frame;
}

/** Ends a frame and answers its parent; the frame to run next, 0 when all is over. */
export function endFrame(frame: usize, ended: i32, failure: i32, gas: i64): usize {
  const parent = parentOf(frame);
  const isCreate = load<i32>(frame, atIsCreate) != 0;
  let how = ended;
  let why = failure;
  store<i64>(frame, how == failed ? 0 : gas, atGas);
  if (isCreate && how == succeeded) {
    why = deposit(frame);
    if (why != 0) {
      how = failed;
      store<i64>(frame, 0, atGas);
    }
  }
  if (how != succeeded) revertTo(load<i32>(frame, atCheckpoint));
  closeFrame(frame);
  if (isCreate) releaseCode(load<usize>(frame, atCode));
  giveBack(parent, load<i64>(frame, atGas));
  if (revision >= amsterdam) endStateGas(frame, parent, how);
  const returned: usize = how == failed ? 0 : load<usize>(frame, atOutput);
  const length = how == failed ? 0 : load<i32>(frame, atOutputLength);
  if (!isCreate) return answer(parent, u64(how == succeeded), returned, length, how, why);
  if (parent != 0 && how == succeeded) {
    const next = answer(parent, 0, 0, 0, how, why);
    pushAddress(parent, load<usize>(frame, atAccount));
    return next;
  }
  return answer(parent, 0, returned, length, how, why);
}

/** Puts an account's address in the place of the word on top. */
function pushAddress(frame: usize, account: usize): void {
  loadAddress(load<usize>(frame, atSp), addressOf(account));
}

/** Stores the code that init code returned (EIP-2, 170, 3541); the failure's number, or 0. */
function deposit(frame: usize): i32 {
  const code = load<usize>(frame, atOutput);
  const length = load<i32>(frame, atOutputLength);
  const gas = load<i64>(frame, atGas);
  if (revision >= spuriousDragon && <u32>length > <u32>maxCodeBytes) return codeTooLarge;
  const cost = revision >= amsterdam ? keptCost(frame, length, gas) : codeByteGas * <i64>length;
  // Frontier kept the contract, without code.
  if (cost > gas) return revision >= homestead ? codeStoreOutOfGas : 0;
  if (revision >= london && length > 0 && load<u8>(code) == 0xef) return invalidCode;
  store<i64>(frame, gas - cost, atGas);
  if (length > 0) setCode(load<usize>(frame, atAccount), code, length);
  return 0;
}

/** EIP-8037: what keeping code costs a frame, of its hash and of state; above `gas` for too much. */
function keptCost(frame: usize, length: i32, gas: i64): i64 {
  const hashing = keccakWordGas * <i64>((length + 31) >> 5);
  if (hashing > gas) return hashing;
  const left = payStateGas(frame, codeByteStateGas * <i64>length, gas - hashing);
  return left < 0 ? gas + 1 : gas - left;
}

function forgetReturned(parent: usize): void {
  if (parent == 0) return;
  store<usize>(parent, 0, atReturnData);
  store<i32>(parent, 0, atReturnLength);
}

function giveBack(parent: usize, gas: i64): void {
  if (parent == 0) leaveGas(gas);
  else store<i64>(parent, load<i64>(parent, atGas) + gas, atGas);
}

/** Gives a frame, or the transaction, the outcome of what it asked for; answers who goes on. */
function answer(parent: usize, word: u64, returned: usize, length: i32, how: i32, why: i32): usize {
  if (parent == 0) {
    endMessage(how, why, returned, length);
    return 0;
  }
  store<usize>(parent, returned, atReturnData);
  store<i32>(parent, length, atReturnLength);
  const sp = load<usize>(parent, atSp) - 32;
  setU64(sp, word);
  store<usize>(parent, sp, atSp);
  const place = load<u32>(parent, atPlaceLength);
  const copied = place < <u32>length ? place : <u32>length;
  if (copied > 0) memory.copy(load<usize>(parent, atPlace), returned, copied);
  return parent;
}
