import type { ReadView, TableDeclaration, TransactionSet } from '@concordat/kv';
import type { EpochKeyRow } from './epoch-rows.ts';

/** Public, as the tables of the epochs are: whoever may open it must find it. */
export const networkKeyTable: TableDeclaration = {
  name: 'public:concordat.network-key',
  kind: 'ordered',
};

/** The network's private key, encrypted to a shared key; docs/format/epochs.md. */
export type NetworkKeyRow = Omit<EpochKeyRow, 'epoch'>;

/** The network's private key as a state has it; undefined before the first block. */
export function networkKeyRow(view: ReadView): NetworkKeyRow | undefined {
  const newest = view.table(networkKeyTable.name).range({ reverse: true, limit: 1 });
  for (const [key, ciphertext] of newest) return { keyNumber: Number(key), ciphertext };
  return undefined;
}

/** Writes it under another shared key. What it was before is in the ledger, and in no state any more. */
export function recordNetworkKey(
  set: TransactionSet,
  { keyNumber, ciphertext }: NetworkKeyRow,
): void {
  const table = set.table(networkKeyTable.name);
  for (const [key] of [...table.range({})]) table.delete(key);
  table.set(String(keyNumber).padStart(16, '0'), ciphertext);
}
