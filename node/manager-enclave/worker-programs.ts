import type { ApplicationState } from '@concordat/api';
import type { ProgramToManager, ProgramToWorker } from '@concordat/bridge';
import { fromUtf8 } from '@concordat/std';
import { FairTurns } from './fair-turns.ts';
import type { WorkerAdapters } from './program-projection.ts';
import type { WorkerLinks } from './worker-states.ts';

/** What a worker said of a program; without a code it is as it should be. */
export interface ProgramVerdict {
  readonly code?: string;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** Programs that are checked at a time: each takes a process of its own, and has up to 8 MiB. */
const maxChecks = 2;
/** Checks of one actor that wait. */
const maxWaitingChecks = 4;
const maxReasonLength = 1_024;
const states = ['none', 'starting', 'running', 'failing'] as const;

/** A program to be made ready, and what came of it. */
export interface Preparation {
  readonly adapter: string;
  readonly digest: string;
  /** Absent when it is ready. */
  readonly code?: string;
  readonly message?: string;
}

/** Where workers are asked about programs, and say what they run. */
export class WorkerPrograms {
  readonly #workers: WorkerLinks;
  readonly #adapters: () => WorkerAdapters;
  readonly #open = new Map<number, (verdict: ProgramVerdict) => void>();
  readonly #running = new Map<number, Map<string, ApplicationState>>();
  readonly #checks = new FairTurns(maxChecks, maxWaitingChecks);
  readonly #prepared = new Map<string, Preparation>();
  #failedPreparations = 0;
  #nextRequest = 1;

  constructor(workers: WorkerLinks, adapters: () => WorkerAdapters) {
    this.#workers = workers;
    this.#adapters = adapters;
  }

  /** What the adapters of a worker run, as far as they take programs. */
  statesOf(index: number): ApplicationState[] {
    return [...(this.#running.get(index)?.values() ?? [])].map((state) => {
      const prepared = this.#prepared.get(state.adapter);
      if (prepared === undefined) return state;
      const { adapter: _, ...outcome } = prepared;
      return { ...state, prepared: outcome };
    });
  }

  /** Programs that could not be made ready before they were put in force, since this node began. */
  get failedPreparations(): number {
    return this.#failedPreparations;
  }

  /** Takes note of what came of the newest preparation for an adapter. */
  prepared(preparation: Preparation): void {
    this.#prepared.set(preparation.adapter, preparation);
    if (preparation.code !== undefined) this.#failedPreparations += 1;
  }

  /** Asks for a check in the turn of whoever proposes the program; else as {@link ask}. */
  async check(
    who: string,
    question: Pick<ProgramToWorker, 'adapterId' | 'bytes'>,
    timeoutMs: number,
  ): Promise<ProgramVerdict | undefined> {
    const startedMs = performance.now();
    if (!(await this.#checks.take(who, timeoutMs))) return undefined;
    const asked = this.ask({ purpose: 'check', ...question }, timeoutMs);
    // The worker is at it though nobody waits any more: until then the turn is not over.
    void asked.finally(() => this.#checks.giveBack(who));
    const leftMs = Math.max(1, timeoutMs - (performance.now() - startedMs));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, leftMs, undefined);
    });
    return Promise.race([asked, late]).finally(() => clearTimeout(timer));
  }

  /** Asks the worker of an adapter; undefined when it does not answer in time. */
  ask(
    question: Pick<ProgramToWorker, 'purpose' | 'adapterId' | 'bytes'>,
    timeoutMs: number,
  ): Promise<ProgramVerdict | undefined> {
    const { adapterId } = question;
    const index = this.#adapters().find(({ adapters }) => adapters.includes(adapterId))?.index;
    const link = index === undefined ? undefined : this.#workers.link(index);
    if (link === undefined) {
      const message = `no worker of the leader has an adapter ${adapterId}`;
      return Promise.resolve({ code: 'ADAPTER_MISSING', message, details: {} });
    }
    const request = this.#nextRequest;
    this.#nextRequest = (request % 0xffff_fffe) + 1;
    return new Promise((resolve) => {
      const settle = (verdict?: ProgramVerdict): void => {
        clearTimeout(timer);
        this.#open.delete(request);
        resolve(verdict);
      };
      const timer = setTimeout(settle, timeoutMs);
      this.#open.set(request, settle);
      link.send({ kind: 'program', request, ...question });
    });
  }

  /** What a worker says. */
  received(index: number, message: ProgramToManager): void {
    if (message.kind === 'programState') {
      const state = stateIn(message.json);
      const worker = this.#adapters().find((one) => one.index === index);
      if (!state || !worker?.adapters.includes(state.adapter)) return;
      this.#running.set(index, this.#running.get(index) ?? new Map());
      this.#running.get(index)?.set(state.adapter, state);
      return;
    }
    const { request, code, json } = message;
    const { message: why, details } = objectIn(json);
    this.#open.get(request)?.({
      ...(code !== undefined && { code }),
      message: typeof why === 'string' ? why.slice(0, maxReasonLength) : '',
      details: typeof details === 'object' && details !== null ? { ...details } : {},
    });
  }
}

function objectIn(json: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(fromUtf8(json));
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

function stateIn(json: Uint8Array): ApplicationState | undefined {
  const { adapter, state, digest, reason } = objectIn(json);
  const known = states.find((one) => one === state);
  if (typeof adapter !== 'string' || known === undefined) return undefined;
  return {
    adapter,
    state: known,
    ...(typeof digest === 'string' && { digest }),
    ...(typeof reason === 'string' && { reason: reason.slice(0, maxReasonLength) }),
  };
}
