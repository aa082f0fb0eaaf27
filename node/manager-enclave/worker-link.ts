import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import {
  type BatchTransaction,
  type ChannelToManager,
  type ChannelToWorker,
  decodeChannelToManager,
  type ExternalToManager,
  encodeChannelToWorker,
  FrameConnection,
  type OpenRequest,
  type PastRequest,
  type ProgramToManager,
  type Question,
  type SnapshotToManager,
} from '@concordat/bridge';
import { ManagerError } from './errors.ts';
import { PresentIdentities } from './present-identities.ts';

/** What a stream's owner hears from the worker. */
export interface StreamEvents {
  readonly onData: (data: Uint8Array) => void;
  readonly onEnd: () => void;
  readonly onReset: () => void;
  readonly onPause: () => void;
  readonly onResume: () => void;
  /** The worker has room again after `data` answered false. */
  readonly onDrain: () => void;
}

/** The owner's handle of a stream to the worker. */
export interface StreamHandle {
  /** False asks to send no more until `onDrain`. */
  data(bytes: Uint8Array): boolean;
  end(): void;
  /** The client's connection is gone. */
  close(): void;
}

/** What the manager does with the worker's messages. */
export interface WorkerEvents {
  readonly onBatch: (batch: number, transactions: readonly BatchTransaction[]) => void;
  readonly onGenesisBatch: (batch: number, transactions: readonly BatchTransaction[]) => void;
  readonly onForward: (id: number, identity: Uint8Array, request: Uint8Array) => void;
  readonly onForwardedReply: (reply: {
    readonly id: number;
    readonly ok: boolean;
    readonly reply: Uint8Array;
    readonly height: number;
  }) => void;
  readonly onReadBarrier: (id: number) => void;
  /** What a client wants to know about the ledger. */
  readonly onQuestion: (question: Question) => void;
  /** It asks for committed transactions of the past. */
  readonly onPast: (request: PastRequest) => void;
  /** It asks for a sealed request to be opened. */
  readonly onOpen: (request: OpenRequest) => void;
  /** What it says of its connections to systems outside of the network. */
  readonly onExternal: (message: ExternalToManager) => void;
  /** What it says of programs that are voted on, or that it runs. */
  readonly onProgram: (message: ProgramToManager) => void;
  /** What it says of a snapshot that is taken of its state, or that it is to take up. */
  readonly onSnapshot: (message: SnapshotToManager) => void;
  readonly onLog: (line: Uint8Array) => void;
  /** The worker is gone: the VN cannot go on without it. */
  readonly onClose: (error: Error | undefined) => void;
}

/** How the two enclaves of one node attest each other. */
export interface WorkerAttestation {
  /** Key and self-signed certificate (PEM) of the manager's end. */
  readonly credentials: { readonly key: string; readonly certificate: string };
  /** The manager's evidence over its own TLS key. */
  readonly evidence: Uint8Array;
  /** Checks the worker's evidence over its TLS key (DER SPKI); throws a CodedError. */
  readonly verify: (evidence: Uint8Array, publicKey: Uint8Array) => void;
}

/** Largest frame from a worker: one batch's write sets, or one part of a genesis import. */
const maxFrameBytes = 256 * 1024 * 1024;
/** Bytes on their way to the worker above which clients are read no further. */
const highWaterBytes = 8 * 1024 * 1024;
/** A worker that takes up no blocks is cut off beyond this: they are all kept for it until then. */
const maxUnreadBytes = 512 * 1024 * 1024;
/** The attested channel to one worker enclave (DESIGN 2). */
export class WorkerLink {
  /** 1, 2, ...: the source of its blocks. */
  readonly index: number;
  readonly #events: WorkerEvents;
  readonly #attestation: WorkerAttestation;
  #server: Server | undefined;
  readonly #attested = Promise.withResolvers<void>();
  readonly #streams = new Map<number, StreamEvents>();
  /** Streams that were asked to wait until the worker has room. */
  #held = new Set<StreamEvents>();
  /** Who is or was lately connected, by identity record. */
  readonly #present = new PresentIdentities();
  #connection: FrameConnection | undefined;
  #trusted = false;
  #nextStream = 1;
  /** Messages the worker has yet to act on: until then its batches stand on an old state. */
  #unsettled = 0;
  #whenReady: (() => void)[] = [];
  #unansweredPings = 0;

  constructor(index: number, attestation: WorkerAttestation, events: WorkerEvents) {
    this.index = index;
    this.#attestation = attestation;
    this.#events = events;
    this.#attested.promise.catch(() => undefined);
  }

  /** Listens on the bridge socket and waits until the worker is connected and attested. */
  async connect(path: string): Promise<void> {
    const { key, certificate } = this.#attestation.credentials;
    const server = createServer(
      {
        key,
        cert: certificate,
        requestCert: true,
        // The worker's certificate is self-signed: its evidence binds the key.
        rejectUnauthorized: false,
        minVersion: 'TLSv1.3',
      },
      (socket) => this.#accepted(socket),
    );
    this.#server = server;
    server.on('tlsClientError', () => undefined);
    server.listen(path);
    await once(server, 'listening');
    await this.attested;
  }

  /** Resolves when the worker is connected and attested. */
  get attested(): Promise<void> {
    return this.#attested.promise;
  }

  #accepted(socket: TLSSocket): void {
    socket.on('error', () => undefined);
    const certificate = socket.getPeerX509Certificate();
    if (this.#connection || !certificate) {
      socket.destroy();
      return;
    }
    this.attach(socket, certificate.publicKey.export({ type: 'spki', format: 'der' }));
  }

  /**
   * Takes the connection of a worker that has proved to hold this key (DER SPKI); its evidence is
   * still to come.
   */
  attach(socket: Duplex, publicKey: Uint8Array): void {
    this.#connection = new FrameConnection(socket, {
      maxFrameBytes,
      highWaterBytes,
      onDrain: () => this.#drained(),
      onFrame: (frame) => this.#received(decodeChannelToManager(frame), publicKey),
      onClose: (error) => this.#closed(error),
    });
    this.send({ kind: 'evidence', bytes: this.#attestation.evidence });
  }

  /** Sends one message; false when much is waiting already. */
  send(message: ChannelToWorker): boolean {
    if (isAnsweredByReady(message)) this.#unsettled += 1;
    const connection = this.#connection;
    if (!connection) return true;
    if (message.kind === 'applied' && connection.waitingBytes > maxUnreadBytes) {
      connection.close(new ManagerError('WORKER_REFUSED', 'the worker does not read'));
    }
    return connection.send(encodeChannelToWorker(message));
  }

  /** Whether the worker has acted on everything that changes the state it executes on. */
  get ready(): boolean {
    return this.#unsettled === 0;
  }

  /** Resolves when the worker has acted on everything sent so far. */
  async settled(): Promise<void> {
    if (!this.ready) await new Promise<void>((resolve) => this.#whenReady.push(resolve));
  }

  /** Refuses a batch the worker holds as executed; it answers when it has dropped it. */
  refuse(batch: number, code: string): void {
    this.send({ kind: 'refused', batch, code });
    this.#unsettled += 1;
  }

  #becameReady(): void {
    if (this.#unsettled === 0) throw new ManagerError('WORKER_REFUSED', 'ready without a reason');
    this.#unsettled -= 1;
    if (this.#unsettled > 0) return;
    const waiting = this.#whenReady;
    this.#whenReady = [];
    for (const resolve of waiting) resolve();
  }

  /** Asks the worker to show that it still turns. */
  ping(): void {
    if (!this.#trusted) return;
    // One question is enough to be answered: a worker that hangs is not sent more and more of them.
    if (this.#unansweredPings === 0) this.send({ kind: 'ping' });
    this.#unansweredPings += 1;
  }

  /** How often it was asked since it last answered. */
  get unansweredPings(): number {
    return this.#unansweredPings;
  }

  /** Bytes that wait for the worker to read. */
  get waitingBytes(): number {
    return this.#connection?.waitingBytes ?? 0;
  }

  /** Opens a stream for an authenticated client connection. */
  openStream(identity: Uint8Array, events: StreamEvents): StreamHandle {
    const id = this.#nextStream;
    this.#nextStream = (id % 0xffff_fffe) + 1;
    this.#streams.set(id, events);
    const leave = this.#present.arrive(identity);
    this.send({ kind: 'streamOpen', id, identity });
    return {
      data: (data) => {
        if (this.send({ kind: 'streamData', id, data })) return true;
        this.#held.add(events);
        return false;
      },
      end: () => {
        if (this.#streams.has(id)) this.send({ kind: 'streamEnd', id });
      },
      close: () => {
        this.#held.delete(events);
        leave();
        if (this.#streams.delete(id)) this.send({ kind: 'streamReset', id });
      },
    };
  }

  /** Takes note of an identity record that was given to the worker with a request. */
  introduce(identity: Uint8Array): void {
    this.#present.arrive(identity)();
  }

  /** Whether this identity record was given to the worker: who is or was lately there. */
  served(identity: Uint8Array): boolean {
    return this.#present.has(identity);
  }

  #drained(): void {
    const held = this.#held;
    this.#held = new Set();
    for (const { onDrain } of held) onDrain();
  }

  #received(message: ChannelToManager, publicKey: Uint8Array): void {
    if (!this.#trusted) {
      this.#attest(message, publicKey);
      return;
    }
    switch (message.kind) {
      case 'streamData':
        this.#streams.get(message.id)?.onData(message.data);
        return;
      case 'batch':
        this.#events.onBatch(message.batch, message.transactions);
        return;
      case 'streamEnd':
      case 'streamReset':
      case 'streamPause':
      case 'streamResume':
        this.#receivedOfStream(message.kind, message.id);
        return;
      case 'genesisBatch':
        this.#events.onGenesisBatch(message.batch, message.transactions);
        return;
      case 'forward':
        this.#events.onForward(message.id, message.identity, message.request);
        return;
      case 'forwardedReply':
        this.#events.onForwardedReply(message);
        return;
      case 'readBarrier':
        this.#events.onReadBarrier(message.id);
        return;
      case 'question':
        this.#events.onQuestion(message);
        return;
      case 'past':
        this.#events.onPast(message);
        return;
      case 'open':
        this.#events.onOpen(message);
        return;
      case 'external':
        this.#events.onExternal(message);
        return;
      case 'ready':
        this.#becameReady();
        return;
      case 'pong':
        this.#unansweredPings = 0;
        return;
      case 'programReply':
      case 'programState':
        this.#events.onProgram(message);
        return;
      case 'snapshotChunk':
      case 'snapshotRefused':
      case 'restoreRefused':
        this.#events.onSnapshot(message);
        return;
      case 'log':
        this.#events.onLog(message.line);
        return;
      case 'failed':
        throw gaveUp(message);
      case 'evidence':
        throw new ManagerError('WORKER_REFUSED', 'the worker sent evidence twice');
    }
  }

  #receivedOfStream(
    kind: 'streamEnd' | 'streamReset' | 'streamPause' | 'streamResume',
    id: number,
  ): void {
    const stream = this.#streams.get(id);
    if (kind === 'streamReset') this.#streams.delete(id);
    if (kind === 'streamEnd') stream?.onEnd();
    else if (kind === 'streamReset') stream?.onReset();
    else if (kind === 'streamPause') stream?.onPause();
    else stream?.onResume();
  }

  #attest(message: ChannelToManager, publicKey: Uint8Array): void {
    if (message.kind !== 'evidence') {
      throw new ManagerError('WORKER_REFUSED', 'the worker did not attest itself first');
    }
    this.#attestation.verify(message.bytes, publicKey);
    this.#trusted = true;
    this.#attested.resolve();
  }

  #closed(error: Error | undefined): void {
    const reason = error ?? new ManagerError('WORKER_REFUSED', 'the worker closed its channel');
    this.#attested.reject(reason);
    this.#events.onClose(error);
  }

  /** Closes the channel and stops listening. */
  stop(): void {
    this.#connection?.close();
    this.#server?.close();
  }
}

const gaveUp = ({ code, message }: { code: string; message: string }): ManagerError =>
  new ManagerError('WORKER_REFUSED', `it gave up: ${code}${message && `: ${message}`}`);

/** Messages a worker answers with `ready` once it has acted on them. */
const isAnsweredByReady = (message: ChannelToWorker): boolean =>
  message.kind === 'role' ||
  message.kind === 'rollback' ||
  message.kind === 'configure' ||
  (message.kind === 'genesis' && message.last) ||
  (message.kind === 'restore' && message.index === message.chunks - 1);
