import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { after } from 'node:test';
import { createServer, type TLSSocket } from 'node:tls';
import type { ExternalToManager, ExternalToWorker } from '@concordat/bridge';
import { createSigningKey, issueCertificate, type SigningKey, toPem } from '@concordat/crypto';
import { type ExternalCall, ExternalError, type ExternalSystem } from '../external-call.ts';
import { ExternalCalls } from '../external-calls.ts';

export const dayMs = 86_400_000;
export const authority = createSigningKey(Buffer.alloc(32, 1));
export const other = createSigningKey(Buffer.alloc(32, 2));
export const leaf = createSigningKey(Buffer.alloc(32, 3));

const authorities = new Map<SigningKey, Uint8Array>();

export function issue(options: {
  readonly of: SigningKey;
  readonly by?: SigningKey;
  readonly notAfterMs?: number;
  readonly ip?: string;
}): string {
  const { of, by, ip, notAfterMs = Date.now() + dayMs } = options;
  const certificateDer = by && authorities.get(by);
  const der = issueCertificate({
    subject: { commonName: by ? 'a server' : 'an authority' },
    publicKeySpki: of.publicKeySpki,
    issuer: { key: by ?? of, ...(certificateDer && { certificateDer }) },
    serial: Uint8Array.of(7),
    notBeforeMs: Date.now() - 10 * dayMs,
    notAfterMs,
    isCa: by === undefined,
    usages: by ? ['serverAuth'] : [],
    ...(by && { subjectAltNames: { dns: ['localhost'], ...(ip && { ip: [ip] }) } }),
  });
  if (by === undefined) authorities.set(of, der);
  return toPem(der);
}

export const root = issue({ of: authority });
export const good = issue({ of: leaf, by: authority });

/** What a server does with a connection once TLS stands. */
export type Behaviour = (socket: TLSSocket, heard: string) => void;

export const servers: { close(): unknown }[] = [];
export const sockets = new Set<Socket>();
after(() => {
  for (const server of servers) server.close();
  for (const socket of sockets) socket.destroy();
});

export async function serve(behaviour: Behaviour, certificate = good): Promise<number> {
  const server = createServer({ key: leaf.toPkcs8Pem(), cert: certificate }, (socket) => {
    let heard = '';
    let isAnswered = false;
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      heard += data.toString('latin1');
      if (isAnswered || !heard.includes('\r\n\r\n')) return;
      isAnswered = true;
      setImmediate(() => behaviour(socket, heard));
    });
  });
  servers.push(server);
  server.on('tlsClientError', () => undefined);
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A manager and a host that let everything through, and keep what the host would see. */
export class Passage {
  readonly seen: Buffer[] = [];
  readonly messages: ExternalToManager[] = [];
  readonly sockets = new Map<number, Socket>();
  readonly calls: ExternalCalls;
  port: number;

  constructor(port: number) {
    this.port = port;
    this.calls = new ExternalCalls({ send: (message) => this.#send(message) });
  }

  list(...systems: Partial<ExternalSystem>[]): void {
    this.calls.configure(systems.map((given) => ({ ...usual(this.port), ...given })));
  }

  say(message: ExternalToWorker): void {
    this.calls.received(message);
  }

  closed(id: number, code: string): void {
    this.sockets.get(id)?.destroy();
    this.say({ kind: 'external', id, step: 'closed', code, message: 'so it is' });
  }

  #send(message: ExternalToManager): void {
    this.messages.push(message);
    const { id } = message;
    if (message.step === 'open') {
      const socket = connect({ port: this.port, host: '127.0.0.1', allowHalfOpen: true });
      this.sockets.set(id, socket);
      socket.on('connect', () => this.say({ kind: 'external', id, step: 'opened' }));
      socket.on('data', (data) => {
        this.seen.push(data);
        this.say({ kind: 'external', id, step: 'data', data });
      });
      socket.on('end', () => this.say({ kind: 'external', id, step: 'end' }));
      socket.on('error', () => undefined);
      socket.on('close', () => this.closed(id, 'EXTERNAL_CONNECTION_LOST'));
      return;
    }
    const socket = this.sockets.get(id);
    if (message.step === 'data') {
      this.seen.push(Buffer.from(message.data));
      socket?.write(message.data);
    } else if (message.step === 'end') socket?.end();
    else socket?.destroy();
  }
}

export const usual = (port: number): ExternalSystem => ({
  name: 'rates',
  origin: `https://localhost:${port}`,
  adapters: ['javascript'],
  certificates: [root],
  timeoutMs: 5_000,
  maxRequestBytes: 1_024,
  maxAnswerBytes: 1_024,
  maxCalls: 4,
});

export const get: ExternalCall = {
  system: 'rates',
  method: 'GET',
  path: '/rates?of=eur',
  headers: [],
  body: new Uint8Array(0),
};

export async function passage(behaviour: Behaviour, certificate?: string): Promise<Passage> {
  const made = new Passage(await serve(behaviour, certificate));
  made.list({});
  return made;
}

export const call = ({ calls }: Passage, given: Partial<ExternalCall> = {}) =>
  calls.call('javascript', { ...get, ...given });

export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof ExternalError, String(error));
    return error.code;
  }
  return 'answered';
}

export const answers =
  (text: string): Behaviour =>
  (socket) =>
    socket.end(text);
export const plain = 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\nX-Of: eur\r\n\r\nhello';
