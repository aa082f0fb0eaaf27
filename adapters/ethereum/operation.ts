import type { Fork } from './fork.ts';
import type { Frame } from './frame.ts';
import type { Account, ChainState } from './state.ts';

/** The operation is done; the next one follows. */
export const goesOn = 0;
/** The frame has ended, one way or the other. */
export const ended = 1;
/** The frame wants a CALL, CALLCODE, DELEGATECALL or STATICCALL; the machine makes the child. */
export const wantsCall = 2;
/** The frame wants a CREATE or CREATE2. */
export const wantsCreate = 3;

/** What operations ask about the transaction and block around them. */
export interface Surroundings {
  readonly gasPrice: bigint;
  readonly origin: bigint;
  readonly number: bigint;
  readonly timestamp: bigint;
  readonly coinbase: bigint;
  readonly gasLimit: bigint;
  readonly difficulty: bigint;
  readonly prevRandao: bigint;
  readonly baseFee: bigint;
  readonly blobBaseFee: bigint;
  readonly blobHashes: readonly bigint[];
  /** Hash of one of the last 256 blocks as a number; 0 when unknown. */
  blockHash(number: bigint): bigint;
}

/** A call or creation that a frame asks for. */
export interface Request {
  operation: number;
  target: Account;
  value: bigint;
  gas: number;
  inputOffset: number;
  inputLength: number;
  salt: bigint;
}

/** What every operation may reach. */
export interface Environment {
  readonly fork: Fork;
  readonly state: ChainState;
  around: Surroundings;
  /** Filled by an operation that answers `wantsCall` or `wantsCreate`. */
  readonly request: Request;
}

/**
 * One operation. Its base fee is paid, its operands are on the stack, there is room for its result
 * and the position is behind it. Answers {@link goesOn} or how the loop ends.
 */
export type Operation = (frame: Frame, environment: Environment) => number;

/** Ends the frame exceptionally: all its gas is gone. */
export function fail(frame: Frame, error: string): number {
  frame.halt = 'error';
  frame.error = error;
  frame.gas = 0;
  return ended;
}

/** Ends the frame because its gas does not suffice. */
export const outOfGas = (frame: Frame): number => fail(frame, 'out of gas');

/** Memory beyond this is never affordable: its price exceeds any gas limit. */
const memoryLimit = 0xffff_ffffn;

/**
 * Pays for a memory range and opens it; false when the gas does not suffice. Charged before the
 * operation touches the range, and opened only when paid (Yellow Paper, appendix H).
 */
export function payMemory(
  frame: Frame,
  environment: Environment,
  offset: bigint,
  length: bigint,
): boolean {
  if (length === 0n) return true;
  if (offset > memoryLimit || length > memoryLimit) return false;
  const words = Math.ceil((Number(offset) + Number(length)) / 32);
  if (words <= frame.memoryWords) return true;
  const { memory, quadratic } = environment.fork.gas;
  const total = words * memory + Math.floor((words * words) / quadratic);
  const cost = total - frame.memoryGas;
  if (cost > frame.gas) return false;
  frame.gas -= cost;
  frame.memoryGas = total;
  frame.growMemory(words);
  return true;
}

/** Pays gas; false when it does not suffice. */
export function pay(frame: Frame, gas: number): boolean {
  frame.gas -= gas;
  return frame.gas >= 0;
}

/** EIP-2929 price of reading an account, which it marks warm. */
export function accessCost(environment: Environment, account: Account): number {
  const { coldAccount, warm } = environment.fork.gas;
  return environment.state.warmAddress(account) ? coldAccount : warm;
}

/** Whether code begins with the EIP-7702 designator. */
export const isDelegation = (code: Uint8Array): boolean =>
  code[0] === 0xef && code[1] === 0x01 && code[2] === 0x00;

/** The account that a delegating account names (EIP-7702), if it delegates. */
export function delegateOf(state: ChainState, account: Account): Account | undefined {
  const code = state.code(account);
  if (code.length !== 23 || !isDelegation(code.bytes)) return undefined;
  return state.account(code.bytes.subarray(3, 23));
}
