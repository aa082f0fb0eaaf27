import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { chmod, chown, readFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import {
  applicationListener,
  controlSocket,
  dialSocket,
  encodeStart,
  listenerSocket,
  rejoinExitStatus,
  type StartApproval,
  workerControlSocket,
} from '@concordat/bridge';
import { CodedError } from '@concordat/std';
import { clearSockets } from './bridge-directory.ts';
import type { HostConfig } from './config.ts';
import { ControlSession, type ControlSessionOptions } from './control-session.ts';
import { Dialer } from './dialer.ts';
import { EnclaveProcess } from './enclave-process.ts';
import { HostError } from './errors.ts';
import { Forwarder } from './forwarder.ts';
import { closeStores, type LaunchStores, openStores } from './launch-stores.ts';
import type { Log } from './log.ts';
import { ManagerSession } from './manager-session.ts';
import { type MeasuredImage, measureImage } from './measurement.ts';
import { decisionFileName, OperatorDecision } from './operator-decision.ts';
import type { RecordStore } from './record-store.ts';
import type { Sandbox } from './sandbox.ts';
import type { VirtualPlatform } from './virtual-platform.ts';

/** What stays the same from one launch of the enclaves to the next. */
export interface GenerationContext {
  readonly config: HostConfig;
  readonly log: Log;
  readonly platform: VirtualPlatform;
  readonly records: RecordStore;
  readonly sandbox: Sandbox;
  readonly runtime: string;
  /** Launches before this one. */
  readonly restarts: number;
  readonly onStatus: (source: string, status: unknown) => void;
  /** The operator refuses the constitution with these terms: the node is not to go on. */
  readonly onRefused: (terms: string) => void;
}

/** Why a launch of the enclaves ended. */
export interface GenerationEnd {
  readonly reason: string;
  readonly source?: string;
  /** Its manager gave its identity up in order to join as a new node: no failure. */
  readonly rejoins?: boolean;
  readonly details?: Readonly<Record<string, unknown>>;
}

const connectTimeoutMs = 30_000;
const relistenMs = 1000;
/** Anybody may ask there for evidence, which is slow to make. */
const maxAdminConnectionsPerAddress = 256;

/**
 * One launch of a validating node's enclaves, from fresh processes to the end of any one of them.
 * Everything in it is made anew and torn down together.
 */
export class Generation {
  /** Settles when an enclave has ended or broken the protocol, or after {@link shutdown}. */
  readonly ended: Promise<GenerationEnd>;
  readonly #context: GenerationContext;
  #end!: (end: GenerationEnd) => void;
  #over = false;
  #closed = false;
  #stores: LaunchStores | undefined;
  #manager: ManagerSession | undefined;
  readonly #workers = new Map<number, ControlSession>();
  readonly #processes: EnclaveProcess[] = [];
  readonly #servers: Server[] = [];
  readonly #forwarders = new Map<string, Forwarder>();
  readonly #imageAdapters: (readonly string[])[] = [];
  readonly #announced = new Set<string>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #dialer: Dialer | undefined;
  readonly #decision: OperatorDecision;

  constructor(context: GenerationContext) {
    this.#context = context;
    const { config, log, onRefused } = context;
    this.#decision = new OperatorDecision(join(config.dataDirectory, decisionFileName), log, {
      onApproved: (terms) => {
        this.#manager?.send({ kind: 'approve', terms: Buffer.from(terms, 'hex') });
      },
      onRefused,
    });
    this.ended = new Promise((resolve) => {
      this.#end = (end) => {
        if (this.#over) return;
        this.#over = true;
        resolve(end);
      };
    });
  }

  /**
   * Opens the ledger, measures the images, opens the sockets and launches the enclaves.
   * @throws HostError when any of it is impossible; call {@link close} then, too
   */
  async start(): Promise<void> {
    const { config, log, runtime } = this.#context;
    await clearSockets(config.bridgeDirectory);
    this.#stores = await this.#openStores();
    const manager = await measureImage(config.manager.image, runtime);
    checkRole(manager, 'manager');
    const workers: MeasuredImage[] = [];
    for (const { image } of config.workers) {
      const measured = await measureImage(image, runtime);
      checkRole(measured, 'worker');
      workers.push(measured);
    }
    await this.#openSockets(manager, workers);
    this.#launch('manager', manager, config.manager.heapMebibytes);
    workers.forEach((image, at) => {
      this.#launch(`worker-${at + 1}`, image, config.workers[at]!.heapMebibytes, at + 1);
    });
    this.#after(connectTimeoutMs, () => {
      if (this.#manager && this.#workers.size === workers.length) return;
      this.#end({ reason: 'an enclave did not connect', details: { connectTimeoutMs } });
    });
    log.info('enclaves.launched', { restarts: this.#context.restarts });
  }

  /** Asks the enclaves to end, manager first, and waits for at most `timeoutMs`. */
  async shutdown(timeoutMs: number): Promise<void> {
    this.#end({ reason: 'shutdown' });
    for (const forwarder of this.#forwarders.values()) forwarder.stopAccepting();
    this.#manager?.shutdown();
    const [manager, ...workers] = this.#processes.map(({ exited }) => exited);
    const late = new Promise((resolve) => this.#after(timeoutMs, () => resolve('late')));
    await Promise.race([manager, late]);
    for (const session of this.#workers.values()) session.shutdown();
    await Promise.race([Promise.all(workers), late]);
  }

  /** Ends every process and closes everything this launch opened. */
  async close(): Promise<void> {
    this.#end({ reason: 'closed' });
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#decision.close();
    for (const process of this.#processes) process.kill();
    await Promise.all(this.#processes.map(({ exited }) => exited));
    for (const forwarder of this.#forwarders.values()) forwarder.close();
    this.#dialer?.close();
    for (const server of this.#servers) server.close();
    for (const session of [this.#manager, ...this.#workers.values()]) session?.close();
    if (this.#stores) await closeStores(this.#stores);
  }

  #openStores(): Promise<LaunchStores> {
    const { config, log } = this.#context;
    return openStores(config, log, {
      onSynced: (height) => this.#manager?.send({ kind: 'synced', height }),
      onEarlierSynced: (height) => this.#manager?.send({ kind: 'earlierSynced', height }),
      onTruncated: (after) => {
        log.info('ledger.truncated', { after });
        this.#manager?.send({ kind: 'truncated', after });
      },
      onFault: (fault) => {
        if (this.#manager) this.#manager.fault(fault);
        else log.error('host.fault', { code: fault.code, message: fault.message });
      },
      onDrain: () => this.#manager?.resume(),
    });
  }

  async #openSockets(manager: MeasuredImage, workers: readonly MeasuredImage[]): Promise<void> {
    const { config, sandbox } = this.#context;
    const directory = config.bridgeDirectory;
    await this.#listenControl(controlSocket(directory), 0, (socket) => {
      if (this.#manager) return socket.destroy();
      this.#manager = this.#managerSession(socket, manager);
      void this.#sendStart(this.#manager);
      return undefined;
    });
    for (const [at, image] of workers.entries()) {
      const index = at + 1;
      await this.#listenControl(workerControlSocket(directory, index), index, (socket) => {
        if (this.#workers.has(index)) return socket.destroy();
        const options = this.#sessionOptions(`worker-${index}`, image.measurement);
        const session = new ControlSession(socket, options);
        this.#workers.set(index, session);
        const worker = config.workers[at]!;
        const json = encodeStart({
          role: 'worker',
          index,
          adapters: worker.adapters ?? image.adapters ?? [],
          limits: {
            maxConnections: config.limits.maxConnections,
            maxRequestBytes: worker.maxRequestBytes,
            maxPendingRequests: worker.maxPendingRequests,
            ...(worker.preparingThreads !== undefined && {
              preparingThreads: worker.preparingThreads,
            }),
          },
        });
        session.send({ kind: 'start', json });
        return undefined;
      });
    }
    this.#dialer = await Dialer.open({ path: dialSocket(directory), ...config.limits });
    if (sandbox.separateUsers) await this.#ownSocket(dialSocket(directory), 0);
  }

  /** Listens on a control socket that only the enclave's user may connect to. */
  async #listenControl(
    path: string,
    worker: number,
    onConnection: (socket: Socket) => void,
  ): Promise<void> {
    const server = createServer(onConnection);
    this.#servers.push(server);
    server.listen(path);
    await once(server, 'listening');
    await this.#ownSocket(path, worker);
  }

  async #ownSocket(path: string, worker: number): Promise<void> {
    const { config, sandbox } = this.#context;
    await chmod(path, 0o600);
    if (sandbox.separateUsers) await chown(path, config.firstUid + worker, config.firstUid);
  }

  #sessionOptions(source: string, measurement: string): ControlSessionOptions {
    const { platform, log, onStatus } = this.#context;
    return {
      source,
      measurement,
      platform,
      log,
      onStatus,
      onClose: (from, error) => {
        const details = error ? { message: error.message, ...codeOf(error) } : {};
        // An enclave that ends closes its socket first: give its exit the time to be the reason.
        this.#after(error instanceof CodedError ? 0 : 500, () => {
          this.#end({ reason: 'a control connection closed', source: from, details });
        });
      },
    };
  }

  #managerSession(socket: Socket, image: MeasuredImage): ManagerSession {
    const options = this.#sessionOptions('manager', image.measurement);
    return new ManagerSession(socket, {
      ...options,
      onStatus: (source, status) => {
        options.onStatus(source, status);
        if (!this.#over) this.#decision.statusIs(status);
      },
      ...this.#stores!,
      records: this.#context.records,
      onListening: (which) => {
        if (this.#announced.has(which)) return;
        this.#announced.add(which);
        void this.#openListener(which);
      },
    });
  }

  async #sendStart(session: ManagerSession): Promise<void> {
    const { config, restarts } = this.#context;
    const { ledger, snapshots, former } = this.#stores!;
    try {
      const mode = ledger.lastHeight > 0 ? 'resume' : config.mode;
      const text = async (path: string | undefined) =>
        path === undefined ? undefined : await readFile(path, 'utf8');
      const [genesis, actorCertificatePem, networkCertificatePem, approved] = await Promise.all([
        text(mode === 'genesis' ? config.genesisFile : undefined),
        text(config.actorCertificateFile),
        text(config.networkCertificateFile),
        text(config.approvedConstitutionFile),
      ]);
      const genesisData = mode === 'genesis' ? Object.keys(config.genesisData) : [];
      const json = encodeStart({
        role: 'manager',
        mode,
        node: { name: config.name, ...(actorCertificatePem && { actorCertificatePem }) },
        addresses: {
          ...config.advertise,
          applications: config.workers.map(({ advertise }) => advertise),
        },
        ...(genesis !== undefined && { genesis: JSON.parse(genesis) }),
        peers: config.peers,
        ...(networkCertificatePem !== undefined && { networkCertificatePem }),
        approval: approvalOf(config, approved),
        lastHeight: ledger.lastHeight,
        firstHeight: ledger.firstHeight,
        missing: ledger.missing,
        ...(former && { former: { lastHeight: former.lastHeight } }),
        snapshots: snapshots.finished,
        tickMs: config.tickMs,
        workers: config.workers.map(({ adapters }, at) => ({
          index: at + 1,
          adapters: adapters ?? this.#imageAdapters[at]!,
        })),
        genesisData,
        restarts,
      });
      session.send({ kind: 'start', json });
      for (const adapterId of genesisData) await this.#sendGenesisData(session, adapterId);
    } catch (error) {
      const message = (error as Error).message;
      this.#end({ reason: 'the manager could not be started', details: { message } });
    }
  }

  async #sendGenesisData(session: ManagerSession, adapterId: string): Promise<void> {
    const path = this.#context.config.genesisData[adapterId] as string;
    for await (const part of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
      await session.sendPaced({ kind: 'genesisData', adapterId, last: false, part });
    }
    await session.sendPaced({ kind: 'genesisData', adapterId, last: true, part: Buffer.alloc(0) });
  }

  #launch(source: string, image: MeasuredImage, heapMebibytes?: number, worker?: number): void {
    const { config, log, runtime, sandbox } = this.#context;
    if (worker !== undefined) this.#imageAdapters[worker - 1] = image.adapters ?? [];
    const process = EnclaveProcess.launch({
      source,
      image,
      runtime,
      bridgeDirectory: config.bridgeDirectory,
      ...(worker === undefined ? {} : { worker }),
      ...(heapMebibytes === undefined ? {} : { heapMebibytes }),
      sandbox,
      uid: config.firstUid + (worker ?? 0),
      gid: config.firstUid,
      onLine: (stream, line) => log.info('enclave.output', { source, stream, line }),
    });
    this.#processes.push(process);
    void process.enclavePid.then((pid) => {
      log.info('enclave.launched', { source, pid, measurement: image.measurement });
    });
    void process.exited.then(({ exitCode, signal }) => {
      const details = { exitCode, signal };
      const rejoins = worker === undefined && exitCode === rejoinExitStatus;
      const reason = rejoins ? 'the node rejoins under a new identity' : 'an enclave ended';
      this.#end({ reason, source, rejoins, details });
    });
  }

  async #openListener(which: string): Promise<void> {
    const { config, log } = this.#context;
    const address = this.#addressOf(which);
    if (this.#over) return;
    if (address === undefined) {
      log.warn('listener.not-configured', { which });
      return;
    }
    try {
      const forwarder = await Forwarder.open({
        address,
        path: listenerSocket(config.bridgeDirectory, which),
        ...config.limits,
        maxConnectionsPerAddress: mostOfOneAddress(which, config.limits),
      });
      if (this.#over) return forwarder.close();
      this.#forwarders.set(which, forwarder);
      log.info('listener.open', { which, address: forwarder.address });
    } catch (error) {
      const { code, message } = error as HostError;
      log.error('listener.failed', { which, code, message, retryMs: relistenMs });
      this.#after(relistenMs, () => void this.#openListener(which));
    }
  }

  #addressOf(which: string): string | undefined {
    const { listen, workers } = this.#context.config;
    if (which === 'node' || which === 'admin') return listen[which];
    return workers.find((_, at) => applicationListener(at + 1) === which)?.listen;
  }

  #after(delayMs: number, act: () => void): void {
    if (this.#closed) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, delayMs);
    this.#timers.add(timer);
  }
}

function checkRole(image: MeasuredImage, role: MeasuredImage['role']): void {
  if (image.role === role) return;
  throw new HostError('INVALID_IMAGE', `${image.directory} is not an image of a ${role}`);
}

const codeOf = (error: Error): { readonly code?: unknown } =>
  'code' in error ? { code: error.code } : {};

/** What the operator approved beforehand. */
function approvalOf({ approve }: HostConfig, constitution: string | undefined): StartApproval {
  if (constitution !== undefined) return { constitution: JSON.parse(constitution) };
  if (approve === 'any') return { any: true };
  return approve === 'ask' ? {} : { terms: approve };
}

/** Connections of one address at a listener; nodes and those before many of them are few. */
function mostOfOneAddress(
  which: string,
  { maxConnectionsPerAddress }: HostConfig['limits'],
): number | undefined {
  if (which === 'admin') return maxAdminConnectionsPerAddress;
  return which === 'node' ? undefined : maxConnectionsPerAddress;
}
