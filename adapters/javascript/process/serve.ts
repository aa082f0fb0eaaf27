import { readFileSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { Store } from '@concordat/kv';
import { CodedError } from '@concordat/std';
import { parseBundle } from '../bundle.ts';
import { FrameSocket } from '../frame-socket.ts';
import {
  type ApplicationLimits,
  type CallResult,
  decodeToProcess,
  encodeFromProcess,
  type ToProcess,
} from '../frames.ts';
import type { WantedRange } from '../past-state.ts';
import { tables } from '../tables.ts';
import { TransactionHistory } from '../transaction-history.ts';
import { Application } from './application.ts';
import { compileModule } from './module-instances.ts';
import { linkModules } from './module-linking.ts';
import { PastRanges } from './past-ranges.ts';

/** Argument of a process that only checks the bundle on its standard input. */
export const checkArgument = '--check';
/** Descriptor of the pipe to the worker enclave. */
const pipe = 3;

/** Runs this process as the one that holds an application, until the worker enclave ends. */
export function serveApplication(args: readonly string[]): void {
  if (args.includes(checkArgument)) {
    check();
    return;
  }
  const socket = new Socket({ fd: pipe, readable: true, writable: true });
  const served = new ServedApplication((message) => frames.sendNow(encodeFromProcess(message)));
  const waiting: Buffer[] = [];
  // One frame after another, each answered before the next: the worker takes the oldest that is
  // not answered for the one a process ended at.
  const pump = (): void => {
    while (waiting.length > 0) {
      if (frames.waitingBytes > 0) {
        setImmediate(pump);
        return;
      }
      served.receive(decodeToProcess(waiting.shift() as Buffer));
    }
  };
  const frames = new FrameSocket(socket, {
    onFrame: (body) => {
      waiting.push(body);
      if (waiting.length === 1) pump();
    },
    // What was half done is lost with the process, and nothing else.
    onError: () => process.exit(70),
  });
  socket.on('close', () => process.exit(0));
}

/** Writes `{}` or `{code, message}` as JSON to the standard output; ends by a syntax error. */
function check(): void {
  let verdict: { code?: string; message?: string; details?: unknown } = {};
  try {
    const bundle = parseBundle(readFileSync(0));
    for (const { name, body } of linkModules(bundle)) compileModule(name, body);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    verdict = { code: error.code, message: error.message, details: error.details };
  }
  writeSync(1, JSON.stringify(verdict));
}

/** The application with its copy of the worker's state. */
class ServedApplication {
  readonly #store = new Store(tables);
  readonly #history = new TransactionHistory();
  readonly #ranges: PastRanges;
  readonly #send: (message: Parameters<typeof encodeFromProcess>[0]) => void;
  #application: Application | undefined;

  constructor(send: (message: Parameters<typeof encodeFromProcess>[0]) => void) {
    this.#send = send;
    const ask = (wanted: WantedRange): void => this.#send({ kind: 'wanted', ...wanted });
    this.#ranges = new PastRanges(ask, () => performance.now());
  }

  receive(message: ToProcess): void {
    switch (message.kind) {
      case 'load':
        this.#load(message.limits, message.bundle);
        return;
      case 'part':
        this.#store.rollback(0);
        this.#store.adopt(message.part);
        return;
      case 'replayed':
        this.#store.rollback(0);
        this.#store.applyCommitted(message.writeSets, message.firstSeqno);
        return;
      case 'applied':
        // A batch of ours that was given up still lies there.
        this.#store.rollback(message.layer - 1);
        this.#store.applyLayer(message.layer, message.writeSets, message.firstSeqno || undefined);
        return;
      case 'past':
        this.#ranges.found(message);
        return;
      case 'indexed':
        this.#running.indexes.add(message.upTo, message.entries);
        return;
      case 'numbered':
        this.#store.number(message.layer, message.firstSeqno);
        return;
      case 'committed':
        this.#store.commit(message.layer);
        return;
      case 'dropped':
        this.#store.rollback(message.layer - 1);
        // What shared modules remember may come from what is gone.
        this.#application?.forget();
        return;
      case 'forget':
        this.#application?.forgetPhase(message.phase);
        return;
      case 'place':
        this.#history.committed(message.place);
        this.#ranges.expire();
        return;
      case 'read':
        this.#results(
          message.id,
          this.#running.run(message.calls, { view: this.#store.committed() }),
        );
        return;
      default:
        this.#execute(message);
    }
  }

  #load(limits: ApplicationLimits, bundle: Buffer | Uint8Array): void {
    this.#application = new Application(Buffer.from(bundle), limits, {
      history: this.#history,
      ranges: this.#ranges,
    });
    this.#send({ kind: 'loaded' });
  }

  #execute({ id, layer, calls }: Extract<ToProcess, { kind: 'execute' }>): void {
    this.#store.rollback(layer - 1);
    const set = this.#store.begin(layer);
    const results = this.#running.run(calls, { view: set, set });
    const kept = results.some((result) => result.kind === 'answered' && result.writes);
    if (kept) set.finish();
    else set.abort();
    this.#results(id, results);
  }

  #results(id: number, results: readonly CallResult[]): void {
    this.#send({ kind: 'results', id, results });
  }

  get #running(): Application {
    if (this.#application === undefined) throw new Error('no application is loaded');
    return this.#application;
  }
}
