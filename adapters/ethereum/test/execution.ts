import {
  type BlockEnvironment,
  emptyCodeKey,
  encodeAccount,
  slotKey,
  toBigInt,
} from '@concordat/evm';
import { toLatin1 } from '@concordat/std';
import type { TransactionFields } from '../chain-reader.ts';
import { keccak256 } from '../crypto.ts';
import { type EngineName, engines } from '../engines.ts';
import type { AppliedTransaction, Executor, SignedTransaction } from '../executor.ts';
import { forkOf } from '../fork.ts';
import { accountKey, readAccount, type StateTables, slotName } from '../state-source.ts';
import { blankTransaction } from '../transaction.ts';

/** Both engines, in the order in which tests compare them. */
export const engineNames = ['own', 'reference'] as const;

/** Puts an account into tables. */
export function put(
  tables: StateTables,
  address: Uint8Array,
  {
    balance = 0n,
    nonce = 0n,
    code,
  }: { readonly balance?: bigint; readonly nonce?: bigint; readonly code?: Uint8Array },
): void {
  const codeKey = code === undefined ? emptyCodeKey : toLatin1(keccak256(code));
  if (code !== undefined) tables.putCode(codeKey, code);
  const record = { exists: true, nonce, balance, codeKey, incarnation: 0, hasStorage: false };
  tables.putAccount(accountKey(address), encodeAccount(record));
}

/** Balance in tables; 0 for nobody. */
export const balanceIn = (tables: StateTables, address: Uint8Array): bigint =>
  readAccount(tables, accountKey(address))?.balance ?? 0n;

/** A slot's value in tables. */
export function slotIn(tables: StateTables, address: Uint8Array, slot: bigint): bigint {
  const key = accountKey(address);
  const incarnation = readAccount(tables, key)?.incarnation ?? 0;
  return toBigInt(tables.slot(slotKey(key, incarnation, slotName(slot))) ?? new Uint8Array(0));
}

/** An executor over tables. */
export function executorOn(
  tables: StateTables,
  { engine = 'own', fork, chainId = 1n }: { engine?: EngineName; fork: string; chainId?: bigint },
): Executor {
  const executor = engines[engine].executor(forkOf(fork, chainId));
  executor.attach(tables);
  return executor;
}

/** Applies one transaction and writes what it changed. */
export async function apply(
  executor: Executor,
  tables: StateTables,
  transaction: SignedTransaction,
  block: BlockEnvironment,
): Promise<AppliedTransaction> {
  const applied = await executor.execute(transaction, block);
  executor.finish(tables);
  return applied;
}

/** A legacy transaction's fields with nothing asked for; never signed. */
export const unsignedFields: TransactionFields = {
  ...blankTransaction,
  type: 0,
  gasLimit: 100_000n,
  v: 27n,
  yParity: 0,
  r: 1n,
  s: 1n,
};

/** A block in which nothing costs anything but gas. */
export const plainBlock: BlockEnvironment = {
  number: 1,
  timestamp: 1,
  coinbase: new Uint8Array(20),
  gasLimit: 30_000_000,
  difficulty: 0n,
  prevRandao: 0n,
  baseFee: 0n,
  blobBaseFee: 0n,
  blockHash: () => 0n,
};
