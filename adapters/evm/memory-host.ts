import type { EvmHost, EvmSink } from './host.ts';
import { type AccountRecord, decodeAccount, emptyCodeKey, encodeAccount } from './records.ts';

/**
 * State in plain maps: for who uses the engine alone, for tests and for measurements. Keys and
 * values are those of {@link EvmHost}; put what the world begins with into the maps.
 */
export class MemoryHost implements EvmHost, EvmSink {
  readonly accounts = new Map<string, Uint8Array>();
  readonly slots = new Map<string, Uint8Array>();
  readonly codes = new Map<string, Uint8Array>();

  account(key: string): Uint8Array | undefined {
    return this.accounts.get(key);
  }

  slot(key: string): Uint8Array | undefined {
    return this.slots.get(key);
  }

  code(key: string): Uint8Array | undefined {
    return this.codes.get(key);
  }

  putAccount(key: string, record: Uint8Array | undefined): void {
    if (record === undefined) this.accounts.delete(key);
    else this.accounts.set(key, record);
  }

  putSlot(key: string, value: Uint8Array | undefined): void {
    if (value === undefined) this.slots.delete(key);
    else this.slots.set(key, value);
  }

  putCode(key: string, code: Uint8Array): void {
    this.codes.set(key, code);
  }
}

/** Fields an account begins with; all are optional. */
export type AccountFields = Partial<AccountRecord>;

/** Record of an account that exists, with the fields given and zero for the others. */
export const accountOf = (fields: AccountFields = {}): Uint8Array =>
  encodeAccount({
    exists: true,
    nonce: 0n,
    balance: 0n,
    codeKey: emptyCodeKey,
    incarnation: 0,
    hasStorage: false,
    ...fields,
  });

/** The record a map holds, decoded. */
export const recordIn = (host: EvmHost, key: string): AccountRecord | undefined => {
  const record = host.account(key);
  return record === undefined ? undefined : decodeAccount(record);
};
