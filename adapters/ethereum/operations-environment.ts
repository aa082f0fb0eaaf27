import { viewOf } from '@concordat/std';
import type { Frame } from './frame.ts';
import {
  accessCost,
  type Environment,
  goesOn,
  type Operation,
  outOfGas,
  pay,
  payMemory,
} from './operation.ts';
import type { Account } from './state.ts';
import { fullWord, mask160, wordAt, wordsOf } from './words.ts';

/** Pushes what is read from the frame and around it. */
function reading(read: (frame: Frame, environment: Environment) => bigint): Operation {
  return (frame, environment) => {
    frame.stack[frame.stackSize] = read(frame, environment);
    frame.stackSize++;
    return goesOn;
  };
}

/** Replaces the address on top by something of its account, at EIP-2929's price. */
function ofAccount(read: (account: Account, environment: Environment) => bigint): Operation {
  return (frame, environment) => {
    const { stack, stackSize } = frame;
    const account = environment.state.accountOfWord((stack[stackSize - 1] as bigint) & mask160);
    if (environment.fork.rules.berlin && !pay(frame, accessCost(environment, account))) {
      return outOfGas(frame);
    }
    stack[stackSize - 1] = read(account, environment);
    return goesOn;
  };
}

const codeHash = (account: Account): bigint =>
  account.isAlive ? BigInt(`0x${Buffer.from(account.codeKey, 'latin1').hexSlice(0, 32)}`) : 0n;

/** CALLDATALOAD: bytes past the end are zero. */
function loadInput({ stack, stackSize, input }: Frame): number {
  const offset = stack[stackSize - 1] as bigint;
  let word = 0n;
  if (offset < input.length) {
    const at = Number(offset);
    const length = input.length - at;
    word =
      length >= 32 ? fullWord(input, at) : wordAt(input, at, length) << BigInt(8 * (32 - length));
  }
  stack[stackSize - 1] = word;
  return goesOn;
}

/** Copies bytes of a source into memory: to, from and length are on the stack. */
function copy(frame: Frame, environment: Environment, source: Uint8Array): number {
  const { stack } = frame;
  frame.stackSize -= 3;
  const top = frame.stackSize;
  const to = stack[top + 2] as bigint;
  const from = stack[top + 1] as bigint;
  const length = stack[top] as bigint;
  if (!payMemory(frame, environment, to, length)) return outOfGas(frame);
  const size = Number(length);
  if (!pay(frame, environment.fork.gas.copyWord * wordsOf(size))) return outOfGas(frame);
  if (size === 0) return goesOn;
  const start = from > source.length ? source.length : Number(from);
  const at = Number(to);
  const copied = viewOf(source).copy(frame.memory, at, start, start + size);
  if (copied < size) frame.memory.fill(0, at + copied, at + size);
  return goesOn;
}

const copyForeignCode: Operation = (frame, environment) => {
  const { state, fork } = environment;
  const word = (frame.stack[--frame.stackSize] as bigint) & mask160;
  const account = state.accountOfWord(word);
  if (fork.rules.berlin && !pay(frame, accessCost(environment, account))) return outOfGas(frame);
  return copy(frame, environment, state.code(account).content);
};

/** RETURNDATACOPY: unlike other sources, it has nothing past its end (EIP-211). */
const copyReturned: Operation = (frame, environment) => {
  const { stack, stackSize, returnData } = frame;
  const end = (stack[stackSize - 2] as bigint) + (stack[stackSize - 3] as bigint);
  return end > returnData.length ? outOfGas(frame) : copy(frame, environment, returnData);
};

const blockHash: Operation = ({ stack, stackSize }, { around }) => {
  const number = stack[stackSize - 1] as bigint;
  const distance = around.number - number;
  stack[stackSize - 1] = distance > 256n || distance <= 0n ? 0n : around.blockHash(number);
  return goesOn;
};

const blobHash: Operation = ({ stack, stackSize }, { around }) => {
  const index = stack[stackSize - 1] as bigint;
  const hashes = around.blobHashes;
  stack[stackSize - 1] = index < hashes.length ? (hashes[Number(index)] as bigint) : 0n;
  return goesOn;
};

/** 0x30 to 0x4a: account, call, transaction and block around the code. */
export const surroundings: ReadonlyMap<number, Operation> = new Map<number, Operation>([
  [0x30, reading(({ account }) => account.word)],
  [0x31, ofAccount(({ balance }) => balance)],
  [0x32, reading((_, { around }) => around.origin)],
  [0x33, reading(({ caller }) => caller.word)],
  [0x34, reading(({ value }) => value)],
  [0x35, loadInput],
  [0x36, reading(({ input }) => BigInt(input.length))],
  [0x37, (frame, environment) => copy(frame, environment, frame.input)],
  [0x38, reading(({ code }) => BigInt(code.length))],
  [0x39, (frame, environment) => copy(frame, environment, frame.code.content)],
  [0x3a, reading((_, { around }) => around.gasPrice)],
  [0x3b, ofAccount((account, { state }) => BigInt(state.code(account).length))],
  [0x3c, copyForeignCode],
  [0x3d, reading(({ returnData }) => BigInt(returnData.length))],
  [0x3e, copyReturned],
  [0x3f, ofAccount(codeHash)],
  [0x40, blockHash],
  [0x41, reading((_, { around }) => around.coinbase)],
  [0x42, reading((_, { around }) => around.timestamp)],
  [0x43, reading((_, { around }) => around.number)],
  [
    0x44,
    reading((_, { around, fork }) => (fork.rules.paris ? around.prevRandao : around.difficulty)),
  ],
  [0x45, reading((_, { around }) => around.gasLimit)],
  [0x46, reading((_, { fork }) => fork.chainId)],
  [0x47, reading(({ account }) => account.balance)],
  [0x48, reading((_, { around }) => around.baseFee)],
  [0x49, blobHash],
  [0x4a, reading((_, { around }) => around.blobBaseFee)],
]);
