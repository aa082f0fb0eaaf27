import { ApiError, catalogueEntry, type ErrorCode, errorBody, isErrorCode } from '@concordat/api';
import { decodeWriteSet, type ReadView, type WriteSet } from '@concordat/kv';
import { DecodeError, fromBase64, toBase64, toDigest } from '@concordat/std';
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
  type Outcome,
  type Refused,
  type StateChange,
} from '@concordat/worker-enclave';
import { type ApplicationAnswer, decodeAnswer } from './answer-form.ts';
import { ApplicationHost } from './application-host.ts';
import { builtInAnswer } from './built-in.ts';
import { parseBundle } from './bundle.ts';
import { BundleError } from './errors.ts';
import type { ApplicationLimits, Call, CallResult } from './frames.ts';
import { readLimits } from './limits.ts';
import { type ApplicationProgram, checkWithEngine, sourceProgram } from './program.ts';
import { decodeRequest, encodeRequest } from './request-form.ts';
import { type Found, Routes } from './routes.ts';
import { bundleKey, bundleTable, privateTable, publicTable, tables } from './tables.ts';
import { TransactionHistory } from './transaction-history.ts';

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
): LedgerAdapter<Call, ApplicationAnswer> => new JavascriptAdapter(options);

type Host = AdapterHost<ApplicationAnswer>;

class JavascriptAdapter implements LedgerAdapter<Call, ApplicationAnswer> {
  readonly id = 'javascript';
  readonly tables = tables;
  readonly endpoints: readonly EndpointDeclaration<ApplicationAnswer>[] = [
    { kind: 'http', path: '/*', methods, handle: (...given) => this.#handle(...given) },
  ];
  readonly #program: ApplicationProgram;
  readonly #history = new TransactionHistory();
  readonly #application: ApplicationHost;
  #limits: ApplicationLimits = readLimits(undefined);
  #host: Host | undefined;
  #routes: Routes | undefined;

  constructor({ program = sourceProgram() }: JavascriptAdapterOptions) {
    this.#program = program;
    this.#application = new ApplicationHost({
      program,
      history: this.#history,
      log: (event, fields) => this.#host?.log(event, fields),
    });
  }

  configure(config: unknown): void {
    const limits = readLimits(config);
    const changed = JSON.stringify(limits) !== JSON.stringify(this.#limits);
    this.#limits = limits;
    if (changed) this.#run();
  }

  *genesis(
    open: () => BatchSet,
    data: Uint8Array | undefined,
    _env: BatchEnvironment,
  ): Iterable<void> {
    if (data === undefined || data.length === 0) return;
    try {
      parseBundle(data);
      checkWithEngine(this.#program, data);
    } catch (error) {
      if (!(error instanceof BundleError)) throw error;
      throw new AdapterError('INVALID_GENESIS', `the application: ${error.message}`);
    }
    open().table(bundleTable).set(bundleKey, data);
    yield;
  }

  start(host: Host): void {
    this.#host = host;
    this.#run();
  }

  stop(): void {
    this.#application.stop();
  }

  stateChanged(change: StateChange): void {
    this.#application.changed(change);
  }

  committed(info: CommittedBatch): void {
    this.#history.committed(info);
    this.#application.placed(info);
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
    this.#application.forget();
    this.#run();
  }

  /** Starts the application that the committed state holds, if any. */
  #run(): void {
    const host = this.#host;
    if (host === undefined) return;
    const bundle = host.committed().table(bundleTable).get(bundleKey);
    this.#routes = bundle === undefined ? undefined : new Routes(parseBundle(bundle));
    if (bundle === undefined) return;
    const committed = host.committed();
    this.#application.start({ bundle, limits: this.#limits, committed });
  }

  async #handle(request: HttpRequest, actor: Actor, host: Host): Promise<HttpResponse> {
    const url = urlOf(request);
    const builtIn = builtInAnswer(request, this.#history);
    if (builtIn !== undefined) return builtIn;
    const found = this.#find(request.method, url, actor);
    if ('code' in found) return refusal(found);
    const headers = Object.entries(request.headers).map(([name, value]): [string, string] => [
      name,
      value ?? '',
    ]);
    const raw = encodeRequest({ method: request.method, url, headers, body: request.body });
    if (found.endpoint.mode === 'readonly') return this.#read(callOf(found, raw));
    const answer = await host.submit(raw, actor);
    if (answer.ok) return success(answer.result, answer.transactionId);
    if (answer.code !== 'APPLICATION_ANSWERED') return refusal(answer);
    const written = fromBase64(String(answer.details?.answer));
    if (written === undefined) throw new ApiError('INTERNAL_ERROR', 'no answer came back');
    return success(decodeAnswer(written), this.#last());
  }

  async #read(call: Call): Promise<HttpResponse> {
    const reading = this.#application.read(call);
    if (reading === undefined) throw new ApiError('OVERLOADED', 'too many requests are waiting');
    const result = await reading;
    if (result.kind !== 'answered') return refusal(refusedBy(result));
    return success(decodeAnswer(result.answer), this.#last());
  }

  /** The newest committed transaction: what a read was answered from. */
  #last(): string {
    const { view, seqno } = this.#history.last;
    return `${view}.${seqno}`;
  }

  #find(method: string, url: string, actor: Actor): Found | Refused {
    if (this.#routes === undefined) {
      return { ok: false, code: 'NOT_FOUND', message: 'no application is deployed' };
    }
    return this.#routes.find(method, url, actor);
  }

  admit(raw: Uint8Array, actor: Actor): Admitted<Call> | Refused {
    let method: string;
    let url: string;
    try {
      ({ method, url } = decodeRequest(raw));
    } catch {
      return { ok: false, code: 'INVALID_TRANSACTION', message: 'the request has no valid form' };
    }
    const found = this.#find(method, url, actor);
    if ('code' in found) return found;
    if (found.endpoint.mode === 'readwrite') return { ok: true, transaction: callOf(found, raw) };
    return { ok: false, code: 'INVALID_TRANSACTION', message: 'the endpoint is read-only' };
  }

  async execute(
    set: BatchSet,
    batch: readonly Admitted<Call>[],
  ): Promise<readonly Outcome<ApplicationAnswer>[]> {
    const results = await this.#application.execute(batch.map(({ transaction }) => transaction));
    const written: WriteSet[] = [];
    const outcomes = results.map((result): Outcome<ApplicationAnswer> => {
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
      written.push(result.writes);
      return { ok: true, result: answer };
    });
    this.#application.executed(written);
    return outcomes;
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
  const { code, message, trace } = result;
  const known = isErrorCode(code) ? code : 'APPLICATION_FAILED';
  if (trace === '') return { ok: false, code: known, message };
  return { ok: false, code: known, message, details: { code: 'JSException', message, trace } };
}

const callOf = ({ endpoint, caller, params }: Found, request: Uint8Array): Call => ({
  endpoint: endpoint.index,
  caller: JSON.stringify(caller),
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
  return {
    status: catalogueEntry(known).status || 500,
    headers: {
      'content-type': 'application/json',
      ...(typeof allow === 'string' && { allow }),
    },
    body: JSON.stringify(errorBody(known, message, details)),
  };
}
