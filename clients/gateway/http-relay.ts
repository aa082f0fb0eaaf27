import type {
  ClientRequest,
  IncomingMessage,
  OutgoingHttpHeaders,
  ServerResponse,
} from 'node:http';
import type { TLSSocket } from 'node:tls';
import { type Consistency, type ErrorCode, isErrorCode, parseErrorBody } from '@concordat/api';
import { type Connection, collectBody, explainFailure, SdkError } from '@concordat/sdk';
import { answerFailure, type Failure, tooLarge } from './failure-answer.ts';
import { type Attributed, answerHeaders, requestHeaders } from './forwarded-headers.ts';
import { isSafe, RequestBody } from './request-body.ts';
import type { TargetPool } from './target-pool.ts';

/** How requests are forwarded. */
export interface RelayOptions {
  /** For requests that do not say it themselves. */
  readonly consistency: Consistency;
  /** Milliseconds to connect to a node, then the next one is asked. */
  readonly connectTimeoutMs: number;
  /** Milliseconds from the request to the head of its answer. */
  readonly answerTimeoutMs: number;
}

/** How one request is forwarded. */
export interface RelayedRequest {
  /** To add to the answer, whatever it is. */
  readonly headers: OutgoingHttpHeaders;
  /** For whom; absent where the gateway knows no end users. */
  readonly attributed?: Attributed | undefined;
  readonly maxBodyBytes?: number | undefined;
}

/** Answers of a node that say that it did not begin, and that another one may. */
const elsewhere: ReadonlySet<string> = new Set([
  'NODE_NOT_READY',
  'NODE_STOPPING',
  'NODE_QUARANTINED',
  'WORKER_UNAVAILABLE',
]);

/** Answers up to this are handed on in one piece, and errors among them are read. */
const maxShortBytes = 64 * 1024;

/** How one node dealt with a request. */
type Attempt =
  | { readonly kind: 'answered'; readonly answer: IncomingMessage; readonly body?: Buffer }
  | { readonly kind: 'failed'; readonly error: SdkError; readonly untouched: boolean };

/** Forwards one HTTP request to the first node that serves it. */
export class HttpRelay {
  readonly #pool: TargetPool;
  readonly #options: RelayOptions;

  constructor(pool: TargetPool, options: RelayOptions) {
    this.#pool = pool;
    this.#options = options;
  }

  async relay(
    request: IncomingMessage,
    response: ServerResponse,
    { headers, attributed, maxBodyBytes }: RelayedRequest,
  ): Promise<void> {
    const body = new RequestBody(request, maxBodyBytes);
    const failures: SdkError[] = [];
    for (const target of this.#pool.candidates()) {
      const attempt = await this.#attempt(target, { request, response, body, attributed });
      if (response.destroyed) return;
      if (attempt.kind === 'answered') {
        this.#pool.served(target);
        answer(response, attempt, { headers, requestBody: body.whole, attributed });
        return;
      }
      if (body.isTooLarge) {
        answerFailure(response, tooLarge(maxBodyBytes ?? 0), { headers });
        return;
      }
      const { error, untouched } = attempt;
      failures.push(error);
      this.#pool.failed(target, error);
      const again = body.canBeSent && (untouched || isSafe(request.method, body.whole));
      if (!again) {
        const failure = untouched
          ? notServed(failures, attributed)
          : unknownFate(error, attributed);
        answerFailure(response, failure, { headers, requestBody: body.whole });
        return;
      }
    }
    const requestBody = await readRest(request, body);
    answerFailure(response, notServed(failures, attributed), { headers, requestBody });
  }

  #attempt(
    target: Connection,
    {
      request,
      response,
      body,
      attributed,
    }: {
      readonly request: IncomingMessage;
      readonly response: ServerResponse;
      readonly body: RequestBody;
      readonly attributed: Attributed | undefined;
    },
  ): Promise<Attempt> {
    const { method = 'GET', url: path = '/', headers } = request;
    const { consistency, connectTimeoutMs, answerTimeoutMs } = this.#options;
    const forwarded = requestHeaders(headers, consistency, attributed);
    const upstream = target.start({ method, path, headers: forwarded });
    let sent = false;
    const abandon = () => upstream.destroy();
    response.on('close', abandon);
    const deadline = new Deadline(upstream, answerTimeoutMs);
    const attempt = new Promise<Attempt>((resolve) => {
      upstream.on('error', (cause) => {
        const error = explainFailure(cause, target.address);
        body.detach();
        resolve({ kind: 'failed', error, untouched: !sent });
      });
      upstream.on('response', (answer) => {
        deadline.clear();
        readAnswer(answer, target, method).then(resolve, (cause) => {
          const error = explainFailure(cause as Error, target.address);
          resolve({ kind: 'failed', error, untouched: false });
        });
      });
      upstream.on('socket', (socket) => {
        const send = (): void => {
          sent = true;
          deadline.restart(answerTimeoutMs);
          body.sendTo(upstream);
        };
        if (isConnected(socket as TLSSocket)) send();
        else {
          deadline.restart(connectTimeoutMs);
          // Until the connection stands nothing is sent, so that another node can be asked instead.
          socket.once('secureConnect', send);
        }
      });
    });
    return attempt.finally(() => {
      deadline.clear();
      // From here on the answer's own pipeline cuts both ends.
      response.off('close', abandon);
    });
  }
}

/** Destroys a request that takes too long. */
class Deadline {
  readonly #request: ClientRequest;
  #timer: NodeJS.Timeout | undefined;

  constructor(request: ClientRequest, ms: number) {
    this.#request = request;
    this.restart(ms);
  }

  restart(ms: number): void {
    this.clear();
    const why = `no answer within ${ms} ms`;
    this.#timer = setTimeout(() => this.#request.destroy(new SdkError('TIMEOUT', why)), ms);
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}

/** A kept connection stands; a new one has its handshake before it. */
const isConnected = (socket: TLSSocket): boolean =>
  !socket.connecting && !(socket as TLSSocket & { secureConnecting?: boolean }).secureConnecting;

/** Reads a short answer, since an error may send us to another node; others stay streams. */
async function readAnswer(
  answer: IncomingMessage,
  { address }: Connection,
  method: string,
): Promise<Attempt> {
  const isShort = Number(answer.headers['content-length']) <= maxShortBytes;
  if (!isShort || method === 'HEAD') return { kind: 'answered', answer };
  const body = await collectBody(answer, maxShortBytes);
  const refusal = refusalOf(answer, body);
  if (refusal && elsewhere.has(refusal.code)) {
    const error = new SdkError(refusal.code, `${address}: ${refusal.message}`);
    return { kind: 'failed', error, untouched: true };
  }
  return { kind: 'answered', answer, body };
}

/** What an answer refuses with a code of the catalogue; undefined when it is none of those. */
function refusalOf({ statusCode = 0 }: IncomingMessage, body: Buffer): Failure | undefined {
  if (statusCode < 400) return undefined;
  const error = parseErrorBody(parseJson(body))?.error;
  return error && isErrorCode(error.code) ? { ...error, code: error.code } : undefined;
}

function answer(
  response: ServerResponse,
  { answer, body }: Extract<Attempt, { kind: 'answered' }>,
  given: {
    readonly headers: OutgoingHttpHeaders;
    readonly requestBody: Buffer | undefined;
    readonly attributed: Attributed | undefined;
  },
): void {
  const status = answer.statusCode ?? 502;
  const refusal = body && refusalOf(answer, body);
  if (refusal) {
    // The client is not to blame when the node refuses the gateway's own certificate.
    answerFailure(response, { ...refusal, status: isOfGateway(refusal) ? 502 : status }, given);
    return;
  }
  const own = answerHeaders(answer.headers, given.attributed);
  response.writeHead(status, { ...own, ...given.headers });
  if (body) {
    response.end(body);
    return;
  }
  answer.pipe(response);
  answer.on('error', () => response.destroy());
  response.on('close', () => answer.destroy());
}

const isOfGateway = ({ code }: Failure): boolean =>
  code.startsWith('CLIENT_CERTIFICATE_') || code === 'UNKNOWN_ACTOR';

/** No node served the request, and none began to. Where nodes are is not for end users: the log has it. */
export function notServed(
  failures: readonly SdkError[],
  attributed: Attributed | undefined,
): Failure {
  const foreign = failures.find(({ code }) => gatewayFaults.has(code));
  const whys = failures.map((error) => error.message).join('; ');
  const message = attributed ? 'no node serves' : `no node serves: ${whys}`;
  return foreign
    ? { code: 'FORWARDING_FAILED', message, status: 502, details: { reason: foreign.code } }
    : { code: 'NODE_NOT_READY', message, status: 503 };
}

/** What waiting does not mend. */
const gatewayFaults: ReadonlySet<string> = new Set([
  'WRONG_NETWORK',
  'NOT_TLS',
  'SERVER_CERTIFICATE_INVALID',
  'CERTIFICATE_REFUSED',
]);

function unknownFate({ code, message: place }: SdkError, attributed?: Attributed): Failure {
  const why = 'the node was lost before it answered, so the request may have taken effect';
  const message = attributed ? why : `${why} (${place})`;
  const known: ErrorCode = 'TRANSACTION_UNKNOWN';
  return { code: known, message, status: code === 'TIMEOUT' ? 504 : 502 };
}

/** What the client sends, where it is short: for the id to answer under. */
async function readRest(request: IncomingMessage, body: RequestBody): Promise<Buffer | undefined> {
  if (body.whole) return body.whole;
  if (!body.canBeSent || !(Number(request.headers['content-length']) <= maxShortBytes)) {
    request.resume();
    return undefined;
  }
  try {
    return await collectBody(request, maxShortBytes);
  } catch {
    return undefined;
  }
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
