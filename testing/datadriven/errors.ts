import { CodedError } from '@concordat/std';

/**
 * Why a story or a scenario stopped.
 * - `MALFORMED`: the file does not have the form of a story or scenario.
 * - `UNKNOWN_COMMAND`: no command or verb has this name.
 * - `BAD_ARGUMENT`: an argument is missing, too much, or not what the command takes.
 * - `DIFFERENT`: the trace is not the expected one; the message is the difference, line by line.
 * - `FAILED`: an assertion of a scenario does not hold.
 * - `UNSAFE`: a promise of consensus is broken: a lost commit, two leaders of one view.
 */
export type DatadrivenErrorCode =
  | 'MALFORMED'
  | 'UNKNOWN_COMMAND'
  | 'BAD_ARGUMENT'
  | 'DIFFERENT'
  | 'FAILED'
  | 'UNSAFE';

/** The error of this room. Its message begins with `file:line: ` once the place is known. */
export class DatadrivenError extends CodedError<DatadrivenErrorCode> {
  /** The same error, said to be at this line of this file. */
  at(file: string, line: number): DatadrivenError {
    return new DatadrivenError(this.code, `${file}:${line}: ${this.message}`, { file, line });
  }
}

/** Whatever was thrown while a line was carried out, with the line's place in its message. */
export function placed(error: unknown, file: string, line: number): unknown {
  if (error instanceof DatadrivenError) return error.at(file, line);
  if (error instanceof Error) error.message = `${file}:${line}: ${error.message}`;
  return error;
}
