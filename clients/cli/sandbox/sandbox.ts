import { cp, mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  AdminClient,
  ApplicationClient,
  createOrganisation,
  type Identity,
  readIdentity,
  saveIdentity,
} from '@concordat/sdk';
import { CliError } from '../errors.ts';
import { buildImages, type ImageBuild, type ImageMeasurement, imageDirectory } from './images.ts';
import { loopback, SandboxLayout, type SandboxNode, type SandboxRecord } from './layout.ts';
import { newNodes } from './new-nodes.ts';
import {
  isRunning,
  type NodeStatus,
  readStatus,
  runsUnconfined,
  sleep,
  spawnHost,
  waitForStatus,
} from './node-process.ts';
import { nodeTuple, short } from './node-tuple.ts';
import {
  genesisConstitution,
  type NodeConfig,
  nodeConfig,
  type SandboxPlan,
  sandboxAdapters,
  type WorkerImage,
} from './plan.ts';
import { freePorts, requireFreePorts } from './ports.ts';
import {
  claim,
  endSandbox,
  recordProcess,
  refuseRunning,
  releaseStarter,
} from './sandbox-processes.ts';

/** What a person sees of a sandbox coming up. */
export interface SandboxProgress {
  begin(text: string): void;
  done(text: string, fields?: Readonly<Record<string, unknown>>): void;
  note(text: string): void;
}

/** How a new sandbox is made. */
export interface SandboxOptions {
  readonly nodes: number;
  readonly name?: string;
  readonly adapters?: Readonly<Record<string, unknown>>;
  readonly policies?: SandboxPlan['policies'];
  readonly genesisData?: Readonly<Record<string, string>>;
  /** Image its workers run; default that of the ledger protocols. */
  readonly workerImage?: WorkerImage;
  /** Images built otherwise than usual. */
  readonly images?: ImageBuild;
  /** Without a gateway no port is kept for one. */
  readonly gateway?: 'none';
  /** First port tried; nodes take ports from here upwards. */
  readonly basePort?: number;
  /** Last word on what a new node's host is configured with; default as it is. */
  readonly adjustConfig?: (config: NodeConfig, node: SandboxNode) => unknown;
  /** IPv4 address a node listens on, by its name; default the loopback address. */
  readonly hostOf?: (node: string) => string;
  /** Command that a node's host is started by, by its name; default none. It must become the host. */
  readonly launcherOf?: (node: string) => readonly string[];
}

/** An application or a front end uses this identity: it transacts and cannot vote. */
export const frontOffice = 'front-office';

const joinTimeoutMs = 120_000;
/** A node of the network that lost its records is refused for longer than this. */
const rejoinMs = 10_000;
const silent: SandboxProgress = { begin: () => {}, done: () => {}, note: () => {} };

/**
 * A whole consortium on this machine for trying things out: one validating node (host and
 * enclaves) for each organisation, their identities, and a network begun by the first and joined
 * by the others by proposal, votes and attestation.
 */
export class Sandbox {
  readonly layout: SandboxLayout;
  readonly #progress: SandboxProgress;
  readonly #options: SandboxOptions;
  readonly #hosts = new Map<string, number>();
  #signal: AbortSignal | undefined;
  #up: readonly SandboxNode[] | undefined;
  #record: SandboxRecord;
  #plan: SandboxPlan;

  private constructor(
    layout: SandboxLayout,
    state: { readonly record: SandboxRecord; readonly plan: SandboxPlan },
    { options, progress }: { readonly options: SandboxOptions; readonly progress: SandboxProgress },
  ) {
    this.layout = layout;
    this.#options = options;
    this.#record = state.record;
    this.#plan = state.plan;
    this.#progress = progress;
  }

  /** Nodes in the order they joined. */
  get nodes(): readonly SandboxNode[] {
    return this.#record.nodes;
  }

  /** The node that began the network. */
  get first(): SandboxNode {
    return this.#record.nodes[0] as SandboxNode;
  }

  /** What the sandbox remembers. */
  get record(): SandboxRecord {
    return this.#record;
  }

  /** PEM of the network's certificate. */
  get networkCertificate(): string {
    return this.#record.networkCertificate ?? '';
  }

  /** Process id of a node's host. */
  hostPid(node: string): number | undefined {
    return this.#hosts.get(node);
  }

  /**
   * Opens the sandbox in a directory, or prepares a new one there; `up` starts it.
   * @throws CliError SANDBOX_RUNNING, SANDBOX_DAMAGED
   */
  static async open(
    directory: string,
    options: SandboxOptions & { readonly fresh?: boolean },
    progress: SandboxProgress = silent,
  ): Promise<Sandbox> {
    const layout = new SandboxLayout(directory);
    await refuseRunning(layout);
    progress.begin('building the enclave images');
    const measurements = await buildImages(options.images);
    progress.done('enclave images built and measured', {
      measurements: measurements.map(({ name, measurement }) => ({ name, measurement })),
    });
    // Another may have started meanwhile.
    await refuseRunning(layout);
    if (options.fresh) await layout.remove();
    const known = await layout.read();
    const plan = planOf(options, known?.nodes ?? [], measurements);
    if (known?.complete) {
      noteOtherCode(known, measurements, progress);
      const state = { record: known, plan: { ...plan, nodes: known.nodes } };
      await claim(layout);
      return new Sandbox(layout, state, { options, progress });
    }
    // One that never came up whole holds nothing worth keeping.
    await layout.remove();
    await claim(layout);
    for (const { name } of measurements) {
      const image = imageDirectory(name, options.images?.directory);
      await cp(image, layout.image(name), { recursive: true });
    }
    const nodes = await newNodes(options);
    const record: SandboxRecord = {
      version: 1,
      name: plan.name,
      nodes,
      gatewayPort: options.gateway === 'none' ? 0 : ((await freePorts(1, 8545))[0] as number),
      measurements: measurements.map(({ measurement }) => measurement),
      complete: false,
    };
    return new Sandbox(layout, { record, plan: { ...plan, nodes } }, { options, progress });
  }

  /** The sandbox that another program brought up. @throws CliError SANDBOX_MISSING */
  static async attach(layout: SandboxLayout): Promise<Sandbox> {
    const record = await layout.read();
    if (!record?.complete) {
      throw new CliError('SANDBOX_MISSING', `there is no network in ${layout.directory} yet`);
    }
    const options = { nodes: record.nodes.length };
    const plan = planOf(options, record.nodes, []);
    return new Sandbox(layout, { record, plan }, { options, progress: silent });
  }

  /**
   * Starts every node: a new network, or the one that was stopped. The signal ends it early.
   * @throws CliError NODE_FAILED, TIMEOUT, PORT_TAKEN, INTERRUPTED
   */
  async up(signal?: AbortSignal): Promise<void> {
    this.#signal = signal;
    const startedMs = Date.now();
    try {
      if (this.#record.complete) await this.#resume();
      else await this.#begin();
      if (await runsUnconfined(this.layout, this.first.name, startedMs)) {
        this.#progress.note('bubblewrap is missing or not allowed: enclaves run unconfined here');
      }
    } catch (error) {
      await this.down();
      throw error;
    }
  }

  async #begin(): Promise<void> {
    await this.#prepare();
    const { first } = this;
    this.#progress.begin(`${first.organisation} begins the network`);
    const startedMs = await this.#start(first);
    const status = await this.#running(first, startedMs);
    const { networkCertificate = '', networkId = '' } = status;
    await writeFile(this.layout.networkCertificate, networkCertificate);
    this.#record = { ...this.#record, networkCertificate, networkId };
    this.#progress.done(
      `${first.organisation} began the network with ${first.name} (network ${short(networkId)})`,
      { networkId, node: status.nodeId },
    );
    for (const node of this.nodes.slice(1)) await this.#join(node);
    await this.#save({ ...this.#record, complete: true });
  }

  async #prepare(): Promise<void> {
    const { layout } = this;
    for (const actor of [...this.nodes.map(({ organisation }) => organisation), frontOffice]) {
      const files = layout.identity(actor);
      await mkdir(dirname(files.keyFile), { recursive: true, mode: 0o700 });
      await saveIdentity(createOrganisation({ name: actor }), files);
    }
    await mkdir(dirname(layout.nodeConfig('vn')), { recursive: true });
    const constitution = genesisConstitution(this.#plan, {
      founder: await this.identity(this.first.organisation),
      frontOffice: await this.identity(frontOffice),
    });
    await writeJson(layout.genesis, constitution);
    const { adjustConfig = (config: NodeConfig) => config } = this.#options;
    for (const node of this.nodes) {
      const config = adjustConfig(nodeConfig(layout, this.#plan, node), node);
      await writeJson(layout.nodeConfig(node.name), config);
    }
    await this.#save(this.#record);
  }

  /** A further organisation and its node join as the paper tells it. */
  async #join(node: SandboxNode): Promise<void> {
    const { organisation, name } = node;
    this.#progress.begin(`${organisation} starts ${name}`);
    const startedMs = await this.#start(node);
    const status = await waitForStatus(this.layout, name, {
      until: ({ phase, reason }) => phase === 'joining' && /NODE_NOT_ADMITTED/.test(reason ?? ''),
      ...this.#waiting(node, startedMs),
    });
    this.#progress.done(
      `${organisation} started ${name}: too early, refused as NODE_NOT_ADMITTED`,
      {
        node: status.nodeId,
      },
    );
    await this.#admit(node, status);
    this.#progress.begin(`${name} attests itself and catches up`);
    await this.#running(node, startedMs);
    this.#progress.done(
      `${name} attested ${status.platform} code ${short(status.measurement)}, caught up and votes in consensus`,
    );
  }

  async #admit(node: SandboxNode, status: NodeStatus): Promise<void> {
    const owner = await this.identity(node.organisation);
    const proposer = await this.admin(this.first.name, this.first.organisation);
    this.#progress.begin(`${this.first.organisation} proposes ${node.organisation}`);
    const proposal = await proposer.propose([
      {
        name: 'add_actor',
        args: {
          kind: ['member', 'participant'],
          name: node.organisation,
          certificate: owner.certificatePem,
          roles: [],
        },
      },
      { name: 'add_node', args: nodeTuple(owner, status) },
    ]);
    proposer.close();
    this.#progress.done(
      `${this.first.organisation} proposed member ${node.organisation} with ${node.name} (proposal ${short(proposal.proposalId)})`,
      { proposalId: proposal.proposalId },
    );
    const members = this.nodes.slice(0, this.nodes.indexOf(node));
    for (const member of members) {
      this.#progress.begin(`${member.organisation} votes`);
      const voter = await this.admin(member.name, member.organisation);
      const vote = await voter.vote(proposal.proposalId, true).finally(() => voter.close());
      this.#progress.done(`${member.organisation} voted yes: ${vote.state}`, {
        transactionId: vote.transactionId,
      });
      if (vote.state === 'accepted') return;
    }
    throw new CliError('NODE_FAILED', `the votes did not admit ${node.name}`);
  }

  async #resume(): Promise<void> {
    await requireFreePorts(this.#record);
    this.#progress.begin('the nodes check their ledgers and resume together');
    const started = new Map<SandboxNode, number>();
    for (const node of this.nodes) started.set(node, await this.#start(node));
    const results = await Promise.allSettled(
      [...started].map(([node, startedMs]) => this.#running(node, startedMs, rejoinMs)),
    );
    if (this.#signal?.aborted) throw new CliError('INTERRUPTED', 'interrupted');
    const up = results.filter((result) => result.status === 'fulfilled').map(({ value }) => value);
    const failures = results.filter((result) => result.status === 'rejected');
    const count = this.nodes.length;
    if (up.length <= count / 2) throw failures[0]?.reason;
    const { networkId } = this.#record;
    const stranger = up.find((status) => status.networkId !== networkId);
    if (stranger) {
      throw new CliError(
        'NODE_FAILED',
        `${stranger.node.name} has lost its ledger and began another network: restore ${this.layout.ledger(stranger.node.name)}, or start anew with --fresh`,
      );
    }
    const height = Math.max(...up.map(({ committedHeight = 0 }) => committedHeight));
    this.#up = this.nodes.filter((_, at) => results[at]?.status === 'fulfilled');
    const which = failures.length > 0 ? `${up.length} of ${count}` : `${count}`;
    const nodes = which === '1' ? '1 node' : `${which} nodes`;
    this.#progress.done(`${nodes} resumed the ledger at block ${height}`);
    for (const { reason } of failures) {
      for (const line of (reason as Error).message.split('\n')) this.#progress.note(line);
      this.#progress.note('  what to do: docs/operate/troubleshooting.md');
    }
  }

  /** The nodes that came up: all of them, but for damaged ones of a resumed network. */
  get serving(): readonly SandboxNode[] {
    return this.#up ?? this.nodes;
  }

  async #start(node: SandboxNode): Promise<number> {
    if (this.#signal?.aborted) throw new CliError('INTERRUPTED', 'interrupted');
    const startedMs = Date.now();
    const pid = spawnHost(this.layout, node, this.#options.launcherOf?.(node.name));
    this.#hosts.set(node.name, pid);
    await this.adopt(node.name, pid);
    return startedMs;
  }

  #waiting({ name }: SandboxNode, afterMs: number) {
    const host = this.#hosts.get(name);
    return {
      afterMs,
      timeoutMs: joinTimeoutMs,
      ...(host !== undefined && { host }),
      ...(this.#signal && { signal: this.#signal }),
    };
  }

  #running(node: SandboxNode, afterMs: number, refusedMs?: number): Promise<NodeStatus> {
    return waitForStatus(this.layout, node.name, {
      until: ({ phase }) => phase === 'running',
      ...(refusedMs !== undefined && { refusedMs }),
      ...this.#waiting(node, afterMs),
    });
  }

  /** Starts a node's host again after it was ended, and waits until it serves. */
  async restart(name: string): Promise<void> {
    const node = this.node(name);
    await this.#running(node, await this.#start(node));
  }

  /** The node of that name. @throws CliError USAGE */
  node(name: string): SandboxNode {
    const node = this.nodes.find((candidate) => candidate.name === name);
    if (!node) throw new CliError('USAGE', `there is no node ${name} in this sandbox`);
    return node;
  }

  /** What a node says of itself through its host. */
  status(name: string): Promise<NodeStatus | undefined> {
    return readStatus(this.layout, name);
  }

  /** Name of the node that leads, as the nodes see it; waits for one. */
  async leader(timeoutMs = 20_000): Promise<SandboxNode> {
    const deadline = performance.now() + timeoutMs;
    while (performance.now() < deadline) {
      for (const node of this.nodes) {
        const pid = this.#hosts.get(node.name);
        const status = await this.status(node.name);
        if (status?.role === 'leader' && pid && isRunning(pid)) return node;
      }
      await sleep(50);
    }
    throw new CliError('TIMEOUT', 'no node leads');
  }

  /** Records a process that belongs to the sandbox: a node's host, or the gateway. */
  async adopt(name: string, pid: number): Promise<void> {
    await recordProcess(this.layout, { name, pid });
  }

  /** Leaves the network running without this program. */
  async release(): Promise<void> {
    await releaseStarter(this.layout);
  }

  /** Identity of an organisation or of the front office. */
  identity(actor: string): Promise<Identity> {
    return readIdentity(this.layout.identity(actor));
  }

  /** Administrative channel of a node as an actor. */
  async admin(node: string, actor: string): Promise<AdminClient> {
    return new AdminClient({
      address: this.#address(node, 'admin'),
      networkCertificate: this.networkCertificate,
      identity: await this.identity(actor),
    });
  }

  /** Application channel of a node as an actor. */
  async application(node: string, actor: string): Promise<ApplicationClient> {
    return new ApplicationClient({
      address: this.#address(node, 'application'),
      networkCertificate: this.networkCertificate,
      identity: await this.identity(actor),
    });
  }

  #address(name: string, port: keyof SandboxNode['ports']): string {
    const { host = loopback, ports } = this.node(name);
    return `${host}:${ports[port]}`;
  }

  async #save(record: SandboxRecord): Promise<void> {
    this.#record = record;
    await mkdir(this.layout.directory, { recursive: true });
    await writeJson(this.layout.record, record);
  }

  /** Stops every process of this sandbox, but for this program, in good order. */
  async down(): Promise<void> {
    await endSandbox(this.layout);
    this.#hosts.clear();
  }
}

/** Sealed state opens for the very code that sealed it, so a sandbox keeps the images it began with. */
function noteOtherCode(
  record: SandboxRecord,
  images: readonly ImageMeasurement[],
  progress: SandboxProgress,
): void {
  const now = images.map(({ measurement }) => measurement);
  if (now.join() === record.measurements.join()) return;
  progress.note(
    'the code changed since: this network goes on with the images it was begun with; --fresh begins one with the new code',
  );
}

function planOf(
  options: SandboxOptions,
  nodes: readonly SandboxNode[],
  measurements: readonly ImageMeasurement[],
): SandboxPlan {
  return {
    name: options.name ?? 'Sandbox consortium',
    nodes,
    measurements,
    adapters: options.adapters ?? sandboxAdapters('own'),
    policies: options.policies ?? {},
    genesisData: options.genesisData ?? {},
    workerImage: options.workerImage ?? 'worker',
  };
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFile(path, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 });
}
