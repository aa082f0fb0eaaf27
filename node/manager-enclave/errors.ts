import { CodedError } from '@concordat/std';

/** Why the manager enclave could not do what it was asked. */
export type ManagerErrorCode =
  | 'CONTROL_CLOSED'
  | 'HOST_FAULT'
  | 'RECORD_UNREADABLE'
  | 'LEDGER_TRUNCATED'
  | 'LEDGER_CORRUPT'
  | 'NOT_LEADER'
  | 'LEADER_UNKNOWN'
  | 'TRANSACTION_LOST'
  | 'CHANNEL_REFUSED'
  | 'CHANNEL_FAILED'
  | 'PEER_TIMEOUT'
  | 'INVALID_START'
  | 'WORKER_REFUSED'
  | 'SESSION_KEY_MISSING'
  | 'TRANSACTION_NOT_FOUND'
  | 'TRANSACTION_PENDING'
  | 'NODE_REMOVED'
  | 'UNLISTED_MEASUREMENT'
  | 'UNLISTED_TEE'
  | 'DEBUG_ENCLAVE'
  | 'WRONG_ROLE'
  | 'WRONG_PLATFORM_KEY'
  | 'WRONG_REPORT_DATA'
  | 'OVERLOADED'
  | 'NETWORK_LIVE'
  | 'NODE_NOT_ADMITTED'
  | 'NODE_TOO_EARLY'
  | 'WRONG_NETWORK'
  | 'EVIDENCE_INVALID';

/** An operating failure of the manager enclave; its code is part of the log and of replies. */
export class ManagerError extends CodedError<ManagerErrorCode> {}
