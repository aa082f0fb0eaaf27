import { randomBytes } from 'node:crypto';
import type { OutgoingHttpHeaders } from 'node:http';
import {
  type Consistency,
  consistencyHeader,
  idempotencyKeyHeader,
  transactionIdHeader,
} from '@concordat/api';
import type { AdminClient } from './admin-client.ts';
import type { Answer, RequestOptionsWithBody } from './connection.ts';
import { errorOfAnswer, mayRepeat, parseJson, rpcError, SdkError } from './errors.ts';
import { type Patience, type RetryPolicy, retrying } from './retrying.ts';

/** What carries requests to an application: a connection, or what seals them. */
export interface Carrier {
  /** Sends a request and collects the answer, whatever its status. @throws SdkError */
  request(options: RequestOptionsWithBody): Promise<Answer>;
}

/** How applications are called, over whatever. */
export interface CallOptions {
  /** Asked by `waitForCommit`; of the same node, or of any other. */
  readonly admin?: AdminClient;
  /** For safe reads. */
  readonly retry?: RetryPolicy;
  /** How fresh safe reads and JSON-RPC calls are that do not say it; default `committed`. */
  readonly consistency?: Consistency;
}

/** One application request. */
export interface ApplicationRequest {
  /** Default GET, or POST with a body. */
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is; instead of `json`. */
  readonly body?: Uint8Array | string;
  /** Whether it changes nothing and so may be sent twice; default for GET and HEAD. */
  readonly safe?: boolean;
  /**
   * Makes a write one that the network executes once, so that it may be sent again as well, to any
   * node: see {@link newIdempotencyKey}. A key belongs to one request for ever.
   */
  readonly idempotencyKey?: string;
  /** How fresh the state is that it is answered from. */
  readonly consistency?: Consistency;
  /** Milliseconds. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** The answer of an application. */
export interface ApplicationAnswer {
  /** 200-299, but not 202 with an error body. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  /** The body as JSON; undefined when it is none. */
  readonly json: unknown;
  /** `view.seqno` of the transaction the request made, if it made one. */
  readonly transactionId: string | undefined;
  /**
   * Set when the request had been executed before under its key and its answer, being long, is not
   * kept: status, headers and body are empty then, only the transaction is known.
   */
  readonly answerLost?: true;
}

/** A new idempotency key: 128 random bits. */
export const newIdempotencyKey = (): string => randomBytes(16).toString('base64url');

/** Calls of applications by HTTP and JSON-RPC. */
export class ApplicationCalls {
  readonly #carrier: Carrier;
  readonly #admin: AdminClient | undefined;
  readonly #retry: RetryPolicy;
  readonly #consistency: Consistency;
  #nextId = 1;

  constructor(carrier: Carrier, { admin, retry = {}, consistency = 'committed' }: CallOptions) {
    this.#carrier = carrier;
    this.#admin = admin;
    this.#retry = retry;
    this.#consistency = consistency;
  }

  /**
   * Sends a request. A node answers writes after their commit unless asked to `wait=local`. Safe
   * reads, and writes with an idempotency key, are tried again while a node is out of reach; nothing
   * else is ever sent twice.
   * @throws SdkError with the code the node answered for any status from 300
   */
  async request(path: string, request: ApplicationRequest = {}): Promise<ApplicationAnswer> {
    const { json, timeoutMs, signal, idempotencyKey } = request;
    const body = json === undefined ? request.body : JSON.stringify(json);
    const method = request.method ?? (body === undefined ? 'GET' : 'POST');
    const safe = request.safe ?? (method === 'GET' || method === 'HEAD');
    const consistency = request.consistency ?? (safe ? this.#consistency : 'committed');
    const send = async (): Promise<ApplicationAnswer> => {
      const {
        status,
        headers,
        body: answer,
      } = await this.#carrier.request({
        method,
        path,
        headers: {
          ...(json !== undefined && { 'content-type': 'application/json' }),
          ...(consistency === 'linearizable' && { [consistencyHeader]: consistency }),
          ...(idempotencyKey !== undefined && { [idempotencyKeyHeader]: idempotencyKey }),
          ...request.headers,
        },
        ...(body !== undefined && { body }),
        ...(timeoutMs !== undefined && { timeoutMs }),
        ...(signal && { signal }),
      });
      if (status < 200 || status >= 300) {
        const error = errorOfAnswer(status, answer);
        if (error.code === 'REQUEST_ALREADY_EXECUTED') return executedBefore(error);
        throw error;
      }
      const id = headers[transactionIdHeader];
      return {
        status,
        headers,
        body: answer,
        json: parseJson(answer),
        transactionId: typeof id === 'string' ? id : undefined,
      };
    };
    if (safe) return retrying(send, this.#retry);
    return idempotencyKey === undefined ? send() : retrying(send, this.#retry, mayRepeat);
  }

  /**
   * Waits until a transaction is committed, for requests that were answered before.
   * @throws SdkError TRANSACTION_NOT_FOUND, TIMEOUT, NO_ADMIN_CLIENT
   */
  async waitForCommit(transactionId: string, patience?: Patience): Promise<void> {
    if (!this.#admin) {
      const why = 'waitForCommit asks the administrative channel: give the client one as `admin`';
      throw new SdkError('NO_ADMIN_CLIENT', why);
    }
    await this.#admin.waitForCommit(transactionId, patience);
  }

  /**
   * One JSON-RPC 2.0 call.
   * @param path default `/`
   * @throws SdkError RPC_ERROR
   */
  async jsonRpc(method: string, params: readonly unknown[] = [], path = '/'): Promise<unknown> {
    const id = this.#nextId++;
    const call = { jsonrpc: '2.0', id, method, params };
    const { json } = await this.request(path, { json: call, consistency: this.#consistency });
    const answer = json as RpcAnswer | undefined;
    if (answer?.id !== id) throw notRpc();
    if (answer.error !== undefined) throw rpcError(answer.error);
    if (answer.result === undefined) throw notRpc();
    return answer.result;
  }

  /**
   * Several JSON-RPC calls in one request; outcomes in the order of the calls, errors as values.
   * @param path default `/`
   * @throws SdkError when the batch as a whole fails
   */
  async jsonRpcBatch(
    calls: readonly { readonly method: string; readonly params?: readonly unknown[] }[],
    path = '/',
  ): Promise<(unknown | SdkError)[]> {
    if (calls.length === 0) return [];
    const first = this.#nextId;
    this.#nextId += calls.length;
    const batch = calls.map(({ method, params = [] }, i) => ({
      jsonrpc: '2.0',
      id: first + i,
      method,
      params,
    }));
    const { json } = await this.request(path, { json: batch, consistency: this.#consistency });
    if (!Array.isArray(json)) {
      const { error } = (json ?? {}) as RpcAnswer;
      throw error === undefined ? notRpc() : rpcError(error);
    }
    const byId = new Map((json as RpcAnswer[]).map((answer) => [answer?.id, answer]));
    return batch.map(({ id }) => {
      const answer = byId.get(id);
      if (answer?.error !== undefined) return rpcError(answer.error);
      return answer?.result === undefined ? notRpc() : answer.result;
    });
  }
}

function executedBefore({ details }: SdkError): ApplicationAnswer {
  const { transactionId } = details;
  return {
    status: 200,
    headers: {},
    body: Buffer.alloc(0),
    json: undefined,
    transactionId: typeof transactionId === 'string' ? transactionId : undefined,
    answerLost: true,
  };
}

interface RpcAnswer {
  readonly id?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
}

const notRpc = (): SdkError =>
  new SdkError('UNEXPECTED_ANSWER', 'the answer is not JSON-RPC 2.0 to this call');
