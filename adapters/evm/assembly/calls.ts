// Call frames around the interpreter: value transfer, precompiles, creation, and what a parent gets
// back (Yellow Paper, sections 7 and 8). Frames are a list, so 1,024 nested calls cost no stack.
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
  callValueGas,
  codeByteGas,
  initCodeWordGas,
  keccakWordGas,
  maxCodeBytes,
  maxInitCodeBytes,
  newAccountGas,
} from './gas';
import { run } from './interpreter';
import { checkpoint, revertTo } from './journal';
import { accessCost } from './operations-state';
import {
  precompileAt,
  precompileOutput,
  precompileOutputLength,
  runPrecompile,
} from './precompile';
import {
  accountExists,
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
import { add, below, copyWord, fitsU64, isZero, loadAddress, lowU64, setU64, sub } from './word';

const call: i32 = 0xf1;
const callCode: i32 = 0xf2;
const delegateCall: i32 = 0xf4;
const create2: i32 = 0xf5;
const staticCall: i32 = 0xfa;

// The outcome of the outermost call, which has no frame above it.
let halt: i32 = 0;
let error: i32 = 0;
let gasLeft: i64 = 0;
let output: usize = 0;
let outputLength: i32 = 0;
let created: usize = 0;

/** Why the last `beginCall` or `beginCreate` answered 0. */
export let requestFailure: i32 = 0;

// What is asked for, by an operation or by the transaction.
const requestValue: usize = memory.data(32, 16);
const zero: usize = memory.data(32, 16);
const scratch: usize = memory.data(32, 16);
let requestGas: i64 = 0;
let requestInput: usize = 0;
let requestLength: i32 = 0;

/** How the message ended: 0 success, 1 revert, 2 error. */
export function messageHalt(): i32 {
  return halt;
}

/** Number of the failure, 0 without one. */
export function messageError(): i32 {
  return error;
}

/** Gas that comes back. */
export function messageGasLeft(): i64 {
  return gasLeft;
}

/** Output, good until the next message. */
export function messageOutput(): usize {
  return output;
}

/** Length of the output in bytes. */
export function messageOutputLength(): i32 {
  return outputLength;
}

/** The new account of a creation, also of a failed one; 0 for a call. */
export function messageCreated(): usize {
  return created;
}

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
  halt = succeeded;
  error = 0;
  gasLeft = 0;
  output = 0;
  outputLength = 0;
  created = 0;
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
  gas -= targetCost(target, hasValue, operation == call);
  if (gas < 0) return 0;
  const given = offered(gas, sp);
  if (given < 0) return 0;
  store<i64>(frame, gas - given, atGas);
  store<usize>(frame, input + 128, atSp);
  const memory = load<usize>(frame, atMemory);
  store<usize>(frame, memory + <usize>lowU64(input + 64), atPlace);
  store<u32>(frame, <u32>lowU64(input + 96), atPlaceLength);
  copyWord(requestValue, value);
  requestGas = hasValue ? given + callStipend : given;
  requestLength = <i32>lowU64(input + 32);
  // An empty range may name any place.
  requestInput = requestLength == 0 ? 0 : memory + <usize>lowU64(input);
  return enterCall(frame, load<usize>(frame, atAccount), target, operation);
}

/** What a call costs beside memory and the gas it hands on. */
function targetCost(target: usize, hasValue: bool, mayMake: bool): i64 {
  let cost: i64 = hasValue ? callValueGas : 0;
  if (mayMake) {
    const makes =
      revision >= spuriousDragon ? hasValue && !isAlive(target) : !accountExists(target);
    if (makes) cost += newAccountGas;
  }
  cost += accessCost(target);
  if (revision < prague) return cost;
  // EIP-7702: access to the account whose code a delegating one runs.
  const delegate = delegateOf(target);
  return delegate == 0 ? cost : cost + accessCost(delegate);
}

/** Gas a call gets: since EIP-150 all but a 64th at most; before, what it asks for, or -1. */
function offered(available: i64, wanted: usize): i64 {
  const most = revision >= tangerineWhistle ? available - available / 64 : available;
  if (fitsU64(wanted) && lowU64(wanted) <= <u64>most) return <i64>lowU64(wanted);
  return revision >= tangerineWhistle ? most : -1;
}

/** The account that a delegating account names (EIP-7702); 0 when it does not delegate. */
function delegateOf(account: usize): usize {
  const code = codeOf(account);
  return isDelegation(code) ? accountOf(codeBytes(code) + 3) : 0;
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
  const delegate = revision >= prague ? delegateOf(account) : 0;
  if (delegate == 0) return codeOf(account);
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
}

function transfer(from: usize, to: usize): void {
  if (!isZero(requestValue)) {
    sub(scratch, balanceOf(from), requestValue);
    setBalance(from, scratch);
    add(scratch, balanceOf(to), requestValue);
    setBalance(to, scratch);
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
  return answer(parent, 0, 0, 0, failed, callRefused);
}

function enterPrecompile(parent: usize, id: i32, mark: i32): usize {
  const left = runPrecompile(id, requestInput, requestLength, requestGas);
  if (left < 0) {
    revertTo(mark);
    return answer(parent, 0, 0, 0, failed, precompileFailure);
  }
  giveBack(parent, left);
  return answer(parent, 1, precompileOutput(), precompileOutputLength(), succeeded, 0);
}

/**
 * Charges for a creation (EIP-150, 1014, 3860) and enters it. Operands and answer as of
 * {@link beginCall}.
 */
export function beginCreate(frame: usize, operation: i32, sp: usize, before: i64): usize {
  if (load<i32>(frame, atIsStatic) != 0) {
    requestFailure = staticChange;
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
  const kept: i64 = revision >= tangerineWhistle ? gas / 64 : 0;
  store<i64>(frame, kept, atGas);
  store<usize>(frame, operation == create2 ? sp + 128 : sp + 96, atSp);
  // What a creation returns stays out of the creator's memory.
  store<i32>(frame, 0, atPlaceLength);
  copyWord(requestValue, sp);
  requestGas = gas - kept;
  requestInput = length == 0 ? 0 : load<usize>(frame, atMemory) + <usize>lowU64(sp + 32);
  requestLength = <i32>length;
  return enterCreate(frame, load<usize>(frame, atAccount), operation, sp + 96);
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
  const account = accountOf(
    operation == create2
      ? saltedAddress(addressOf(creator), salt, requestInput, requestLength)
      : createdAddress(addressOf(creator), nonce),
  );
  if (parent == 0) created = account;
  if (revision >= berlin) warmAccount(account);
  const mark = checkpoint();
  // EIP-684, and EIP-7610 for an account that has nothing but storage.
  if (nonceOf(account) > 0 || codeLength(codeOf(account)) > 0 || hasAnyStorage(account)) {
    return answer(parent, 0, 0, 0, failed, createCollision);
  }
  const code = makeCode(requestInput, requestLength);
  const frame = openFrame(depth);
  markCreated(account);
  touch(account);
  sub(scratch, balanceOf(creator), requestValue);
  setBalance(creator, scratch);
  add(scratch, balanceOf(account), requestValue);
  setBalance(account, scratch);
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
  const cost = codeByteGas * <i64>length;
  if (revision >= spuriousDragon && <u32>length > <u32>maxCodeBytes) return codeTooLarge;
  // Frontier kept the contract, without code.
  if (cost > gas) return revision >= homestead ? codeStoreOutOfGas : 0;
  if (revision >= london && length > 0 && load<u8>(code) == 0xef) return invalidCode;
  store<i64>(frame, gas - cost, atGas);
  if (length > 0) setCode(load<usize>(frame, atAccount), code, length);
  return 0;
}

function forgetReturned(parent: usize): void {
  if (parent == 0) return;
  store<usize>(parent, 0, atReturnData);
  store<i32>(parent, 0, atReturnLength);
}

function giveBack(parent: usize, gas: i64): void {
  if (parent == 0) gasLeft += gas;
  else store<i64>(parent, load<i64>(parent, atGas) + gas, atGas);
}

/** Gives a frame, or the transaction, the outcome of what it asked for; answers who goes on. */
function answer(parent: usize, word: u64, returned: usize, length: i32, how: i32, why: i32): usize {
  if (parent == 0) {
    halt = how;
    error = why;
    output = returned;
    outputLength = length;
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
