import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { reportData } from '@concordat/attestation';
import { decodeChannelToWorker, encodeChannelToManager, FrameConnection } from '@concordat/bridge';
import { createSigningKey } from '@concordat/crypto';
import {
  type Doors,
  Launch,
  type ManagerWays,
  type WorkerAttestation,
  type WorkerEvents,
  WorkerLink,
} from '@concordat/manager-enclave';
import { toDigest, toEpoch } from '@concordat/std';
import { type Actor, identityOf, Worker } from '@concordat/worker-enclave';
import type { VirtualProcess } from '../platform/virtual-process.ts';
import type { WorldClock } from '../platform/world-clock.ts';
import { type NodeNetwork, SimulatedChannel } from './channel.ts';
import { createRegisterAdapter } from './register-adapter.ts';
import { streamPair } from './stream-pair.ts';

/** What the enclaves of one launch are given. */
export interface EnclaveOptions {
  readonly clock: WorldClock;
  readonly process: VirtualProcess;
  readonly machine: string;
  /** Node channel address. */
  readonly address: string;
  readonly network: NodeNetwork;
  /** The end of the control socket that is the enclave's. */
  readonly control: Duplex;
  /** Evidence of the machine's platform for a worker. */
  readonly workerEvidence: (reportData: Uint8Array) => Uint8Array;
  /** The manager ends this launch. */
  readonly onExit: () => void;
  /** Part of the product failed in a way it must not. */
  readonly onBug: (what: string, error: unknown) => void;
}

/** The manager and worker enclave of one launch: product code on simulated ways. */
export class Enclave {
  readonly process: VirtualProcess;
  readonly launch: Launch;
  worker: Worker | undefined;
  channel: SimulatedChannel | undefined;
  /** Where receipts are asked for, once it serves. */
  receipts: Parameters<Doors['open']>[2]['receipts'] | undefined;
  /** Whether it takes requests of clients. */
  serving = false;
  readonly #options: EnclaveOptions;
  #link: WorkerLink | undefined;

  constructor(options: EnclaveOptions) {
    this.#options = options;
    this.process = options.process;
    this.launch = new Launch({
      connect: (connection) => new FrameConnection(options.control, connection),
      bridgeDirectory: '/bridge',
      ways: this.#ways,
      exit: options.onExit,
      onShutdown: () => {
        this.launch.manager?.shutdown().then(options.onExit, options.onExit);
      },
      onClose: options.onExit,
    });
    this.launch.run().catch((error: unknown) => options.onBug('a launch', error));
  }

  get #ways(): ManagerWays {
    const { machine, process, address, network } = this.#options;
    return {
      channel: (options) => {
        this.channel = new SimulatedChannel({ machine, process, address }, network, options);
        return this.channel;
      },
      worker: (index, attestation, events) => {
        this.#link = new SimulatedWorkerLink(this, { index, attestation, events });
        return this.#link;
      },
      doors: ({ feed }) => ({
        open: async (_directory, _credentials, { receipts }) => {
          this.receipts = receipts;
          for (const link of feed.links) link.send({ kind: 'start' });
          this.serving = true;
        },
        close: () => {
          this.serving = false;
        },
        notify: () => undefined,
        constitutionChanged: () => undefined,
      }),
    };
  }

  /** Starts the worker at its end of the channel. */
  startWorker(socket: Duplex): { readonly publicKey: Uint8Array } {
    const key = createSigningKey(randomBytes(32));
    const { workerEvidence, onBug, process } = this.#options;
    const worker: Worker = new Worker({
      adapters: [createRegisterAdapter()],
      send: (message) => connection.send(encodeChannelToManager(message)),
      wallMs: () => Date.now(),
      nowMs: () => performance.now(),
      random: (bytes) => randomBytes(bytes),
      log: () => undefined,
    });
    const connection: FrameConnection = new FrameConnection(socket, {
      onFrame: (frame) => {
        const message = decodeChannelToWorker(frame);
        if (message.kind !== 'evidence') worker.receive(message);
      },
      onDrain: () => worker.drained(),
      onClose: (error) => {
        if (error && process.alive) onBug('a worker', error);
        worker.close();
      },
    });
    this.worker = worker;
    const evidence = workerEvidence(
      reportData({
        domain: 'worker',
        networkId: '0'.repeat(64),
        publicKeySpki: key.publicKeySpki,
        ledgerRoot: toDigest(new Uint8Array(32)),
        epoch: toEpoch(0),
      }),
    );
    connection.send(encodeChannelToManager({ kind: 'evidence', bytes: evidence }));
    return { publicKey: key.publicKeySpki };
  }

  /** Connects the manager to the worker. */
  connectWorker(attach: (socket: Duplex, publicKey: Uint8Array) => void): void {
    const { clock, process } = this.#options;
    const end = { process, delayMs: () => 0 };
    const [manager, worker] = streamPair(clock, end, end);
    const { publicKey } = this.startWorker(worker);
    attach(manager, publicKey);
  }

  /** An actor has a connection to this node, for long enough to send one request. */
  visit(actor: Actor): void {
    const nothing = (): void => undefined;
    const stream = this.#link?.openStream(identityOf(actor), {
      onData: nothing,
      onEnd: nothing,
      onReset: nothing,
      onPause: nothing,
      onResume: nothing,
      onDrain: nothing,
    });
    stream?.close();
  }
}

/** The real link to a worker, over a connection within the process. */
class SimulatedWorkerLink extends WorkerLink {
  readonly #enclave: Enclave;

  constructor(
    enclave: Enclave,
    parts: {
      readonly index: number;
      readonly attestation: WorkerAttestation;
      readonly events: WorkerEvents;
    },
  ) {
    super(parts.index, parts.attestation, parts.events);
    this.#enclave = enclave;
  }

  override async connect(): Promise<void> {
    this.#enclave.connectWorker((socket, publicKey) => this.attach(socket, publicKey));
    await this.attested;
  }
}
