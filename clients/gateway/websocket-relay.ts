import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Consistency } from '@concordat/api';
import { type Connection, collectBody, explainFailure, SdkError } from '@concordat/sdk';
import { refuseUpgrade } from './failure-answer.ts';
import { type Attributed, handshakeHeaders } from './forwarded-headers.ts';
import { notServed } from './http-relay.ts';
import type { TargetPool } from './target-pool.ts';

/** A WebSocket's handshake as a node answered it. */
interface Opened {
  readonly answer: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** What a client asked for, and for whom. */
export interface RelayedSocket {
  /** What came after its handshake already. */
  readonly head: Buffer;
  readonly attributed?: Attributed | undefined;
  /** Told of all that the client sends once the WebSocket is open, in order. */
  readonly heard?: ((part: Buffer) => void) | undefined;
}

const maxRefusalBytes = 64 * 1024;

/** Forwards WebSockets byte by byte: what is spoken in them is between client and node. */
export class WebSocketRelay {
  readonly #pool: TargetPool;
  readonly #connectTimeoutMs: number;
  readonly #consistency: Consistency;
  readonly #open = new Set<Duplex>();

  constructor(
    pool: TargetPool,
    options: { readonly connectTimeoutMs: number; readonly consistency: Consistency },
  ) {
    this.#pool = pool;
    this.#connectTimeoutMs = options.connectTimeoutMs;
    this.#consistency = options.consistency;
  }

  /** Opens the same WebSocket at the first node that serves it, and connects the two. */
  async relay(
    request: IncomingMessage,
    client: Duplex,
    { head, attributed, heard }: RelayedSocket,
  ): Promise<void> {
    const failures: SdkError[] = [];
    this.#keep(client);
    for (const target of this.#pool.candidates()) {
      if (client.destroyed) return;
      const outcome = await this.#shake(target, { request, client, attributed });
      if (outcome instanceof SdkError) {
        failures.push(outcome);
        this.#pool.failed(target, outcome);
        continue;
      }
      this.#pool.served(target);
      if ('socket' in outcome) this.#join(client, { head, heard }, outcome);
      else client.end(outcome.refusal);
      return;
    }
    refuseUpgrade(client, notServed(failures, attributed));
  }

  /** A handshake changes nothing, so that it may be tried at every node. */
  async #shake(
    target: Connection,
    {
      request,
      client,
      attributed,
    }: {
      readonly request: IncomingMessage;
      readonly client: Duplex;
      readonly attributed: Attributed | undefined;
    },
  ): Promise<Opened | { readonly refusal: Buffer } | SdkError> {
    const { url: path = '/', headers } = request;
    const forwarded = handshakeHeaders(headers, this.#consistency, attributed);
    const upstream = target.startAlone({ path, headers: forwarded });
    const abandon = () => upstream.destroy();
    client.on('close', abandon);
    const timer = setTimeout(() => {
      const why = `no answer within ${this.#connectTimeoutMs} ms`;
      upstream.destroy(new SdkError('TIMEOUT', `${target.address}: ${why}`));
    }, this.#connectTimeoutMs);
    try {
      return await handshake(upstream);
    } catch (error) {
      return explainFailure(error as Error, target.address);
    } finally {
      clearTimeout(timer);
      client.off('close', abandon);
    }
  }

  #join(
    client: Duplex,
    { head, heard }: Pick<RelayedSocket, 'head' | 'heard'>,
    { answer, socket, head: ahead }: Opened,
  ): void {
    this.#keep(socket);
    client.on('close', () => socket.destroy());
    socket.on('close', () => client.destroy());
    client.write(headOf(answer));
    if (ahead.length > 0) client.write(ahead);
    if (head.length > 0) socket.write(head);
    if (heard) {
      heard(head);
      client.on('data', heard);
    }
    socket.pipe(client);
    client.pipe(socket);
  }

  #keep(socket: Duplex): void {
    this.#open.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#open.delete(socket));
  }

  /** Cuts every WebSocket, open or opening. */
  close(): void {
    for (const socket of this.#open) socket.destroy();
  }
}

function handshake(
  upstream: ClientRequest,
): Promise<Opened | { readonly refusal: Buffer } | SdkError> {
  return new Promise((resolve, reject) => {
    upstream.on('error', reject);
    upstream.on('upgrade', (answer, socket, head) => resolve({ answer, socket, head }));
    upstream.on('response', (answer) => {
      refusalOf(answer).then(resolve, reject);
    });
    upstream.end();
  });
}

/** What a node answered instead: handed on, unless another node may do better. */
async function refusalOf(answer: IncomingMessage): Promise<{ refusal: Buffer } | SdkError> {
  const body = await collectBody(answer, maxRefusalBytes);
  if (answer.statusCode === 503) {
    return new SdkError('NODE_NOT_READY', `the node answered ${body.toString('utf8', 0, 300)}`);
  }
  const length = `content-length: ${body.length}\r\nconnection: close\r\n\r\n`;
  const head = `HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\n`;
  const type = answer.headers['content-type'] ?? 'application/octet-stream';
  return {
    refusal: Buffer.concat([Buffer.from(`${head}content-type: ${type}\r\n${length}`), body]),
  };
}

/** The head of the switch of protocols, as the node sent it. */
function headOf({ rawHeaders }: IncomingMessage): string {
  let head = 'HTTP/1.1 101 Switching Protocols\r\n';
  for (let at = 0; at < rawHeaders.length; at += 2) {
    head += `${rawHeaders[at]}: ${rawHeaders[at + 1]}\r\n`;
  }
  return `${head}\r\n`;
}
