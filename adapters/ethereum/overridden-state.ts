import {
  type AccountRecord,
  type EvmHost,
  emptyCodeKey,
  encodeAccount,
  slotKey,
  toMinimalBytes,
} from '@concordat/evm';
import { toLatin1 } from '@concordat/std';
import type { StateOverride, StateOverrides } from './chain-reader.ts';
import { keccak256 } from './crypto.ts';
import { EthereumError } from './errors.ts';
import { hexBytes } from './hex.ts';
import {
  accountKey,
  memoryTables,
  readAccount,
  type StateTables,
  slotName,
} from './state-source.ts';

/**
 * A state with what one call wants to see in place of some of it; the state beneath stays as it is.
 * @throws EthereumError INVALID_CALL
 */
export function overriddenState(beneath: EvmHost, overrides: StateOverrides): EvmHost {
  const tables = memoryTables(beneath);
  for (const [address, override] of Object.entries(overrides)) {
    const bytes = hexBytes(address);
    if (bytes.length !== 20) throw new EthereumError('INVALID_CALL', `no address: ${address}`);
    overrideAccount(tables, accountKey(bytes), override);
  }
  return tables;
}

const nobody: AccountRecord = {
  exists: false,
  nonce: 0n,
  balance: 0n,
  codeKey: emptyCodeKey,
  incarnation: 0,
  hasStorage: false,
};

function overrideAccount(tables: StateTables, key: string, override: StateOverride): void {
  const { balance, nonce, code, state, stateDiff } = override;
  const before = readAccount(tables, key) ?? nobody;
  // A new incarnation has none of the slots of the one before.
  const replaces = state !== undefined && before.hasStorage;
  const incarnation = before.incarnation + (replaces ? 1 : 0);
  let hasStorage = before.hasStorage && !replaces;
  for (const [slot, value] of Object.entries({ ...state, ...stateDiff })) {
    const word = wordOf(value);
    tables.putSlot(slotKey(key, incarnation, slotName(wordOf(slot))), toMinimalBytes(word));
    hasStorage ||= word !== 0n;
  }
  const named = balance !== undefined || nonce !== undefined || code !== undefined;
  const record = {
    exists: before.exists || named,
    nonce: nonce ?? before.nonce,
    balance: balance ?? before.balance,
    codeKey: code === undefined ? before.codeKey : putCode(tables, code),
    incarnation,
    hasStorage,
  };
  tables.putAccount(key, encodeAccount(record));
}

function putCode(tables: StateTables, code: Uint8Array): string {
  if (code.length === 0) return emptyCodeKey;
  const codeKey = toLatin1(keccak256(code));
  tables.putCode(codeKey, code);
  return codeKey;
}

function wordOf(hex: string): bigint {
  if (!/^0x[0-9a-fA-F]{1,64}$/.test(hex)) {
    throw new EthereumError('INVALID_CALL', 'a storage word must be up to 32 bytes of 0x-hex');
  }
  return BigInt(hex);
}
