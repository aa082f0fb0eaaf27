import { emptyBytes } from '@concordat/std';
import type { Frame } from './frame.ts';
import {
  type Environment,
  ended,
  fail,
  goesOn,
  type Operation,
  outOfGas,
  pay,
  payMemory,
} from './operation.ts';
import { fullWord, wordBytes, wordsOf, writeWord } from './words.ts';

const load: Operation = (frame, environment) => {
  const { stack, stackSize } = frame;
  const offset = stack[stackSize - 1] as bigint;
  if (!payMemory(frame, environment, offset, 32n)) return outOfGas(frame);
  stack[stackSize - 1] = fullWord(frame.memory, Number(offset));
  return goesOn;
};

const store: Operation = (frame, environment) => {
  const { stack } = frame;
  frame.stackSize -= 2;
  const offset = stack[frame.stackSize + 1] as bigint;
  if (!payMemory(frame, environment, offset, 32n)) return outOfGas(frame);
  writeWord(frame.memory, Number(offset), stack[frame.stackSize] as bigint);
  return goesOn;
};

const storeByte: Operation = (frame, environment) => {
  const { stack } = frame;
  frame.stackSize -= 2;
  const offset = stack[frame.stackSize + 1] as bigint;
  if (!payMemory(frame, environment, offset, 1n)) return outOfGas(frame);
  frame.memory[Number(offset)] = Number((stack[frame.stackSize] as bigint) & 0xffn);
  return goesOn;
};

/** MCOPY (EIP-5656). */
const moveMemory: Operation = (frame, environment) => {
  const { stack } = frame;
  frame.stackSize -= 3;
  const top = frame.stackSize;
  const to = stack[top + 2] as bigint;
  const from = stack[top + 1] as bigint;
  const length = stack[top] as bigint;
  let reach = to;
  if (from > to) reach = from;
  if (!payMemory(frame, environment, reach, length)) return outOfGas(frame);
  const size = Number(length);
  if (!pay(frame, environment.fork.gas.copyWord * wordsOf(size))) return outOfGas(frame);
  if (size > 0) frame.memory.copyWithin(Number(to), Number(from), Number(from) + size);
  return goesOn;
};

const loadSlot: Operation = (frame, { state, fork }) => {
  const { stack, stackSize, account } = frame;
  const slot = stack[stackSize - 1] as bigint;
  if (fork.rules.berlin) {
    const { coldSlot, warm } = fork.gas;
    if (!pay(frame, state.warmSlot(account, slot) ? coldSlot : warm)) return outOfGas(frame);
  }
  stack[stackSize - 1] = state.slot(account, slot);
  return goesOn;
};

const storeSlot: Operation = (frame, environment) => {
  if (frame.isStatic) return fail(frame, 'static state change');
  const { stack } = frame;
  frame.stackSize -= 2;
  const slot = stack[frame.stackSize + 1] as bigint;
  const value = stack[frame.stackSize] as bigint;
  const cost = storeCost(frame, environment, slot, value);
  if (cost < 0 || !pay(frame, cost)) return outOfGas(frame);
  environment.state.setSlot(frame.account, slot, value);
  return goesOn;
};

/** Price of a storage write, with its refunds; -1 when too little gas is left to try. */
function storeCost(frame: Frame, { state, fork }: Environment, slot: bigint, value: bigint) {
  const { gas: price, rules } = fork;
  const { account } = frame;
  const current = state.slot(account, slot);
  if (!rules.istanbul && !rules.netGasMetering1283) {
    if (current !== 0n && value === 0n) state.refund += price.sstoreClearRefund;
    return current === 0n && value !== 0n ? price.sstoreSet : price.sstoreReset;
  }
  // EIP-2200: leaves a stipend's worth, so that a plain transfer can never write.
  if (rules.istanbul && frame.gas <= price.sstoreSentry) return -1;
  const cold = rules.berlin && state.warmSlot(account, slot) ? price.coldSlot : 0;
  if (current === value) return cold + price.sstoreNoop;
  const original = state.originalSlot(account, slot);
  if (original === current) {
    if (original === 0n) return cold + price.sstoreInit;
    if (value === 0n) state.refund += price.sstoreNetClearRefund;
    return cold + price.sstoreClean;
  }
  if (original !== 0n) {
    if (current === 0n) state.refund -= price.sstoreNetClearRefund;
    else if (value === 0n) state.refund += price.sstoreNetClearRefund;
  }
  if (original === value) {
    state.refund += original === 0n ? price.sstoreInitRefund : price.sstoreCleanRefund;
  }
  return cold + price.sstoreDirty;
}

const loadTransient: Operation = ({ stack, stackSize, account }, { state }) => {
  stack[stackSize - 1] = state.transient(account, stack[stackSize - 1] as bigint);
  return goesOn;
};

const storeTransient: Operation = (frame, { state }) => {
  if (frame.isStatic) return fail(frame, 'static state change');
  const { stack } = frame;
  frame.stackSize -= 2;
  const top = frame.stackSize;
  state.setTransient(frame.account, stack[top + 1] as bigint, stack[top] as bigint);
  return goesOn;
};

function log(count: number): Operation {
  return (frame, environment) => {
    if (frame.isStatic) return fail(frame, 'static state change');
    const { stack } = frame;
    const offset = stack[frame.stackSize - 1] as bigint;
    const length = stack[frame.stackSize - 2] as bigint;
    if (!payMemory(frame, environment, offset, length)) return outOfGas(frame);
    const { logTopic, logByte } = environment.fork.gas;
    const size = Number(length);
    if (!pay(frame, logTopic * count + logByte * size)) return outOfGas(frame);
    const topics: Uint8Array[] = [];
    for (let i = 3; i < count + 3; i++)
      topics.push(wordBytes(stack[frame.stackSize - i] as bigint));
    frame.stackSize -= count + 2;
    const data = frame.copyMemory(Number(offset), size);
    environment.state.logs.push({ address: frame.account.address, topics, data });
    return goesOn;
  };
}

/** RETURN and REVERT. */
function ending(reverts: boolean): Operation {
  return (frame, environment) => {
    const { stack } = frame;
    frame.stackSize -= 2;
    const offset = stack[frame.stackSize + 1] as bigint;
    const length = stack[frame.stackSize] as bigint;
    if (!payMemory(frame, environment, offset, length)) return outOfGas(frame);
    frame.output = length === 0n ? emptyBytes : frame.copyMemory(Number(offset), Number(length));
    if (reverts) {
      frame.halt = 'revert';
      frame.error = 'revert';
    }
    return ended;
  };
}

/** Memory, storage, logs, and how a frame ends. */
export const stateOperations: ReadonlyMap<number, Operation> = new Map<number, Operation>([
  [0x00, () => ended],
  [0x51, load],
  [0x52, store],
  [0x53, storeByte],
  [0x54, loadSlot],
  [0x55, storeSlot],
  [0x5c, loadTransient],
  [0x5d, storeTransient],
  [0x5e, moveMemory],
  [0xa0, log(0)],
  [0xa1, log(1)],
  [0xa2, log(2)],
  [0xa3, log(3)],
  [0xa4, log(4)],
  [0xf3, ending(false)],
  [0xfd, ending(true)],
]);
