import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export type LogLine = Record<string, unknown> & { readonly event: string };

/** A host process with the fake enclaves, in a directory of its own. */
export class VnFixture {
  readonly directory: string;
  readonly lines: LogLine[] = [];
  #host: ChildProcess | undefined;
  #wake: (() => void)[] = [];

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** Builds the fake images and writes a configuration, with changes for the test. */
  static async create(context: TestContext, changes: object = {}): Promise<VnFixture> {
    const directory = await mkdtemp(join(tmpdir(), 'vn-'));
    // Enclaves with users of their own must be able to pass through.
    await chmod(directory, 0o711);
    const fixture = new VnFixture(directory);
    context.after(async () => {
      await fixture.kill();
      await rm(directory, { recursive: true });
    });
    for (const role of ['manager', 'worker']) {
      const image = join(directory, role);
      await mkdir(image);
      await build({
        entryPoints: [here(`enclaves/fake-${role}.ts`)],
        outfile: join(image, 'bundle.mjs'),
        bundle: true,
        platform: 'node',
        format: 'esm',
        logLevel: 'error',
      });
      const flags = [
        '--permission',
        '--allow-fs-read=<image>',
        '--disallow-code-generation-from-strings',
      ];
      const adapters = role === 'worker' ? { adapters: ['keyvalue'] } : {};
      const manifest = { name: `fake-${role}`, role, flags, libraries: [], ...adapters };
      await writeFile(join(image, 'image.json'), JSON.stringify(manifest));
    }
    await writeFile(join(directory, 'genesis.json'), '{"name":"test"}');
    await writeFile(join(directory, 'data.bin'), Buffer.alloc(2_500_000, 1));
    await writeFile(
      join(directory, 'vn.json'),
      JSON.stringify({
        version: 1,
        name: 'alpha-1',
        mode: 'genesis',
        dataDirectory: 'data',
        bridgeDirectory: 'bridge',
        genesisFile: 'genesis.json',
        genesisData: { ethereum: 'data.bin' },
        listen: { node: '127.0.0.1:0', admin: '127.0.0.1:0' },
        manager: { image: 'manager' },
        workers: [{ image: 'worker', listen: '127.0.0.1:0' }],
        ledger: { chunkBytes: 4096 },
        limits: { halfOpenTimeoutMs: 500, maxConnections: 20 },
        restart: { firstDelayMs: 20, shutdownTimeoutMs: 3000 },
        ...changes,
      }),
    );
    return fixture;
  }

  /** Starts the host. */
  start(environment: Record<string, string> = {}): void {
    this.lines.length = 0;
    const host = spawn(process.execPath, [here('../main.ts'), '--config', 'vn.json'], {
      cwd: this.directory,
      env: { PATH: process.env.PATH, ...environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#host = host;
    createInterface({ input: host.stdout! }).on('line', (line) => {
      this.lines.push(JSON.parse(line));
      const waiting = this.#wake;
      this.#wake = [];
      for (const wake of waiting) wake();
    });
  }

  /** The first log line of an event at or after a position, waiting for it. */
  async event(
    event: string,
    { from = 0, where = {} }: { from?: number; where?: Record<string, unknown> } = {},
  ): Promise<LogLine> {
    const deadline = performance.now() + 120_000;
    for (;;) {
      const found = this.lines
        .slice(from)
        .find(
          (line) =>
            line.event === event &&
            Object.entries(where).every(([key, value]) => line[key] === value),
        );
      if (found) return found;
      if (performance.now() > deadline) {
        const tail = this.lines.slice(-15).map((line) => JSON.stringify(line));
        throw new Error(`no event ${event}; the last lines were\n${tail.join('\n')}`);
      }
      await Promise.race([
        new Promise<void>((resolve) => this.#wake.push(resolve)),
        new Promise((resolve) => setTimeout(resolve, 500)),
      ]);
    }
  }

  /** Connects to a listener of the node. */
  async connect(which: string, from = 0): Promise<Socket> {
    const { address } = await this.event('listener.open', { from, where: { which } });
    const socket = connect({
      port: Number(String(address).split(':')[1]),
      host: '127.0.0.1',
      allowHalfOpen: true,
    });
    await once(socket, 'connect');
    return socket;
  }

  /** Has the fake manager do something. */
  async command(command: Record<string, unknown>, from = 0): Promise<Record<string, unknown>> {
    const socket = await this.connect('admin', from);
    try {
      socket.write(`${JSON.stringify(command)}\n`);
      const line = await new Promise<string>((resolve, reject) => {
        createInterface({ input: socket })
          .on('line', resolve)
          .on('close', () => reject(new Error(`no answer to ${command.do}`)))
          .on('error', reject);
      });
      return JSON.parse(line) as Record<string, unknown>;
    } finally {
      socket.destroy();
    }
  }

  /** Ends the host in order and returns its exit status. */
  async stop(): Promise<number | null> {
    const host = this.#host!;
    // Only then has its last line been read.
    const closed = once(host, 'close');
    host.kill('SIGTERM');
    return (await closed)[0];
  }

  /** Waits for a host that ends by itself. */
  async exit(): Promise<number | null> {
    const host = this.#host!;
    return host.exitCode ?? (await once(host, 'exit'))[0];
  }

  /** Ends the host as a crash would. */
  async kill(): Promise<void> {
    const host = this.#host;
    if (!host || host.exitCode !== null || host.signalCode !== null) return;
    const exited = once(host, 'exit');
    host.kill('SIGKILL');
    await exited;
  }
}
