import type { AnyEndpoint } from './endpoint.ts';
import { requireJson } from './external.ts';
import { AppFailure } from './failure.ts';
import type { RawRequest } from './platform.ts';

/** What the calls of an endpoint leave for its handler, as JSON. */
interface Left {
  readonly value?: unknown;
  /** It ended the request: the handler is not run. */
  readonly failure?: Pick<AppFailure, 'code' | 'status' | 'message' | 'details'>;
}

/** Of an endpoint's calls, the name they are exported under: no endpoint has such a name. */
export const callsName = (name: string): string => `${name}$calls`;

/** Makes an endpoint's calls, before its transaction. @throws whatever is no failure */
export async function makeCalls(
  { calls }: AnyEndpoint,
  read: () => { readonly request: object; readonly context: object },
): Promise<Left> {
  try {
    const { request, context } = read();
    const make = calls as unknown as (request: object, context: object) => unknown;
    const value = await make(request, context);
    requireJson(value);
    return { value };
  } catch (error) {
    if (!(error instanceof AppFailure)) throw error;
    const { code, status, message, details } = error;
    return { failure: { code, status, message, details } };
  }
}

/** What they left, for the handler. @throws AppFailure when they ended the request */
export function calledOf({ calls, route }: AnyEndpoint, raw: RawRequest): unknown {
  if (calls === undefined) return undefined;
  if (typeof raw.called !== 'object' || raw.called === null) {
    throw new TypeError(`the node has not made the calls of ${route}`);
  }
  const { value, failure } = raw.called as Left;
  if (failure === undefined) return value;
  throw new AppFailure(failure.code, failure.status, failure.message, failure.details);
}
