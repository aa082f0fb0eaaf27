export { type AuditCollection, collectAuditShares, type GivenShares } from './audit-collection.ts';
export {
  type AuditProgress,
  type AuditReport,
  auditLedger,
  type LedgerAudit,
} from './audit-ledger.ts';
export type { NodeReport, OrganisationReport, ProposalReport, VoteReport } from './chronicle.ts';
export type { WorkerContents } from './contents-count.ts';
export {
  decodeEpochKeys,
  type EpochKeys,
  encodeEpochKeys,
  maxEpochKeys,
  maxEpochKeysLength,
} from './epoch-keys.ts';
export { AuditorError, type AuditorErrorCode } from './errors.ts';
export {
  type AuditClass,
  auditClasses,
  type ClassVerdict,
  type Defect,
  type DefectCode,
  type Observation,
  type ObservationKind,
  type Observations,
} from './findings.ts';
export type {
  AuditorReport,
  CeremonyReport,
  EpochBeginningReport,
  KeyExportReport,
  KeysReport,
  SharedKeyReport,
} from './key-chronicle.ts';
export type { LeaderReport } from './leadership.ts';
export type { Damage, DamageCode } from './ledger-damage.ts';
export { type Combination, combineOffline, type EpochOutcome } from './offline-combine.ts';
export { type Decryption, type DecryptionReport, decryptLedger } from './offline-decrypt.ts';
export type { OfflineLedger, OfflineProgress } from './offline-reading.ts';
export {
  type KeyRecord,
  type KeySharing,
  offlineRequesterOf,
  readKeyRecord,
  type SealedEpoch,
} from './offline-record.ts';
export {
  type DecryptionSharesFile,
  decodeSharesFile,
  encodeSharesFile,
  maxSharesFileLength,
  type SharesOfHolder,
  sharesFileOf,
  sharesOfFile,
} from './offline-share-file.ts';
export {
  eraseCopies,
  type HolderShares,
  makeShares,
  type OpenedCopy,
  openCopy,
  type ShareMaking,
} from './offline-shares.ts';
export type { GivenReceipt, ReceiptReport } from './receipt-search.ts';
export {
  type Giving,
  makeRecoveryGift,
  type OfferCheck,
  requireOffer,
} from './recovery-giving.ts';
export type { ReexecutionReport } from './reexecution-run.ts';
export type { EpochReport, LedgerCount, LedgerEnd } from './tally.ts';
export { type LedgerReport, type LedgerVerification, verifyLedger } from './verify-ledger.ts';
