import { CodedError } from '@concordat/std';

/**
 * Why there is no bundle:
 * - `NO_ENTRY`: the directory has none of the files an application begins with.
 * - `SOURCE_INVALID`: the sources cannot be bundled; `details.places` lists them.
 * - `DEFINITION_INVALID`: evaluating the definition threw; the message says where.
 * - `DEFINITION_ENDLESS`: evaluating it took too long.
 * - `BUNDLE_TOO_LARGE`: more bytes than an application may have.
 */
export type BuildErrorCode =
  | 'NO_ENTRY'
  | 'SOURCE_INVALID'
  | 'DEFINITION_INVALID'
  | 'DEFINITION_ENDLESS'
  | 'BUNDLE_TOO_LARGE';

/** A place in the sources. */
export interface SourcePlace {
  /** Relative to the application's directory. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  readonly why: string;
}

/** A bundle that could not be built; the message begins with `file:line` where there is one. */
export class BuildError extends CodedError<BuildErrorCode> {
  /** Every place that is wrong, in the order of the sources. */
  get places(): readonly SourcePlace[] {
    return (this.details?.places ?? []) as readonly SourcePlace[];
  }
}

/** The error for some places. */
export function sourceError(code: BuildErrorCode, places: readonly SourcePlace[]): BuildError {
  const lines = places.map(({ file, line, column, why }) => `${file}:${line}:${column}: ${why}`);
  return new BuildError(code, lines.join('\n'), { places });
}
