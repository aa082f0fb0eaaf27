import { CodedError } from '@concordat/std';

/** Every code a failure of this room carries; each has an entry in the catalogue of core/api. */
export const managerErrorCodes = [
  'CONTROL_CLOSED',
  'HOST_FAULT',
  'INVALID_START',
  'RECORD_UNREADABLE',
  'LEDGER_TRUNCATED',
  'LEDGER_CORRUPT',
  'RECEIPT_UNAVAILABLE',
  'BLOCK_NOT_HELD',
  'SNAPSHOT_CORRUPT',
  'SNAPSHOT_MISSING',
  'SNAPSHOT_UNPROVEN',
  'SESSION_KEY_MISSING',
  'NETWORK_KEY_MISSING',
  'KEY_SHARES_MISSING',
  'EPOCH_NOT_GRANTED',
  'EPOCH_NOT_COMMITTED',
  'EPOCH_NOT_DUE',
  'SHARE_NOT_HELD',
  'NOT_LEADER',
  'LEADER_UNKNOWN',
  'CONFIGURATION_PENDING',
  'OVERLOADED',
  'PAYLOAD_TOO_LARGE',
  'TRANSACTION_LOST',
  'TRANSACTION_UNKNOWN',
  'TRANSACTION_NOT_FOUND',
  'TRANSACTION_PENDING',
  'CHANNEL_REFUSED',
  'CHANNEL_FAILED',
  'PEER_TIMEOUT',
  'WORKER_REFUSED',
  'WORKER_UNAVAILABLE',
  'ACTOR_REMOVED',
  'NODE_REMOVED',
  'NODE_NOT_ADMITTED',
  'NODE_TOO_EARLY',
  'CONSTITUTION_NOT_APPROVED',
  'CONSTITUTION_CHANGED',
  'NETWORK_LIVE',
  'WRONG_NETWORK',
  'EVIDENCE_INVALID',
  'UNLISTED_MEASUREMENT',
  'UNLISTED_TEE',
  'DEBUG_ENCLAVE',
  'WRONG_ROLE',
  'WRONG_PLATFORM_KEY',
  'RECOVERY_SHARES_REFUSED',
] as const;

/** Why the manager enclave could not do what it was asked. */
export type ManagerErrorCode = (typeof managerErrorCodes)[number];

/** An operating failure of the manager enclave; its code is part of the log and of replies. */
export class ManagerError extends CodedError<ManagerErrorCode> {}
