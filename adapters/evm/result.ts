import { failureTexts } from './errors.ts';
import type { MemoryViews } from './exchange.ts';
import type { AccessListEntry } from './transaction.ts';

/** One log: emitter (20 bytes), topics (32 bytes each), data. */
export interface EvmLog {
  readonly address: Uint8Array;
  readonly topics: readonly Uint8Array[];
  readonly data: Uint8Array;
}

/** Gas of a transaction as its block counts it: both kinds, without refunds (EIP-7778, 8037). */
export interface BlockGas {
  readonly regular: number;
  /** For growth of the state. */
  readonly state: number;
}

/** How a message ended. */
export interface Outcome {
  readonly status: 'success' | 'revert' | 'error';
  /** Returned or reverted with. */
  readonly output: Uint8Array;
  /** Why it failed, in words. */
  readonly error?: string;
  /** What is paid for: after refunds, at least the calldata floor. */
  readonly gasUsed: number;
  /** Gas that came back as refund. */
  readonly refund: number;
}

const halts = ['success', 'revert', 'error'] as const;

/** Places of the result area. */
const place = {
  outcome: 0,
  status: 4,
  halt: 8,
  error: 12,
  gasUsed: 16,
  refund: 24,
  output: 32,
  outputLength: 36,
  hasCreated: 40,
  created: 44,
  logs: 64,
  logCount: 68,
  logBytes: 72,
  accessed: 76,
  accessedCount: 80,
  nonce: 88,
  balance: 96,
  regularGas: 128,
  stateGas: 136,
} as const;

const noBytes = new Uint8Array(0);
const noLogs: readonly EvmLog[] = [];

/** Reads what the engine left of a message in its result area. */
export class ResultReader {
  readonly #area: number;
  readonly #memory: MemoryViews;

  constructor(memory: MemoryViews, area: number) {
    this.#memory = memory;
    this.#area = area;
  }

  #u32(at: number): number {
    return this.#memory.view.getUint32(this.#area + at, true);
  }

  /** 0 when applied; otherwise the number of a refusal. */
  get refusal(): number {
    return this.#u32(place.outcome);
  }

  /** Of the sender; where a nonce is refused. */
  get nonce(): bigint {
    return this.#memory.view.getBigUint64(this.#area + place.nonce, true);
  }

  /** Address in memory of the sender's balance; where funds are missing. */
  get balance(): number {
    return this.#area + place.balance;
  }

  get status(): 0 | 1 {
    return this.#u32(place.status) === 1 ? 1 : 0;
  }

  get halt(): Outcome['status'] {
    return halts[this.#u32(place.halt)] ?? 'error';
  }

  /** In words; undefined for a success. */
  get error(): string | undefined {
    const halt = this.#u32(place.halt);
    if (halt === 0) return undefined;
    return halt === 1 ? 'revert' : (failureTexts[this.#u32(place.error)] ?? 'failed');
  }

  get gasUsed(): number {
    return this.#u53(place.gasUsed);
  }

  /** What a block counts; since Amsterdam only. */
  get blockGas(): BlockGas {
    return { regular: this.#u53(place.regularGas), state: this.#u53(place.stateGas) };
  }

  #u53(field: number): number {
    const { view } = this.#memory;
    const at = this.#area + field;
    return view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x1_0000_0000;
  }

  get refund(): number {
    return this.#u53(place.refund);
  }

  /** A copy. */
  get output(): Uint8Array {
    const length = this.#u32(place.outputLength);
    return length === 0 ? noBytes : this.#copy(this.#u32(place.output), length);
  }

  /** The new contract of a creation, also of a failed one. */
  get created(): Uint8Array | undefined {
    if (this.#u32(place.hasCreated) === 0) return undefined;
    return this.#copy(this.#area + place.created, 20);
  }

  /** In the order they were emitted, on one copied piece of memory. */
  get logs(): readonly EvmLog[] {
    const count = this.#u32(place.logCount);
    if (count === 0) return noLogs;
    const bytes = this.#copy(this.#u32(place.logs), this.#u32(place.logBytes));
    const { buffer, byteOffset } = bytes;
    const view = new DataView(buffer, byteOffset);
    const logs: EvmLog[] = [];
    let at = 0;
    for (let i = 0; i < count; i++) {
      const address = new Uint8Array(buffer, byteOffset + at, 20);
      const topicCount = view.getUint32(at + 20, true);
      const dataLength = view.getUint32(at + 24, true);
      at += 28;
      const topics: Uint8Array[] = [];
      for (let j = 0; j < topicCount; j++) {
        topics.push(new Uint8Array(buffer, byteOffset + at, 32));
        at += 32;
      }
      const data = new Uint8Array(buffer, byteOffset + at, dataLength);
      at += dataLength;
      logs.push({ address, topics, data });
    }
    return logs;
  }

  /** Accounts and slots met, in the order they were first met. */
  get accessed(): readonly AccessListEntry[] {
    const count = this.#u32(place.accessedCount);
    const { view, bytes } = this.#memory;
    const slots = new Map<string, Uint8Array[]>();
    let at = this.#u32(place.accessed);
    for (let i = 0; i < count; i++, at += 56) {
      const key = bytes.latin1Slice(at + 4, at + 24);
      let keys = slots.get(key);
      if (keys === undefined) {
        keys = [];
        slots.set(key, keys);
      }
      if (view.getUint32(at, true) === 1) keys.push(this.#copy(at + 24, 32));
    }
    return [...slots].map(([key, storageKeys]) => ({
      address: Buffer.from(key, 'latin1'),
      storageKeys,
    }));
  }

  #copy(at: number, length: number): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#memory.bytes, at, at + length);
  }
}
