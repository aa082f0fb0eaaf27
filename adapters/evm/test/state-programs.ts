import { keccak_256 } from '@noble/hashes/sha3.js';
import {
  type EvmTransaction,
  emptyCodeKey,
  encodeAccount,
  forkOf,
  revisions,
  slotKey,
} from '../index.ts';
import { MemoryHost } from '../memory-host.ts';
import { toWord } from '../quantities.ts';
import { program, push } from './bytecode.ts';
import { randomFrom } from './corner-words.ts';
import { ruleForks } from './rule-forks.ts';

/** A small world whose contracts change state in every way, and transactions for it. */
export interface StateProgram {
  readonly fork: string;
  readonly host: MemoryHost;
  readonly coinbase: Uint8Array;
  readonly baseFee: bigint;
  /** Each with what becomes of it. */
  readonly steps: readonly Step[];
}

/** One transaction; its nonce is the sender's next. */
export interface Step {
  readonly transaction: Omit<EvmTransaction, 'nonce'>;
  readonly abandon: boolean;
}

const { constantinople, berlin, london, cancun, prague } = revisions;

/** 20 bytes that end with a number. */
const address = (number: number, fill: number): Uint8Array => {
  const bytes = new Uint8Array(20).fill(fill);
  bytes[19] = number;
  return bytes;
};
const contracts = [1, 2, 3, 4, 5, 6].map((number) => address(number, 0xa0));
const authorities = [7, 8].map((number) => address(number, 0xa0));
const precompiles = [1, 2, 3, 4].map((number) => address(number, 0));
const strangers = [9, 10].map((number) => address(number, 0xa0));
const senders = [0xe1, 0xe2].map((number) => address(number, 0xa0));
const everyone = [...contracts, ...authorities, ...precompiles, ...strangers];

/** Draws programs; everything follows from the seed. */
class Author {
  readonly random: () => number;
  readonly revision: number;
  readonly fork: string;

  constructor(seed: number) {
    this.random = randomFrom(seed);
    this.fork = this.one(ruleForks);
    this.revision = forkOf(this.fork).revision;
  }

  below(count: number): number {
    return Math.floor(this.random() * count);
  }

  one<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  chance(share: number): boolean {
    return this.random() < share;
  }

  /** A PUSH of at least one byte: PUSH0 came late. */
  number(count: number): Uint8Array {
    const value = BigInt(this.below(count));
    return push(value, 1);
  }

  target(): Uint8Array {
    if (this.chance(0.15)) return program('ADDRESS');
    if (this.chance(0.1)) return program('CALLER');
    return program('PUSH20', this.one(everyone));
  }

  slot = (): Uint8Array => this.number(4);
  value = (): Uint8Array => (this.chance(0.35) ? push(0n, 1) : this.number(3));
  store = (): Uint8Array => program(this.value(), this.slot(), 'SSTORE');
  keep = (): Uint8Array => program(this.slot(), 'SSTORE');

  code(): Uint8Array {
    const parts = Array.from({ length: 1 + this.below(7) }, () => this.piece(0));
    return program(...parts);
  }

  piece(depth: number): Uint8Array {
    switch (this.below(16)) {
      case 0:
      case 1:
      case 2:
        return this.store();
      case 3:
        return program(this.slot(), 'SLOAD', this.keep());
      case 4:
        return this.transient();
      case 5:
      case 6:
      case 7:
        return this.call();
      case 8:
      case 9:
        return depth > 1 ? program('GAS POP') : this.creation(depth);
      case 10: {
        const reads = ['BALANCE', 'EXTCODESIZE'];
        if (this.revision >= constantinople) reads.push('EXTCODEHASH');
        return program(this.target(), this.one(reads), this.keep());
      }
      case 11:
        return this.log();
      case 12:
        return this.chance(0.4) ? program(this.target(), 'SELFDESTRUCT') : this.store();
      default:
        return this.ending();
    }
  }

  transient(): Uint8Array {
    if (this.revision < cancun) return this.store();
    return this.chance(0.5)
      ? program(this.value(), this.slot(), 'TSTORE')
      : program(this.slot(), 'TLOAD', this.keep());
  }

  call(): Uint8Array {
    const calls = ['CALL', 'CALL', 'CALLCODE'];
    if (this.revision >= 1) calls.push('DELEGATECALL');
    if (this.revision >= 4) calls.push('STATICCALL');
    const kind = this.one(calls);
    const carries = kind === 'CALL' || kind === 'CALLCODE';
    const value = this.chance(0.3) ? this.number(3) : push(0n, 1);
    const gas = this.chance(0.3) ? push(BigInt(this.below(60_000)), 3) : program('GAS');
    return program(
      program(push(32n, 1), push(0n, 1), push(BigInt(32 * this.below(2)), 1), push(0n, 1)),
      carries ? value : new Uint8Array(0),
      this.target(),
      gas,
      kind,
      this.chance(0.5) ? 'POP' : this.keep(),
    );
  }

  log(): Uint8Array {
    const topics = this.below(5);
    const pushes = Array.from({ length: topics }, () => this.number(9));
    return program(...pushes, this.number(40), push(0n, 1), `LOG${topics}`);
  }

  ending(): Uint8Array {
    if (this.chance(0.75)) return program(this.target(), 'EXTCODESIZE POP');
    const endings = ['RETURN', 'SELFDESTRUCT', 'INVALID'];
    if (this.revision >= 4) endings.push('REVERT', 'REVERT');
    const how = this.one(endings);
    return how === 'INVALID' ? program(how) : program(this.number(32), push(0n, 1), how);
  }

  creation(depth: number): Uint8Array {
    const code = this.initCode(depth + 1);
    const salted = this.revision >= constantinople && this.chance(0.6);
    const parts: Uint8Array[] = [];
    for (let at = 0; at < code.length; at += 32) {
      const word = new Uint8Array(32);
      word.set(code.subarray(at, at + 32));
      parts.push(program('PUSH32', word, push(BigInt(at), 2), 'MSTORE'));
    }
    if (salted) parts.push(this.number(2));
    parts.push(push(BigInt(code.length), 2), push(0n, 1), push(this.chance(0.3) ? 1n : 0n, 1));
    parts.push(program(salted ? 'CREATE2' : 'CREATE'));
    if (this.chance(0.5)) return program(...parts, this.keep());
    // Calls what was made, which may destroy itself.
    const none = program(push(0n, 1), push(0n, 1), push(0n, 1), push(0n, 1), this.number(2));
    return program(...parts, none, 'DUP6 GAS CALL POP POP');
  }

  initCode(depth: number): Uint8Array {
    const parts = Array.from({ length: this.below(3) }, () =>
      this.chance(0.5) ? this.store() : this.piece(depth),
    );
    const runtime = this.runtime();
    const word = new Uint8Array(32);
    word.set(runtime);
    const how = this.random();
    if (how < 0.05) return program(...parts, 'INVALID');
    if (how < 0.15 && this.revision >= 4) return program(...parts, push(0n, 1), 'DUP1 REVERT');
    const length = push(BigInt(runtime.length), 1);
    return program(...parts, 'PUSH32', word, push(0n, 1), 'MSTORE', length, push(0n, 1), 'RETURN');
  }

  /** Code of at most 32 bytes. */
  runtime(): Uint8Array {
    switch (this.below(6)) {
      case 0:
        return program(this.slot(), 'SLOAD', push(1n), 'ADD', this.keep());
      case 1:
        return program('CALLER SELFDESTRUCT');
      case 2:
        return program(this.store(), 'PUSH20', this.one(everyone), 'SELFDESTRUCT');
      case 3:
        return new Uint8Array(0);
      case 4:
        return program('INVALID');
      default:
        return this.store();
    }
  }

  step(): Step {
    const { revision } = this;
    let type: EvmTransaction['type'] = 0;
    if (revision >= berlin) type = 1;
    if (revision >= london) type = 2;
    if (revision >= prague && this.chance(0.4)) type = 4;
    const creates = type !== 4 && this.chance(0.2);
    const price = BigInt(this.one([10, 10, 17]));
    const transaction = {
      from: this.one(senders),
      type,
      gasLimit: BigInt(this.chance(0.2) ? 130_000 : 200_000 + this.below(1_500_000)),
      maxFeePerGas: price,
      maxPriorityFeePerGas: type < 2 ? price : 3n,
      ...(creates ? {} : { to: this.one(everyone) }),
      value: this.chance(0.3) ? BigInt(this.below(4)) : 0n,
      data: creates ? this.initCode(1) : new Uint8Array(32).fill(this.below(3)),
      accessList: type > 0 && this.chance(0.4) ? [this.accessEntry()] : [],
      authorizationList:
        type === 4 ? Array.from({ length: 1 + this.below(3) }, () => this.authorization()) : [],
      blobVersionedHashes: [],
      maxFeePerBlobGas: 0n,
    };
    return { transaction, abandon: this.chance(0.15) };
  }

  accessEntry(): EvmTransaction['accessList'][0] {
    const storageKeys = [0n, 1n].filter(() => this.chance(0.5)).map(toWord);
    return { address: this.one(everyone), storageKeys };
  }

  authorization(): EvmTransaction['authorizationList'][0] {
    return {
      chainId: this.one([0n, 1n, 1n, 2n]),
      address: this.chance(0.2) ? new Uint8Array(20) : this.one(everyone),
      nonce: BigInt(this.below(4)),
      authority: this.chance(0.1) ? undefined : this.one(authorities),
    };
  }
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** The world and transactions of a seed. */
export function stateProgram(seed: number): StateProgram {
  const author = new Author(seed);
  const host = new MemoryHost();
  for (const one of everyone) {
    if (author.chance(0.2)) continue;
    const code = contracts.includes(one) && author.chance(0.9) ? author.code() : undefined;
    const codeKey = code === undefined ? emptyCodeKey : text(keccak_256(code));
    if (code !== undefined) host.putCode(codeKey, code);
    const slots = code === undefined ? [] : [0n, 1n, 2n].filter(() => author.chance(0.4));
    const balance = BigInt(author.below(5));
    const fields = { exists: true, nonce: BigInt(author.below(3)), balance, incarnation: 0 };
    const record = encodeAccount({ ...fields, codeKey, hasStorage: slots.length > 0 });
    host.putAccount(text(one), record);
    for (const slot of slots) {
      const value = Uint8Array.of(1 + author.below(3));
      host.putSlot(slotKey(text(one), 0, text(toWord(slot))), value);
    }
  }
  for (const sender of senders) {
    const fields = { exists: true, nonce: 0n, balance: 10n ** 30n, incarnation: 0 };
    const record = { ...fields, codeKey: emptyCodeKey, hasStorage: false };
    host.putAccount(text(sender), encodeAccount(record));
  }
  const coinbases = [address(0xcc, 0xa0), contracts[0], precompiles[2], senders[0]];
  return {
    fork: author.fork,
    host,
    coinbase: author.one(coinbases) as Uint8Array,
    baseFee: author.revision >= london ? author.one([0n, 7n, 10n]) : 0n,
    steps: Array.from({ length: 8 }, () => author.step()),
  };
}
