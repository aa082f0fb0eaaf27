import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeConfig, NodeStatus } from '@concordat/cli';
import { parseChunkName } from '@concordat/ledger';
import { LocalNetworkError } from './errors.ts';
import { type LogLine, readLog } from './node-log.ts';
import { adopt, isAlive, sendSignal, spawnHost } from './processes.ts';
import { patienceMs, type Wait, waitUntil } from './waiting.ts';

/** A process of a validating node. */
export type Part = 'host' | 'manager' | 'worker-1';

/** Where a node's files lie and what it is called. */
export interface LocalNodeFiles {
  readonly name: string;
  /** Name of the actor that runs it. */
  readonly organisation: string;
  readonly ports: { readonly node: number; readonly admin: number; readonly application: number };
  /** IPv4 address it listens on; default 127.0.0.1. */
  readonly host?: string;
  /** Command its host is started by; default none. */
  readonly launcher?: readonly string[];
  /** Configuration of its host. */
  readonly configFile: string;
  readonly logFile: string;
  readonly dataDirectory: string;
}

/** What a host says when it cannot launch its enclaves: the first time, and later. */
const refusals: ReadonlySet<string> = new Set(['host.refused', 'enclaves.launch-failed']);

/** One validating node of three real processes, as its operator sees it. */
export class LocalNode {
  readonly name: string;
  readonly organisation: string;
  readonly ports: LocalNodeFiles['ports'];
  /** IPv4 address it listens on. */
  readonly host: string;
  readonly dataDirectory: string;
  readonly #files: LocalNodeFiles;
  #hostPid: number | undefined;
  #startedMs = 0;

  constructor(files: LocalNodeFiles) {
    this.#files = files;
    this.name = files.name;
    this.organisation = files.organisation;
    this.ports = files.ports;
    this.host = files.host ?? '127.0.0.1';
    this.dataDirectory = files.dataDirectory;
  }

  /** Takes over a host that was started elsewhere. */
  takeOver(hostPid: number): void {
    adopt(hostPid);
    this.#hostPid = hostPid;
  }

  /** What its host is configured with. */
  get config(): NodeConfig {
    return JSON.parse(readFileSync(this.#files.configFile, 'utf8')) as NodeConfig;
  }

  /** Changes what its host is configured with from the next start on. */
  configure(config: unknown): void {
    writeFileSync(this.#files.configFile, JSON.stringify(config));
  }

  /** Directory of its chunk files. */
  get ledgerDirectory(): string {
    return join(this.dataDirectory, 'ledger');
  }

  /** Process id of the host as started last. @throws LocalNetworkError NO_PROCESS */
  get hostPid(): number {
    if (this.#hostPid === undefined) {
      throw new LocalNetworkError('NO_PROCESS', `${this.name} was never started`);
    }
    return this.#hostPid;
  }

  /** Whether its host runs. */
  get isUp(): boolean {
    return this.#hostPid !== undefined && isAlive(this.#hostPid);
  }

  /** Process id of a part as launched last. @throws LocalNetworkError NO_PROCESS */
  pidOf(part: Part): number {
    if (part === 'host') return this.hostPid;
    const launched = this.log('enclave.launched').findLast(({ source }) => source === part);
    if (typeof launched?.pid === 'number') return launched.pid;
    throw new LocalNetworkError('NO_PROCESS', `${this.name} has launched no ${part}`);
  }

  /** Sends a signal to one of its processes. @throws LocalNetworkError NO_PROCESS */
  signal(part: Part, signal: NodeJS.Signals): void {
    if (sendSignal(this.pidOf(part), signal)) return;
    throw new LocalNetworkError('NO_PROCESS', `the ${part} of ${this.name} does not run`);
  }

  /** Starts its host; does not wait for anything. */
  start(): void {
    this.#startedMs = Date.now();
    const { configFile, logFile, launcher } = this.#files;
    this.#hostPid = spawnHost(configFile, logFile, launcher);
  }

  /** Ends it in good order and waits for the end of all its processes. */
  async stop(timeoutMs = patienceMs): Promise<void> {
    if (this.#hostPid === undefined) return;
    const pids = [this.#hostPid, ...this.#enclavePids()].filter(isAlive);
    sendSignal(this.#hostPid, 'SIGTERM');
    await waitUntil(() => !pids.some(isAlive), { what: `the end of ${this.name}`, timeoutMs });
  }

  /** Ends all its processes at once. */
  async kill(): Promise<void> {
    if (this.#hostPid === undefined) return;
    const pids = [this.#hostPid, ...this.#enclavePids()];
    for (const pid of pids) sendSignal(pid, 'SIGKILL');
    await waitUntil(() => !pids.some(isAlive), { what: `the end of ${this.name}` });
  }

  /** Enclaves of the newest launch. A process id of the log may be another process's by now. */
  #enclavePids(): number[] {
    const launches = this.log('enclave.launched').slice(-2);
    return launches.flatMap(({ pid }) => (typeof pid === 'number' && isEnclave(pid) ? [pid] : []));
  }

  /** Its newest status, as the current host published it; undefined while there is none. */
  get status(): NodeStatus | undefined {
    return this.#statusSince(this.#startedMs);
  }

  #statusSince(instantMs: number): NodeStatus | undefined {
    try {
      const text = readFileSync(join(this.dataDirectory, 'status.json'), 'utf8');
      const { time, manager } = JSON.parse(text) as { time: string; manager?: NodeStatus };
      return Date.parse(time) >= instantMs ? manager : undefined;
    } catch {
      return undefined;
    }
  }

  /** Waits until its status satisfies a condition. @throws LocalNetworkError TIMEOUT */
  waitFor(until: (status: NodeStatus) => boolean, wait: Partial<Wait> = {}): Promise<NodeStatus> {
    let last: NodeStatus | undefined;
    const ask = (): NodeStatus | false => {
      last = this.status;
      return last !== undefined && until(last) && last;
    };
    const seen = () => last && { phase: last.phase, reason: last.reason, height: last.height };
    return waitUntil(ask, { what: `a status of ${this.name}`, seen, ...wait });
  }

  /** Waits until it serves. @throws LocalNetworkError TIMEOUT */
  running(timeoutMs = patienceMs): Promise<NodeStatus> {
    const what = `${this.name} to run`;
    return this.waitFor(({ phase }) => phase === 'running', { what, timeoutMs });
  }

  /** Waits until it serves under another identity than before: as a new node. */
  rejoined(formerNodeId: string, timeoutMs = patienceMs): Promise<NodeStatus> {
    const isNew = ({ phase, nodeId }: NodeStatus): boolean =>
      phase === 'running' && nodeId !== formerNodeId;
    return this.waitFor(isNew, { what: `${this.name} to rejoin as a new node`, timeoutMs });
  }

  /**
   * Waits until it refuses to go on and returns why, code first: the manager enclave in its status,
   * or the host in its log when it could not even launch the enclaves. Looks at what was told since
   * an instant, by default since its start.
   */
  refused({
    afterMs = this.#startedMs,
    timeoutMs = patienceMs,
  }: Pick<LogQuestion, 'afterMs' | 'timeoutMs'> = {}): Promise<string> {
    const ask = (): string | undefined => {
      const status = this.#statusSince(afterMs);
      if (status?.phase === 'failed') return status.reason;
      const line = this.log().findLast(
        ({ event, time }) => refusals.has(event) && Date.parse(time) >= afterMs,
      );
      return line && `${line.code}: ${line.message}`;
    };
    const seen = () => this.status?.phase;
    return waitUntil(ask, { what: `${this.name} to refuse`, timeoutMs, seen });
  }

  /** Its log so far, or the lines of one event. */
  log(event?: string): LogLine[] {
    const lines = readLog(this.#files.logFile);
    return event === undefined ? lines : lines.filter((line) => line.event === event);
  }

  /** Waits for a line of one event after an instant. @throws LocalNetworkError TIMEOUT */
  logged(
    event: string,
    { where = () => true, afterMs = 0, timeoutMs = patienceMs }: LogQuestion = {},
  ): Promise<LogLine> {
    const ask = (): LogLine | undefined =>
      this.log(event).find((line) => Date.parse(line.time) >= afterMs && where(line));
    return waitUntil(ask, { what: `${event} in the log of ${this.name}`, timeoutMs });
  }

  /** Paths of its chunk files, in the order of heights. */
  get chunkFiles(): string[] {
    return readdirSync(this.ledgerDirectory)
      .flatMap((file) => {
        const name = parseChunkName(file);
        return name ? [{ file, first: name.firstHeight }] : [];
      })
      .sort((a, b) => a.first - b.first)
      .map(({ file }) => join(this.ledgerDirectory, file));
  }
}

/** Which log line is waited for. */
export interface LogQuestion {
  readonly where?: (line: LogLine) => boolean;
  /** Lines of this instant (milliseconds since the Unix epoch) or later; default any. */
  readonly afterMs?: number;
  readonly timeoutMs?: number;
}

function isEnclave(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('bundle.mjs');
  } catch {
    return false;
  }
}
