export {
  adminPaths,
  type CommitState,
  type ConsensusRole,
  type ConstitutionAnswer,
  coseMediaType,
  type EventLine,
  eventStreamMediaType,
  type Health,
  type NetworkNode,
  type NetworkState,
  type NodePhase,
  type NodeState,
  type ProposalsAnswer,
  type SubmissionAnswer,
  type TransactionState,
  type TransactionStatus,
  transactionIdHeader,
  type WorkerState,
} from './administrative-channel.ts';
export {
  type AdministrativeOperation,
  administrativeOpenApi,
  administrativeOperations,
} from './administrative-open-api.ts';
export type { AuditSharesAnswer } from './audit-shares.ts';
export { renderCatalogueMarkdown } from './catalogue-markdown.ts';
export { type Consistency, consistencyHeader, parseConsistency } from './consistency.ts';
export {
  type ApplicationState,
  type Deployment,
  decodeDeployment,
  deploymentMediaType,
  encodeDeployment,
} from './deployment.ts';
export {
  decodeEndUser,
  type EndUser,
  encodeEndUser,
  endUserBytes,
  endUserHeader,
  maxEndUserRoles,
} from './end-user.ts';
export {
  ApiError,
  type ErrorAnswer,
  type ErrorBody,
  errorAnswer,
  errorBody,
  parseErrorBody,
} from './error-body.ts';
export {
  type CatalogueEntry,
  catalogueEntry,
  type ErrorCode,
  errorCatalogue,
  isErrorCode,
} from './error-catalogue.ts';
export { idempotencyKeyHeader, idempotencyWindowMs, isIdempotencyKey } from './idempotency.ts';
export type { AttestedWorker, EvidenceAnswer, EvidenceStatement } from './node-evidence.ts';
export { type ReceiptForm, receiptFormOf } from './receipt-form.ts';
export {
  type FormerLedgerEnd,
  maxRecoveryGiftBytes,
  maxSharesHolders,
  type RecoveryGift,
  type RecoveryOffer,
  type RecoveryState,
  type RecoveryStatement,
  recoveryGiftInfo,
} from './recovery.ts';
export {
  decodeAnswer,
  decodeQuestion,
  encodeAnswer,
  encodeQuestion,
  frameOf,
  maxReexecutionFrame,
  type RecordedTransaction,
  type ReexecutionAnswer,
  ReexecutionFrames,
  type ReexecutionQuestion,
} from './reexecution.ts';
export {
  decodeInnerReply,
  decodeInnerRequest,
  decodeSealedRequest,
  encodeInnerReply,
  encodeInnerRequest,
  encodeSealedRequest,
  type InnerReply,
  type InnerRequest,
  type SealedRequest,
  sealedPaths,
  sealedReplyLabel,
  sealedReplyMediaType,
  sealedRequestHeader,
  sealedRequestInfo,
  sealedRequestLeadSeconds,
  sealedRequestLifetimeSeconds,
  sealedRequestMediaType,
} from './sealed-request.ts';
export type {
  KeyExportAnswer,
  SharedKeyState,
  SharedKeysState,
  SharingState,
} from './shared-keys.ts';
