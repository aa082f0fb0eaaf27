import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import type { ReadView } from '@concordat/kv';
import type { ProgramState } from '@concordat/worker-enclave';
import { ApplicationProcess } from './application-process.ts';
import { ProcessError } from './errors.ts';
import type { ApplicationLimits, Call, CallResult, Place } from './frames.ts';
import type { IndexDeclaration } from './index-declarations.ts';
import { IndexFollower } from './index-follower.ts';
import type { PastFetcher } from './past-fetcher.ts';
import type { ApplicationProgram } from './program.ts';
import { readGroups } from './read-groups.ts';
import { committedParts, type StateSource, type Told } from './state-source.ts';
import type { TransactionHistory } from './transaction-history.ts';

/** What an application runs with. */
export interface HostedApplication {
  readonly bundle: Uint8Array;
  /** What the bundle declares: reading a large one takes a second, which nobody else is served in. */
  readonly indexes: readonly IndexDeclaration[];
  readonly limits: ApplicationLimits;
  readonly committed: ReadView;
}

/** What the host needs of the adapter around it. */
export interface ApplicationHostOptions {
  readonly program: ApplicationProgram;
  readonly history: TransactionHistory;
  readonly log: (event: string, fields?: Readonly<Record<string, unknown>>) => void;
  /** Gets the past for the application. */
  readonly past: Pick<PastFetcher, 'range' | 'writes'>;
  /** The state of the worker, which other processes are given as well. */
  readonly source: StateSource;
  /** {@link ApplicationHost.state} has changed. */
  readonly changed: () => void;
}

/** Calls on their way: those of one batch, or reads that came in one turn. */
interface Job {
  readonly calls: readonly Call[];
  readonly writes: boolean;
  readonly done: (results: readonly CallResult[] | ProcessError) => void;
  /** When it came, on the monotonic clock, milliseconds. */
  readonly sinceMs: number;
  id: number;
}

/** Reads and batches that wait for the process. */
const maxWaiting = 10_000;
const maxUntakenBytes = 4 * 1024 * 1024;
/** For reading its bundle: as long as a check of it may take, milliseconds. */
const loadingMs = 30_000;
/** Beyond what the process itself allows its requests, milliseconds. */
const graceMs = 3_000;
const [firstPauseMs, longestPauseMs] = [50, 5_000];
/** Waiting for a process to come up, milliseconds. */
const [maxWaitMs, overdueCheckMs] = [10_000, 500];
/** What was replaced answers for so long what it was asked, milliseconds. */
const retirementMs = 10_000;
/** A process that lived this long had no trouble starting, milliseconds. */
const healthyMs = 10_000;

/**
 * Keeps the one process of an application: starts it, gives it the state and every change of it,
 * hands it calls, and starts another when it ends. Calls are answered in the order they are sent,
 * so that the oldest unanswered one is what a process ended at.
 */
export class ApplicationHost {
  readonly #options: ApplicationHostOptions;
  readonly #source: StateSource;
  #application: HostedApplication | undefined;
  #process: ApplicationProcess | undefined;
  /** `feeding` hears of what is committed only; `up` of everything. */
  #stage: 'down' | 'feeding' | 'up' = 'down';
  #sent: Job[] = [];
  #waiting: Job[] = [];
  /** Who waits until it is ready. */
  #starting: { readonly sinceMs: number; settle(refused?: ProcessError): void }[] = [];
  #reads: { readonly call: Call; readonly done: (result: CallResult) => void }[] = [];
  #nextId = 1;
  #pauseMs = firstPauseMs;
  #startedMs = 0;
  #lastHeardMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #follower: IndexFollower | undefined;
  #waits: NodeJS.Timeout | undefined;
  #isLoaded = false;
  #isReady = false;
  #isRetiring = false;
  /** Why the process ended before it was ready. */
  #failure: string | undefined;

  constructor(options: ApplicationHostOptions) {
    this.#options = options;
    this.#source = options.source;
  }

  /** Reads and batches that wait for the process or for its answers. */
  get load(): number {
    return this.#sent.length + this.#waiting.length + this.#reads.length;
  }

  /** Whether its process has the state and answers. */
  get state(): Pick<ProgramState, 'state' | 'reason'> {
    if (this.#isReady) return { state: 'running' };
    if (this.#failure === undefined) return { state: 'starting' };
    return { state: 'failing', reason: this.#failure };
  }

  /** Starts the application. */
  start(application: HostedApplication): void {
    this.#application = application;
    this.#waits = setInterval(() => this.#refuseOverdue(), overdueCheckMs).unref();
    this.#launch();
  }

  /** It cannot be started at all. */
  fail(reason: string): void {
    this.#failure = reason;
  }

  /** Starts it anew, with other limits or from another state. */
  restart(limits: ApplicationLimits): void {
    if (this.#application === undefined) return;
    this.#application = { ...this.#application, limits };
    clearTimeout(this.#timer);
    if (this.#process === undefined) this.#launch();
    // Its end starts the next.
    else this.#process.end('REPLACED');
  }

  /**
   * Resolves once its process has the state and answers.
   * @throws ProcessError ENDED as soon as a process ends before that, NOT_UP
   */
  ready(): Promise<void> {
    if (this.#application === undefined) return Promise.reject(over());
    if (this.#isReady) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const settle = (refused?: ProcessError): void => (refused ? reject(refused) : resolve());
      this.#starting.push({ settle, sinceMs: performance.now() });
    });
  }

  #started(refused?: ProcessError): void {
    for (const { settle } of this.#starting.splice(0)) settle(refused);
  }

  /** Nobody asks any more: ends once it has answered what it was asked. */
  retire(): void {
    this.#isRetiring = true;
    if (this.load === 0 || this.#process === undefined) this.stop();
    else setTimeout(() => this.stop(), retirementMs).unref();
  }

  /** Ends the process and everything that waits for it. */
  stop(): void {
    this.#application = undefined;
    clearTimeout(this.#timer);
    clearInterval(this.#waits);
    this.#process?.end('STOPPED');
    for (const job of [...this.#sent.splice(0), ...this.#waiting.splice(0)]) job.done(over());
    this.#started(over());
  }

  /** Tells the process of a change of the state. */
  tell({ whole, feeding }: Told): void {
    for (const message of feeding) {
      if (message.kind !== 'replayed') continue;
      this.#follower?.committed(message.firstSeqno, message.writeSets);
    }
    if (this.#stage === 'up') this.#process?.send(whole);
    else if (this.#stage === 'feeding') for (const message of feeding) this.#process?.send(message);
  }

  /** A block of the worker was committed. */
  placed(place: Place): void {
    if (this.#stage !== 'down') this.#process?.send({ kind: 'place', place });
  }

  /** Runs a batch on the head of the state. @throws ProcessError ENDED, UNFINISHED */
  execute(calls: readonly Call[]): Promise<readonly CallResult[]> {
    return new Promise((resolve, reject) => {
      this.#dispatch({
        calls,
        writes: true,
        id: 0,
        sinceMs: performance.now(),
        done: (results) => {
          if (results instanceof ProcessError) reject(results);
          else if (results.some(({ kind }) => kind === 'unfinished')) {
            reject(new ProcessError('UNFINISHED', 'the batch takes too long'));
          } else resolve(results);
        },
      });
    });
  }

  /** Runs a call on the committed state; undefined when too many wait. */
  read(call: Call): Promise<CallResult> | undefined {
    if (this.load >= maxWaiting) return undefined;
    if (this.#reads.length === 0) setImmediate(() => this.#sendReads());
    return new Promise((done) => this.#reads.push({ call, done }));
  }

  /** Runs one step of a function that makes calls, on the committed state. */
  step(call: Call): Promise<CallResult> {
    return new Promise((resolve) => {
      this.#dispatch({
        ...{ calls: [call], writes: false, id: 0, sinceMs: performance.now() },
        done: (results) => {
          const [result] = results instanceof ProcessError ? [] : results;
          // Its process is gone, and with it whatever the function had begun.
          resolve(result ?? (this.#application === undefined ? replaced : stopped));
        },
      });
    });
  }

  /** A function that makes calls is given up. */
  forget(phase: number): void {
    if (this.#stage === 'up') this.#process?.send({ kind: 'forget', phase });
  }

  #sendReads(): void {
    const reads = this.#reads;
    this.#reads = [];
    for (const group of readGroups(reads)) this.#dispatchReads(group);
  }

  #dispatchReads(
    reads: readonly { readonly call: Call; readonly done: (result: CallResult) => void }[],
  ): void {
    this.#dispatch({
      calls: reads.map(({ call }) => call),
      writes: false,
      id: 0,
      sinceMs: performance.now(),
      done: (results) => {
        const isLate = results instanceof ProcessError && results.code === 'NOT_UP';
        for (const [at, read] of reads.entries()) {
          const result = results instanceof ProcessError ? undefined : results[at];
          if (isLate || this.#application === undefined) read.done(result ?? notReady);
          // Each of them might be the one the process ended at: alone, it shows.
          else if (result === undefined && reads.length === 1) read.done(stopped);
          else if (result === undefined || result.kind === 'unfinished')
            this.#dispatchReads([read]);
          else read.done(result);
        }
      },
    });
  }

  #dispatch(job: Job): void {
    // Whoever found the application before it was replaced may ask after: no process comes up for it.
    if (this.#application === undefined) job.done(over());
    else if (this.#stage === 'up') this.#send(job);
    else this.#waiting.push(job);
  }

  #send(job: Job): void {
    job.id = this.#nextId;
    this.#nextId = this.#nextId === 0xffff_ffff ? 1 : this.#nextId + 1;
    const { id, calls } = job;
    this.#process?.send(
      job.writes
        ? { kind: 'execute', id, layer: this.#source.nextLayer, calls }
        : { kind: 'read', id, calls },
    );
    if (this.#sent.length === 0) this.#lastHeardMs = performance.now();
    this.#sent.push(job);
  }

  #launch(): void {
    const { program } = this.#options;
    const application = this.#application as HostedApplication;
    this.#startedMs = performance.now();
    this.#isLoaded = false;
    const process = new ApplicationProcess(program, application.limits, {
      loaded: () => {
        this.#isLoaded = true;
        this.#lastHeardMs = performance.now();
      },
      results: (id, results) => this.#answered(id, results),
      wanted: (range) =>
        this.#options.past.range(range, (found) => process.send({ kind: 'past', ...found })),
      ended: (why) => this.#ended(why),
    });
    this.#process = process;
    void this.#feed(process, application);
  }

  /** Gives a new process the state, a part a turn, and then whatever waits for it. */
  async #feed(process: ApplicationProcess, application: HostedApplication): Promise<void> {
    const { bundle, limits, committed } = application;
    process.send({ kind: 'load', limits, bundle });
    for (const place of this.#options.history.places()) process.send({ kind: 'place', place });
    this.#stage = 'feeding';
    for (const part of committedParts(committed)) {
      process.send({ kind: 'part', part });
      do await turn();
      while (this.#process === process && process.waitingBytes > maxUntakenBytes);
      if (this.#process !== process) return;
    }
    for (const layer of this.#source.layers()) process.send(layer);
    this.#stage = 'up';
    this.#follow(process, application);
    // Answered once the process has taken all of it.
    const sinceMs = performance.now();
    this.#send({ ...readiness, sinceMs, done: (results) => this.#becameReady(results) });
    for (const job of this.#waiting.splice(0)) this.#send(job);
    this.#watch(process, limits);
  }

  /** Fills the indexes of a new process, while it answers. */
  #follow(process: ApplicationProcess, { indexes }: HostedApplication): void {
    this.#follower = undefined;
    if (indexes.length === 0) return;
    const { past } = this.#options;
    this.#follower = new IndexFollower(indexes, {
      read: (from, to) => past.writes(from, to),
      send: (upTo, entries) => process.send({ kind: 'indexed', upTo, entries }),
      pause: async (ms) => {
        do await sleep(ms, undefined, { ref: false });
        while (this.#process === process && process.waitingBytes > maxUntakenBytes);
        return this.#process === process;
      },
    });
    void this.#follower.run();
  }

  #becameReady(results: readonly CallResult[] | ProcessError): void {
    if (results instanceof ProcessError) return;
    this.#isReady = true;
    this.#failure = undefined;
    this.#started();
    this.#options.changed();
  }

  /** Whoever waits for a process that does not come up is told so. */
  #refuseOverdue(): void {
    const before = performance.now() - maxWaitMs;
    const overdue = this.#waiting.filter(({ sinceMs }) => sinceMs < before);
    const late = new ProcessError('NOT_UP', 'the application does not come up');
    const tooLongMs = performance.now() - loadingMs;
    for (const { sinceMs, settle } of this.#starting) if (sinceMs < tooLongMs) settle(late);
    this.#starting = this.#starting.filter(({ sinceMs }) => sinceMs >= tooLongMs);
    if (overdue.length === 0) return;
    this.#waiting = this.#waiting.filter(({ sinceMs }) => sinceMs >= before);
    for (const job of overdue) job.done(late);
  }

  /** Ends a process that has not answered though its own limits would have made it. */
  #watch(process: ApplicationProcess, { maxBatchMs, maxRequestMs }: ApplicationLimits): void {
    const busyMs = maxBatchMs + 2 * maxRequestMs + graceMs;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const silentMs = performance.now() - this.#lastHeardMs;
      const allowedMs = this.#isLoaded ? busyMs : loadingMs;
      if (this.#sent.length > 0 && silentMs > allowedMs) process.end('SILENT');
      else this.#watch(process, { maxBatchMs, maxRequestMs } as ApplicationLimits);
    }, 1_000).unref();
  }

  #answered(id: number, results: readonly CallResult[]): void {
    this.#lastHeardMs = performance.now();
    const job = this.#sent[0];
    if (job?.id !== id || job.calls.length !== results.length) {
      this.#process?.end('PROTOCOL');
      return;
    }
    this.#sent.shift();
    job.done(results);
    if (this.#isRetiring && this.load === 0) this.stop();
  }

  #ended(why: string): void {
    const { log } = this.#options;
    this.#process = undefined;
    this.#stage = 'down';
    clearTimeout(this.#timer);
    const livedMs = performance.now() - this.#startedMs;
    const [suspect, ...innocent] = this.#sent;
    this.#sent = [];
    this.#waiting.unshift(...innocent);
    if (why === 'REPLACED' || why === 'STOPPED') {
      if (suspect !== undefined) this.#waiting.unshift(suspect);
    } else {
      log('application.ended', { why, livedMs: Math.round(livedMs) });
      if (!this.#isReady) {
        this.#failure = why;
        this.#started(new ProcessError('ENDED', `the process ended before it was ready: ${why}`));
      }
      suspect?.done(
        suspect.calls.length === 1 && suspect.writes
          ? [stopped]
          : new ProcessError('ENDED', 'the application ended'),
      );
    }
    this.#isReady = false;
    if (this.#application === undefined) return;
    this.#options.changed();
    this.#pauseMs =
      livedMs > healthyMs || suspect !== undefined
        ? firstPauseMs
        : Math.min(this.#pauseMs * 2, longestPauseMs);
    this.#timer = setTimeout(() => this.#launch(), why === 'REPLACED' ? 0 : this.#pauseMs).unref();
  }
}

const over = (): ProcessError => new ProcessError('ENDED', 'the application is stopped');

/** Asks nothing: the answer says that all before it was taken. */
const readiness = { calls: [], writes: false, id: 0 } as const;

const notReady: CallResult = {
  kind: 'failed',
  code: 'APPLICATION_STARTING',
  message: 'the application does not come up, or was replaced',
  trace: '',
};

/** For what is between two steps: nothing of it was ordered. */
const replaced: CallResult = {
  kind: 'failed',
  code: 'TRANSACTION_LOST',
  message: 'the application was replaced before the transaction; send it again',
  trace: '',
};

const stopped: CallResult = {
  kind: 'failed',
  code: 'APPLICATION_STOPPED',
  message: 'the process of the application ended at this request',
  trace: '',
};
