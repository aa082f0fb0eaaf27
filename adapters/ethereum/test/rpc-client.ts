import type { Actor, HttpRequest, HttpResponse, WebSocketLike } from '@concordat/worker-enclave';
import { createRpcEndpoints } from '../rpc/index.ts';
import { StubHost, stubActor, stubReader } from './stub-chain.ts';

/** A response object of JSON-RPC as tests look at it. */
export interface Answer {
  readonly id: unknown;
  // biome-ignore lint/suspicious/noExplicitAny: results of any method are looked into
  readonly result?: any;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

/** A notification of JSON-RPC as tests look at it. */
export interface Event {
  // biome-ignore lint/suspicious/noExplicitAny: results of any subscription are looked into
  readonly params?: { readonly subscription: string; readonly result: any };
}

/** A WebSocket whose messages and closing a test sees. */
export class StubSocket implements WebSocketLike {
  readonly sent: string[] = [];
  closed: number | undefined;
  readonly bufferedBytes = 0;
  readonly path: string;
  onMessage: (data: Buffer, isBinary: boolean) => void = () => {};
  onClose: () => void = () => {};
  onRefused?: NonNullable<WebSocketLike['onRefused']>;

  constructor(path: string) {
    this.path = path;
  }
  send(data: string | Uint8Array): void {
    this.sent.push(String(data));
  }
  close(code?: number): void {
    this.closed = code;
    this.onClose();
  }
  /** Messages got since the last call, parsed, once every pending answer is in. */
  async take(): Promise<(Answer & Event)[]> {
    await settled();
    return this.sent.splice(0).map((text) => JSON.parse(text));
  }
  receive(message: unknown): void {
    const text = typeof message === 'string' ? message : JSON.stringify(message);
    this.onMessage(Buffer.from(text), false);
  }
}

/** Lets everything that is ready run. */
export const settled = (): Promise<void> =>
  new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

/** The endpoints over stub chains, as a client of them. */
export function stubServer() {
  const { main, side, reader } = stubReader();
  const host = new StubHost();
  const endpoints = createRpcEndpoints(reader);
  const alice = stubActor('alice');

  const endpoint = (kind: 'http' | 'websocket', path: string) =>
    endpoints.find((entry) => entry.kind === kind && entry.path === path) ??
    endpoints.find((entry) => entry.kind === kind && entry.path === '/eth/*');

  const request = (given: Partial<HttpRequest>, actor: Actor = alice): Promise<HttpResponse> => {
    const found = endpoint('http', given.path ?? '/');
    if (found?.kind !== 'http') throw new Error('no endpoint');
    const defaults = {
      method: 'POST',
      path: '/',
      query: new URLSearchParams(),
      headers: { 'content-type': 'application/json' },
      body: new Uint8Array(0),
    };
    return Promise.resolve(found.handle({ ...defaults, ...given }, actor, host));
  };

  const post = async (body: unknown, given: Partial<HttpRequest> = {}, actor?: Actor) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await request({ ...given, body: Buffer.from(text) }, actor);
    return { ...response, text: String(response.body) };
  };

  /** One call by name. */
  const call = async (method: string, params: unknown, actor?: Actor): Promise<Answer> => {
    const { text } = await post({ jsonrpc: '2.0', id: 1, method, params }, {}, actor);
    return JSON.parse(text);
  };

  const connect = (path = '/', actor: Actor = alice): StubSocket => {
    const socket = new StubSocket(path);
    const found = endpoint('websocket', path);
    if (found?.kind !== 'websocket') throw new Error('no endpoint');
    found.open(socket, actor, host);
    return socket;
  };
  return { main, side, host, endpoints, request, post, call, connect };
}
