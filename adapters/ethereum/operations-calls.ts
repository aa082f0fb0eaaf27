import type { Fork } from './fork.ts';
import {
  accessCost,
  delegateOf,
  type Environment,
  ended,
  fail,
  type Operation,
  outOfGas,
  pay,
  payMemory,
  wantsCall,
  wantsCreate,
} from './operation.ts';
import type { Account } from './state.ts';
import { mask160, wordsOf } from './words.ts';

/** CALL, the only one of the four that may carry value to another account. */
const call = 0xf1;
const callCode = 0xf2;
const create2 = 0xf5;

/** Charges for a call and fills the request (Yellow Paper, appendix H; EIP-150, 2929, 7702). */
function calling(operation: number): Operation {
  const withValue = operation === call || operation === callCode;
  return (frame, environment) => {
    const { state, request, fork } = environment;
    const { stack } = frame;
    let at = frame.stackSize - 1;
    const gasWanted = stack[at--] as bigint;
    const target = state.accountOfWord((stack[at--] as bigint) & mask160);
    const value = withValue ? (stack[at--] as bigint) : 0n;
    const inputOffset = stack[at--] as bigint;
    const inputLength = stack[at--] as bigint;
    const outputOffset = stack[at--] as bigint;
    const outputLength = stack[at--] as bigint;
    frame.stackSize = at + 1;
    if (operation === call && frame.isStatic && value !== 0n) {
      return fail(frame, 'static state change');
    }
    if (!payMemory(frame, environment, inputOffset, inputLength)) return outOfGas(frame);
    if (!payMemory(frame, environment, outputOffset, outputLength)) return outOfGas(frame);
    const makes = operation === call && makesAccount(fork, target, value);
    if (!pay(frame, targetCost(environment, target, value, makes))) return outOfGas(frame);
    const given = offered(fork, frame.gas, gasWanted);
    if (given < 0) return outOfGas(frame);
    frame.gas -= given;
    frame.outputOffset = Number(outputOffset);
    frame.outputLength = Number(outputLength);
    request.operation = operation;
    request.target = target;
    request.value = value;
    request.gas = value === 0n ? given : given + fork.gas.callStipend;
    request.inputOffset = Number(inputOffset);
    request.inputLength = Number(inputLength);
    return wantsCall;
  };
}

/** What a call costs beside memory and the gas it hands on. */
function targetCost(
  environment: Environment,
  target: Account,
  value: bigint,
  makesAccount: boolean,
): number {
  const { gas: price, rules } = environment.fork;
  let cost = value === 0n ? 0 : price.callValue;
  if (makesAccount) cost += price.callNewAccount;
  if (rules.berlin) cost += accessCost(environment, target);
  if (!rules.prague) return cost;
  // EIP-7702: access to the account whose code a delegating one runs.
  const delegate = delegateOf(environment.state, target);
  return delegate === undefined ? cost : cost + accessCost(environment, delegate);
}

function makesAccount(fork: Fork, target: Account, value: bigint): boolean {
  if (fork.rules.spuriousDragon) return value !== 0n && !target.isAlive;
  return !target.exists;
}

/** Gas a call gets: since EIP-150 all but a 64th at most; before, what it asks for, or -1. */
function offered(fork: Fork, available: number, wanted: bigint): number {
  if (!fork.rules.tangerineWhistle) return wanted > available ? -1 : Number(wanted);
  const most = available - Math.floor(available / 64);
  return wanted > most ? most : Number(wanted);
}

/** Charges for a creation and fills the request (EIP-150, 1014, 3860). */
function creating(operation: number): Operation {
  const salted = operation === create2;
  return (frame, environment) => {
    if (frame.isStatic) return fail(frame, 'static state change');
    const { request, fork } = environment;
    const { gas: price } = fork;
    const { stack } = frame;
    let at = frame.stackSize - 1;
    const value = stack[at--] as bigint;
    const offset = stack[at--] as bigint;
    const length = stack[at--] as bigint;
    request.salt = salted ? (stack[at--] as bigint) : 0n;
    frame.stackSize = at + 1;
    if (!payMemory(frame, environment, offset, length)) return outOfGas(frame);
    const perWord = price.initCodeWord + (salted ? price.keccakWord : 0);
    if (!pay(frame, perWord * wordsOf(Number(length)))) return outOfGas(frame);
    if (Number(length) > price.maxInitCodeBytes) {
      return fail(frame, 'initcode exceeds max initcode size');
    }
    const available = frame.gas;
    const kept = fork.rules.tangerineWhistle ? Math.floor(available / 64) : 0;
    frame.gas = kept;
    // What a creation returns stays out of the creator's memory.
    frame.outputLength = 0;
    request.operation = operation;
    request.value = value;
    request.gas = available - kept;
    request.inputOffset = Number(offset);
    request.inputLength = Number(length);
    return wantsCreate;
  };
}

/** SELFDESTRUCT (EIP-150, 161, 2929, 6780). */
const selfDestruct: Operation = (frame, { state, fork }) => {
  if (frame.isStatic) return fail(frame, 'static state change');
  const { gas: price, rules } = fork;
  const { account } = frame;
  const heir = state.accountOfWord((frame.stack[frame.stackSize - 1] as bigint) & mask160);
  const { balance } = account;
  let cost = rules.berlin && state.warmAddress(heir) ? price.coldAccount : 0;
  const makes = rules.spuriousDragon ? balance > 0n && !heir.isAlive : !heir.exists;
  if (makes && rules.tangerineWhistle) cost += price.callNewAccount;
  if (!pay(frame, cost)) return outOfGas(frame);
  if (!account.destroyed) state.refund += price.selfdestructRefund;
  const toSelf = heir === account;
  if (!toSelf) {
    state.touch(heir);
    state.setBalance(heir, heir.balance + balance);
  }
  if (!rules.cancun || account.created || !toSelf) state.setBalance(account, 0n);
  state.markDestroyed(account);
  return ended;
};

/** Calls, creations and self-destruction. */
export const callOperations: ReadonlyMap<number, Operation> = new Map<number, Operation>([
  [0xf0, creating(0xf0)],
  [call, calling(call)],
  [callCode, calling(callCode)],
  [0xf4, calling(0xf4)],
  [create2, creating(create2)],
  [0xfa, calling(0xfa)],
  [0xff, selfDestruct],
]);
