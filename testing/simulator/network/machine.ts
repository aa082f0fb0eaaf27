import { type ControlToEnclave, encodeStart } from '@concordat/bridge';
import {
  closeStores,
  type HostError,
  type LedgerStore,
  Log,
  ManagerSession,
  openStores,
  RecordStore,
  VirtualPlatform,
} from '@concordat/host';
import type { NodeId } from '@concordat/std';
import { type FileSystem, type MountedDisk, mountRoot } from '../disk/file-system.ts';
import { SimulatedDisk } from '../disk/simulated-disk.ts';
import type { CrashKind } from '../disk/simulated-file.ts';
import { VirtualProcess } from '../platform/virtual-process.ts';
import type { WorldClock } from '../platform/world-clock.ts';
import type { Random } from '../random.ts';
import type { NodeNetwork } from './channel.ts';
import { Enclave } from './enclave.ts';
import { managerCode, workerCode } from './founding.ts';
import type { Organisation } from './organisation.ts';
import { streamPair } from './stream-pair.ts';

/** How a machine's node is to begin, as its operator configured it. */
export interface MachineConfig {
  readonly mode: 'genesis' | 'join';
  /** Genesis constitution. */
  readonly genesis?: unknown;
  readonly peers: readonly string[];
  readonly networkCertificatePem?: string;
}

/** What a machine tells those who watch the world. */
export interface MachineEvents {
  /** A log line of the host or an enclave. */
  readonly onLog: (machine: Machine, line: LogLine) => void;
  /** What the node says of itself. */
  readonly onStatus: (machine: Machine, status: Record<string, unknown>) => void;
  /** Bytes on the socket between host and manager, either way. */
  readonly onBridge: (machine: Machine, to: 'host' | 'enclave', bytes: Buffer) => void;
  /** Product code failed in a way it must not. */
  readonly onBug: (machine: Machine, what: string, error: unknown) => void;
}

/** One line of a log. */
export interface LogLine {
  readonly event: string;
  readonly level: string;
  readonly [field: string]: unknown;
}

/** What a machine is made of. */
export interface MachineParts {
  readonly name: string;
  readonly owner: Organisation;
  readonly clock: WorldClock;
  readonly random: Random;
  readonly files: FileSystem;
  readonly mounted: Omit<MountedDisk, 'disk'>;
  readonly network: NodeNetwork;
  readonly events: MachineEvents;
  readonly tickMs: number;
  /** Size at which a chunk of the ledger is complete, bytes. */
  readonly chunkBytes: number;
  /** PEM of the platform's key. */
  readonly platformKeyPem: string;
}

const bridgeDelayMs = 0.3;
/** An enclave that gives up has this long for its last words. */
const lastWordsMs = 50;
const firstRestartMs = 200;
const maxRestartMs = 2_000;

/** One machine: a disk that stays, and a host whose enclaves come and go. */
export class Machine {
  readonly name: string;
  readonly owner: Organisation;
  readonly address: string;
  readonly disk = new SimulatedDisk();
  config: MachineConfig;
  /** Clock error of every process that runs here. */
  readonly clockError = { rate: 1, offsetMs: 0 };
  /** The launch that runs, if any. */
  enclave: Enclave | undefined;
  /** What the node said of itself last. */
  status: Record<string, unknown> = {};
  /** Identity of its newest launch. */
  nodeId: NodeId | undefined;
  /** Whether its node can come back under its identity: false once that is given up or tampered with. */
  isIntact = true;
  /** Whether somebody tampered with its disk, or the disk has failed. */
  suspect = false;
  /** Its disk was spoiled since it was set up: a file that is seldom read may show it much later. */
  isSpoiled = false;
  /** Whether it was taken out of the network for good. */
  isGone = false;
  /** Launches that failed one after the other, and why the last one did. */
  failures = { count: 0, code: '' };
  readonly #parts: MachineParts;
  #host: VirtualProcess | undefined;
  #boots = 0;
  #launches = 0;
  #endEnclave: (() => void) | undefined;
  #generationNow: { readonly session: ManagerSession; readonly ledger: LedgerStore } | undefined;

  constructor(parts: MachineParts, config: MachineConfig) {
    this.#parts = parts;
    this.name = parts.name;
    this.owner = parts.owner;
    this.address = `${parts.name}:1`;
    this.config = config;
    parts.files.mount(parts.name, { ...parts.mounted, disk: this.disk });
    this.#makePlatform();
  }

  /** Directory of everything its disk holds. */
  get directory(): string {
    return `${mountRoot}/${this.name}`;
  }

  /** Directory of what its node keeps. */
  get dataDirectory(): string {
    return `${this.directory}/data`;
  }

  /** Launches of the enclaves so far. */
  get launches(): number {
    return this.#launches;
  }

  /** Whether it has power. */
  get isUp(): boolean {
    return this.#host?.alive === true;
  }

  /** The host's process, if it runs. */
  get host(): VirtualProcess | undefined {
    return this.#host;
  }

  #makePlatform(): void {
    this.disk.makeDirectory(this.directory);
    const file = this.disk.create(`${this.directory}/platform-key.pem`);
    file?.tamper(Buffer.from(this.#parts.platformKeyPem));
    this.disk.beginSync(this.directory)();
  }

  /** Switches it on, unless it is. */
  boot(): void {
    if (this.isUp) return;
    this.#boots += 1;
    const host = new VirtualProcess(`${this.name}.host${this.#boots}`);
    Object.assign(host.clock, this.clockError);
    this.#host = host;
    this.#parts.clock.after(0, host, () => {
      this.#supervise(host).catch((error: unknown) => {
        this.#parts.events.onBug(this, 'a host', error);
      });
    });
  }

  /** The power fails: what was not synced is treated as the kind says. */
  crash(kindOf: () => CrashKind): void {
    this.#host?.kill();
    this.#generationNow = undefined;
    this.killEnclave();
    this.#host = undefined;
    this.disk.crash(this.#parts.random, kindOf);
  }

  /** Ends the enclaves as `kill -9` does; the host starts others. */
  killEnclave(): void {
    const { enclave } = this;
    if (!enclave) return;
    this.enclave = undefined;
    enclave.process.kill();
    const { channel } = enclave;
    const { listeners, wire } = this.#parts.network;
    if (listeners.get(this.address) === channel) listeners.delete(this.address);
    for (const session of channel?.sessions ?? []) {
      const { far } = session;
      if (far) wire.broken(far.place, () => far.ended(undefined));
    }
    this.#endEnclave?.();
    this.#endEnclave = undefined;
  }

  /** Says that all blocks taken are durable, whether they are or not. */
  claimSynced(): void {
    const { session, ledger } = this.#generationNow ?? {};
    if (ledger && ledger.lastHeight > 0)
      session?.send({ kind: 'synced', height: ledger.lastHeight });
  }

  /** Sends the enclave a frame that makes no sense; answers which, unless there is no enclave. */
  sayNonsense(random: Random): string | undefined {
    const { session } = this.#generationNow ?? {};
    if (!session || !this.enclave) return undefined;
    const request = random.between(1, 1_000);
    const nonsense: ControlToEnclave[] = [
      { kind: 'synced', height: random.between(1_000_000, 2_000_000) },
      { kind: 'truncated', after: random.between(0, 1_000) },
      { kind: 'entries', request, last: true, blocks: [Buffer.alloc(random.between(0, 300))] },
      { kind: 'record', request, bytes: Buffer.alloc(40) },
      { kind: 'done', request },
      { kind: 'start', json: Buffer.from('{}') },
      { kind: 'genesisData', adapterId: 'registers', last: true, part: Buffer.alloc(3) },
      { kind: 'earlierSynced', height: random.between(1, 1_000) },
    ];
    const message = random.pick(nonsense);
    session.send(message);
    return message.kind;
  }

  /** Asks the node to end in good order; answers whether it was running. */
  shutdown(): boolean {
    const { manager } = this.enclave?.launch ?? {};
    const { enclave } = this;
    if (!manager || !enclave) return false;
    this.#parts.clock.after(0, enclave.process, () => {
      manager.shutdown().then(
        () => this.switchOff(),
        (error: unknown) => this.#parts.events.onBug(this, 'a shutdown', error),
      );
    });
    return true;
  }

  /** Switches it off in good order: all that was written is synced. */
  switchOff(): void {
    this.crash(() => 'kept');
  }

  /** Launches the enclaves, and launches them anew whenever they have ended. */
  async #supervise(host: VirtualProcess): Promise<void> {
    const platform = await VirtualPlatform.open(`${this.directory}/platform-key.pem`);
    const records = await RecordStore.open(`${this.dataDirectory}/records`);
    let delayMs = firstRestartMs;
    for (let restarts = 0; host.alive; restarts++) {
      const before = performance.now();
      try {
        await this.#generation(host, { platform, records, restarts });
      } catch (error) {
        const { code, message } = error as HostError;
        if (typeof code !== 'string') throw error;
        this.failed(code);
        this.#log({ event: 'enclaves.launch-failed', level: 'error', code, message });
      }
      if (performance.now() - before > 10_000) delayMs = firstRestartMs;
      await pause(delayMs);
      delayMs = Math.min(delayMs * 2, maxRestartMs);
    }
  }

  /** A launch failed for a reason. */
  failed(code: string): void {
    this.failures = { code, count: this.failures.code === code ? this.failures.count + 1 : 1 };
  }

  #log(line: LogLine): void {
    this.#parts.events.onLog(this, line);
  }

  /** One launch, from opening the ledger to its end. */
  async #generation(
    host: VirtualProcess,
    parts: {
      readonly platform: VirtualPlatform;
      readonly records: RecordStore;
      readonly restarts: number;
    },
  ): Promise<void> {
    const { clock, chunkBytes, events } = this.#parts;
    const log = new Log(this.name, (text) => this.#log(JSON.parse(text) as LogLine));
    let session: ManagerSession | undefined;
    const config = { dataDirectory: this.dataDirectory, ledger: { chunkBytes } };
    const stores = await openStores(config, log, {
      onSynced: (height) => session?.send({ kind: 'synced', height }),
      onEarlierSynced: (height) => session?.send({ kind: 'earlierSynced', height }),
      onTruncated: (after) => session?.send({ kind: 'truncated', after }),
      onFault: (fault) => session?.fault(fault),
      onDrain: () => session?.resume(),
    });
    const ended = new Promise<void>((resolve) => {
      this.#endEnclave = () => {
        clock.after(bridgeDelayMs, host, resolve);
      };
    });
    const process = new VirtualProcess(`${this.name}.enclave${++this.#launches}`);
    Object.assign(process.clock, this.clockError);
    const [hostEnd, enclaveEnd] = streamPair(
      clock,
      {
        process: host,
        delayMs: () => bridgeDelayMs,
        onBytes: (bytes) => events.onBridge(this, 'host', bytes),
      },
      {
        process,
        delayMs: () => bridgeDelayMs,
        onBytes: (bytes) => events.onBridge(this, 'enclave', bytes),
      },
    );
    const { platform, records, restarts } = parts;
    session = new ManagerSession(hostEnd, {
      ...stores,
      records,
      source: 'manager',
      measurement: managerCode,
      platform,
      log,
      onStatus: (_source, status) => {
        this.status = status as Record<string, unknown>;
        events.onStatus(this, this.status);
      },
      onClose: () => undefined,
      onListening: () => undefined,
    });
    clock.after(0, process, () => {
      this.enclave = new Enclave({
        clock,
        process,
        machine: this.name,
        address: this.address,
        network: this.#parts.network,
        control: enclaveEnd,
        workerEvidence: (data) => platform.evidence(workerCode, data),
        onExit: () => setTimeout(() => this.killEnclave(), lastWordsMs),
        onBug: (what, error) => events.onBug(this, what, error),
      });
    });
    const { ledger, snapshots } = stores;
    this.#generationNow = { session, ledger };
    session.send({ kind: 'start', json: this.#start(restarts, { ledger, snapshots }) });
    await ended;
    this.#generationNow = undefined;
    session.close();
    await closeStores(stores);
  }

  #start(restarts: number, { ledger, snapshots }: StartStores): Uint8Array {
    const { mode, genesis, peers, networkCertificatePem } = this.config;
    return encodeStart({
      role: 'manager',
      mode: ledger.lastHeight > 0 ? 'resume' : mode,
      node: { name: this.name, actorCertificatePem: this.owner.certificatePem },
      addresses: {
        node: this.address,
        admin: `${this.name}:2`,
        applications: [`${this.name}:3`],
      },
      ...(mode === 'genesis' && ledger.lastHeight === 0 && { genesis }),
      peers,
      ...(networkCertificatePem !== undefined && { networkCertificatePem }),
      approval: { any: true },
      lastHeight: ledger.lastHeight,
      firstHeight: ledger.firstHeight,
      missing: ledger.missing,
      snapshots: snapshots.finished,
      tickMs: this.#parts.tickMs,
      workers: [{ index: 1, adapters: ['registers'] }],
      genesisData: [],
      restarts,
    });
  }
}

type StartStores = Pick<Awaited<ReturnType<typeof openStores>>, 'ledger' | 'snapshots'>;

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
