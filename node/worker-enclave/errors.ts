import { CodedError } from '@concordat/std';

/** Why the worker enclave cannot start or go on. */
export type WorkerErrorCode =
  | 'INVALID_START'
  | 'INVALID_ADAPTERS'
  | 'PROTOCOL'
  | 'EVIDENCE_REFUSED'
  | 'HOST_REFUSED'
  | 'CONNECTION_LOST';

/** A failure that ends this worker enclave; its host starts a pristine one. */
export class WorkerError extends CodedError<WorkerErrorCode> {}

/** Name or code of a thrown value; never its message, which may quote plaintext. */
export function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? `${error.name} ${code}` : error.name;
}
