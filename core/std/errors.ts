/**
 * Base of every operating failure: a typed code, a sentence a person can act on, and structured
 * details. A room subclasses it once with its own union of codes. Messages and details never hold
 * a secret, key or plaintext.
 */
export class CodedError<Code extends string = string> extends Error {
  readonly code: Code;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: Code, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.name = new.target.name;
    this.code = code;
    this.details = details;
  }
}

/** A broken invariant: a bug of ours, never foreign input. It ends the process. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/**
 * Ends the process (through an uncaught throw) when an invariant does not hold.
 * @throws AssertionError
 */
export function assert(condition: unknown, why: string): asserts condition {
  if (!condition) throw new AssertionError(why);
}
