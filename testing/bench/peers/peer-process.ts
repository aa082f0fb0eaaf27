import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { figuresOf, type ProcessFigures } from '../process-figures.ts';

/** A peer's process; `stopAllPeers` ends whatever is left. */
export class PeerProcess {
  readonly #child: ChildProcess;
  #output = '';

  constructor(
    command: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ) {
    this.#child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (data: Buffer) => {
        // Enough to say why it did not start; it must be read, or the peer would wait for us.
        if (this.#output.length < 8_192) this.#output += data;
      });
    }
    this.#child.on('error', (error) => {
      this.#output += error.message;
    });
    running.add(this);
  }

  /** Processor time and peak memory so far. */
  figures(): ProcessFigures {
    return figuresOf(this.#child.pid ?? 0);
  }

  /** Whether it has ended by itself. */
  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.pid === undefined;
  }

  /** The beginning of what it printed. */
  get output(): string {
    return this.#output;
  }

  /** Ends it and waits for its end. */
  async stop(): Promise<void> {
    running.delete(this);
    if (this.hasEnded) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5_000);
    await exit;
    clearTimeout(timer);
  }
}

const running = new Set<PeerProcess>();

/** Ends every peer that runs; for interrupts. */
export const stopAllPeers = async (): Promise<void> => {
  await Promise.all([...running].map((peer) => peer.stop()));
};

/** Waits until `ready` resolves true. @throws Error with the peer's output when it never does */
export async function waitForPeer(
  peer: PeerProcess,
  ready: () => Promise<boolean>,
  timeoutMs = 30_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline && !peer.hasEnded) {
    if (await ready().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`the peer did not start: ${peer.output.trim().slice(-600)}`);
}

/** A port of the loopback that nobody listens on just now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
