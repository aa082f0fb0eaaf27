import { randomBytes } from 'node:crypto';
import { AnswerError } from './answer-error.ts';
import {
  type CallAnswer,
  type CallArguments,
  type CallInput,
  type PlainCall,
  type RouteOf,
  targetOf,
} from './calls.ts';
import { MemoryStore } from './memory-store.ts';
import { asksForToken, groupsOf } from './runtime/access.ts';
import { type AnyApp, type App, paramNames } from './runtime/define-app.ts';
import type { AnyEndpoint, CallerToken, Endpoints, EndUser } from './runtime/endpoint.ts';
import type { RawRequest, RawResponse } from './runtime/platform.ts';
import { type ServedCalls, serveApp } from './runtime/serve.ts';
import { callsName } from './runtime/serve-calls.ts';
import {
  type AnyTable,
  bindTables,
  mapOfTable,
  type Tables,
  type TablesOf,
} from './runtime/table.ts';
import { type TestSystem, testSystems, uncaught } from './test-systems.ts';

/** Who calls in a test. */
export interface TestCaller {
  /** 64 hex digits; default: of the name. */
  readonly id?: string;
  readonly name?: string;
  /** Default: a participant. */
  readonly kinds?: readonly ('participant' | 'member')[];
  readonly roles?: readonly string[];
  /** What it presents beside its certificate. */
  readonly token?: CallerToken;
  /** For whom it says it asks. */
  readonly endUser?: EndUser;
  /** Who of the organisation calls; without it the organisation itself. */
  readonly staff?: { readonly name: string; readonly serial: string };
}

/** What a test is run with. */
export interface TestOptions {
  /** Who calls unless a call says otherwise; default: the participant `alice`. */
  readonly caller?: TestCaller;
  /** Milliseconds since 1970; default: this machine's clock. */
  readonly now?: () => number;
  /** At least 0 and below 1; default: this machine's entropy. */
  readonly random?: () => number;
  /** Systems outside of the network, by name; default: none is listed. */
  readonly systems?: Readonly<Record<string, TestSystem>>;
}

/** What a call in a test answers. */
export interface TestAnswer<Body> {
  readonly status: number;
  readonly body: Body;
  /** Whether it made a transaction. */
  readonly wrote: boolean;
  /** What it bound into its receipt. */
  readonly claims: Uint8Array | undefined;
  /** `view.seqno` of the transaction it made; for calls of historical endpoints. */
  readonly transactionId: string | undefined;
}

/** How a call in a test is made. */
export interface TestCallOptions {
  readonly caller?: TestCaller;
  /** The transaction that a historical endpoint is asked about. */
  readonly transactionId?: string | undefined;
  /** What systems that are called are shown; default: one of the call's own. */
  readonly idempotencyKey?: string | undefined;
}

/** An application in the process of its test. */
export interface TestedApp<A extends App> {
  /**
   * Calls an endpoint: the same checks and the same form of answers as at a node.
   * @throws AnswerError for any answer but a success; whatever a handler throws that is no failure
   */
  call<R extends RouteOf<A>>(
    route: R,
    ...given: CallArguments<CallInput<A, R>, TestCallOptions>
  ): Promise<TestAnswer<CallAnswer<A, R>>>;
  /** Looks at the tables, outside of any request. */
  readonly tables: A extends App<infer T extends Tables, infer _> ? TablesOf<T, 'read'> : never;
  /** Writes to the tables as a request that succeeds would: a test's beginning. */
  seed(
    fill: (
      tables: A extends App<infer T extends Tables, infer _> ? TablesOf<T, 'write'> : never,
    ) => void,
  ): void;
}

/** Runs an application's handlers in this process, over tables in memory. */
export function testApp<T extends Tables, E extends Endpoints>(
  app: App<T, E>,
  options: TestOptions = {},
): TestedApp<App<T, E>> {
  const { now = Date.now, random = drawn, systems = {} } = options;
  const external = testSystems(systems);
  const store = new MemoryStore({ nowMs: now, random, external }, (name) =>
    mapOfTable(name, app.tables[name] as AnyTable),
  );
  const served = serveApp(app as AnyApp, store.platform);
  const tables = bindTables(app.tables, store.platform);
  const run = async (
    route: string,
    call: PlainCall = {},
    { caller = options.caller ?? {}, transactionId, idempotencyKey }: TestCallOptions = {},
  ): Promise<TestAnswer<unknown>> => {
    const [name, endpoint] = found(app as AnyApp, route);
    const given = requestOf(endpoint, call, caller);
    checkAbout(endpoint, store, transactionId);
    const request = await afterCalls(given, {
      calls: served[callsName(name)] as ServedCalls | undefined,
      store,
      idempotencyKey: idempotencyKey ?? randomBytes(32).toString('hex'),
    });
    store.begin(endpoint.mode === 'write', transactionId);
    let kept = false;
    try {
      const response = await (served[name] as (request: RawRequest) => RawResponse)(request);
      kept = response.statusCode < 300;
      return { ...answered(response), ...store.end(kept) };
    } finally {
      if (!kept) store.end(false);
    }
  };
  // One after another, as a node executes them.
  let last: Promise<unknown> = Promise.resolve();
  return {
    call: ((...given: Parameters<typeof run>) => {
      const next = last.then(() => run(...given));
      last = next.catch(() => {});
      return next;
    }) as TestedApp<App<T, E>>['call'],
    tables: tables as never,
    seed(fill) {
      store.begin(true);
      fill(tables as never);
      store.end(true);
    },
  };
}

/** The request with what its endpoint's calls left. */
async function afterCalls(
  request: RawRequest,
  {
    calls,
    store,
    idempotencyKey,
  }: {
    readonly calls: ServedCalls | undefined;
    readonly store: MemoryStore;
    readonly idempotencyKey: string;
  },
): Promise<RawRequest> {
  if (calls === undefined) return request;
  store.begin(false);
  try {
    const called = JSON.stringify(await calls({ ...request, idempotencyKey }));
    return { ...request, idempotencyKey, called: JSON.parse(called) as unknown };
  } catch (error) {
    throw uncaught(error);
  } finally {
    store.end(false);
  }
}

/** As a node does, a historical endpoint asks for a transaction that there is. */
function checkAbout(endpoint: AnyEndpoint, store: MemoryStore, id: string | undefined): void {
  if (endpoint.mode !== 'historical') return;
  if (id === undefined) {
    throw new AnswerError(400, 'INVALID_PARAMETER', 'the call names no transaction');
  }
  if (!store.has(id)) throw new AnswerError(404, 'TRANSACTION_NOT_FOUND', `there is no ${id}`);
}

const drawn = (): number => Number(randomBytes(8).readBigUInt64BE() >> 11n) / 2 ** 53;

function found(app: AnyApp, route: string): [string, AnyEndpoint] {
  const entry = Object.entries(app.endpoints).find(([, endpoint]) => endpoint.route === route);
  if (entry === undefined) throw new TypeError(`the application has no ${route}`);
  return entry;
}

function requestOf(endpoint: AnyEndpoint, call: PlainCall, caller: TestCaller): RawRequest {
  const { path } = targetOf(endpoint.route as string, call);
  const mark = path.indexOf('?');
  const text = call.body === undefined ? '' : JSON.stringify(call.body);
  const params = paramNames(endpoint.path).map((name) => [name, String(call.params?.[name])]);
  return {
    params: Object.fromEntries(params) as Record<string, string>,
    query: mark < 0 ? '' : path.slice(mark + 1),
    headers: call.body === undefined ? {} : { 'content-type': 'application/json' },
    caller: admitted(endpoint, caller),
    body: { text: () => text },
  };
}

/** The caller as a node would show it, if one of its policies takes it. */
function admitted(endpoint: AnyEndpoint, caller: TestCaller): object {
  const { name = 'alice', kinds = ['participant'], roles = [], token, endUser, staff } = caller;
  const id = caller.id ?? Buffer.from(name).toString('hex').padEnd(64, '0').slice(0, 64);
  const fits = groupsOf(endpoint.access).some(
    (group) => group === 'anyone' || kinds.includes(group === 'members' ? 'member' : 'participant'),
  );
  const data = { name, kinds, roles, ...(staff && { staff }) };
  const certified = { policy: 'any_cert', id, data, ...(endUser && { endUser }) };
  const wantsToken = asksForToken(endpoint.access);
  if (fits && !wantsToken) return certified;
  if (fits && token !== undefined) {
    const jwt = { policy: 'jwt', jwt: token };
    return { policy: ['any_cert', 'jwt'], any_cert: certified, jwt };
  }
  const why = 'no authentication policy of this endpoint accepts the actor';
  throw new AnswerError(401, 'POLICY_NOT_MET', why);
}

function answered({ statusCode, body }: RawResponse): { status: number; body: unknown } {
  // What JSON does not carry does not arrive.
  const json = body === undefined ? undefined : (JSON.parse(JSON.stringify(body)) as unknown);
  const { error } = (statusCode < 300 && statusCode !== 202 ? {} : (json ?? {})) as {
    readonly error?: { code: string; message: string; details?: Record<string, unknown> };
  };
  // 202 is either: what is not ready yet is an error.
  if (error === undefined) return { status: statusCode, body: json };
  throw new AnswerError(statusCode, error.code, error.message, error.details);
}
