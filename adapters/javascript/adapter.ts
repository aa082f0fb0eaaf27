import { ApiError, catalogueEntry, type ErrorCode, errorBody, isErrorCode } from '@concordat/api';
import { decodeWriteSet, type ReadView } from '@concordat/kv';
import { DecodeError, emptyBytes, fromBase64, toBase64, toDigest } from '@concordat/std';
import {
  type Actor,
  AdapterError,
  type AdapterHost,
  type AdapterMemory,
  type Admitted,
  type BatchEnvironment,
  type BatchSet,
  type CommittedBatch,
  deferred,
  type EndpointDeclaration,
  type HttpRequest,
  type HttpResponse,
  type LedgerAdapter,
  type NetworkTrust,
  type Outcome,
  type ProgramHolder,
  type ProgramState,
  type Refused,
  type StateChange,
} from '@concordat/worker-enclave';
import { type ApplicationAnswer, decodeAnswer } from './answer-form.ts';
import { ApplicationVersions, type Version } from './application-versions.ts';
import { Authenticator } from './authentication.ts';
import { builtInAnswer } from './built-in.ts';
import { parseBundle } from './bundle.ts';
import { CallPhases } from './call-phases.ts';
import { BundleError } from './errors.ts';
import type { ApplicationLimits, Call, CallResult } from './frames.ts';
import { stateAskedFor } from './historical-endpoint.ts';
import { idempotencyKeyOf } from './idempotency.ts';
import { readLimits } from './limits.ts';
import { PastFetcher } from './past-fetcher.ts';
import { type ApplicationProgram, checkBeside, checkWithEngine, sourceProgram } from './program.ts';
import { type AskedRequest, askedBy } from './request-asked.ts';
import { type ApplicationRequest, decodeRequest, encodeRequest } from './request-form.ts';
import type { Found } from './routes.ts';
import { privateTable, programKey, programTable, publicTable, tables } from './tables.ts';
import { TransactionHistory } from './transaction-history.ts';
import { Trust } from './trust.ts';

const methods = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS'];
const mayWrite = new Set([privateTable, publicTable]);

/** How the adapter starts applications. */
export interface JavascriptAdapterOptions {
  /** Default: the program in the sources. */
  readonly program?: ApplicationProgram;
}

/** Runs one application written in JavaScript, in a process of its own (see README). */
export const createJavascriptAdapter = (
  options: JavascriptAdapterOptions = {},
): LedgerAdapter<AdmittedCall, ApplicationAnswer> => new JavascriptAdapter(options);

type Host = AdapterHost<ApplicationAnswer>;

/** A request that may be ordered, and the application by which its call was found. */
interface AdmittedCall {
  readonly call: Call;
  /** {@link Version.digest} */
  readonly digest: string;
  readonly raw: Uint8Array;
  readonly actor: Actor;
}

class JavascriptAdapter implements LedgerAdapter<AdmittedCall, ApplicationAnswer> {
  readonly id = 'javascript';
  readonly tables = tables;
  readonly endpoints: readonly EndpointDeclaration<ApplicationAnswer>[] = [
    {
      kind: 'http',
      path: '/*',
      methods,
      callers: 'anyone',
      handle: (...given) => this.#handle(...given),
    },
  ];
  readonly #program: ApplicationProgram;
  readonly #history = new TransactionHistory();
  readonly #authenticator = new Authenticator();
  readonly #past = new PastFetcher(
    () => this.#host,
    () => performance.now(),
  );
  readonly #versions: ApplicationVersions;
  readonly program: ProgramHolder;
  readonly #phases = new CallPhases((call) => this.#running.callExternal(call));
  #limits: ApplicationLimits = readLimits(undefined);
  #host: Host | undefined;
  #watching: ((state: ProgramState) => void) | undefined;

  constructor({ program = sourceProgram() }: JavascriptAdapterOptions) {
    this.#program = program;
    this.#versions = new ApplicationVersions({
      program,
      history: this.#history,
      past: this.#past,
      log: (event, fields) => this.#host?.log(event, fields),
      changed: (state) => this.#watching?.(state),
    });
    this.program = {
      check: (bundle) => checkBeside(program, bundle, this.#limits),
      prepare: (bundle) => this.#versions.prepare(bundle),
      watch: (changed) => {
        this.#watching = changed;
      },
    };
  }

  configure(config: unknown): void {
    const limits = readLimits(config);
    const changed = JSON.stringify(limits) !== JSON.stringify(this.#limits);
    this.#limits = limits;
    if (changed) this.#versions.limit(limits);
  }

  *genesis(
    open: () => BatchSet,
    data: Uint8Array | undefined,
    _env: BatchEnvironment,
  ): Iterable<void> {
    if (data === undefined || data.length === 0) return;
    try {
      parseBundle(data);
      checkWithEngine(this.#program, data, this.#limits);
    } catch (error) {
      if (!(error instanceof BundleError)) throw error;
      throw new AdapterError('INVALID_GENESIS', `the application: ${error.message}`);
    }
    open().table(programTable).set(programKey, data);
    yield;
  }

  start(host: Host): void {
    this.#host = host;
    this.#versions.start(host.committed(), this.#limits);
  }

  stop(): void {
    this.#versions.stop();
  }

  stateChanged(change: StateChange): void {
    this.#versions.changed(change);
  }

  committed(info: CommittedBatch): void {
    this.#history.committed(info);
    this.#versions.placed(info);
  }

  freezeMemory(): AdapterMemory {
    const bytes = this.#history.encode();
    return { bytes: bytes.length, parts: () => [bytes] };
  }

  restored(memory: Uint8Array, _view: ReadView): void {
    try {
      this.#history.restore(memory);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      throw new AdapterError('INVALID_MEMORY', `what the adapter remembered: ${error.message}`);
    }
    this.#versions.restored();
  }

  async #handle(request: HttpRequest, actor: Actor, host: Host): Promise<HttpResponse> {
    const url = urlOf(request);
    const { base, head } = this.#versions;
    const history = this.#history;
    const builtIn = builtInAnswer(request, {
      actor,
      host,
      history,
      openapi: () => base?.openapi(),
    });
    if (builtIn !== undefined) return builtIn;
    const headers = Object.entries(request.headers).map(([name, value]): [string, string] => [
      name,
      value ?? '',
    ]);
    const given = { method: request.method, url, headers, body: request.body };
    const asked = this.#asked(given, actor);
    const found = find(base, asked);
    // What is about to be in force may have other endpoints: the leader's is for it to say.
    const ahead = base === head ? found : find(head, asked);
    const isWrite = [found, ahead].some((one) => 'endpoint' in one && isReadwrite(one));
    if (!isWrite && 'code' in found) return refusal(found);
    const raw = encodeRequest(given);
    if (base && 'endpoint' in found && !isReadwrite(found)) {
      const call = callOf(found, raw);
      const isPast = found.endpoint.mode === 'historical';
      return isPast
        ? this.#recall(request, actor, { version: base, call })
        : this.#read(base, call);
    }
    const { subject } = 'endpoint' in found ? found : (ahead as Found);
    const answer = await host.submit(raw, actor, subject === undefined ? {} : { subject });
    if (answer.ok) return success(answer.result, answer.transactionId);
    if (answer.code !== 'APPLICATION_ANSWERED') return refusal(answer);
    const written = fromBase64(String(answer.details?.answer));
    if (written === undefined) throw new ApiError('INTERNAL_ERROR', 'no answer came back');
    return success(decodeAnswer(written), this.#last());
  }

  async #read(version: Version, call: Call): Promise<HttpResponse> {
    const reading = version.host.read(call);
    if (reading === undefined) throw new ApiError('OVERLOADED', 'too many requests are waiting');
    const result = await reading;
    if (result.kind !== 'answered') return refusal(refusedBy(result));
    return success(decodeAnswer(result.answer), this.#last());
  }

  /** Answers a request about a transaction of the past. */
  async #recall(
    request: HttpRequest,
    actor: Actor,
    { version, call }: { readonly version: Version; readonly call: Call },
  ): Promise<HttpResponse> {
    const past = { state: (seqno: number) => this.#past.state(seqno, actor) };
    const state = await stateAskedFor(request, past, this.#history.last.view);
    if ('status' in state) return state;
    const response = await this.#read(version, { ...call, state });
    return { ...response, transactionId: `${state.view}.${state.seqno}` };
  }

  /** The newest committed transaction: what a read was answered from. */
  #last(): string {
    const { view, seqno } = this.#history.last;
    return `${view}.${seqno}`;
  }

  #asked(request: ApplicationRequest, actor: Actor): AskedRequest {
    const timeMs = this.#host?.timeMs() ?? 0;
    return askedBy(actor, request, { authenticator: this.#authenticator, timeMs });
  }

  trustChanged(trust: NetworkTrust): void {
    this.#authenticator.trust(new Trust(trust));
  }

  admit(
    raw: Uint8Array,
    actor: Actor,
  ): Admitted<AdmittedCall> | Refused | Promise<Admitted<AdmittedCall> | Refused> {
    const version = this.#versions.head;
    const found = this.#foundUnder(version, raw, actor);
    if ('code' in found) return found;
    const { digest = '' } = version ?? {};
    const admitted = { call: callOf(found, raw), digest, raw, actor };
    if (version === undefined || found.endpoint.callsFunction === undefined) {
      return { ok: true, transaction: admitted };
    }
    return this.#afterCalls(version.host, admitted, idempotencyKeyOf(raw, actor, found.subject));
  }

  /** Makes the calls to other systems that a request wants, before it is ordered. */
  async #afterCalls(
    host: Version['host'],
    admitted: AdmittedCall,
    key: string,
  ): Promise<Admitted<AdmittedCall> | Refused> {
    const call = { ...admitted.call, called: { key, value: emptyBytes } };
    const end = await this.#phases.run(host, call, admitted.actor.actorId);
    if (!('value' in end)) return end;
    const { value, hasActed } = end;
    const transaction = { ...admitted, call: { ...call, called: { key, value } } };
    return { ok: true, transaction, bytes: value.length, ...(hasActed && { hasActed }) };
  }

  get #running(): Host {
    if (this.#host === undefined) throw new AdapterError('CONTRACT_BROKEN', 'not started yet');
    return this.#host;
  }

  async execute(
    set: BatchSet,
    batch: readonly Admitted<AdmittedCall>[],
  ): Promise<readonly Outcome<ApplicationAnswer>[]> {
    const version = this.#versions.head;
    const calls = batch.map(({ transaction }) => this.#callNow(version, transaction));
    const runnable = calls.filter((call) => !('code' in call));
    // What cannot be run has no process to ask.
    const ran = runnable.length === 0 ? [] : await version?.host.execute(runnable as Call[]);
    let at = 0;
    const results = calls.map((call) => ('code' in call ? call : (ran?.[at++] as CallResult)));
    let kept = 0;
    const outcomes = results.map((result): Outcome<ApplicationAnswer> => {
      if ('code' in result && !('kind' in result)) return result;
      if (result.kind === 'unplaced') return deferred;
      if (result.kind !== 'answered') return refusedBy(result);
      const answer = decodeAnswer(result.answer);
      if (result.writes === undefined) return unwritten(result.answer);
      const { publicWrites, privateWrites } = result.writes;
      let count = 0;
      for (const segment of [publicWrites, privateWrites]) count += applyTo(set, segment);
      if (count === 0) return unwritten(result.answer);
      const { claims } = result;
      set.endTransaction(claims && toDigest(claims));
      kept += 1;
      return { ok: true, result: answer };
    });
    this.#versions.executed({ version, set, kept });
    return outcomes;
  }

  /** The call that a request is to an application. */
  #callUnder(version: Version | undefined, raw: Uint8Array, actor: Actor): Call | Refused {
    const found = this.#foundUnder(version, raw, actor);
    return 'code' in found ? found : callOf(found, raw);
  }

  #foundUnder(version: Version | undefined, raw: Uint8Array, actor: Actor): Found | Refused {
    let request: ApplicationRequest;
    try {
      request = decodeRequest(raw);
    } catch {
      return { ok: false, code: 'INVALID_TRANSACTION', message: 'the request has no valid form' };
    }
    const found = find(version, this.#asked(request, actor));
    if ('code' in found || isReadwrite(found)) return found;
    return { ok: false, code: 'INVALID_TRANSACTION', message: 'the endpoint is read-only' };
  }

  /** What was admitted under another application is what this one makes of it. */
  #callNow(
    version: Version | undefined,
    { call, digest, raw, actor }: AdmittedCall,
  ): Call | Refused {
    if (version?.digest === digest) return call;
    const found = this.#callUnder(version, raw, actor);
    if ('code' in found || version === undefined) return found;
    // What one application has heard of other systems is nothing to another.
    return call.called || makesCalls(version, found) ? replacedMeanwhile : found;
  }

  encodeResult({ status, headers, body }: ApplicationAnswer): Uint8Array {
    return Buffer.from(JSON.stringify({ status, headers, body: toBase64(body) }));
  }

  decodeResult(bytes: Uint8Array): ApplicationAnswer {
    const { status, headers, body } = JSON.parse(Buffer.from(bytes).toString()) as {
      readonly status: number;
      readonly headers: [string, string][];
      readonly body: string;
    };
    return { status, headers, body: fromBase64(body) ?? new Uint8Array(0) };
  }
}

function find(version: Version | undefined, asked: AskedRequest): Found | Refused {
  if (version === undefined) {
    return { ok: false, code: 'NOT_FOUND', message: 'no application is deployed' };
  }
  if (version.routes) return version.routes.find(asked);
  return { ok: false, code: 'APPLICATION_STARTING', message: 'the application cannot be run' };
}

const isReadwrite = ({ endpoint }: Found): boolean => endpoint.mode === 'readwrite';

/** Writes what the application wrote; it may name its own two tables only. */
function applyTo(set: BatchSet, segment: Uint8Array): number {
  let count = 0;
  for (const { table, key, value } of decodeWriteSet(segment)) {
    if (!mayWrite.has(table)) {
      throw new AdapterError('CONTRACT_BROKEN', 'an application wrote to a table not its own');
    }
    if (value === undefined) set.table(table).delete(key);
    else set.table(table).set(key, value);
    count += 1;
  }
  return count;
}

const unwritten = (answer: Uint8Array): Refused => ({
  ok: false,
  code: 'APPLICATION_ANSWERED',
  message: 'the application wrote nothing',
  details: { answer: toBase64(answer) },
});

function refusedBy(result: Exclude<CallResult, { kind: 'answered' }>): Refused {
  if (result.kind === 'unfinished' || result.kind === 'unplaced') {
    return { ok: false, code: 'EXECUTION_TIMEOUT', message: 'the request was put off too often' };
  }
  if (result.kind !== 'failed') {
    return { ok: false, code: 'APPLICATION_FAILED', message: 'the endpoint makes calls too late' };
  }
  const { code, message, trace } = result;
  const known = isErrorCode(code) ? code : 'APPLICATION_FAILED';
  if (trace === '') return { ok: false, code: known, message };
  return { ok: false, code: known, message, details: { code: 'JSException', message, trace } };
}

/** Whether a function of the application makes calls before this request is ordered. */
const makesCalls = ({ bundle }: Version, { endpoint }: Call): boolean =>
  bundle?.endpoints[endpoint]?.callsFunction !== undefined;

const replacedMeanwhile: Refused = {
  ok: false,
  code: 'TRANSACTION_LOST',
  message: 'the application was replaced before the transaction; send it again',
};

const callOf = ({ endpoint, callerJson, params }: Found, request: Uint8Array): Call => ({
  endpoint: endpoint.index,
  caller: callerJson,
  params: JSON.stringify(params),
  request,
});

function urlOf({ path, query }: HttpRequest): string {
  const text = query.toString();
  return text === '' ? path : `${path}?${text}`;
}

function success(
  { status, headers, body }: ApplicationAnswer,
  transactionId: string | undefined,
): HttpResponse {
  return {
    status,
    headers: Object.fromEntries(headers),
    body,
    ...(transactionId !== undefined && { transactionId }),
  };
}

function refusal({ code, message, details }: Refused): HttpResponse {
  const known: ErrorCode = isErrorCode(code) ? code : 'INTERNAL_ERROR';
  const allow = details?.allow;
  const list = listOf(details);
  return {
    status: catalogueEntry(known).status || 500,
    headers: {
      'content-type': 'application/json',
      ...(typeof allow === 'string' && { allow }),
    },
    body: JSON.stringify(
      list
        ? { error: { code: known, message, details: list } }
        : errorBody(known, message, details),
    ),
  };
}

/** CCF lists why a request is refused, policy by policy, and what an application threw. */
function listOf(details: Refused['details']): readonly unknown[] | undefined {
  if (Array.isArray(details?.refusals)) return details.refusals;
  return details?.code === 'JSException' ? [details] : undefined;
}
