import { readdir, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CliError } from '../errors.ts';

/** One validating node of a sandbox. */
export interface SandboxNode {
  /** `vn1`, `vn2`, ... */
  readonly name: string;
  /** Name of the organisation that runs it. */
  readonly organisation: string;
  readonly ports: { readonly node: number; readonly admin: number; readonly application: number };
  /** IPv4 address it listens on; default {@link loopback}. */
  readonly host?: string;
}

/** Where the nodes of a sandbox listen that are not placed elsewhere. */
export const loopback = '127.0.0.1';

/** What a sandbox remembers between starts. */
export interface SandboxRecord {
  readonly version: 1;
  readonly name: string;
  readonly nodes: readonly SandboxNode[];
  /** 0: it has none. */
  readonly gatewayPort: number;
  /** PEM; known once the first node has begun the network. */
  readonly networkCertificate?: string;
  /** 64 hex digits. */
  readonly networkId?: string;
  /** Measurements of the images the network was begun with. */
  readonly measurements: readonly string[];
  /** Whether every node has joined. */
  readonly complete: boolean;
}

/** One process of a sandbox that is up. */
export interface SandboxProcess {
  /** Name of the node whose host it is, `gateway`, or `starter`: the command that brings it up. */
  readonly name: string;
  readonly pid: number;
  /** When it began, as the system counts it: a number that is given out again is another process. */
  readonly began?: string;
}

/** The processes of a sandbox that is up. */
export interface SandboxProcesses {
  readonly processes: readonly SandboxProcess[];
}

/** Where a sandbox lies by default, relative to the working directory. */
export const defaultSandboxDirectory = '.concordat/sandbox';

/** What lies in the directory of a sandbox. */
const own: readonly string[] = [
  'sandbox.json',
  'processes.json',
  'genesis.json',
  'network.pem',
  'owner-key.pem',
  'gateway.log',
  'actors',
  'nodes',
  'images',
];

/** Paths of one sandbox. */
export class SandboxLayout {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = resolve(directory);
  }

  /** The sandbox's own record. */
  get record(): string {
    return join(this.directory, 'sandbox.json');
  }

  /** Its processes while it is up. */
  get processes(): string {
    return join(this.directory, 'processes.json');
  }

  /** The genesis constitution. */
  get genesis(): string {
    return join(this.directory, 'genesis.json');
  }

  /** The network certificate, pinned by every client. */
  get networkCertificate(): string {
    return join(this.directory, 'network.pem');
  }

  /** Directory with one directory for each actor whose keys the sandbox keeps. */
  get actors(): string {
    return join(this.directory, 'actors');
  }

  /** Files of an actor's identity. */
  identity(actor: string): { readonly certificateFile: string; readonly keyFile: string } {
    const directory = join(this.actors, actor);
    return {
      certificateFile: join(directory, 'certificate.pem'),
      keyFile: join(directory, 'key.pem'),
    };
  }

  /** Configuration of a node's host. */
  nodeConfig(node: string): string {
    return join(this.directory, 'nodes', `${node}.json`);
  }

  /** Data directory of a node's host. */
  nodeData(node: string): string {
    return join(this.directory, 'nodes', node);
  }

  /** Log of a node's host. */
  nodeLog(node: string): string {
    return join(this.directory, 'nodes', `${node}.log`);
  }

  /** Log of the gateway. */
  get gatewayLog(): string {
    return join(this.directory, 'gateway.log');
  }

  /** The sandbox's own copy of an enclave image: what is built later does not change it. */
  image(name: string): string {
    return join(this.directory, 'images', name);
  }

  /** Ledger chunks of a node. */
  ledger(node: string): string {
    return join(this.nodeData(node), 'ledger');
  }

  /** Reads the record; undefined when there is no sandbox. @throws CliError SANDBOX_DAMAGED */
  async read(): Promise<SandboxRecord | undefined> {
    return this.#json<SandboxRecord>(this.record);
  }

  /** Reads the processes; none when none are recorded. @throws CliError SANDBOX_DAMAGED */
  async readProcesses(): Promise<readonly SandboxProcess[]> {
    return (await this.#json<SandboxProcesses>(this.processes))?.processes ?? [];
  }

  /**
   * Removes the sandbox's files, and none but those.
   * @throws CliError NOT_A_SANDBOX when the directory holds something else and no sandbox
   */
  async remove(): Promise<void> {
    const names = await readdir(this.directory).catch((error: NodeJS.ErrnoException): string[] => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    if (names.length === 0) return;
    if (!names.includes('sandbox.json') && !names.every((name) => own.includes(name))) {
      throw new CliError(
        'NOT_A_SANDBOX',
        `${this.directory} holds other files and no sandbox: name a new or an empty --directory`,
      );
    }
    for (const name of own) await rm(join(this.directory, name), { recursive: true, force: true });
  }

  async #json<T>(path: string): Promise<T | undefined> {
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    try {
      return JSON.parse(text) as T;
    } catch {
      throw new CliError(
        'SANDBOX_DAMAGED',
        path === this.processes
          ? `${path} is not JSON: remove it once no process of this sandbox runs`
          : `${path} is not JSON: start anew with --fresh`,
      );
    }
  }
}
