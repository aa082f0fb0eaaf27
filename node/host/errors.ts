import { CodedError } from '@concordat/std';

/** Why a host refused to start, to store or to launch. */
export type HostErrorCode =
  | 'INVALID_CONFIG'
  | 'ALREADY_RUNNING'
  | 'BRIDGE_DIRECTORY'
  | 'INVALID_IMAGE'
  | 'SANDBOX_UNAVAILABLE'
  | 'PLATFORM_KEY'
  | 'LISTEN_FAILED'
  | 'LEDGER_HOLE'
  | 'LEDGER_OVERLAP'
  | 'LEDGER_DAMAGED'
  /** A committed chunk is damaged: what it held may be had elsewhere. */
  | 'CHUNK_DAMAGED'
  /** A chunk cannot be set aside. */
  | 'CHUNK_NEEDED'
  | 'NOT_STORED'
  | 'OUT_OF_ORDER'
  | 'DISK_FULL'
  | 'DISK_ERROR'
  | 'INVALID_RECORD'
  | 'INVALID_SNAPSHOT'
  /** The operator does not approve the constitution of the network it was to join. */
  | 'CONSTITUTION_REFUSED'
  | 'FORBIDDEN_FRAME'
  | 'BUSY';

/** An operating failure of the untrusted host. */
export class HostError extends CodedError<HostErrorCode> {}

/** Turns a failed file operation into what operators and enclaves are told. */
export function diskError(error: unknown, doing: string): HostError {
  if (error instanceof HostError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  return new HostError(full ? 'DISK_FULL' : 'DISK_ERROR', `${doing}: ${message}`, {
    systemCode: code,
  });
}
