import { keccak_256 } from '@noble/hashes/sha3.js';
import {
  type AccountFields,
  type Applied,
  accountOf,
  type BlockEnvironment,
  type CallRequest,
  type CallResult,
  createEvm,
  type Evm,
  type EvmTransaction,
  MemoryHost,
  slotKey,
  toMinimalBytes,
  toWord,
} from '../index.ts';

/** An address whose twenty bytes are all the same. */
export const addressOf = (byte: number): Uint8Array => new Uint8Array(20).fill(byte);

/** Bytes as a number. */
export const wordOf = (bytes: Uint8Array): bigint =>
  BigInt(`0x0${Buffer.from(bytes).toString('hex')}`);

/** Bytes as lower-case text. */
export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** The hash of the EVM, 32 bytes. */
export const keccak256 = (bytes: Uint8Array): Uint8Array => keccak_256(bytes);

export const sender: Uint8Array = addressOf(0xaa);
/** Where the program under test is. */
export const contract: Uint8Array = addressOf(0xc0);

/** The block everything runs in. */
export const block: BlockEnvironment = {
  number: 1_000,
  timestamp: 1_800_000_001,
  coinbase: addressOf(0xcb),
  gasLimit: 30_000_000,
  difficulty: 17n,
  prevRandao: 2n ** 255n + 12_345n,
  baseFee: 7n,
  blobBaseFee: 2n ** 70n + 3n,
  blockHash: (number) => 2n ** 200n + number,
};

/** A transaction of the sender to the contract, with what differs. */
export const transactionOf = (fields: Partial<EvmTransaction> = {}): EvmTransaction => ({
  type: 2,
  from: sender,
  to: contract,
  nonce: 0n,
  gasLimit: 10_000_000n,
  value: 0n,
  data: new Uint8Array(0),
  maxFeePerGas: 10n,
  maxPriorityFeePerGas: 1n,
  maxFeePerBlobGas: 0n,
  accessList: [],
  authorizationList: [],
  blobVersionedHashes: [],
  ...fields,
});

export interface SceneAccount extends AccountFields {
  readonly code?: Uint8Array;
  readonly storage?: Readonly<Record<string, bigint>>;
}

/** Puts an account into a state; storage by slot numbers in decimal. */
export function place(host: MemoryHost, address: Uint8Array, account: SceneAccount): void {
  const { code = new Uint8Array(0), storage = {}, ...fields } = account;
  const key = Buffer.from(address).latin1Slice(0, 20);
  const codeKey = Buffer.from(keccak256(code)).latin1Slice(0, 32);
  if (code.length > 0) host.putCode(codeKey, code);
  const slots = Object.entries(storage);
  host.putAccount(key, accountOf({ codeKey, hasStorage: slots.length > 0, ...fields }));
  for (const [slot, value] of slots) {
    const name = Buffer.from(toWord(BigInt(slot))).latin1Slice(0, 32);
    host.putSlot(slotKey(key, 0, name), toMinimalBytes(value));
  }
}

/** One world with a wealthy sender, and an engine over it. */
export class Scene {
  readonly host = new MemoryHost();
  readonly evm: Evm;

  constructor(fork = 'osaka') {
    place(this.host, sender, { balance: 10n ** 24n });
    this.evm = createEvm({ fork, chainId: 1_337n, host: this.host });
  }

  place(address: Uint8Array, account: SceneAccount): void {
    place(this.host, address, account);
    this.evm.forget();
  }

  /** Calls the contract, with the given code there if any. */
  call(request: CallRequest = {}, code?: Uint8Array): CallResult {
    if (code !== undefined) this.place(contract, { code, nonce: 1n, balance: 1_000n });
    return this.evm.call({ from: sender, to: contract, ...request }, block);
  }

  /** Applies a transaction to the contract; it stays open. */
  execute(fields: Partial<EvmTransaction> = {}): Applied {
    return this.evm.execute(transactionOf(fields), block);
  }

  /** The word that a program returns. @throws Error when it does not return one */
  word(code: Uint8Array, request: CallRequest = {}): bigint {
    const { output, status, error } = this.call(request, code);
    if (status !== 'success' || output.length !== 32) {
      throw new Error(`${status} ${error} with ${output.length} bytes`);
    }
    return wordOf(output);
  }
}
