import { randomBytes } from 'node:crypto';
import { assert } from '@concordat/std';
import type { BlockEnvironment } from './block-environment.ts';
import { engineBytes } from './engine-bytes.ts';
import { EvmError } from './errors.ts';
import type { MemoryViews } from './exchange.ts';
import type { EvmHost } from './host.ts';
import type { Precompile } from './precompile.ts';
import { toWord } from './quantities.ts';
import { checkAccount, emptyCodeKey } from './records.ts';

/** What the assembly exports. Areas are addresses in its memory. */
interface EngineExports {
  readonly memory: WebAssembly.Memory;
  configure(revision: number): void;
  blockArea(): number;
  inputRoom(length: number): number;
  execute(): void;
  call(): void;
  systemCall(): void;
  finish(): number;
  abandon(): void;
  forget(): void;
  /** Draws the secrets of the hash tables; they never change an outcome. */
  seed(low: number, high: number): void;
  heldBytes(): number;
  resultArea(): number;
  outputRoom(length: number): number;
  precompileSet(): number;
  accountInfo(address: number): number;
}

// Compiled once a process; an instance takes a fraction of a millisecond.
const compiled = new WebAssembly.Module(engineBytes);

/** Longest value of a slot. */
const slotBytes = 32;

/**
 * One instance of the compiled engine and its few ways out. It can reach nothing but the functions
 * given to it here: WebAssembly confines the code of contracts.
 */
export class EngineInstance implements MemoryViews {
  readonly exports: EngineExports;
  host: EvmHost;
  #block: BlockEnvironment | undefined;
  /** Those of earlier blocks that were asked for in this one, 32 bytes each. */
  readonly #hashes = new Map<number, Uint8Array>();
  precompiles: ReadonlyMap<number, Precompile>;
  bytes: Buffer;
  view: DataView;
  #code: Uint8Array | undefined;

  constructor(host: EvmHost) {
    this.host = host;
    this.precompiles = new Map();
    // Addresses come as signed numbers: `>>> 0` makes those above 2 GiB what they are.
    const imports = {
      account: (address: number, out: number) => this.#account(address >>> 0, out >>> 0),
      slot: (key: number, length: number, out: number) => this.#slot(key >>> 0, length, out >>> 0),
      codeLength: (hash: number) => this.#codeLength(hash >>> 0),
      code: (out: number) => this.#putCode(out >>> 0),
      blockHash: (number: number, out: number) => this.#blockHash(number, out >>> 0),
      precompile: (id: number, input: number, length: number, gas: number) =>
        this.#precompile(id, { input: input >>> 0, length, gas }),
    };
    const { exports } = new WebAssembly.Instance(compiled, { host: imports });
    this.exports = exports as unknown as EngineExports;
    // Unknown to all, so that no contract can choose slots that make look-ups slow.
    const secret = randomBytes(8);
    this.exports.seed(secret.readInt32LE(0), secret.readInt32LE(4));
    this.bytes = Buffer.from(this.exports.memory.buffer);
    this.view = new DataView(this.exports.memory.buffer);
  }

  /** The block in which earlier ones are asked for. */
  set block(block: BlockEnvironment) {
    this.#block = block;
    this.#hashes.clear();
  }

  /** Selects rules and precompiles. */
  configure(revision: number, precompiles: ReadonlyMap<number, Precompile>): void {
    this.precompiles = precompiles;
    this.exports.configure(revision);
    this.renew();
    const set = this.exports.precompileSet();
    this.bytes.fill(0, set, set + 64);
    for (const id of precompiles.keys()) {
      const at = set + (id >> 3);
      this.bytes[at] = (this.bytes[at] as number) | (1 << (id & 7));
    }
  }

  /** Makes the views anew when the memory has grown since, which detaches them. */
  renew(): void {
    if (this.bytes.length > 0) return;
    this.bytes = Buffer.from(this.exports.memory.buffer);
    this.view = new DataView(this.exports.memory.buffer);
  }

  /** Room for input of so many bytes. */
  inputRoom(length: number): number {
    const at = this.exports.inputRoom(length) >>> 0;
    this.renew();
    return at;
  }

  #account(address: number, out: number): number {
    this.renew();
    const { bytes } = this;
    const record = this.host.account(bytes.latin1Slice(address, address + 20));
    if (record === undefined) return -1;
    checkAccount(record);
    const { length } = record;
    for (let i = 0; i < length; i++) bytes[out + i] = record[i] as number;
    return length;
  }

  #slot(key: number, keyLength: number, out: number): number {
    this.renew();
    const { bytes } = this;
    const value = this.host.slot(bytes.latin1Slice(key, key + keyLength));
    if (value === undefined) return 0;
    const { length } = value;
    if (length > slotBytes) {
      throw new EvmError('MALFORMED', `the value of a slot has ${length} bytes`);
    }
    for (let i = 0; i < length; i++) bytes[out + i] = value[i] as number;
    return length;
  }

  #codeLength(hash: number): number {
    this.renew();
    const key = this.bytes.latin1Slice(hash, hash + 32);
    this.#code = this.host.code(key);
    const length = this.#code?.length ?? 0;
    // An account names it: run as empty, a contract would take value and do nothing.
    if (length === 0 && key !== emptyCodeKey) {
      const name = Buffer.from(key, 'latin1').toString('hex');
      throw new EvmError('MALFORMED', `no code of hash ${name}, which an account has`);
    }
    return length;
  }

  #putCode(out: number): void {
    this.renew();
    if (this.#code !== undefined) this.bytes.set(this.#code, out);
    this.#code = undefined;
  }

  #blockHash(number: number, out: number): void {
    this.renew();
    let hash = this.#hashes.get(number);
    if (hash === undefined) {
      assert(this.#block !== undefined, 'a block hash is asked for outside of a block');
      hash = toWord(this.#block.blockHash(BigInt(number)));
      // At 20 gas a contract can ask millions of times, for 256 different ones at most.
      this.#hashes.set(number, hash);
    }
    this.bytes.set(hash, out);
  }

  #precompile(id: number, { input, length, gas }: PrecompileCall): number {
    this.renew();
    const precompile = this.precompiles.get(id);
    assert(precompile !== undefined, 'a precompile that was not configured');
    const data = this.bytes.subarray(input, input + length);
    const cost = precompile.gas(data);
    if (cost > gas) return -1;
    const output = precompile.run(data);
    if (output === undefined) return -1;
    const at = this.exports.outputRoom(output.length) >>> 0;
    this.renew();
    this.bytes.set(output, at);
    return cost;
  }
}

interface PrecompileCall {
  readonly input: number;
  readonly length: number;
  readonly gas: number;
}
