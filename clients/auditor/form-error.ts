import { AssertionError, CodedError } from '@concordat/std';

/**
 * Whether an error says that foreign rows lack their form. They are read without a schema, as nodes
 * read their own, so what is missing shows as a type error or a broken assumption: here it is the
 * ledger's fault.
 */
export const isFormError = (error: unknown): error is Error =>
  error instanceof CodedError ||
  error instanceof TypeError ||
  error instanceof SyntaxError ||
  error instanceof RangeError ||
  error instanceof AssertionError;
