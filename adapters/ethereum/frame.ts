import type { Outcome } from '@concordat/evm';
import { emptyBytes } from '@concordat/std';
import { Code } from './code.ts';

import type { Account } from './state.ts';

const pooledMemoryBytes = 65_536;
const firstMemoryBytes = 4_096;

/**
 * One call frame of the interpreter. Frames are kept per depth and reused, with their stack and
 * memory: a call allocates nothing but what it returns.
 */
export class Frame {
  readonly depth: number;
  /** Whose storage, balance and ADDRESS it is. */
  account!: Account;
  caller!: Account;
  value = 0n;
  input: Buffer = Buffer.alloc(0);
  code: Code = Code.empty;
  isStatic = false;
  isCreate = false;
  gas = 0;
  pc = 0;
  stackSize = 0;
  readonly stack: bigint[] = [];
  memory: Buffer = Buffer.alloc(firstMemoryBytes);
  /** Paid for, in words of 32 bytes. */
  memoryWords = 0;
  memoryGas = 0;
  /** What the last call of this frame returned. */
  returnData: Uint8Array = emptyBytes;
  /** What this frame returns. */
  output: Uint8Array = emptyBytes;
  halt: Outcome['status'] = 'success';
  /** The EVM's word for an exceptional halt. */
  error: string | undefined;
  /** State to go back to when the frame fails. */
  checkpoint = 0;
  logMark = 0;
  refundMark = 0;
  /** Where the running child's output goes. */
  outputOffset = 0;
  outputLength = 0;
  /** Gas offered to a creation, to tell Frontier's code deposit rule. */
  gasOffered = 0;

  constructor(depth: number) {
    this.depth = depth;
  }

  /** Makes the frame ready for a new call; the caller sets what the call is about. */
  reset(gas: number): void {
    this.gas = gas;
    this.gasOffered = gas;
    this.pc = 0;
    this.stackSize = 0;
    const used = this.memoryWords * 32;
    if (this.memory.length > pooledMemoryBytes) this.memory = Buffer.alloc(firstMemoryBytes);
    else if (used > 0) this.memory.fill(0, 0, used);
    this.memoryWords = 0;
    this.memoryGas = 0;
    this.returnData = emptyBytes;
    this.output = emptyBytes;
    this.halt = 'success';
    this.error = undefined;
  }

  /** Grows the paid memory to so many words; the bytes are zero. */
  growMemory(words: number): void {
    this.memoryWords = words;
    const needed = words * 32;
    if (needed <= this.memory.length) return;
    const grown = Buffer.alloc(Math.max(needed, this.memory.length * 2));
    grown.set(this.memory);
    this.memory = grown;
  }

  /** A copy of a paid range of memory. */
  copyMemory(offset: number, length: number): Buffer {
    if (length === 0) return Buffer.alloc(0);
    const copy = Buffer.allocUnsafeSlow(length);
    this.memory.copy(copy, 0, offset, offset + length);
    return copy;
  }
}
