import {
  type AccountRecord,
  decodeAccount,
  type EvmHost,
  type EvmSink,
  emptyCodeKey,
} from '@concordat/evm';
import type { ReadView, WriteTable } from '@concordat/kv';
import { emptyBytes, fromLatin1, toLatin1 } from '@concordat/std';
import { EthereumError } from './errors.ts';
import { tableNames } from './tables.ts';

/** State that is read and written. The keys and bytes are those of {@link EvmHost}. */
export interface StateTables extends EvmHost, EvmSink {}

/** The record of an account, if there is one. @throws EvmError MALFORMED */
export function readAccount(source: EvmHost, key: string): AccountRecord | undefined {
  const bytes = source.account(key);
  return bytes === undefined ? undefined : decodeAccount(bytes);
}

/** Committed or speculative tables as a source; `space` is the chain's key prefix. */
export function tableSource(view: ReadView, space: string): EvmHost {
  const accounts = view.table(tableNames.accounts);
  const slots = view.table(tableNames.storage);
  const codes = view.table(tableNames.code);
  return {
    account: (key) => accounts.get(space + key),
    slot: (key) => slots.get(space + key),
    code: (key) => codes.get(key),
  };
}

/** The tables of an open batch as source and sink. */
export function openTables(set: { table(name: string): WriteTable }, space: string): StateTables {
  const accounts = set.table(tableNames.accounts);
  const slots = set.table(tableNames.storage);
  const codes = set.table(tableNames.code);
  return {
    ...tableSource(set, space),
    putAccount(key, record) {
      if (record === undefined) accounts.delete(space + key);
      else accounts.set(space + key, record);
    },
    putSlot(key, value) {
      if (value === undefined) slots.delete(space + key);
      else slots.set(space + key, value);
    },
    putCode(key, code) {
      if (!codes.has(key)) codes.set(key, code);
    },
  };
}

/** Tables in plain maps: for the bare measurement, calls with overrides, and tests. */
export function memoryTables(beneath?: EvmHost): StateTables {
  const accounts = new Map<string, Uint8Array | undefined>();
  const slots = new Map<string, Uint8Array | undefined>();
  const codes = new Map<string, Uint8Array>();
  return {
    account: (key) => (accounts.has(key) ? accounts.get(key) : beneath?.account(key)),
    slot: (key) => (slots.has(key) ? slots.get(key) : beneath?.slot(key)),
    code: (key) => codes.get(key) ?? beneath?.code(key),
    putAccount: (key, record) => void accounts.set(key, record),
    putSlot: (key, value) => void slots.set(key, value),
    putCode: (key, code) => void codes.set(key, code),
  };
}

/**
 * Code of the hash that an account has.
 * @throws EthereumError MALFORMED when it is not there, as `@concordat/evm` does
 */
export function codeOf(source: EvmHost, codeKey: string): Uint8Array {
  if (codeKey === emptyCodeKey) return emptyBytes;
  const code = source.code(codeKey) ?? emptyBytes;
  if (code.length > 0) return code;
  const name = Buffer.from(codeKey, 'latin1').toString('hex');
  throw new EthereumError('MALFORMED', `no code of hash ${name}, which an account has`);
}

/** 32-character form of a slot number. */
export const slotName = (slot: bigint): string =>
  Buffer.from(slot.toString(16).padStart(64, '0'), 'hex').latin1Slice(0, 32);

/** Address bytes of an account key. */
export const addressOf = (key: string): Uint8Array => fromLatin1(key);

/** Account key of an address. */
export const accountKey = (address: Uint8Array): string => toLatin1(address);
