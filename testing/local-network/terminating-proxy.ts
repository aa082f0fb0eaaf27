import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, request as httpsRequest, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createSigningKey, issueCertificate, toPem } from '@concordat/crypto';

/** A request or an answer, as the proxy sees it. */
export interface SeenMessage {
  /** Method and path, or status. */
  readonly start: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** What the proxy does with what passes; each may give back something else. */
export interface Meddling {
  request?: (seen: SeenMessage) => Buffer;
  answer?: (seen: SeenMessage) => Buffer | Promise<Buffer>;
}

/**
 * A proxy that is not to be trusted: ends the client's TLS with a certificate of its own, opens
 * another connection to a node without any client certificate, keeps everything, and meddles.
 */
export class TerminatingProxy {
  /** Everything that passed, in clear of TLS, in its order. */
  readonly seen: SeenMessage[] = [];
  /** Application port of the node it passes requests on to. */
  target: { readonly host: string; readonly port: number };
  /** What it does with what passes; nothing by default. */
  meddling: Meddling = {};
  /** PEM of who issued its certificate. */
  readonly authority: string;
  readonly #server: Server;
  readonly #networkCertificate: string;

  private constructor(
    target: TerminatingProxy['target'],
    parts: { readonly server: Server; readonly authority: string; readonly network: string },
  ) {
    this.target = target;
    this.authority = parts.authority;
    this.#server = parts.server;
    this.#networkCertificate = parts.network;
    this.#server.on('request', (request, response) => void this.#pass(request, response));
  }

  /** Listens on a free loopback port. @param networkCertificate PEM */
  static async open(
    target: TerminatingProxy['target'],
    networkCertificate: string,
  ): Promise<TerminatingProxy> {
    const [authorityKey, key] = [
      createSigningKey(randomBytes(32)),
      createSigningKey(randomBytes(32)),
    ];
    const validity = { notBeforeMs: Date.now() - 60_000, notAfterMs: Date.now() + 3_600_000 };
    const authorityDer = issueCertificate({
      subject: { commonName: 'proxies' },
      publicKeySpki: authorityKey.publicKeySpki,
      issuer: { key: authorityKey },
      serial: Uint8Array.of(6),
      ...validity,
      isCa: true,
      usages: ['keyCertSign'],
    });
    const certificate = issueCertificate({
      subject: { commonName: 'localhost' },
      publicKeySpki: key.publicKeySpki,
      issuer: { certificateDer: authorityDer, key: authorityKey },
      serial: Uint8Array.of(7),
      ...validity,
      isCa: false,
      usages: ['serverAuth'],
      subjectAltNames: { dns: ['localhost'] },
    });
    const server = createServer({ key: key.toPkcs8Pem(), cert: toPem(certificate) });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TerminatingProxy(target, {
      ...{ server, authority: toPem(authorityDer), network: networkCertificate },
    });
  }

  /** Where clients reach it. */
  get url(): string {
    return `https://localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Every byte of what passed since it was opened. */
  get bytes(): Buffer {
    return Buffer.concat(
      this.seen.flatMap(({ start, headers, body }) => [
        Buffer.from(`${start}\n${JSON.stringify(headers)}\n`),
        body,
      ]),
    );
  }

  /** Sends a body to a node as the proxy does with those of clients. */
  async send(path: string, seen: Pick<SeenMessage, 'headers' | 'body'>, target = this.target) {
    const { host, port } = target;
    const request = httpsRequest({
      ...{ host, port, path, method: seen.body.length > 0 ? 'POST' : 'GET' },
      ...{ ca: this.#networkCertificate, checkServerIdentity: () => undefined, agent: false },
      headers: {
        'content-type': seen.headers['content-type'] ?? 'application/octet-stream',
        'content-length': seen.body.length,
      },
    });
    request.end(seen.body);
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const body = await collected(response);
    return { status: response.statusCode ?? 0, headers: response.headers, body };
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = '/', headers } = request;
    const asked = { start: `${method} ${url}`, headers, body: await collected(request) };
    this.seen.push(asked);
    const body = this.meddling.request?.(asked) ?? asked.body;
    try {
      const answer = await this.send(url, { headers, body });
      const got = { start: String(answer.status), headers: answer.headers, body: answer.body };
      this.seen.push(got);
      const given = (await this.meddling.answer?.(got)) ?? got.body;
      const type = answer.headers['content-type'] ?? 'application/octet-stream';
      response.writeHead(answer.status, { 'content-type': type, 'content-length': given.length });
      response.end(given);
    } catch {
      response.writeHead(502, { 'content-length': 0 }).end();
    }
  }

  /** Ends it and every connection. */
  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

async function collected(message: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of message as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts);
}
