import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NodeState } from '@concordat/api';
import { type EpochKeys, verifyLedger } from '@concordat/auditor';
import {
  frontOffice,
  type NodeConfig,
  Sandbox,
  type SandboxNode,
  type SandboxOptions,
} from '@concordat/cli';
import {
  type AdminClient,
  type ApplicationClient,
  type Identity,
  type KeyValueClient,
  openKeyValueClient,
  SdkError,
} from '@concordat/sdk';
import { LocalNetworkError } from './errors.ts';
import { builtImages, copyImages, type Images } from './images.ts';
import type { Links } from './links.ts';
import { LocalNode } from './local-node.ts';
import { adoptListed } from './processes.ts';
import { RecordingProxy } from './recording-proxy.ts';
import { patienceMs, waitUntil } from './waiting.ts';

/** How a network under test is made. */
export interface LocalNetworkOptions {
  /** Organisations, each with its node; default 3. */
  readonly nodes?: number;
  /**
   * How soon a silent leader is replaced: within two seconds, or, for tests that lose no leader and let
   * no request fail, only after longer than a busy machine keeps a process waiting. Default `quick`.
   */
  readonly elections?: keyof typeof electionsOf;
  /** Policies of the genesis constitution. */
  readonly policies?: SandboxOptions['policies'];
  /** Image its workers run; default that of the ledger protocols. */
  readonly workerImage?: 'worker' | 'application';
  /** `constitution.adapters`; default those of a sandbox. */
  readonly adapters?: SandboxOptions['adapters'];
  /** Files of genesis data by adapter id. */
  readonly genesisData?: SandboxOptions['genesisData'];
  /** How its hosts launch enclaves again (`restart` of their configuration); default theirs. */
  readonly restart?: { readonly maxDelayMs: number };
  /** Size at which a chunk of their ledgers is complete, bytes; default theirs. */
  readonly chunkBytes?: number;
  /** Puts a byte-recording proxy before every port; see {@link LocalNetwork.proxies}. */
  readonly record?: boolean;
  /** Prepares a node's data directory before anything is started. */
  readonly prepareData?: (node: string, dataDirectory: string) => void;
  /** What connects the nodes, made for their names; default the loopback interface. */
  readonly links?: (nodes: readonly string[]) => Links;
}

const electionsOf = {
  quick: { electionTimeoutMs: 600, heartbeatMs: 60, resumePatience: 2 },
  patient: { electionTimeoutMs: 10_000, heartbeatMs: 60, resumePatience: 2 },
};
/** Ports a network may take: those of its nodes, and as many behind proxies. */
const portsPerNetwork = 40;
let networksStarted = 0;
/** A node that has not said who leads by then is asked anew, milliseconds. */
const answerMs = 3_000;

/** A whole network of real processes, in a fresh directory, with ports and images of its own. */
export class LocalNetwork {
  readonly sandbox: Sandbox;
  readonly nodes: readonly LocalNode[];
  readonly images: Images;
  /** Everything that crosses a port goes through one of these; empty unless asked for. */
  readonly proxies: readonly RecordingProxy[];
  readonly directory: string;
  readonly #links: Links | undefined;
  readonly #guests: LocalNode[] = [];
  readonly #atEnd: (() => void)[] = [];

  private constructor(parts: {
    readonly sandbox: Sandbox;
    readonly images: Images;
    readonly proxies: readonly RecordingProxy[];
    readonly directory: string;
    readonly links: Links | undefined;
  }) {
    this.sandbox = parts.sandbox;
    this.images = parts.images;
    this.proxies = parts.proxies;
    this.directory = parts.directory;
    this.#links = parts.links;
    const { layout } = parts.sandbox;
    this.nodes = parts.sandbox.nodes.map(
      ({ name, organisation, ports }) =>
        new LocalNode({
          name,
          organisation,
          ports,
          ...placeOf(name, parts.links),
          configFile: layout.nodeConfig(name),
          logFile: layout.nodeLog(name),
          dataDirectory: layout.nodeData(name),
        }),
    );
  }

  /** Brings a network up: every node runs and votes when this resolves. */
  static async start(options: LocalNetworkOptions = {}): Promise<LocalNetwork> {
    const directory = mkdtempSync(join(tmpdir(), 'concordat-net-'));
    const adjusted: { images?: Images; hidden: Map<number, number> } = { hidden: new Map() };
    const { nodes: count = 3 } = options;
    const links = options.links?.(Array.from({ length: count }, (_, at) => `vn${at + 1}`));
    const sandbox = await Sandbox.open(join(directory, 'sandbox'), {
      nodes: count,
      fresh: true,
      basePort: basePort(),
      policies: { ...electionsOf[options.elections ?? 'quick'], ...options.policies },
      adjustConfig: (config) => adjust({ ...config, ...hostOptions(options) }, adjusted),
      ...(builtImages && { images: builtImages }),
      ...(options.adapters && { adapters: options.adapters }),
      ...(options.genesisData && { genesisData: options.genesisData }),
      ...(links && { hostOf: links.hostOf, launcherOf: links.launcherOf }),
    });
    const { measurements } = sandbox.record;
    const { workerImage = 'worker' } = options;
    adjusted.images = await copyImages(join(directory, 'images'), measurements, workerImage);
    const proxies = options.record ? await openProxies(sandbox.nodes, adjusted.hidden) : [];
    if (links?.hidesNodePorts) await hideNodePorts(sandbox.nodes, links, adjusted.hidden);
    const parts = { sandbox, images: adjusted.images, proxies, directory, links };
    const network = new LocalNetwork(parts);
    adoptListed(sandbox.layout.processes);
    try {
      for (const { name, dataDirectory } of network.nodes) {
        options.prepareData?.(name, dataDirectory);
      }
      await sandbox.up();
    } catch (error) {
      await network.end();
      throw error;
    }
    for (const node of network.nodes) node.takeOver(sandbox.hostPid(node.name) as number);
    links?.attend?.(network.nodes);
    return network;
  }

  /** The node of that name: `vn1`, `vn2`, ... */
  node(name: string): LocalNode {
    const node = this.nodes.find((candidate) => candidate.name === name);
    if (!node) throw new RangeError(`there is no node ${name}`);
    return node;
  }

  /**
   * The node that leads, as it and at least one other say, and nobody knows of a later view; waits for
   * one. Asks the nodes: the status files of their hosts are up to a second old.
   */
  leader(timeoutMs = patienceMs): Promise<LocalNode> {
    let told: unknown;
    const ask = async (): Promise<LocalNode | undefined> => {
      const up = this.nodes.filter(({ isUp }) => isUp);
      const states = (await Promise.all(up.map((node) => this.#stateOf(node)))).flat();
      told = states.map(({ node, state: { role, view } }) => `${node.name} ${role} ${view}`);
      const view = Math.max(...states.map(({ state }) => state.view));
      const newest = states.filter(({ state }) => state.view === view);
      const found = newest.find(({ state: { role } }) => role === 'leader');
      const agree = newest.filter(({ state }) => state.leader === found?.state.nodeId);
      return agree.length >= Math.min(2, up.length) ? found?.node : undefined;
    };
    return waitUntil(ask, { what: 'a leader', timeoutMs, seen: () => told });
  }

  /** What a node says of itself; nothing when it does not answer soon, as one that is stopped. */
  async #stateOf(node: LocalNode): Promise<{ node: LocalNode; state: NodeState }[]> {
    const soon = AbortSignal.timeout(answerMs);
    const late = once(soon, 'abort').then(() => []);
    const asking = this.#observer(node);
    const state = asking.then(
      ({ state }) => [{ node, state }],
      () => [],
    );
    asking.then(
      ({ admin }) => admin.close(),
      () => undefined,
    );
    return Promise.race([state, late]);
  }

  /**
   * Administrative channel of a node as somebody whom it hears, and what it says of itself. The front
   * office, or the organisation that runs it: one of them may be voted out, or have another certificate.
   */
  async #observer(node: LocalNode): Promise<{ admin: AdminClient; state: NodeState }> {
    const office = await this.admin(node, frontOffice);
    try {
      return { admin: office, state: await office.state() };
    } catch (error) {
      office.close();
      if (!(error instanceof SdkError && error.details.status === 401)) throw error;
    }
    const owner = await this.admin(node);
    return { admin: owner, state: await owner.state() };
  }

  /** The nodes that do not lead. */
  async followers(): Promise<LocalNode[]> {
    const leader = await this.leader();
    return this.nodes.filter((node) => node !== leader);
  }

  /** Stops every node in good order. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }

  /** Ends every process at once, as a loss of power does. */
  async kill(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
  }

  /** Starts every node that does not run; does not wait. */
  startAll(): void {
    for (const node of this.nodes) if (!node.isUp) node.start();
  }

  /**
   * Waits until every node has committed at least as far as any had when this was called, and
   * returns that height. Asks the nodes: the status files of their hosts are up to a second old.
   */
  async level(nodes: readonly LocalNode[] = this.nodes): Promise<number> {
    const observers = await Promise.all(nodes.map((node) => this.#observer(node)));
    const clients = observers.map(({ admin }) => admin);
    const heights = (): Promise<number[]> =>
      Promise.all(
        clients.map(async (client) => {
          const { committedHeight } = await client.state();
          return committedHeight;
        }),
      );
    try {
      const goal = Math.max(...(await heights()));
      const ask = async (): Promise<boolean> => (await heights()).every((height) => height >= goal);
      await waitUntil(ask, { what: `every node to commit block ${goal}` });
      return goal;
    } finally {
      for (const client of clients) client.close();
    }
  }

  /** PEM of the network's certificate. */
  get certificate(): string {
    return this.sandbox.networkCertificate;
  }

  /** Identity of an organisation, or of the front office, which is only a participant. */
  identity(actor: string): Promise<Identity> {
    return this.sandbox.identity(actor);
  }

  /** Administrative channel of a node, by default as the organisation that runs it. */
  admin(node: LocalNode, actor = node.organisation): Promise<AdminClient> {
    return this.sandbox.admin(node.name, actor);
  }

  /** Application channel of a node, by default as the front office. */
  application(node: LocalNode, actor: string = frontOffice): Promise<ApplicationClient> {
    return this.sandbox.application(node.name, actor);
  }

  /** Framed stream to the key-value ledger of a node, by default as the front office. */
  async keyvalue(
    node: LocalNode,
    { actor = frontOffice, timeoutMs = 60_000 }: { actor?: string; timeoutMs?: number } = {},
  ): Promise<KeyValueClient> {
    return openKeyValueClient({
      address: `${node.host}:${node.ports.application}`,
      networkCertificate: this.certificate,
      identity: await this.identity(actor),
      timeoutMs,
    });
  }

  /** Verifies a ledger directory offline: all of it that is public, and what given keys open. */
  verify(directory: string, expectedTransaction?: string, epochKeys?: EpochKeys) {
    return verifyLedger({
      directory,
      networkCertificate: this.certificate,
      ...(expectedTransaction !== undefined && { expectedTransaction }),
      ...(epochKeys && { epochKeys }),
    });
  }

  /** Has something done at the end, when every process has ended and before the directory goes. */
  atEnd(act: () => void): void {
    this.#atEnd.push(act);
  }

  /** Takes a node that is not of the sandbox along: it is ended with the network. */
  addGuest(node: LocalNode): void {
    this.#guests.push(node);
  }

  /** Ends every process and removes the directory, unless CONCORDAT_KEEP is set to look into it. */
  async end(): Promise<void> {
    await Promise.all([...this.#guests, ...this.nodes].map((node) => node.kill()));
    await this.sandbox.down();
    for (const act of this.#atEnd) act();
    for (const proxy of this.proxies) proxy.close();
    this.#links?.close();
    if (!process.env.CONCORDAT_KEEP) rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Networks of one test process, and of test processes at the same time, take other ports. */
function basePort(): number {
  const slot = (process.pid * 7 + networksStarted++) % 250;
  return 20_000 + slot * portsPerNetwork;
}

const hostOptions = ({ restart, chunkBytes }: LocalNetworkOptions) => ({
  ...(restart && { restart }),
  ...(chunkBytes !== undefined && { ledger: { chunkBytes } }),
});

function adjust(
  config: NodeConfig,
  { images, hidden }: { readonly images?: Images; readonly hidden: Map<number, number> },
): unknown {
  if (!images) throw new TypeError('a network is configured after its images are copied');
  const behind = (address: string): string => {
    const [host, port] = address.split(':') as [string, string];
    return `${host}:${hidden.get(Number(port)) ?? port}`;
  };
  const { node, admin } = config.listen;
  return {
    ...config,
    listen: { node: behind(node), admin: behind(admin) },
    advertise: { node, admin },
    manager: { image: images.manager },
    workers: config.workers.map(({ listen }) => ({
      image: images.worker,
      listen: behind(listen),
      advertise: listen,
    })),
  };
}

const placeOf = (node: string, links: Links | undefined) =>
  links && { host: links.hostOf(node), launcher: links.launcherOf(node) };

async function hideNodePorts(
  nodes: readonly SandboxNode[],
  links: Links,
  hidden: Map<number, number>,
): Promise<void> {
  for (const { name, ports } of nodes) {
    const behind = await freePort();
    hidden.set(ports.node, behind);
    await links.forward?.({ name, port: ports.node, hidden: behind });
  }
}

async function openProxies(
  nodes: readonly SandboxNode[],
  hidden: Map<number, number>,
): Promise<RecordingProxy[]> {
  const proxies: RecordingProxy[] = [];
  for (const { name, ports } of nodes) {
    for (const [kind, port] of Object.entries(ports)) {
      const behind = await freePort();
      hidden.set(port, behind);
      proxies.push(await RecordingProxy.open(`${name} ${kind}`, port, behind));
    }
  }
  return proxies;
}

/**
 * A loopback port that is free now, and that no outgoing connection takes while its owner is down: it
 * lies below those that a kernel gives out (Linux: 32,768 and above).
 */
export async function freePort(): Promise<number> {
  for (let tried = 0; tried < freePorts.count; tried++) {
    const port = freePorts.first + ((process.pid * 13 + portsGiven++) % freePorts.count);
    if (await isFree(port)) return port;
  }
  throw new LocalNetworkError('NO_PORT', 'every port for nodes under test is taken');
}

const freePorts = { first: 30_000, count: 2_700 };
let portsGiven = 0;

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  const isListening = once(server, 'listening').then(
    () => true,
    () => false,
  );
  return isListening.finally(() => server.close());
}
