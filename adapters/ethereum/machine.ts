import type { Outcome } from '@concordat/evm';
import { toMinimalBytes } from '@concordat/evm';
import { emptyBytes, viewOf } from '@concordat/std';
import type { ExecResult, PrecompileFunc } from '@ethereumjs/evm';
import { Code } from './code.ts';
import { keccak256 } from './crypto.ts';
import type { Message, MessageEngine, MessageResult } from './engine.ts';

import type { Fork } from './fork.ts';
import { Frame } from './frame.ts';
import { Interpreter } from './interpreter.ts';
import { delegateOf, ended, type Surroundings, wantsCall } from './operation.ts';
import { encodeRlp } from './rlp.ts';
import type { Account, ChainState } from './state.ts';
import { wordBytes } from './words.ts';

const deepest = 1024;
const lastNonce = 0xffff_ffff_ffff_ffffn;
const call = 0xf1;
const callCode = 0xf2;
const delegateCall = 0xf4;
const staticCall = 0xfa;
const create2 = 0xf5;

/**
 * Call frames around the interpreter: value transfer, precompiles, creation, and what a parent gets
 * back. Frames are a list, not the JavaScript stack, so 1,024 nested calls cost no stack.
 */
export class Machine implements MessageEngine {
  readonly fork: Fork;
  readonly state: ChainState;
  readonly #interpreter: Interpreter;
  readonly #frames: Frame[] = [];
  /** Stands in for the transaction: its memory is the call data, its gas what comes back. */
  readonly #root = new Frame(-1);
  #halt: Outcome['status'] = 'success';
  #error: string | undefined;
  #created: Account | undefined;

  constructor(fork: Fork, state: ChainState) {
    this.fork = fork;
    this.state = state;
    this.#interpreter = new Interpreter(fork, state, undefined as unknown as Surroundings);
  }

  execute(message: Message, around: Surroundings): MessageResult | Promise<MessageResult> {
    const root = this.#root;
    const { request } = this.#interpreter;
    this.#interpreter.around = around;
    this.#created = undefined;
    root.account = message.caller;
    root.caller = message.caller;
    root.gas = 0;
    root.stackSize = 0;
    root.outputLength = 0;
    root.returnData = emptyBytes;
    root.memory = viewOf(message.data);
    request.value = message.value;
    request.gas = message.gas;
    request.inputOffset = 0;
    request.inputLength = message.data.length;
    if (message.to === undefined) {
      request.operation = 0xf0;
      return this.#drive(this.#create(root));
    }
    request.operation = call;
    request.target = message.to;
    const entered = this.#call(root);
    if (entered instanceof Promise) return entered.then((next) => this.#drive(next));
    return this.#drive(entered);
  }

  /** Runs from a frame until the root has its answer. */
  #drive(start: Frame): MessageResult | Promise<MessageResult> {
    let frame = start;
    while (frame !== this.#root) {
      const asked = this.#interpreter.run(frame);
      if (asked === ended) {
        frame = this.#finish(frame);
      } else if (asked === wantsCall) {
        const entered = this.#call(frame);
        if (entered instanceof Promise) return entered.then((next) => this.#drive(next));
        frame = entered;
      } else {
        frame = this.#create(frame);
      }
    }
    return this.#result();
  }

  #result(): MessageResult {
    const root = this.#root;
    return {
      halt: this.#halt,
      ...(this.#error === undefined ? {} : { error: this.#error }),
      gasLeft: root.gas,
      output: root.returnData,
      ...(this.#created === undefined ? {} : { created: this.#created }),
    };
  }

  #child(parent: Frame): Frame {
    const depth = parent.depth + 1;
    let frame = this.#frames[depth];
    if (frame === undefined) {
      frame = new Frame(depth);
      this.#frames.push(frame);
    }
    frame.reset(this.#interpreter.request.gas);
    frame.logMark = this.state.logs.length;
    frame.refundMark = this.state.refund;
    return frame;
  }

  #parent(frame: Frame): Frame {
    return frame.depth === 0 ? this.#root : (this.#frames[frame.depth - 1] as Frame);
  }

  /** Enters the call a frame asks for; answers the frame to run next. */
  #call(parent: Frame): Frame | Promise<Frame> {
    const { state } = this;
    const { operation, target, value, inputOffset, inputLength } = this.#interpreter.request;
    parent.returnData = emptyBytes;
    if (parent.depth >= deepest || (value !== 0n && parent.account.balance < value)) {
      return this.#refuse(parent);
    }
    const checkpoint = state.checkpoint();
    if (operation === call || operation === staticCall) {
      this.#transfer(parent.account, target, value);
    }
    const precompile = this.fork.precompiles.get(target.word);
    if (precompile !== undefined) return this.#precompile(parent, precompile, checkpoint);
    const code = this.#codeToRun(target, parent.depth);
    if (code.length === 0) {
      parent.gas += this.#interpreter.request.gas;
      return this.#answer(parent, 1n, emptyBytes, 'success', undefined);
    }
    const frame = this.#child(parent);
    const own = operation === callCode || operation === delegateCall;
    frame.account = own ? parent.account : target;
    frame.caller = operation === delegateCall ? parent.caller : parent.account;
    frame.value = operation === delegateCall ? parent.value : value;
    frame.isStatic = parent.isStatic || operation === staticCall;
    frame.isCreate = false;
    frame.input = parent.memory.subarray(inputOffset, inputOffset + inputLength);
    frame.code = code;
    frame.checkpoint = checkpoint;
    return frame;
  }

  /** Code of an account, through one EIP-7702 delegation. */
  #codeToRun(account: Account, depth: number): Code {
    const { state } = this;
    const delegate = this.fork.rules.prague ? delegateOf(state, account) : undefined;
    if (delegate === undefined) return state.code(account);
    if (depth === -1) state.warmAddress(delegate);
    return state.code(delegate);
  }

  #transfer(from: Account, to: Account, value: bigint): void {
    const { state } = this;
    if (value !== 0n) {
      state.setBalance(from, from.balance - value);
      state.setBalance(to, to.balance + value);
    } else if (!this.fork.rules.spuriousDragon) {
      // Before EIP-161 a call of no value made the account.
      state.setBalance(to, to.balance);
    }
    state.touch(to);
  }

  /** A call that fails before it starts: nothing is charged but the operation. */
  #refuse(parent: Frame): Frame {
    parent.gas += this.#interpreter.request.gas;
    return this.#answer(parent, 0n, emptyBytes, 'error', 'insufficient balance');
  }

  #precompile(parent: Frame, run: PrecompileFunc, checkpoint: number): Frame | Promise<Frame> {
    const { gas, inputOffset, inputLength } = this.#interpreter.request;
    const result = run({
      // A copy: the identity precompile hands its input back.
      data: new Uint8Array(parent.memory.subarray(inputOffset, inputOffset + inputLength)),
      gasLimit: BigInt(gas),
      common: this.fork.common,
      _EVM: this.fork.library,
    });
    if (result instanceof Promise) {
      return result.then((ready) => this.#precompiled(parent, gas, checkpoint, ready));
    }
    return this.#precompiled(parent, gas, checkpoint, result);
  }

  #precompiled(parent: Frame, gas: number, checkpoint: number, result: ExecResult): Frame {
    if (result.exceptionError !== undefined) {
      this.state.revert(checkpoint);
      return this.#answer(parent, 0n, emptyBytes, 'error', result.exceptionError.error);
    }
    parent.gas += gas - Number(result.executionGasUsed);
    return this.#answer(parent, 1n, result.returnValue, 'success', undefined);
  }

  /** Enters the creation a frame asks for; answers the frame to run next. */
  #create(parent: Frame): Frame {
    const { state } = this;
    const { rules } = this.fork;
    const { operation, value, inputOffset, inputLength, salt } = this.#interpreter.request;
    const creator = parent.account;
    parent.returnData = emptyBytes;
    const outermost = parent.depth === -1;
    if (parent.depth >= deepest || creator.balance < value || creator.nonce >= lastNonce) {
      return this.#refuse(parent);
    }
    const nonce = outermost ? creator.nonce - 1n : creator.nonce;
    if (!outermost) state.setNonce(creator, nonce + 1n);
    const initCode = new Uint8Array(parent.memory.subarray(inputOffset, inputOffset + inputLength));
    const account = state.account(
      operation === create2
        ? saltedAddress(creator.address, salt, initCode)
        : createdAddress(creator.address, nonce),
    );
    if (outermost) this.#created = account;
    if (rules.berlin) state.warmAddress(account);
    const checkpoint = state.checkpoint();
    // EIP-684, and EIP-7610 for an account that has nothing but storage.
    if (account.nonce > 0n || state.code(account).length > 0 || account.hasStorage) {
      return this.#answer(parent, 0n, emptyBytes, 'error', 'create collision');
    }
    const frame = this.#child(parent);
    state.markCreated(account);
    state.touch(account);
    state.setBalance(creator, creator.balance - value);
    state.setBalance(account, account.balance + value);
    if (rules.spuriousDragon) state.setNonce(account, 1n);
    frame.account = account;
    frame.caller = creator;
    frame.value = value;
    frame.isStatic = false;
    frame.isCreate = true;
    frame.input = emptyInput;
    frame.code = new Code(initCode);
    frame.checkpoint = checkpoint;
    return frame;
  }

  /** Ends a frame and answers its parent. */
  #finish(frame: Frame): Frame {
    const { state } = this;
    const parent = this.#parent(frame);
    if (frame.isCreate && frame.halt === 'success') this.#deposit(frame);
    const { halt } = frame;
    if (halt !== 'success') {
      state.revert(frame.checkpoint);
      state.logs.length = frame.logMark;
      state.refund = frame.refundMark;
    }
    parent.gas += frame.gas;
    const output = halt === 'error' ? emptyBytes : frame.output;
    if (frame.isCreate) {
      const word = halt === 'success' ? frame.account.word : 0n;
      const returned = halt === 'revert' || parent.depth === -1 ? output : emptyBytes;
      return this.#answer(parent, word, returned, halt, frame.error);
    }
    return this.#answer(parent, halt === 'success' ? 1n : 0n, output, halt, frame.error);
  }

  /** Stores the code that init code returned (EIP-2, 170, 3541). */
  #deposit(frame: Frame): void {
    const { output } = frame;
    const { gas: price, rules } = this.fork;
    const cost = output.length * price.codeByte;
    if (output.length > price.maxCodeBytes) {
      this.#failDeposit(frame, 'code size to deposit exceeds maximum code size');
    } else if (cost > frame.gas) {
      // Frontier kept the contract, without code.
      if (rules.homestead) this.#failDeposit(frame, 'out of gas');
    } else if (rules.london && output[0] === 0xef) {
      this.#failDeposit(frame, 'invalid bytecode deployed');
    } else {
      frame.gas -= cost;
      if (output.length > 0) this.state.setCode(frame.account, output);
    }
  }

  #failDeposit(frame: Frame, error: string): void {
    frame.halt = 'error';
    frame.error = error;
    frame.gas = 0;
  }

  /** Gives a frame the outcome of what it asked for. */
  #answer(
    parent: Frame,
    word: bigint,
    output: Uint8Array,
    halt: Outcome['status'],
    error: string | undefined,
  ): Frame {
    parent.returnData = output;
    if (parent.depth === -1) {
      this.#halt = halt;
      this.#error = error;
      return parent;
    }
    parent.stack[parent.stackSize++] = word;
    const length = Math.min(parent.outputLength, output.length);
    if (length > 0) viewOf(output).copy(parent.memory, parent.outputOffset, 0, length);
    return parent;
  }
}

const emptyInput = Buffer.alloc(0);

/** Address of a contract made by CREATE or a transaction, 20 bytes. */
export function createdAddress(creator: Uint8Array, nonce: bigint): Uint8Array {
  return keccak256(encodeRlp([creator, toMinimalBytes(nonce)])).subarray(12);
}

/** Address of a contract made by CREATE2 (EIP-1014), 20 bytes. */
function saltedAddress(creator: Uint8Array, salt: bigint, initCode: Uint8Array): Uint8Array {
  const preimage = Buffer.allocUnsafe(85);
  preimage[0] = 0xff;
  preimage.set(creator, 1);
  preimage.set(wordBytes(salt), 21);
  preimage.set(keccak256(initCode), 53);
  return keccak256(preimage).subarray(12);
}
