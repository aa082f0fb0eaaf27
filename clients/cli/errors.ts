import { catalogueEntry, isErrorCode } from '@concordat/api';
import { CodedError } from '@concordat/std';

/** Why a command could not do what it was asked. */
export type CliErrorCode =
  | 'USAGE'
  | 'SANDBOX_RUNNING'
  | 'SANDBOX_MISSING'
  | 'SANDBOX_DAMAGED'
  | 'NOT_A_SANDBOX'
  | 'NOT_WRITABLE'
  | 'NODE_FAILED'
  | 'TIMEOUT'
  | 'PORT_TAKEN'
  | 'VERIFICATION_FAILED'
  | 'INTERRUPTED'
  | 'NOT_WAITING'
  | 'NO_SUCH_TRANSACTION'
  | 'NOT_AN_APPLICATION'
  | 'DIRECTORY_NOT_EMPTY'
  | 'APPLICATION_FAULTY'
  | 'MISMATCH';

/** A failure that a person at the command line can act on. */
export class CliError extends CodedError<CliErrorCode> {}

/** What to do about failures of this side of the wire that do not say it themselves. */
const remedies: Readonly<Record<string, string>> = {
  UNREACHABLE:
    'Is it up? "npm run concordat -- sandbox status" tells for a sandbox; name another node with --node or --address.',
  NO_NODE:
    'Are they up? "npm run concordat -- sandbox status" tells for a sandbox; name others with --address.',
  TIMEOUT: 'Look at the state and log of the node; a network without a majority answers no writes.',
  CERTIFICATE_REFUSED: 'Use the certificate of an actor of this network, or one issued under it.',
  NOT_TLS: 'Check the address: nodes serve TLS 1.3 on their administrative and application ports.',
  INVALID_NETWORK_CERTIFICATE:
    'Give the certificate under networkCertificate in the status.json of a node of the network.',
  INVALID_KEY: 'Give the PEM file of the private key.',
  LEDGER_DAMAGED: 'Use the ledger files of another node, or a backup of them.',
  RECOVERY_NOT_OPENED:
    'Give the passphrase or key that this copy was sealed with when it was exported.',
  UNKNOWN_SHARING:
    'Use the longest ledger there is: one that ends before the copy was given does not know of it.',
  DUPLICATE_SHARE: 'Leave one of them out: it takes shares of different members.',
  NOT_WAITING:
    'Look at the status.json of its host: a node is shown a constitution once it is on the node list.',
  OTHER_REQUESTER: 'Have them made anew: "recover shares" without --for makes them for this.',
};

/** What is printed for a failed command: what happened, and what to do next. */
export function explain(error: unknown): string {
  if (error instanceof CodedError) {
    const code: string = error.code;
    const remedy = remedyOf(code);
    const said = remedy === undefined || error.message.includes(remedy);
    return printed(`${code}: ${error.message}${said ? '' : `\n  ${remedy}`}`);
  }
  if (isSystemError(error)) return printed(`${error.code}: ${systemFailure(error)}`);
  const told = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `a fault of this program, please report it\n${told}`;
}

/** The same for programs, as one line: `{"error":{"code","message","remedy"?,"details"?}}`. */
export function explainAsJson(error: unknown): string {
  if (!(error instanceof CodedError)) {
    const code = isSystemError(error) ? error.code : 'INTERNAL_ERROR';
    return JSON.stringify({ error: { code, message: explain(error) } });
  }
  const { code, message, details } = error;
  const remedy = remedyOf(code);
  return JSON.stringify({ error: { code, message, ...(remedy && { remedy }), details } });
}

const remedyOf = (code: string): string | undefined =>
  isErrorCode(code) ? catalogueEntry(code).remedy : remedies[code];

/** Messages name what others wrote into files and answers: no such name steers a terminal. */
const printed = (text: string): string =>
  text.replace(/[^\P{C}\n\t]/gu, (one) => `\\u{${one.codePointAt(0)?.toString(16)}}`);

const isSystemError = (error: unknown): error is NodeJS.ErrnoException & { code: string } =>
  error instanceof Error &&
  typeof (error as NodeJS.ErrnoException).code === 'string' &&
  typeof (error as NodeJS.ErrnoException).syscall === 'string';

function systemFailure({ code, path, message }: NodeJS.ErrnoException): string {
  const where = path ?? 'the file';
  if (code === 'ENOENT') return `there is no ${where}`;
  if (code === 'ENOTDIR') return `${where} does not lie in a directory: check the path`;
  if (code === 'EISDIR') return `${where} is a directory: name a file`;
  if (code === 'EACCES' || code === 'EPERM') return `${where} may not be read or written by you`;
  if (code === 'EROFS') return `${where} lies on a read-only file system: name another directory`;
  if (code === 'ENOSPC') return 'the disk is full: free space and try again';
  return message;
}
