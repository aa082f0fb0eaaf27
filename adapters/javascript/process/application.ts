import { randomBytes } from 'node:crypto';
import { Script } from 'node:vm';
import type { ReadView, TransactionSet, WriteSet } from '@concordat/kv';
import { type Bundle, type BundleEndpoint, readBundle } from '../bundle.ts';
import type { PhaseStep } from '../call-form.ts';
import type { ApplicationLimits, Call, CallResult } from '../frames.ts';
import type { TransactionHistory } from '../transaction-history.ts';
import { CallPhases, type OpenPhase } from './call-phases.ts';
import { ModuleInstances } from './module-instances.ts';
import { linkModules } from './module-linking.ts';
import type { PastRanges } from './past-ranges.ts';
import { createRealm, type Realm } from './realm.ts';
import { RequestState } from './request-state.ts';
import { SeqnoIndexes } from './seqno-indexes.ts';
import { Watchdog } from './watchdog.ts';

/** What a run of calls works on: committed state, or the open set of a batch. */
export type Target =
  | { readonly view: ReadView; readonly set?: undefined }
  | { readonly view: ReadView; readonly set: TransactionSet };

interface Run {
  readonly calls: readonly Call[];
  readonly target: Target;
  readonly results: CallResult[];
  readonly startedMs: number;
  /** Of the results so far. */
  bytes: number;
}

/** The application of this process: its realm, its modules, one request at a time. */
export class Application {
  readonly #bundle: Bundle;
  readonly indexes: SeqnoIndexes;
  readonly #limits: ApplicationLimits;
  readonly #state: RequestState;
  readonly #realm: Realm;
  readonly #instances: ModuleInstances;
  readonly #watchdog: Watchdog;
  readonly #phases = new CallPhases();
  readonly #driver: Script;
  #run: Run | undefined;

  /** @throws BundleError */
  constructor(
    bundle: Uint8Array,
    limits: ApplicationLimits,
    { history, ranges }: { readonly history: TransactionHistory; readonly ranges: PastRanges },
  ) {
    this.#bundle = readBundle(bundle);
    this.#limits = limits;
    this.indexes = new SeqnoIndexes(this.#bundle.indexes);
    this.#state = new RequestState(limits, history, {
      random: createPool(),
      ranges,
      indexes: this.indexes,
      phases: this.#phases,
    });
    this.#realm = createRealm(this.#state);
    this.#state.allocateWith(this.#realm.calls.allocate);
    this.#instances = new ModuleInstances(this.#realm, linkModules(this.#bundle));
    this.#watchdog = new Watchdog(limits);
    // Only a script can be interrupted and leave its thread alive; this one calls back here.
    (globalThis as Record<string, unknown>).concordatRun = () => this.#loop();
    this.#driver = new Script('concordatRun()');
    // Between two scripts the signal has nothing to say.
    process.on('SIGINT', () => {});
  }

  /** Drops what module instances remember from one request to the next. */
  forget(): void {
    this.#instances.forget();
  }

  /** A function that makes calls is given up, or has ended. */
  forgetPhase(phase: number): void {
    for (const number of this.#phases.end(phase)) this.#realm.calls.drop(number);
  }

  /** Runs calls one after another. */
  run(calls: readonly Call[], target: Target): CallResult[] {
    const run: Run = { calls, target, results: [], startedMs: performance.now(), bytes: 0 };
    this.#run = run;
    while (run.results.length < calls.length) {
      try {
        this.#driver.runInThisContext({ breakOnSigint: true });
      } catch (error) {
        this.#interrupted(run, error);
      }
    }
    this.#watchdog.ended();
    this.#run = undefined;
    return run.results;
  }

  #interrupted(run: Run, error: unknown): void {
    const { code } = error as { code?: unknown };
    const why = this.#watchdog.interrupted();
    // What ends a request in any other way leaves nothing to rely on.
    if (code !== 'ERR_SCRIPT_EXECUTION_INTERRUPTED' || why === undefined) throw error;
    this.#instances.forget();
    if (why === 'tooLarge') {
      // It begins again, and answers for its own memory then.
      this.#watchdog.collect();
      return;
    }
    const { step } = run.calls[run.results.length] as Call;
    if (step !== undefined) this.forgetPhase(step.phase);
    const { maxRequestMs } = this.#limits;
    const message = `the request ran for more than ${maxRequestMs} ms`;
    run.results.push({ kind: 'failed', code: 'APPLICATION_TIMEOUT', message, trace: '' });
  }

  #loop(): void {
    const run = this.#run as Run;
    const { calls, target, results } = run;
    let unplaced = 0;
    while (results.length < calls.length) {
      const now = performance.now();
      if (unplaced >= maxUnplaced) {
        results.push({ kind: 'unplaced' });
        continue;
      }
      const isLate = now - run.startedMs > this.#limits.maxBatchMs;
      if (results.length > 0 && (isLate || run.bytes > maxResultBytes)) {
        results.push({ kind: 'unfinished' });
        continue;
      }
      this.#watchdog.began();
      const call = calls[results.length] as Call;
      const result = call.step ? this.#step(call, call.step, target) : this.#call(call, target);
      if (result.kind === 'unplaced') unplaced += 1;
      run.bytes += bytesOfResult(result);
      results.push(result);
    }
  }

  #call(call: Call, target: Target): CallResult {
    const endpoint = this.#bundle.endpoints[call.endpoint] as BundleEndpoint;
    const { set, view } = target;
    const writable = set !== undefined && endpoint.mode === 'readwrite';
    const state = this.#state;
    const line = state.begin({ call, view, writable, route: endpoint.template.path });
    let isPending = false;
    try {
      isPending = this.#realm.calls.run(this.#instances.handlerOf(endpoint), line);
    } catch (error) {
      this.#realm.calls.failed(error);
    }
    if (isPending || state.outcome === undefined) this.#realm.drain();
    // An interruption now would leave the set half written.
    this.#watchdog.settle();
    if (state.isUnplaced) return { kind: 'unplaced' };
    const { outcome } = state;
    if (outcome === undefined) {
      const message = 'the promise of the endpoint does not settle: nothing would ever settle it';
      return { kind: 'failed', code: 'APPLICATION_FAILED', message, trace: '' };
    }
    if (outcome.kind !== 'answered' || set === undefined) return outcome;
    const writes = this.#flush(set);
    if (writes === undefined) return outcome;
    const { claimsDigest: claims } = state;
    return { ...outcome, writes, ...(claims !== undefined && { claims }) };
  }

  /** One step of a function that makes calls: until it waits for answers, or has ended. */
  #step(call: Call, { phase, answered }: PhaseStep, { view }: Target): CallResult {
    const endpoint = this.#bundle.endpoints[call.endpoint] as BundleEndpoint;
    // A beginning that was interrupted is begun again.
    if (answered === undefined) this.forgetPhase(phase);
    const open =
      answered === undefined
        ? this.#phases.begin(phase)
        : this.#phases.answered(phase, answered.number);
    if (open === undefined) {
      this.forgetPhase(phase);
      const message = 'what the function that makes the calls had begun is lost';
      return { kind: 'failed', code: 'APPLICATION_STOPPED', message, trace: '' };
    }
    const state = this.#state;
    const route = endpoint.template.path;
    const line = state.begin({ call, view, writable: false, route, phase: open });
    try {
      if (answered === undefined) {
        this.#realm.calls.prepare(this.#instances.callsOf(endpoint), line);
      } else this.#settle(answered);
    } catch (error) {
      this.#realm.calls.failed(error);
    }
    this.#realm.drain();
    this.#watchdog.settle();
    return this.#stepped(phase, open);
  }

  #settle({ number, end }: NonNullable<PhaseStep['answered']>): void {
    const { calls } = this.#realm;
    if (end.ok) {
      const body = calls.allocate(end.body.length);
      new Uint8Array(body).set(end.body);
      calls.settle(number, end.status, JSON.stringify(end.headers), body);
    } else {
      const told = JSON.stringify({ code: end.code, message: end.message });
      calls.settle(number, 0, told, calls.allocate(0));
    }
  }

  #stepped(phase: number, open: OpenPhase): CallResult {
    const { outcome, isUnplaced } = this.#state;
    if (outcome === undefined && !isUnplaced) {
      const { wanted } = open;
      open.wanted = [];
      return { kind: 'calling', wanted };
    }
    this.forgetPhase(phase);
    return outcome ?? { kind: 'unplaced' };
  }

  #flush(set: TransactionSet): WriteSet | undefined {
    const { writes } = this.#state;
    if (writes === undefined) return undefined;
    const mark = set.checkpoint();
    for (const [name, entries] of writes) {
      const table = set.table(name);
      for (const [key, value] of entries) {
        if (value === undefined) table.delete(key);
        else table.set(key, value);
      }
    }
    // Deleting what is not there is no write; what writes nothing is no transaction, and has no seqno.
    return set.checkpoint() === mark ? undefined : set.takeWriteSet();
  }
}

/**
 * Requests of a batch that had to be put off because of a version, after which the rest is put off
 * unseen: where many ask for the key that all of them write, one can be answered a batch.
 */
const maxUnplaced = 16;
/** Bytes of results after which the rest is put off: all of them leave in one frame. */
const maxResultBytes = 64 * 1024 * 1024;
const poolBytes = 8_192;

function bytesOfResult(result: CallResult): number {
  if (result.kind !== 'answered') return 0;
  const { answer, writes } = result;
  const written = writes ? writes.publicWrites.length + writes.privateWrites.length : 0;
  return answer.length + written;
}

/** Random bytes, drawn many at a time. */
function createPool(): (bytes: number) => Uint8Array {
  let pool = randomBytes(poolBytes);
  let at = 0;
  return (bytes) => {
    if (at + bytes > poolBytes) {
      pool = randomBytes(poolBytes);
      at = 0;
    }
    at += bytes;
    return pool.subarray(at - bytes, at);
  };
}
