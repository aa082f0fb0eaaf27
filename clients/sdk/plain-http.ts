import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { collectBody } from './answer-body.ts';
import type { Answer, RequestOptionsWithBody } from './connection.ts';
import { explainFailure } from './connection-failure.ts';
import { SdkError } from './errors.ts';

/** How to reach what carries sealed requests. */
export interface PlainHttpOptions {
  /** `https:` or `http:`, with a path where the application port is mounted under one. */
  readonly url: string;
  /** PEM of authorities that its certificate is trusted by; default those of the runtime. */
  readonly authorities?: string;
  /** Time for a whole request and its answer, milliseconds; default 60,000. */
  readonly timeoutMs?: number;
  /** Connections open at once; default 64. */
  readonly maxSockets?: number;
  /** Bytes of an answer; default 64 MiB. */
  readonly maxAnswerBytes?: number;
}

/** Ordinary HTTP or HTTPS to a server that need not be trusted. Connections are used again. */
export class PlainHttp {
  /** The origin and path that requests are made under. */
  readonly address: string;
  readonly #url: URL;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #options: PlainHttpOptions;
  #closed = false;

  /** @throws SdkError INVALID_ADDRESS */
  constructor(options: PlainHttpOptions) {
    const url = URL.parse(options.url);
    if (!url || !['https:', 'http:'].includes(url.protocol) || url.search || url.hash) {
      const why = `${options.url.slice(0, 200)} is not a URL of https: or http: without a query`;
      throw new SdkError('INVALID_ADDRESS', why);
    }
    this.#url = url;
    this.#options = options;
    const { maxSockets = 64, authorities: ca } = options;
    this.#agent =
      url.protocol === 'https:'
        ? new HttpsAgent({ keepAlive: true, maxSockets, ...(ca && { ca }) })
        : new HttpAgent({ keepAlive: true, maxSockets });
    this.address = url.origin + url.pathname.replace(/\/$/, '');
  }

  /**
   * Sends a request and collects the answer, whatever its status.
   * @throws SdkError UNREACHABLE, CONNECTION_LOST, TIMEOUT, CLOSED, UNEXPECTED_ANSWER, and others of
   *   TLS
   */
  async request(options: RequestOptionsWithBody): Promise<Answer> {
    if (this.#closed) throw new SdkError('CLOSED', `the client of ${this.address} was closed`);
    const { method = 'GET', path, headers = {}, body, signal } = options;
    const { timeoutMs = this.#options.timeoutMs ?? 60_000 } = options;
    const send = this.#url.protocol === 'https:' ? httpsRequest : httpRequest;
    const target = new URL(this.address + path);
    const request = send(target, { method, headers, agent: this.#agent });
    const timer = setTimeout(() => {
      request.destroy(new SdkError('TIMEOUT', `no answer within ${timeoutMs} ms`, { timeoutMs }));
    }, timeoutMs);
    const abort = () => request.destroy(new SdkError('CLOSED', 'the caller gave up'));
    signal?.addEventListener('abort', abort);
    if (signal?.aborted) abort();
    try {
      return await new Promise<Answer>((resolve, reject) => {
        request.on('error', reject);
        request.on('response', (response) => {
          const { statusCode: status = 0, headers: answered } = response;
          const { maxAnswerBytes = 64 * 1024 * 1024 } = this.#options;
          collectBody(response, maxAnswerBytes).then(
            (collected) => resolve({ status, headers: answered, body: collected }),
            reject,
          );
        });
        request.end(body);
      });
    } catch (error) {
      throw this.#explain(error as Error);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  }

  /** It is no node, whose certificate would say of which network it is. */
  #explain(error: Error): SdkError {
    const explained = explainFailure(error, this.address);
    if (explained.code !== 'WRONG_NETWORK') return explained;
    const why = `${this.address}: none of the trusted authorities issued the certificate`;
    return new SdkError('SERVER_CERTIFICATE_INVALID', why, explained.details);
  }

  /** Cuts every kept connection. */
  close(): void {
    this.#closed = true;
    this.#agent.destroy();
  }
}
