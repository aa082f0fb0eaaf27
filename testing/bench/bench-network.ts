import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import {
  frontOffice,
  type NodeConfig,
  Sandbox,
  type SandboxNode,
  type SandboxProgress,
} from '@concordat/cli';
import { type ApplicationClient, type KeyValueClient, openKeyValueClient } from '@concordat/sdk';
import type { Buckets } from './arithmetic.ts';
import { figuresOf, type ProcessFigures, withDescendants } from './process-figures.ts';
import { type ThreadFigures, threadFigures } from './profile/threads.ts';

/** What a network under measurement runs. */
export interface BenchNetworkOptions {
  /** `constitution.adapters` */
  readonly adapters: Readonly<Record<string, unknown>>;
  /** Genesis data by adapter id. */
  readonly genesisData?: Readonly<Record<string, Uint8Array>>;
  /** Image of the workers; default that of the ledger protocols. */
  readonly workerImage?: 'worker' | 'application';
  /** Validating nodes; default 3. */
  readonly nodes?: number;
  /** Transactions of one batch; default 100, the paper's. */
  readonly batch?: number;
  /** Threads of each worker that check signatures; default the worker's own choice. */
  readonly preparingThreads?: number;
  /** Other policies of the constitution. */
  readonly policies?: Readonly<Record<string, unknown>>;
  /** Kept when given; else a temporary directory that is removed at the end. */
  readonly directory?: string;
  readonly progress?: SandboxProgress;
  readonly adjustConfig?: (config: NodeConfig, node: SandboxNode) => unknown;
  /**
   * Directory that every process writes a V8 profile to when it ends. Enclaves then run unconfined,
   * of images built for that: neither bubblewrap nor the permission model lets a profile through.
   */
  readonly profileDirectory?: string;
}

/** Another measurement beside this one takes other ports; below the system's own. */
const firstPort = 20_000 + (process.pid % 700) * 16;

/** Figures of every process, by `vn1 host`, `vn1 manager`, `vn1 worker` and so on. */
export type NetworkFigures = Readonly<Record<string, ProcessFigures>>;

/** Latencies of a worker over its last 5 to 10 seconds, milliseconds. */
export interface WorkerLatency {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
}

/** What `/app/stats` of the leader tells. */
export interface WorkerStats {
  readonly committed: number;
  readonly lastSecond: number;
  /** Receipt to durable commit on a majority. */
  readonly commit: WorkerLatency;
  /** Receipt to commit on all nodes: the paper's latency. */
  readonly commitOnAll: WorkerLatency;
  readonly meanBatch: number;
  /** Latencies since the start, so that two readings give those between. */
  readonly buckets: { readonly commit: Buckets; readonly commitOnAll: Buckets };
}

/** Validating nodes of three processes each, every one real, for measuring. */
export class BenchNetwork {
  readonly sandbox: Sandbox;
  readonly #directory: string;
  readonly #temporary: boolean;

  private constructor(sandbox: Sandbox, directory: string, temporary: boolean) {
    this.sandbox = sandbox;
    this.#directory = directory;
    this.#temporary = temporary;
  }

  /** Starts it: mutual TLS, encryption, fsync, as `npm start` does. */
  static async start(options: BenchNetworkOptions): Promise<BenchNetwork> {
    const temporary = options.directory === undefined;
    const directory = resolve(options.directory ?? mkdtempSync(join(tmpdir(), 'concordat-bench-')));
    const data = Object.entries(options.genesisData ?? {});
    const genesisFile = (id: string): string => `${directory}.${id}.genesis`;
    mkdirSync(dirname(directory), { recursive: true });
    for (const [id, bytes] of data) writeFileSync(genesisFile(id), bytes);
    const { workerImage = 'worker' } = options;
    const adjustConfig = adjustmentOf(options);
    try {
      const sandbox = await Sandbox.open(
        directory,
        {
          nodes: options.nodes ?? 3,
          fresh: true,
          name: 'Measured consortium',
          adapters: options.adapters,
          policies: { maxBatchTransactions: options.batch ?? 100, ...options.policies },
          genesisData: Object.fromEntries(data.map(([id]) => [id, genesisFile(id)])),
          basePort: firstPort,
          workerImage,
          adjustConfig,
          ...(options.profileDirectory !== undefined &&
            profiled(directory, options.profileDirectory, adjustConfig)),
        },
        options.progress,
      );
      const network = new BenchNetwork(sandbox, directory, temporary);
      running.add(network);
      await sandbox.up();
      return network;
    } catch (error) {
      if (temporary)
        removeAll(
          directory,
          data.map(([id]) => genesisFile(id)),
        );
      throw error;
    } finally {
      for (const [id] of data) rmSync(genesisFile(id), { force: true });
    }
  }

  /** A client of the leader's application port as the front office. */
  async client(): Promise<ApplicationClient> {
    const { sandbox } = this;
    return sandbox.application((await sandbox.leader()).name, frontOffice);
  }

  /** A framed stream to a node's key-value ledger as the front office; default the leader's. */
  async keyValueClient(node?: SandboxNode): Promise<KeyValueClient> {
    const { sandbox } = this;
    const { ports } = node ?? (await sandbox.leader());
    return openKeyValueClient({
      address: `127.0.0.1:${ports.application}`,
      networkCertificate: sandbox.networkCertificate,
      identity: await sandbox.identity(frontOffice),
    });
  }

  /** Processor time and peak memory of each process so far; the leader's node comes first. */
  figures(): NetworkFigures {
    const figures: Record<string, ProcessFigures> = {};
    for (const node of this.sandbox.nodes) {
      const pids = this.#pids(node.name);
      const others = [...pids.values()];
      for (const [part, pid] of pids) {
        const apart = part === 'host' ? others.filter((other) => other !== pid) : [];
        figures[`${node.name} ${part}`] = figuresOf(pid, apart);
      }
    }
    return figures;
  }

  /** Processor microseconds so far of each worker's threads, by the worker's name and what they do. */
  workerThreads(): Readonly<Record<string, ThreadFigures>> {
    const found: Record<string, ThreadFigures> = {};
    for (const [name, pid] of this.processIds()) {
      if (!name.endsWith(' worker')) continue;
      const sum: Record<string, number> = {};
      // A jail may stand between; it does nothing worth a row.
      for (const member of withDescendants(pid)) {
        for (const [thread, micros] of Object.entries(threadFigures(member))) {
          sum[thread] = (sum[thread] ?? 0) + micros;
        }
      }
      found[name] = sum;
    }
    return found;
  }

  /** Process ids of the hosts and enclaves, by the names of {@link figures}. */
  processIds(): ReadonlyMap<string, number> {
    const ids = this.sandbox.nodes.map(({ name }) =>
      [...this.#pids(name)].map(([part, pid]) => [`${name} ${part}`, pid] as const),
    );
    return new Map(ids.flat());
  }

  #pids(node: string): ReadonlyMap<string, number> {
    const pids = new Map([['host', this.sandbox.hostPid(node) ?? 0]]);
    const log = readFileSync(this.sandbox.layout.nodeLog(node), 'utf8');
    for (const line of log.split('\n')) {
      if (!line.includes('"enclave.launched"')) continue;
      const { source, pid } = JSON.parse(line) as { source: string; pid: number };
      pids.set(source === 'manager' ? 'manager' : 'worker', pid);
    }
    return pids;
  }

  /** How often any node has logged an event. */
  logged(event: string): number {
    const logs = this.sandbox.nodes.map(({ name }) =>
      readFileSync(this.sandbox.layout.nodeLog(name), 'utf8'),
    );
    return logs.reduce((sum, log) => sum + log.split(`"event":"${event}"`).length - 1, 0);
  }

  /** Bytes of one node's ledger. */
  ledgerBytes(): number {
    const directory = this.sandbox.layout.ledger(this.sandbox.first.name);
    const sizes = readdirSync(directory).map((name) => statSync(join(directory, name)).size);
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  /** Ends every process; removes the directory if it is temporary. */
  async stop(): Promise<void> {
    running.delete(this);
    await this.sandbox.down();
    if (this.#temporary) removeAll(this.#directory, []);
  }
}

const running = new Set<BenchNetwork>();

/** Ends every network that runs; for interrupts. */
export const stopAllNetworks = async (): Promise<void> => {
  await Promise.all([...running].map((network) => network.stop()));
};

function adjustmentOf({
  adjustConfig = (config) => config,
  preparingThreads,
}: BenchNetworkOptions): NonNullable<BenchNetworkOptions['adjustConfig']> {
  if (preparingThreads === undefined) return adjustConfig;
  return (config, node) => {
    const adjusted = adjustConfig(config, node) as NodeConfig;
    const workers = adjusted.workers.map((worker) => ({ ...worker, preparingThreads }));
    return { ...adjusted, workers };
  };
}

function profiled(
  directory: string,
  profiles: string,
  adjustConfig: NonNullable<BenchNetworkOptions['adjustConfig']>,
) {
  const flags = ['--cpu-prof', `--cpu-prof-dir=${profiles}`];
  return {
    images: { directory: `${directory}.images`, profiles },
    launcherOf: () => ['/usr/bin/env', `NODE_OPTIONS=${flags.join(' ')}`],
    adjustConfig: (config: NodeConfig, node: SandboxNode) => ({
      ...(adjustConfig(config, node) as NodeConfig),
      sandbox: 'none',
    }),
  };
}

function removeAll(directory: string, files: readonly string[]): void {
  for (const path of [directory, `${directory}.images`, ...files]) {
    rmSync(path, { recursive: true, force: true });
  }
}

/** Asks a worker for its statistics. */
export async function workerStats(client: ApplicationClient): Promise<WorkerStats> {
  const { json } = await client.request('/app/stats');
  const { pipeline } = json as {
    pipeline: {
      transactions: { committed: number };
      committedPerSecond: { last: number };
      commitLatencyMs: WorkerLatency;
      commitOnAllLatencyMs: WorkerLatency;
      batches: { meanTransactions: number };
      latencyBucketsMs: { commit: Buckets; commitOnAll: Buckets };
    };
  };
  return {
    committed: pipeline.transactions.committed,
    lastSecond: pipeline.committedPerSecond.last,
    commit: pipeline.commitLatencyMs,
    commitOnAll: pipeline.commitOnAllLatencyMs,
    meanBatch: pipeline.batches.meanTransactions,
    buckets: pipeline.latencyBucketsMs,
  };
}
