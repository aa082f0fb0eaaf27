import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { createVirtualEvidence } from '@concordat/attestation';
import {
  type ChannelToManager,
  type ChannelToWorker,
  decodeChannelToManager,
  decodeControlToHost,
  encodeChannelToWorker,
  encodeControlToEnclave,
  encodeStart,
  FrameConnection,
  workerControlSocket,
  workerSocket,
} from '@concordat/bridge';
import { createSigningKey, issueCertificate, type SigningKey, toPem } from '@concordat/crypto';
import { utf8 } from '@concordat/std';
import { localReportData } from '../manager-link.ts';

const measurement = 'c'.repeat(64);

/** How the fakes misbehave. */
export interface BridgeOptions {
  /** Another machine vouches for the manager. */
  readonly foreignManager?: boolean;
  /** The manager's evidence is over another key than that of its channel. */
  readonly unboundManager?: boolean;
  /** The manager speaks before it is attested. */
  readonly hastyManager?: boolean;
  /** The host has no evidence to give. */
  readonly noEvidence?: boolean;
  readonly adapters?: readonly string[];
  /** Frames of the attested worker. */
  readonly onMessage?: (message: ChannelToManager, bridge: FakeBridge) => void;
}

/** A host and a manager over real sockets, without ledger or clients. */
export class FakeBridge {
  readonly directory: string;
  readonly logs: Record<string, unknown>[] = [];
  readonly #options: BridgeOptions;
  readonly #platformKey = createSigningKey(utf8('p'.repeat(32)));
  readonly #servers: Server[] = [];
  #manager: FrameConnection | undefined;
  #host: FrameConnection | undefined;

  private constructor(directory: string, options: BridgeOptions) {
    this.directory = directory;
    this.#options = options;
  }

  static async open(options: BridgeOptions = {}): Promise<FakeBridge> {
    const bridge = new FakeBridge(await mkdtemp(join(tmpdir(), 'bridge-')), options);
    await bridge.#listen();
    return bridge;
  }

  /** Sends a frame as the manager. */
  send(message: ChannelToWorker): void {
    this.#manager?.send(encodeChannelToWorker(message));
  }

  shutDown(): void {
    this.#host?.send(encodeControlToEnclave({ kind: 'shutdown' }));
  }

  dropManager(): void {
    this.#manager?.close();
  }

  async close(): Promise<void> {
    for (const server of this.#servers) server.close();
    this.#manager?.close();
    this.#host?.close();
    await rm(this.directory, { recursive: true });
  }

  async #listen(): Promise<void> {
    const key = createSigningKey(utf8('m'.repeat(32)));
    const control = createServer((socket) => this.#serveHost(socket));
    const options = { key: key.toPkcs8Pem(), cert: selfSigned(key), requestCert: true };
    const channel = createTlsServer({ ...options, rejectUnauthorized: false }, (socket) =>
      this.#serveManager(socket, key),
    );
    control.listen(workerControlSocket(this.directory, 1));
    channel.listen(workerSocket(this.directory, 1));
    this.#servers.push(control, channel);
    await Promise.all(this.#servers.map((server) => once(server, 'listening')));
  }

  #serveHost(socket: Socket): void {
    const host = new FrameConnection(socket, {
      onFrame: (frame) => {
        const message = decodeControlToHost(frame);
        if (message.kind === 'log')
          this.logs.push(JSON.parse(Buffer.from(message.line).toString()));
        if (message.kind !== 'attest') return;
        const { request, reportData } = message;
        const bytes = this.#evidence(reportData, this.#platformKey);
        host.send(
          encodeControlToEnclave(
            this.#options.noEvidence
              ? { kind: 'done', request, error: 'no platform' }
              : { kind: 'evidence', request, bytes },
          ),
        );
      },
      onClose: () => {},
    });
    this.#host = host;
    const { adapters = ['toy'] } = this.#options;
    const limits = { maxConnections: 100, maxRequestBytes: 65_536, maxPendingRequests: 10_000 };
    const json = encodeStart({ role: 'worker', index: 1, adapters, limits });
    host.send(encodeControlToEnclave({ kind: 'start', json }));
  }

  #serveManager(socket: TLSSocket, key: SigningKey): void {
    const { foreignManager, unboundManager, hastyManager, onMessage } = this.#options;
    this.#manager = new FrameConnection(socket, {
      onFrame: (frame) => onMessage?.(decodeChannelToManager(frame), this),
      onClose: () => {},
    });
    if (hastyManager) this.send({ kind: 'start' });
    const bound = unboundManager ? createSigningKey(utf8('x'.repeat(32))) : key;
    const platform = foreignManager ? createSigningKey(utf8('f'.repeat(32))) : this.#platformKey;
    const reportData = localReportData('node', bound.publicKeySpki);
    this.send({ kind: 'evidence', bytes: this.#evidence(reportData, platform) });
  }

  #evidence(reportData: Uint8Array, platformKey: SigningKey): Uint8Array {
    return createVirtualEvidence({ measurement, reportData, platformKey });
  }
}

function selfSigned(key: SigningKey): string {
  const certificate = issueCertificate({
    subject: { commonName: 'manager enclave' },
    publicKeySpki: key.publicKeySpki,
    issuer: { key },
    serial: Uint8Array.of(1),
    notBeforeMs: Date.now() - 1_000,
    notAfterMs: Date.now() + 3_600_000,
    isCa: false,
    usages: ['clientAuth', 'serverAuth'],
  });
  return toPem(certificate);
}
