export {
  type AuditProgress,
  type AuditReport,
  auditLedger,
  type LedgerAudit,
} from './audit-ledger.ts';
export type { NodeReport, OrganisationReport, ProposalReport } from './chronicle.ts';
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
export type { LeaderReport } from './leadership.ts';
export type { Damage, DamageCode } from './ledger-damage.ts';
export type { GivenReceipt, ReceiptReport } from './receipt-search.ts';
export type { EpochReport, LedgerCount, LedgerEnd } from './tally.ts';
export { type LedgerReport, type LedgerVerification, verifyLedger } from './verify-ledger.ts';
