import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { createSigningKey, issueCertificate, toPem } from '@concordat/crypto';
import type { ExternalSystem } from '@concordat/worker-enclave';

const dayMs = 86_400_000;

/** How a system answers one request; its body has been read. */
export type FakeAnswer = (request: IncomingMessage, answer: ServerResponse, body: string) => void;

/** A system outside of the network: an HTTPS server on the loopback device, under its own authority. */
export class FakeSystem {
  readonly port: number;
  /** PEM of the authority. */
  readonly authority: string;
  /** What it was asked, oldest first: method and path, the header `idempotency-key`, body. */
  readonly asked: {
    readonly line: string;
    readonly key: string | undefined;
    readonly body: string;
  }[] = [];
  readonly #server: ReturnType<typeof createServer>;
  readonly #sockets = new Set<Duplex>();

  private constructor(server: ReturnType<typeof createServer>, authority: string) {
    this.#server = server;
    this.authority = authority;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (socket: Duplex) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  /** @param names DNS names of its certificate */
  static async open(answer: FakeAnswer, names: readonly string[] = ['localhost']) {
    const authorityKey = createSigningKey(Buffer.alloc(32, 81));
    const key = createSigningKey(Buffer.alloc(32, 82));
    const validity = { notBeforeMs: Date.now() - dayMs, notAfterMs: Date.now() + dayMs };
    const authority = issueCertificate({
      subject: { commonName: 'authority of a system' },
      publicKeySpki: authorityKey.publicKeySpki,
      issuer: { key: authorityKey },
      serial: Uint8Array.of(1),
      ...validity,
      isCa: true,
      usages: [],
    });
    const own = issueCertificate({
      subject: { commonName: 'a system' },
      publicKeySpki: key.publicKeySpki,
      issuer: { key: authorityKey, certificateDer: authority },
      serial: Uint8Array.of(2),
      ...validity,
      isCa: false,
      usages: ['serverAuth'],
      subjectAltNames: { dns: names },
    });
    const server = createServer({ key: key.toPkcs8Pem(), cert: toPem(own) });
    server.on('tlsClientError', () => undefined);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const system = new FakeSystem(server, toPem(authority));
    server.on('request', (request, response) => {
      let body = '';
      request.on('error', () => undefined);
      request.on('data', (part: Buffer) => {
        body += part.toString();
      });
      request.on('end', () => {
        const key = request.headers['idempotency-key']?.toString();
        system.asked.push({ line: `${request.method} ${request.url}`, key, body });
        answer(request, response, body);
      });
    });
    return system;
  }

  /** Its entry in a constitution, with limits fit for tests. */
  entry(given: Partial<ExternalSystem> = {}): ExternalSystem {
    return {
      name: 'rates',
      origin: `https://localhost:${this.port}`,
      adapters: ['javascript'],
      certificates: [this.authority],
      timeoutMs: 5_000,
      maxRequestBytes: 65_536,
      maxAnswerBytes: 65_536,
      maxCalls: 16,
      ...given,
    };
  }

  /** Connections at present. */
  get open(): number {
    return this.#sockets.size;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
