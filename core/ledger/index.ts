export type { TransactionRecord } from './block-form.ts';
export {
  type BlockProofRequest,
  buildReceipt,
  type ProvenBlock,
  proveBlock,
  type ReceiptRequest,
} from './build-receipt.ts';
export {
  type ChunkFrame,
  type ChunkName,
  type ChunkScan,
  chunkHeaderBytes,
  chunkName,
  encodeChunkHeader,
  encodeFrameHeader,
  frameHeaderBytes,
  maxFrameBytes,
  parseChunkName,
  scanChunk,
} from './chunk.ts';
export {
  type CoseReceiptRefusal,
  type CoseReceiptRequest,
  type CoseReceiptVerdict,
  encodeCoseReceipt,
  verifyCoseReceipt,
} from './cose-receipt.ts';
export { LedgerError, type LedgerErrorCode } from './errors.ts';
export { type BlockHeader, blockFlags, decodeHeader, headerBytes } from './header.ts';
export {
  decodeHistoryPage,
  type HistoryPage,
  historyPageBytes,
  historyPageOf,
} from './history-page.ts';
export type { ViewStart } from './history-summary.ts';
export { type HistoryMark, HistoryTree } from './history-tree.ts';
export { type CompletedPage, LedgerIndex, neededPage } from './ledger-index.ts';
export type { ProofStep } from './merkle.ts';
export {
  type OpenedBlock,
  type OpenRequest,
  openBlock,
  openPublicPart,
  opensBlock,
  type PublicPart,
  type SessionKeyLookup,
} from './open.ts';
export {
  type ReceiptJson,
  type ReceiptRefusal,
  type ReceiptVerdict,
  verifyReceipt,
  writeSetDigestOf,
} from './receipt.ts';
export { type SealedBlock, type SealRequest, sealBlock } from './seal.ts';
export {
  eraseDerivedKeys,
  keyOfBlock,
  nonceDomains,
  type SessionKey,
  sealingKeyOf,
  sealingNonce,
} from './session-key.ts';
export {
  type ChunkPlace,
  chunkPlace,
  chunksOf,
  decodeManifest,
  type ExpectedSnapshot,
  encodeManifest,
  maxConfigurationBytes,
  maxSnapshotChunks,
  requireChunk,
  type SnapshotManifest,
  type SnapshotSection,
  snapshotChunkBytes,
  snapshotChunks,
  snapshotDigest,
} from './snapshot.ts';
export {
  openChunk,
  openSnapshotKey,
  type SealedChunkPlace,
  type SnapshotKeyPlace,
  sealChunk,
  sealedChunkExtraBytes,
  sealedSnapshotKeyBytes,
  sealSnapshotKey,
} from './snapshot-seal.ts';
export { pageBlocks } from './tree-pages.ts';
export {
  type ChainEnd,
  ChainPlace,
  type ChainRequest,
  type VerifiedBlock,
  verifyChain,
} from './verify-chain.ts';
