import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer as createTcpServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { type catalogueEntry, errorBody } from '@concordat/api';
import { createSigningKey, issueCertificate, type SigningKey, toPem } from '@concordat/crypto';
import { type Actor, actorForCertificate } from '@concordat/governance';
import { createOrganisation, type Identity } from '@concordat/sdk';

const day = 86_400_000;

/** Times of a certificate, ms since the Unix epoch. */
export interface Validity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

const now = Date.now();
/** Valid from a day ago for a year. */
export const valid: Validity = { notBeforeMs: now - day, notAfterMs: now + 365 * day };
/** Valid until a day ago. */
export const past: Validity = { notBeforeMs: now - 10 * day, notAfterMs: now - day };

const serial = (): Uint8Array => Buffer.concat([Buffer.of(1), randomBytes(15)]);

/** The key and certificate of a network that exists only here. */
export class FakeNetwork {
  readonly key: SigningKey = createSigningKey(randomBytes(32));
  readonly der: Uint8Array;
  readonly certificate: string;
  /** An organisation its nodes know. */
  readonly member: Identity = createOrganisation({ name: 'Alpha' });
  readonly actors: Pick<Actor, 'actorId' | 'kind' | 'name' | 'certificate' | 'roles'>[] = [];

  constructor(name = 'test network') {
    this.der = issueCertificate({
      subject: { commonName: name },
      publicKeySpki: this.key.publicKeySpki,
      issuer: { key: this.key },
      serial: serial(),
      ...valid,
      isCa: true,
      pathLength: 0,
      usages: ['keyCertSign'],
    });
    this.certificate = toPem(this.der);
    this.admit(this.member);
  }

  /** Adds an actor to the membership list. */
  admit(identity: Identity): void {
    this.actors.push({
      actorId: identity.actorId,
      kind: ['member'],
      name: identity.name,
      certificate: toPem(identity.certificateDer),
      roles: [],
    });
  }

  /** TLS credentials of a node that the network endorsed. */
  nodeCredentials(validity: Validity = valid, key = createSigningKey(randomBytes(32))) {
    const certificate = issueCertificate({
      subject: { commonName: 'node' },
      publicKeySpki: key.publicKeySpki,
      issuer: { certificateDer: this.der, key: this.key },
      serial: serial(),
      ...validity,
      isCa: false,
      usages: ['clientAuth', 'serverAuth'],
    });
    return { key: key.toPkcs8Pem(), cert: toPem(certificate) };
  }
}

/** A server on the loopback device that a test must close. */
export interface FakeServer {
  /** `127.0.0.1:port` */
  readonly address: string;
  readonly port: number;
  /** TCP connections accepted so far. */
  readonly accepted: () => number;
  close(): Promise<void>;
}

/** How a fake node listens. */
export interface FakeNodeOptions {
  readonly network: FakeNetwork;
  readonly handle: RequestListener;
  readonly onUpgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  readonly tls?: TlsOptions;
  readonly port?: number;
  /** Whether it hears those who do not say who they are. */
  readonly hearsAnybody?: boolean;
}

/**
 * A node's client channel as its clients see it: mutual TLS 1.3, the actor judged after the
 * handshake and refused with a readable answer, HTTP behind it.
 */
export async function startNode(options: FakeNodeOptions): Promise<FakeServer> {
  const { network } = options;
  const http = createHttpServer(options.handle);
  if (options.onUpgrade) http.on('upgrade', options.onUpgrade);
  const server = createTlsServer(
    {
      ...network.nodeCredentials(),
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      ...options.tls,
    },
    (socket) => {
      const refusal = options.hearsAnybody ? undefined : judge(socket, network);
      if (refusal === undefined) http.emit('connection', socket);
      else refuse(socket, refusal);
    },
  );
  return listening(server, options.port);
}

function judge(socket: TLSSocket, network: FakeNetwork) {
  const leaf = socket.getPeerX509Certificate();
  if (!leaf) return 'CLIENT_CERTIFICATE_REQUIRED';
  const above = socket.getPeerCertificate(true).issuerCertificate?.raw;
  const verdict = actorForCertificate(
    { actors: [...network.actors] },
    { leafDer: leaf.raw, intermediates: above ? [above] : [], atMs: Date.now() },
  );
  return verdict.ok ? undefined : verdict.code;
}

function refuse(socket: TLSSocket, code: Parameters<typeof catalogueEntry>[0]): void {
  const body = JSON.stringify(errorBody(code));
  socket.on('error', () => {});
  socket.end(
    `HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
  socket.resume();
}

/** A server that speaks no TLS at all. */
export const startPlain = (onSocket: (socket: Socket) => void): Promise<FakeServer> =>
  listening(createTcpServer(onSocket));

async function listening(
  server: ReturnType<typeof createTcpServer>,
  onPort = 0,
): Promise<FakeServer> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  // Before the TLS layer: 'connection' is the TCP connection.
  server.on('connection', (socket: Socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('secureConnection', (socket: TLSSocket) => socket.on('error', () => {}));
  server.on('tlsClientError', () => {});
  server.listen(onPort, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    port,
    accepted: () => accepted,
    close: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

/** An address where nothing listens. */
export async function freeAddress(): Promise<string> {
  const server = await startPlain(() => {});
  await server.close();
  return server.address;
}

/** Mutual TLS in front of a plain port: what the manager enclave is to the worker's front. */
export function startSplice(network: FakeNetwork, port: number): Promise<FakeServer> {
  const server = createTlsServer(
    {
      ...network.nodeCredentials(),
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
    },
    (socket) => {
      const inner = connect({ port, host: '127.0.0.1', noDelay: true });
      socket.setNoDelay(true);
      inner.on('error', () => socket.destroy());
      inner.on('close', () => socket.destroy());
      socket.on('close', () => inner.destroy());
      socket.pipe(inner).pipe(socket);
    },
  );
  return listening(server);
}
