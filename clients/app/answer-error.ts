import { CodedError } from '@concordat/std';

/** An answer other than a success, as a client would get it. */
export class AnswerError extends CodedError<string> {
  /** HTTP status. */
  readonly status: number;

  constructor(status: number, code: string, message: string, details = {}) {
    super(code, message, details);
    this.status = status;
  }
}
