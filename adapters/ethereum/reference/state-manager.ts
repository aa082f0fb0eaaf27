import { emptyCodeKey, toBigInt, toMinimalBytes } from '@concordat/evm';
import { fromHex } from '@concordat/std';
import type { AccountFields, StateManagerInterface } from '@ethereumjs/common';
import { type Address, Account as LibraryAccount } from '@ethereumjs/util';
import { EthereumError } from '../errors.ts';
import type { Account, ChainState } from './state.ts';

/** Any root but the empty one: tells the library that an account has storage (EIP-7610). */
const someStorageRoot = new Uint8Array(32).fill(1);

/**
 * Our state as the library's EVM wants to see it. Everything answers at once; the promises are the
 * interface's. Checkpoints are positions of the one undo log.
 */
export class LibraryStateManager implements StateManagerInterface {
  readonly #state: ChainState;
  readonly #marks: number[] = [];
  readonly originalStorageCache: StateManagerInterface['originalStorageCache'];

  constructor(state: ChainState) {
    this.#state = state;
    this.originalStorageCache = {
      get: async (address, key) =>
        toMinimalBytes(state.originalSlot(this.#of(address), toBigInt(key))),
      clear: () => {},
    };
  }

  #of(address: Address): Account {
    return this.#state.account(address.bytes);
  }

  async getAccount(address: Address): Promise<LibraryAccount | undefined> {
    const account = this.#of(address);
    if (!account.exists) return undefined;
    const codeHash =
      account.codeKey === emptyCodeKey ? undefined : Buffer.from(account.codeKey, 'latin1');
    return new LibraryAccount(
      account.nonce,
      account.balance,
      account.hasStorage ? someStorageRoot : undefined,
      codeHash,
    );
  }

  async putAccount(address: Address, value?: LibraryAccount): Promise<void> {
    const account = this.#of(address);
    if (value === undefined) {
      this.#state.remove(account);
      return;
    }
    this.#state.setBalance(account, value.balance);
    if (account.nonce !== value.nonce) this.#state.setNonce(account, value.nonce);
  }

  async deleteAccount(address: Address): Promise<void> {
    this.#state.remove(this.#of(address));
  }

  async modifyAccountFields(address: Address, fields: AccountFields): Promise<void> {
    const account = this.#of(address);
    if (fields.balance !== undefined) this.#state.setBalance(account, fields.balance);
    if (fields.nonce !== undefined) this.#state.setNonce(account, fields.nonce);
  }

  async putCode(address: Address, value: Uint8Array): Promise<void> {
    this.#state.setCode(this.#of(address), value);
  }

  async getCode(address: Address): Promise<Uint8Array> {
    return new Uint8Array(this.#state.code(this.#of(address)));
  }

  async getCodeSize(address: Address): Promise<number> {
    return this.#state.code(this.#of(address)).length;
  }

  async getStorage(address: Address, key: Uint8Array): Promise<Uint8Array> {
    return toMinimalBytes(this.#state.slot(this.#of(address), toBigInt(key)));
  }

  async putStorage(address: Address, key: Uint8Array, value: Uint8Array): Promise<void> {
    this.#state.setSlot(this.#of(address), toBigInt(key), toBigInt(value));
  }

  async clearStorage(address: Address): Promise<void> {
    this.#state.wipeStorage(this.#of(address));
  }

  async checkpoint(): Promise<void> {
    this.#marks.push(this.#state.checkpoint());
  }

  async commit(): Promise<void> {
    this.#marks.pop();
  }

  async revert(): Promise<void> {
    this.#state.revert(this.#marks.pop() ?? 0);
  }

  /** @throws EthereumError STATE_NOT_KEPT: there is no trie */
  async getStateRoot(): Promise<Uint8Array> {
    throw noTrie();
  }

  /** @throws EthereumError STATE_NOT_KEPT: there is no trie */
  async setStateRoot(): Promise<void> {
    throw noTrie();
  }

  async hasStateRoot(): Promise<boolean> {
    return false;
  }

  clearCaches(): void {}

  shallowCopy(): StateManagerInterface {
    return new LibraryStateManager(this.#state);
  }
}

const noTrie = (): EthereumError => new EthereumError('STATE_NOT_KEPT', 'no state trie is kept');

/** Address bytes of the library's 0x-hex or bare hex. */
export function libraryAddress(hex: string): Uint8Array {
  return fromHex(hex.startsWith('0x') ? hex.slice(2) : hex) ?? new Uint8Array(20);
}
