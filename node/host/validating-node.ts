import { mkdir, realpath } from 'node:fs/promises';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  giveBridgeDirectory,
  prepareBridgeDirectory,
  takeBridgeDirectory,
} from './bridge-directory.ts';
import type { HostConfig } from './config.ts';
import { lockDirectory } from './directory-lock.ts';
import { HostError } from './errors.ts';
import { settlePort } from './forwarder.ts';
import { Generation, type GenerationContext, type GenerationEnd } from './generation.ts';
import type { Log } from './log.ts';
import { RecordStore } from './record-store.ts';
import { probeSandbox, type Sandbox } from './sandbox.ts';
import { StatusFile } from './status-file.ts';
import { VirtualPlatform } from './virtual-platform.ts';

/**
 * Runs one validating node: launches its enclaves, and launches all of them anew, after a growing
 * delay, whenever one has ended.
 */
export class ValidatingNode {
  readonly #context: Omit<GenerationContext, 'restarts'>;
  readonly #lock: Server | undefined;
  readonly #status: StatusFile;
  readonly #stop = new AbortController();
  #generation: Generation | undefined;
  #supervision: Promise<void> = Promise.resolve();
  readonly #refused = Promise.withResolvers<HostError>();

  private constructor(
    context: Omit<GenerationContext, 'restarts' | 'onStatus' | 'onRefused'>,
    lock: Server | undefined,
  ) {
    const { config, log } = context;
    this.#lock = lock;
    this.#status = new StatusFile(join(config.dataDirectory, 'status.json'), log);
    this.#context = {
      ...context,
      onStatus: (source, status) => this.#status.put(source, status),
      onRefused: (terms) => {
        const why = 'its operator does not approve the constitution of the network';
        this.#refused.resolve(new HostError('CONSTITUTION_REFUSED', why, { terms }));
      },
    };
  }

  /**
   * Prepares directories, platform and sandbox and launches the enclaves a first time.
   * @throws HostError when this node cannot run as configured
   */
  static async start(given: HostConfig, log: Log): Promise<ValidatingNode> {
    await mkdir(given.dataDirectory, { recursive: true, mode: 0o700 });
    const lock = await lockDirectory(given.dataDirectory);
    try {
      const config = await settlePorts(given);
      await prepareBridgeDirectory(config.bridgeDirectory);
      const platform = await VirtualPlatform.open(config.platformKeyFile);
      const records = await RecordStore.open(join(config.dataDirectory, 'records'));
      const runtime = await realpath(process.execPath);
      const sandbox = await chooseSandbox(config, runtime, log);
      log.info('host.started', { pid: process.pid, platformKey: platform.platformKey });
      const context = { config, log, platform, records, sandbox, runtime };
      const node = new ValidatingNode(context, lock);
      await node.#launch(0);
      node.#supervision = node.#supervise();
      return node;
    } catch (error) {
      lock?.close();
      throw error;
    }
  }

  /** Resolves when the operator refuses the network: this node is to be stopped then. */
  get refused(): Promise<HostError> {
    return this.#refused.promise;
  }

  /** Ends the enclaves in order, then everything else. Safe to call more than once. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#supervision;
  }

  async #launch(restarts: number): Promise<void> {
    const generation = new Generation({ ...this.#context, restarts });
    try {
      await generation.start();
      this.#generation = generation;
    } catch (error) {
      await generation.close();
      throw error;
    }
  }

  async #supervise(): Promise<void> {
    const { log, config } = this.#context;
    const { firstDelayMs, maxDelayMs, stableMs } = config.restart;
    const signal = this.#stop.signal;
    let delayMs = firstDelayMs;
    for (let restarts = 1; ; restarts++) {
      const launchedMs = performance.now();
      const end = await this.#seeOut();
      if (signal.aborted) break;
      if (performance.now() - launchedMs >= stableMs) delayMs = firstDelayMs;
      // A rejoin is no failure: it neither waits for those before it nor counts among them.
      const waitMs = end?.rejoins ? firstDelayMs : delayMs;
      log.info('enclaves.restarting', { delayMs: waitMs, restarts });
      await sleep(waitMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) break;
      if (!end?.rejoins) delayMs = Math.min(delayMs * 2, maxDelayMs);
      await this.#launch(restarts).catch(({ code, message }: HostError) => {
        log.error('enclaves.launch-failed', { code, message });
      });
    }
    await this.#context.records.close();
    await this.#status.close();
    this.#lock?.close();
    log.info('host.stopped');
  }

  /** Waits until the launch under way ends or the node is stopped, and tears it down. */
  async #seeOut(): Promise<GenerationEnd | undefined> {
    const { log, config } = this.#context;
    const { signal } = this.#stop;
    const generation = this.#generation;
    this.#generation = undefined;
    if (!generation) return undefined;
    const aborted = new Promise<undefined>((resolve) => {
      if (signal.aborted) resolve(undefined);
      signal.addEventListener('abort', () => resolve(undefined), { once: true });
    });
    const end = await Promise.race([aborted, generation.ended]);
    if (signal.aborted) {
      log.info('host.stopping');
      await generation.shutdown(config.restart.shutdownTimeoutMs);
    } else if (end) {
      const { reason, source, rejoins, details } = end;
      log[rejoins ? 'info' : 'error']('enclaves.ended', { reason, source, ...details });
    }
    await generation.close();
    return end;
  }
}

/** Gives listeners with port 0 a port, so that restarts keep it and others can be told. */
async function settlePorts(config: HostConfig): Promise<HostConfig> {
  const settle = async (listen: string, advertise: string) => {
    const settled = await settlePort(listen);
    return { listen: settled, advertise: advertise === listen ? settled : advertise };
  };
  const node = await settle(config.listen.node, config.advertise.node);
  const admin = await settle(config.listen.admin, config.advertise.admin);
  const workers = [];
  for (const worker of config.workers) {
    workers.push({ ...worker, ...(await settle(worker.listen, worker.advertise)) });
  }
  return {
    ...config,
    listen: { node: node.listen, admin: admin.listen },
    advertise: { node: node.advertise, admin: admin.advertise },
    workers,
  };
}

/** Finds the best confinement that works here and says so when it is not the full one. */
async function chooseSandbox(config: HostConfig, runtime: string, log: Log): Promise<Sandbox> {
  const { bridgeDirectory, firstUid } = config;
  const owner = { uid: firstUid, gid: firstUid };
  const isRoot = process.getuid?.() === 0;
  if (isRoot) await giveBridgeDirectory(bridgeDirectory, owner);
  const paths = { runtime, image: config.manager.image, bridge: bridgeDirectory };
  const sandbox = await probeSandbox(config.sandbox, paths, firstUid);
  if (isRoot && !sandbox.separateUsers) await takeBridgeDirectory(bridgeDirectory);
  const confinement = {
    bubblewrap: sandbox.bubblewrap !== undefined,
    separateUsers: sandbox.separateUsers,
  };
  if (sandbox.bubblewrap === undefined) {
    log.warn('sandbox.missing', {
      ...confinement,
      message: `Enclaves run WITHOUT a sandbox (${sandbox.weakness}), confined only by the runtime's permission model: install bubblewrap and allow it user namespaces.`,
    });
  } else if (sandbox.weakness !== undefined) {
    log.warn('sandbox.weak', { ...confinement, message: sandbox.weakness });
  } else {
    log.info('sandbox.ready', confinement);
  }
  return sandbox;
}
