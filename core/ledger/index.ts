export type { TransactionRecord } from './block-form.ts';
export { LedgerError, type LedgerErrorCode } from './errors.ts';
export { type BlockHeader, blockFlags, decodeHeader } from './header.ts';
export { type HistoryMark, HistoryTree } from './history-tree.ts';
export type { ProofStep } from './merkle.ts';
export {
  type OpenedBlock,
  type OpenRequest,
  openBlock,
  openPublicPart,
  type PublicPart,
  type SessionKeyLookup,
} from './open.ts';
export { type SealedBlock, type SealRequest, sealBlock } from './seal.ts';
export { nonceDomains, type SessionKey, sealingKeyOf, sealingNonce } from './session-key.ts';
