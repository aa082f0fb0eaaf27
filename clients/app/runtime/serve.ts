import { checkAccess } from './access.ts';
import { setOwn } from './containers.ts';
import type { AnyApp } from './define-app.ts';
import { paramNames } from './define-app.ts';
import type { AnyEndpoint, Mode } from './endpoint.ts';
import type { External } from './external.ts';
import { AppFailure, fail, invalidInput } from './failure.ts';
import { pastState, pastStates } from './past.ts';
import type { Platform, RawRequest, RawResponse } from './platform.ts';
import { readQuery } from './query.ts';
import { createRandom } from './random.ts';
import { type AnySchema, InvalidValue, pathText } from './schema.ts';
import { calledOf, callsName, makeCalls } from './serve-calls.ts';
import { bindTables } from './table.ts';

/** What a bundle exports for one endpoint. */
export type ServedEndpoint = (request: RawRequest) => RawResponse | Promise<RawResponse>;

/** What it exports for the calls of one. */
export type ServedCalls = (request: RawRequest) => Promise<unknown>;

/** The endpoints of an application over a platform, by name. */
export function serveApp(
  app: AnyApp,
  platform: Platform,
): Readonly<Record<string, ServedEndpoint | ServedCalls>> {
  const shared = {
    tables: bindTables(app.tables, platform),
    random: createRandom(platform),
    now: () => platform.nowMs(),
    setClaims: (digest: Uint8Array) => platform.setClaims(digest),
    digest: (data: Uint8Array | string) =>
      platform.digest(typeof data === 'string' ? platform.encode(data) : data),
    fail,
  };
  const reading = {
    ...shared,
    pastRange: (from: number, to: number) => pastStates({ from, to }, app.tables, platform),
  };
  const contexts: Readonly<Record<Mode, () => object>> = {
    write: () => shared,
    read: () => reading,
    historical: () => ({ ...reading, past: pastState(app.tables, platform) }),
  };
  const { setClaims: _setClaims, ...looking } = shared;
  const calling = { ...looking, external: externalOf(platform) };
  const served: Record<string, ServedEndpoint | ServedCalls> = {};
  for (const [name, endpoint] of Object.entries(app.endpoints)) {
    served[name] = (request: RawRequest) => answer(endpoint, request, contexts[endpoint.mode]);
    if (endpoint.calls === undefined) continue;
    served[callsName(name)] = (raw: RawRequest) =>
      makeCalls(endpoint, () => {
        const caller = checkAccess(endpoint.access, raw.caller);
        const { idempotencyKey = '' } = raw;
        const context = { ...calling, caller, idempotencyKey };
        return { request: readRequest(endpoint, raw), context };
      });
  }
  return served;
}

const externalOf =
  (platform: Platform): External =>
  async (system, request = {}) => {
    const { status, headers, body } = await platform.external(system, request);
    const text = (): string => platform.decode(body);
    return { status, headers, text, json: () => JSON.parse(text()) as unknown, bytes: () => body };
  };

function answer(
  endpoint: AnyEndpoint,
  raw: RawRequest,
  context: () => object,
): RawResponse | Promise<RawResponse> {
  try {
    const caller = checkAccess(endpoint.access, raw.caller);
    const request = readRequest(endpoint, raw);
    const handler = endpoint.handler as (request: unknown, context: unknown) => unknown;
    const called = calledOf(endpoint, raw);
    const { idempotencyKey } = raw;
    const calls = endpoint.calls === undefined ? {} : { called, idempotencyKey };
    const result = handler(request, { ...context(), caller, ...calls });
    if (!(result instanceof Promise)) return success(endpoint, result);
    return result.then((value) => success(endpoint, value)).catch(failure);
  } catch (error) {
    return failure(error);
  }
}

function readRequest(endpoint: AnyEndpoint, raw: RawRequest): object {
  const { params, query, body } = endpoint.schemas;
  return {
    params: refusing('params', () => readParams(endpoint.path, params, raw.params)),
    query: refusing('query', () => readQuery(query, raw.query, ignoredIn[endpoint.mode])),
    body: body === undefined ? undefined : readBody(body, raw),
  };
}

/** Parameters of the query that are the node's: a historical endpoint is told of its transaction. */
const ignoredIn: Readonly<Record<Mode, readonly string[]>> = {
  read: [],
  write: [],
  historical: ['transaction_id'],
};

function readParams(
  path: string,
  schemas: Readonly<Record<string, AnySchema>>,
  given: Readonly<Record<string, string>> = {},
): object {
  const read = {};
  for (const name of paramNames(path)) {
    const text = given[name];
    if (text === undefined) throw new InvalidValue('it is missing', [name]);
    const schema = Object.hasOwn(schemas, name) ? schemas[name] : undefined;
    setOwn(
      read,
      name,
      schema === undefined
        ? text
        : refusing(`params.${name}`, () => schema.readText(text) as unknown),
    );
  }
  return read;
}

const jsonType = /^application\/json\s*(?:;|$)/i;

function readBody(schema: AnySchema, raw: RawRequest): unknown {
  const type = raw.headers['content-type'];
  if (type !== undefined && !jsonType.test(type)) {
    throw new AppFailure('UnsupportedContentType', 415, 'the body is application/json');
  }
  let json: unknown;
  try {
    json = JSON.parse(raw.body.text());
  } catch {
    throw invalidInput('body', 'it is not JSON');
  }
  return refusing('body', () => schema.read(json) as unknown);
}

/** What a client gave wrongly is refused by its place. */
function refusing<T>(place: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    throw invalidInput(pathText([place, ...error.path]), error.why);
  }
}

function success({ schemas, status, route }: AnyEndpoint, result: unknown): RawResponse {
  const { response } = schemas;
  if (response === undefined) return { statusCode: status };
  try {
    return { statusCode: status, body: response.write(result) as unknown };
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    // What an application says of itself is not true: that is its mistake, and nothing is written.
    throw new TypeError(`${route} answers what its schema does not have: ${error.message}`);
  }
}

function failure(error: unknown): RawResponse {
  if (!(error instanceof AppFailure)) throw error;
  const { code, status, message, details } = error;
  const told = details === undefined ? {} : { details };
  const body = { error: { code, message, ...told } };
  // Not an error of anybody: it is only too early.
  if (status === 202) return { statusCode: status, headers: { 'retry-after': '1' }, body };
  return { statusCode: status, body };
}
