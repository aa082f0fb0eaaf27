import type { TableDeclaration } from '@concordat/kv';

/** Names of the adapter's tables. All are private: ledger readers without keys see ciphertext. */
export const tableNames = {
  /** space ‖ address (20) → account record. */
  accounts: 'ethereum/accounts',
  /** space ‖ address (20) ‖ [incarnation u32] ‖ slot (32) → value without leading zeros. */
  storage: 'ethereum/storage',
  /** code hash (32) → code; shared by all chains, being named by content. */
  code: 'ethereum/code',
  /** space → head record of a chain. */
  heads: 'ethereum/heads',
  /** space ‖ u64 number → block record. */
  blocks: 'ethereum/blocks',
  /** space ‖ block hash (32) → u64 number. */
  blockHashes: 'ethereum/block-hashes',
  /** space ‖ u64 number ‖ u32 index → transaction and receipt record. */
  transactions: 'ethereum/transactions',
  /** space ‖ transaction hash (32) → u64 number ‖ u32 index. */
  transactionHashes: 'ethereum/transaction-hashes',
} as const;

/** The declarations of {@link tableNames}: point access everywhere. */
export const ethereumTables: readonly TableDeclaration[] = Object.values(tableNames).map(
  (name) => ({ name, kind: 'hash' }),
);

/** Key of a block within its chain's space. */
export function blockKey(space: string, number: number): string {
  const key = Buffer.allocUnsafe(8);
  key.writeUInt32BE(Math.floor(number / 0x1_0000_0000), 0);
  key.writeUInt32BE(number % 0x1_0000_0000, 4);
  return space + key.latin1Slice(0, 8);
}

/** Key of a transaction within its chain's space. */
export function transactionKey(space: string, number: number, index: number): string {
  const key = Buffer.allocUnsafe(4);
  key.writeUInt32BE(index);
  return blockKey(space, number) + key.latin1Slice(0, 4);
}
