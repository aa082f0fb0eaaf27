import { errorCatalogue, isErrorCode } from '@concordat/api';
import { AnswerError } from './answer-error.ts';
import type { ExternalRequest } from './runtime/external.ts';
import type { Platform, RawExternal } from './runtime/platform.ts';

/** What a system answers in a test; a body that is no text and no bytes is JSON. */
export interface TestSystemAnswer {
  /** Default: 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** A system in a test; to fail as a node would, it throws an error with such a `code`. */
export type TestSystem = (request: ExternalRequest) => TestSystemAnswer | Promise<TestSystemAnswer>;

/** The systems of a test, by name, in the place of those that a constitution lists. */
export const testSystems =
  (systems: Readonly<Record<string, TestSystem>>): Platform['external'] =>
  async (name, request): Promise<RawExternal> => {
    const system = Object.hasOwn(systems, name) ? systems[name] : undefined;
    if (system === undefined) {
      const why = `the test has no system ${name}`;
      throw Object.assign(new Error(why), { code: 'EXTERNAL_SYSTEM_NOT_LISTED' });
    }
    const { status = 200, headers = {}, body = '' } = await system(request);
    return { status, headers, body: bytesOf(body) };
  };

function bytesOf(body: unknown): Uint8Array {
  if (body instanceof Uint8Array) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

/** What a client hears of a call that failed and that nobody caught; anything else stays as it is. */
export function uncaught(error: unknown): unknown {
  const { code } = error as { readonly code?: unknown };
  if (!(error instanceof Error) || typeof code !== 'string' || !isErrorCode(code)) return error;
  if (!code.startsWith('EXTERNAL_')) return error;
  return new AnswerError(errorCatalogue[code].status, code, error.message);
}
