import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { TLSSocket } from 'node:tls';
import {
  ApiError,
  adminPaths,
  coseMediaType,
  maxRecoveryGiftBytes,
  type RecoveryState,
  receiptFormOf,
} from '@concordat/api';
import { isMember } from '@concordat/governance';
import { type ActorId, parseTransactionId } from '@concordat/std';
import { type AdminAnswers, adminAnswers } from './admin-answers.ts';
import { answerRefusal, send } from './admin-refusal.ts';
import {
  nonceOf,
  readBody,
  readDeployment,
  readMessage,
  requireMethod,
  sinceOf,
  urlOf,
} from './admin-request.ts';
import type { Announcement } from './announcement.ts';
import { AuditDesk } from './audit-desk.ts';
import type { ClientIdentity, ClientVerdict } from './client-identity.ts';
import { clientTlsOptions } from './client-tls.ts';
import { EventStreams } from './event-streams.ts';
import type { EvidenceDesk } from './evidence-desk.ts';
import type { GovernanceDesk } from './governance-desk.ts';
import { KeyExportDesk } from './key-export-desk.ts';
import { renderMetrics } from './metrics.ts';
import type { NodeContext } from './node-context.ts';
import { PastTurns } from './past-turns.ts';
import type { ReceiptDesk } from './receipt-desk.ts';
import type { RecoveryDesk } from './recovery-desk.ts';

const maxConnections = 1024;
/** Programs on their way at a time, each of up to 8 MiB, and of one actor. */
const [maxDeployments, maxDeploymentsOfOneActor] = [8, 2];

/** What answers on the administrative channel beside the node's own state. */
export interface AdminDesks {
  readonly governance: GovernanceDesk;
  readonly receipts: ReceiptDesk;
  readonly evidence: EvidenceDesk;
  /** Client connections open now. */
  readonly connections: () => number;
}

/**
 * The administrative channel (paper, "Secure Communication"): mutual TLS and HTTP for operators
 * and members. Reading needs an actor's certificate; changing anything needs a member's signature.
 */
export class AdminServer {
  readonly #node: NodeContext;
  readonly #desks: AdminDesks;
  readonly #path: string;
  readonly #judge: (socket: TLSSocket) => ClientVerdict;
  readonly #server: Server;
  readonly #answers: AdminAnswers;
  readonly #exports: KeyExportDesk;
  readonly #audits: AuditDesk;
  readonly #sockets = new Map<TLSSocket, ClientVerdict>();
  readonly #streams: EventStreams;
  readonly #deployments = new Map<ActorId, number>();

  constructor(options: {
    readonly path: string;
    readonly credentials: { key: string; certificate: string };
    readonly node: NodeContext;
    readonly desks: AdminDesks;
    readonly judge: (socket: TLSSocket) => ClientVerdict;
  }) {
    this.#node = options.node;
    this.#desks = options.desks;
    this.#path = options.path;
    this.#judge = options.judge;
    this.#answers = adminAnswers(options.node, options.desks.receipts);
    this.#exports = new KeyExportDesk(options.node, options.desks.governance);
    this.#streams = new EventStreams(options.node, new PastTurns());
    this.#audits = new AuditDesk(options.node, options.desks.governance);
    this.#server = createServer(
      {
        ...clientTlsOptions(options.credentials),
        requestTimeout: 30_000,
        headersTimeout: 10_000,
        connectionsCheckingInterval: 2_000,
        maxHeaderSize: 16_384,
        keepAliveTimeout: 60_000,
      },
      (request, response) => void this.#handle(request, response),
    );
    this.#server.maxConnections = maxConnections;
    this.#server.on('secureConnection', (socket) => this.#accepted(socket));
    this.#server.on('tlsClientError', () => undefined);
  }

  /** Opens the bridge socket. */
  async listen(): Promise<void> {
    this.#server.listen(this.#path);
    await once(this.#server, 'listening');
  }

  #accepted(socket: TLSSocket): void {
    socket.on('error', () => undefined);
    this.#sockets.set(socket, this.#judge(socket));
    socket.on('close', () => this.#sockets.delete(socket));
  }

  /** Who sent a request, if that is an actor. */
  #actorIn(request: IncomingMessage): ActorId | undefined {
    const verdict = this.#sockets.get(request.socket as TLSSocket);
    return verdict?.ok ? verdict.identity.actorId : undefined;
  }

  /** Who sent a request. @throws ApiError saying why the certificate is nobody's */
  #actorOf(request: IncomingMessage): ActorId {
    const verdict = this.#sockets.get(request.socket as TLSSocket);
    if (verdict?.ok) return verdict.identity.actorId;
    const { code, message } = verdict ?? { code: 'UNKNOWN_ACTOR', message: 'not identified' };
    throw new ApiError(code, message);
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#route(request, response);
    } catch (error) {
      const log = (why: string) => this.#node.control.log('admin.failed', { why });
      await answerRefusal({ request, response }, error, log);
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname: path, searchParams } = urlOf(request);
    if (path === adminPaths.evidence) {
      requireMethod(request, 'GET');
      request.resume();
      const asker = { connection: request.socket, actor: this.#actorIn(request) };
      return send(response, 200, await this.#desks.evidence.give(nonceOf(searchParams), asker));
    }
    const actor = this.#actorOf(request);
    if (path === adminPaths.messages) {
      requireMethod(request, 'POST');
      return send(response, 200, await this.#desks.governance.submit(await readMessage(request)));
    }
    if (path === adminPaths.deployments) {
      requireMethod(request, 'POST');
      return send(response, 200, await this.#deploy(request, actor));
    }
    if (path === adminPaths.keyExports) {
      requireMethod(request, 'POST');
      return send(response, 200, await this.#exports.give(await readMessage(request)));
    }
    if (path === adminPaths.auditShares) {
      requireMethod(request, 'POST');
      return send(response, 200, await this.#audits.give(await readMessage(request)));
    }
    if (path === adminPaths.recoveryShares) {
      requireMethod(request, 'POST');
      return send(response, 200, await this.#giveShares(request, actor));
    }
    requireMethod(request, 'GET');
    request.resume();
    if (path === adminPaths.recoveryOffer) {
      return send(response, 200, await this.#recovery.offer(nonceOf(searchParams)));
    }
    if (path === adminPaths.events) {
      return this.#streams.open(response, actor, sinceOf(request, searchParams));
    }
    if (path === adminPaths.metrics) {
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
      response.end(renderMetrics(this.#node, this.#desks.connections()));
      return;
    }
    if (path === adminPaths.receipt || path === adminPaths.transaction) {
      const id = parseTransactionId(searchParams.get('transaction_id') ?? '');
      if (!id) {
        throw new ApiError('INVALID_PARAMETER', 'transaction_id must be <view>.<seqno>, like 2.17');
      }
      if (path === adminPaths.transaction) {
        return send(response, 200, this.#answers.transaction(id));
      }
      const form = receiptFormOf(searchParams.get('format'), request.headers.accept);
      if (form === 'json') return send(response, 200, await this.#answers.receipt(id));
      return sendCose(response, await this.#desks.receipts.coseReceipt(id));
    }
    if (path.startsWith(`${adminPaths.proposals}/`)) {
      const id = path.slice(adminPaths.proposals.length + 1);
      return send(response, 200, this.#answers.proposal(id));
    }
    if (path.startsWith(`${adminPaths.programs}/`)) {
      const program = this.#answers.program(path.slice(adminPaths.programs.length + 1));
      return sendBytes(response, program);
    }
    const plain = this.#answers.plain[path];
    if (!plain) throw new ApiError('NOT_FOUND', `there is nothing at ${path.slice(0, 200)}`);
    send(response, 200, plain());
  }

  /** @throws ApiError NETWORK_NOT_RECOVERING */
  get #recovery(): RecoveryDesk {
    const { recovery } = this.#node;
    if (recovery) return recovery;
    throw new ApiError('NETWORK_NOT_RECOVERING', 'this node recovers no network');
  }

  async #giveShares(request: IncomingMessage, actor: ActorId): Promise<RecoveryState> {
    const desk = this.#recovery;
    return desk.give(actor, await readBody(request, maxRecoveryGiftBytes));
  }

  /** A program is large: only members may bring one, and few at a time. */
  async #deploy(request: IncomingMessage, actor: ActorId) {
    const { actors } = this.#node.administration.committedConstitution;
    if (!actors.some((one) => one.actorId === actor && isMember(one))) {
      throw new ApiError('NOT_A_MEMBER', 'only members propose');
    }
    const own = this.#deployments.get(actor) ?? 0;
    const all = [...this.#deployments.values()].reduce((sum, count) => sum + count, 0);
    if (all >= maxDeployments || own >= maxDeploymentsOfOneActor) {
      throw new ApiError('OVERLOADED', 'too many programs are being proposed');
    }
    this.#deployments.set(actor, own + 1);
    try {
      return await this.#desks.governance.deploy(await readDeployment(request));
    } finally {
      const left = (this.#deployments.get(actor) ?? 1) - 1;
      if (left === 0) this.#deployments.delete(actor);
      else this.#deployments.set(actor, left);
    }
  }

  /** Tells event streams what a committed administrative block changed; undefined: some were passed over. */
  notify(announcement: Announcement | undefined): void {
    if (announcement) this.#streams.notify(announcement);
    else this.#streams.passedOver();
  }

  /** Cuts the connections of identities that no longer hold. */
  cutOff(gone: (identity: ClientIdentity) => boolean): void {
    for (const [socket, verdict] of this.#sockets) {
      if (verdict.ok && gone(verdict.identity)) socket.destroy();
    }
  }

  /** Cuts every connection and stops listening. */
  stop(): void {
    this.#streams.stop();
    for (const socket of this.#sockets.keys()) socket.destroy();
    this.#server.close();
  }
}

function sendCose(response: ServerResponse, bytes: Uint8Array): void {
  response.writeHead(200, { 'content-type': coseMediaType, 'content-length': bytes.length });
  response.end(bytes);
}

function sendBytes(response: ServerResponse, bytes: Uint8Array): void {
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-length': bytes.length,
  });
  response.end(bytes);
}
