import type { ClientRequest, IncomingMessage } from 'node:http';

/** Bytes kept so that a request can be sent to another node. */
const keepBytes = 1024 * 1024;

/**
 * The body of a client's request on its way: streamed as it comes, and kept while it is small, so
 * that it can be sent again. Nothing of it is read before the first {@link sendTo}.
 */
export class RequestBody {
  readonly #request: IncomingMessage;
  #kept: Buffer[] | undefined = [];
  #keptBytes = 0;
  #complete = false;
  #started = false;
  #sink: ClientRequest | undefined;
  readonly #maxBytes: number;

  constructor(request: IncomingMessage, maxBytes = Number.POSITIVE_INFINITY) {
    this.#request = request;
    this.#maxBytes = maxBytes;
  }

  /** Whether more came than may: the request to the node was cut then. */
  get isTooLarge(): boolean {
    return this.#keptBytes > this.#maxBytes;
  }

  /** Whether {@link sendTo} may be called (again). */
  get canBeSent(): boolean {
    return !this.#started || (this.#complete && this.#kept !== undefined);
  }

  /** The whole body; undefined while it is not complete, or when it is too large to be kept. */
  get whole(): Buffer | undefined {
    return this.#complete && this.#kept ? Buffer.concat(this.#kept) : undefined;
  }

  /** Sends the body to a node, with back-pressure, and ends the request. */
  sendTo(upstream: ClientRequest): void {
    this.#sink = upstream;
    if (this.#started) {
      upstream.end(this.whole);
      return;
    }
    this.#started = true;
    const request = this.#request;
    request.on('data', (part: Buffer) => this.#take(part));
    request.on('end', () => {
      this.#complete = true;
      this.#sink?.end();
    });
    upstream.on('drain', () => request.resume());
  }

  /** The node will not take more: what still comes is let through to nowhere. */
  detach(): void {
    this.#sink = undefined;
    if (this.#started) this.#request.resume();
  }

  #take(part: Buffer): void {
    this.#keptBytes += part.length;
    if (this.#keptBytes > keepBytes) this.#kept = undefined;
    this.#kept?.push(part);
    if (this.isTooLarge) {
      this.#kept = undefined;
      this.#sink?.destroy();
      return;
    }
    if (this.#sink && !this.#sink.destroyed && !this.#sink.write(part)) this.#request.pause();
  }
}

/** Calls that change nothing, so that sending them to a second node is harmless. */
const safeMethod = /^(?:eth_(?!send)|net_|web3_)/;

/** Whether a request may be sent to a second node though the first may have executed it. */
export function isSafe(method: string | undefined, body: Buffer | undefined): boolean {
  if (method === 'GET' || method === 'HEAD') return true;
  const calls = rpcCalls(body) ?? [{}];
  return calls.every((call) => typeof call.method === 'string' && safeMethod.test(call.method));
}

/** One JSON-RPC call as far as the gateway looks at it. */
export interface RpcCall {
  readonly id?: unknown;
  readonly method?: unknown;
}

/** The calls of a JSON-RPC body, single or batch; undefined when it is none. */
export function rpcCalls(body: Buffer | undefined): readonly RpcCall[] | undefined {
  if (!body?.includes('"jsonrpc"')) return undefined;
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    const calls = Array.isArray(value) ? value : [value];
    const isCall = (call: unknown): call is RpcCall => typeof call === 'object' && call !== null;
    return calls.length > 0 && calls.every(isCall) ? calls : undefined;
  } catch {
    return undefined;
  }
}
