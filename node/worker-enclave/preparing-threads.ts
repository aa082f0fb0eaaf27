import { joinParts, splitParts } from './byte-parts.ts';
import { nameOf } from './errors.ts';
import type { Preparer } from './preparation.ts';

/** What is sent to a thread. */
export interface PreparingTask {
  readonly id: number;
  readonly adapterId: string;
  /** {@link joinParts} of the requests. */
  readonly requests: Uint8Array<ArrayBuffer>;
}

/** What it sends: that it is there, then an answer to each task, in their order. */
export type PreparingMessage =
  | 'ready'
  | { readonly id: number; readonly prepared: Uint8Array<ArrayBuffer> };

/** A thread, as `node:worker_threads` has them. */
export interface Thread {
  postMessage(task: PreparingTask, transfer: readonly ArrayBuffer[]): void;
  on(event: 'message', listener: (message: PreparingMessage) => void): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  on(event: 'exit', listener: (code: number) => void): unknown;
  /** Lets the process end although it runs. */
  unref(): void;
  terminate(): Promise<number>;
}

/** What preparing threads need of the process around them. */
export interface PreparingThreadsOptions {
  /** How many, from 1. */
  readonly count: number;
  /** @throws Error when the process may have no more threads */
  readonly start: () => Thread;
  readonly log: (event: string, fields: Readonly<Record<string, unknown>>) => void;
  /** A thread that has not answered a task after this is given up, milliseconds. */
  readonly deadlineMs?: number;
  /**
   * One that has not said it is ready after this is given up too, milliseconds; default 60,000. A
   * loaded machine takes many seconds to start one.
   */
  readonly startDeadlineMs?: number;
  /** Pause before a thread is started anew; doubled each time up to the longest, milliseconds. */
  readonly restartMs?: { readonly first: number; readonly longest: number };
}

interface Job {
  readonly id: number;
  readonly timer: NodeJS.Timeout;
  readonly done: (prepared?: readonly Uint8Array[]) => void;
}

interface Place {
  thread: Thread | undefined;
  isReady: boolean;
  /** Gives up a thread that does not become ready. */
  starting: NodeJS.Timeout | undefined;
  /** Oldest first. */
  jobs: Job[];
  /** Since a thread in this place has answered. */
  failures: number;
  restart: NodeJS.Timeout | undefined;
}

/**
 * Threads that prepare requests. They are started when there is something to do, and again, later
 * and later, when they die; what a dead one had is given back at once.
 */
export class PreparingThreads implements Preparer {
  readonly #options: PreparingThreadsOptions;
  readonly #deadlineMs: number;
  readonly #startDeadlineMs: number;
  readonly #restartMs: { readonly first: number; readonly longest: number };
  readonly #places: readonly Place[];
  #nextId = 1;
  #stopped = false;

  constructor(options: PreparingThreadsOptions) {
    this.#options = options;
    this.#deadlineMs = options.deadlineMs ?? 5_000;
    this.#startDeadlineMs = options.startDeadlineMs ?? 60_000;
    this.#restartMs = options.restartMs ?? { first: 100, longest: 60_000 };
    this.#places = Array.from({ length: options.count }, () => ({
      thread: undefined,
      isReady: false,
      starting: undefined,
      jobs: [],
      failures: 0,
      restart: undefined,
    }));
  }

  prepare(
    adapterId: string,
    raws: readonly Uint8Array[],
    done: (prepared?: readonly Uint8Array[]) => void,
  ): boolean {
    let chosen: Place | undefined;
    for (const place of this.#places) {
      if (!place.isReady) this.#start(place);
      else if (chosen === undefined || place.jobs.length < chosen.jobs.length) chosen = place;
    }
    if (chosen?.thread === undefined) return false;
    const place = chosen;
    const { thread } = chosen;
    const id = this.#nextId++;
    const requests = joinParts(raws);
    const timer = setTimeout(() => this.#overdue(place, thread, id), this.#deadlineMs);
    place.jobs.push({ id, timer, done });
    thread.postMessage({ id, adapterId, requests }, [requests.buffer]);
    return true;
  }

  /** Ends them; whatever they had is given back. */
  stop(): void {
    this.#stopped = true;
    for (const place of this.#places) {
      clearTimeout(place.restart);
      const { thread } = place;
      this.#giveUp(place);
      void thread?.terminate();
    }
  }

  #start(place: Place): void {
    if (place.thread !== undefined || place.restart !== undefined || this.#stopped) return;
    let thread: Thread;
    try {
      thread = this.#options.start();
    } catch (error) {
      this.#again(place, nameOf(error));
      return;
    }
    place.thread = thread;
    thread.on('message', (message) => this.#received(place, thread, message));
    thread.on('error', (error) => this.#lost(place, thread, nameOf(error)));
    thread.on('exit', () => this.#lost(place, thread, 'ENDED'));
    thread.unref();
    place.starting = setTimeout(() => this.#notReady(place, thread), this.#startDeadlineMs);
    place.starting.unref();
  }

  #received(place: Place, thread: Thread, message: PreparingMessage): void {
    if (place.thread !== thread) return;
    if (message === 'ready') {
      place.isReady = true;
      clearTimeout(place.starting);
      return;
    }
    const job = place.jobs[0];
    const prepared = splitParts(message.prepared);
    if (job?.id !== message.id || prepared === undefined) {
      this.#lost(place, thread, 'WRONG_ANSWER');
      return;
    }
    place.jobs.shift();
    place.failures = 0;
    clearTimeout(job.timer);
    job.done(prepared);
  }

  /** Whatever held this thread up may have kept the answer waiting: what has come is received first. */
  #overdue(place: Place, thread: Thread, id: number): void {
    setImmediate(() => {
      if (place.jobs.some((job) => job.id === id)) this.#lost(place, thread, 'TOO_SLOW');
    });
  }

  /** As with an answer, word that has come but was not received yet counts. */
  #notReady(place: Place, thread: Thread): void {
    setImmediate(() => {
      if (!place.isReady) this.#lost(place, thread, 'NOT_READY');
    });
  }

  #lost(place: Place, thread: Thread, why: string): void {
    if (place.thread !== thread) return;
    this.#again(place, why);
    this.#giveUp(place);
    void thread.terminate();
  }

  #again(place: Place, why: string): void {
    if (this.#stopped) return;
    const { first, longest } = this.#restartMs;
    const restartMs = Math.min(longest, first * 2 ** place.failures);
    place.failures += 1;
    this.#options.log('worker.preparing-thread-lost', {
      why,
      requestGroups: place.jobs.length,
      restartMs,
    });
    // The next request that could use it starts it.
    place.restart = setTimeout(() => {
      place.restart = undefined;
    }, restartMs);
    place.restart.unref();
  }

  #giveUp(place: Place): void {
    const { jobs } = place;
    clearTimeout(place.starting);
    place.thread = undefined;
    place.isReady = false;
    place.jobs = [];
    for (const { timer, done } of jobs) {
      clearTimeout(timer);
      done();
    }
  }
}
