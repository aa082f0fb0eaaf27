import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const hostMain = join(dirname(fileURLToPath(import.meta.resolve('@concordat/host'))), 'main.ts');
const pollMs = 50;

/** What a host publishes in `status.json` of its data directory. */
export interface MachineStatus {
  readonly phase: string;
  readonly reason?: string;
  readonly nodeId: string;
  readonly keys?: {
    readonly holders: readonly string[];
    readonly ceremony?: unknown;
    readonly due?: unknown;
  };
}

/** The machine of one organisation, with its validating node. */
export class Machine {
  readonly name: string;
  /** Name of the organisation that owns it. */
  readonly owner: string;
  /** Directory of its files. */
  readonly dataDirectory: string;
  readonly #configFile: string;
  #process: ChildProcess | undefined;
  #startedMs = 0;

  constructor(options: {
    readonly name: string;
    readonly owner: string;
    readonly configFile: string;
    readonly dataDirectory: string;
  }) {
    this.name = options.name;
    this.owner = options.owner;
    this.dataDirectory = options.dataDirectory;
    this.#configFile = options.configFile;
  }

  /** Writes the configuration of a machine that will join a network, into a directory of its own. */
  static async prepare(options: {
    readonly name: string;
    readonly owner: string;
    readonly directory: string;
    readonly networkCertificateFile: string;
    readonly peers: readonly string[];
    readonly images: { readonly manager: string; readonly worker: string };
  }): Promise<Machine> {
    const { name, owner, directory, images, peers, networkCertificateFile } = options;
    const [node, admin, application] = await freePorts(3);
    const dataDirectory = join(directory, 'data');
    const configFile = join(directory, `${name}.json`);
    mkdirSync(directory, { recursive: true });
    const config = {
      version: 1,
      name,
      mode: 'join',
      networkCertificateFile,
      peers,
      dataDirectory,
      listen: { node: `127.0.0.1:${node}`, admin: `127.0.0.1:${admin}` },
      manager: { image: images.manager },
      workers: [{ image: images.worker, listen: `127.0.0.1:${application}` }],
    };
    writeFileSync(configFile, `${JSON.stringify(config, undefined, 2)}\n`);
    return new Machine({ name, owner, configFile, dataDirectory });
  }

  /** What its host is configured with, and a change of that for the next start. */
  get config(): Record<string, unknown> {
    return JSON.parse(readFileSync(this.#configFile, 'utf8')) as Record<string, unknown>;
  }

  configure(change: Readonly<Record<string, unknown>>): void {
    const config = { ...this.config, ...change };
    writeFileSync(this.#configFile, `${JSON.stringify(config, undefined, 2)}\n`);
  }

  /** Where operators reach it. */
  get adminAddress(): string {
    return (this.config.listen as { admin: string }).admin;
  }

  /** Starts its host. */
  start(): void {
    const log = openSync(join(this.dataDirectory, '..', `${this.name}.log`), 'a');
    this.#startedMs = Date.now();
    this.#process = spawn(process.execPath, [hostMain, '--config', this.#configFile], {
      stdio: ['ignore', log, log],
    });
    closeSync(log);
  }

  /** Whether its host runs. */
  get runs(): boolean {
    return this.#process?.exitCode === null && this.#process.signalCode === null;
  }

  /** Ends its host in good order, as a supervisor would. */
  async stop(): Promise<void> {
    const child = this.#process;
    if (!child || !this.runs) return;
    child.kill('SIGTERM');
    await until(() => !this.runs, `${this.name} has ended`);
  }

  /** Its status, as the present host published it. */
  get status(): MachineStatus | undefined {
    try {
      const text = readFileSync(join(this.dataDirectory, 'status.json'), 'utf8');
      const { time, manager } = JSON.parse(text) as { time: string; manager?: MachineStatus };
      return Date.parse(time) >= this.#startedMs ? manager : undefined;
    } catch {
      return undefined;
    }
  }

  /** Waits until its status is as asked. */
  async waitFor(what: string, holds: (status: MachineStatus) => boolean): Promise<MachineStatus> {
    const seen = () => JSON.stringify(this.status);
    await until(
      () => this.status !== undefined && holds(this.status),
      `${this.name} ${what}`,
      seen,
    );
    return this.status as MachineStatus;
  }
}

/** Waits until something holds. @throws Error after five minutes */
export async function until(
  holds: () => boolean | Promise<boolean>,
  what: string,
  seen: () => string | undefined = () => undefined,
): Promise<void> {
  const deadline = Date.now() + 300_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}: ${seen() ?? ''}`);
    await sleep(pollMs);
  }
}

/** Below those that a kernel gives to outgoing connections, which might take one while its host is down. */
let nextPort = 16_000 + (process.pid % 3_000);

async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = nextPort++;
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    server.close();
    if (isFree) ports.push(port);
  }
  return ports;
}
