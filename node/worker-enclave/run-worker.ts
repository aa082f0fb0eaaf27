import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import {
  type WorkerLimits as HostLimits,
  parseEnclaveArguments,
  workerControlSocket,
  workerSocket,
} from '@concordat/bridge';
import { CodedError } from '@concordat/std';
import type { LedgerAdapter } from './adapter.ts';
import { ControlLink } from './control-link.ts';
import { nameOf, WorkerError } from './errors.ts';
import { defaultLimits, type WorkerLimits } from './limits.ts';
import { createLinkIdentity, dialManager, ManagerLink } from './manager-link.ts';
import { servePreparations } from './preparing-program.ts';
import { PreparingThreads } from './preparing-threads.ts';
import { reexecutionArgument, runReexecution } from './reexecution-program.ts';
import { forbidThreads, isPreparingThread, startPreparingThread } from './thread-start.ts';
import { Worker } from './worker.ts';

/**
 * Runs this process as a worker enclave until the host stops it. `adapters` are all that the
 * measured image holds; the host's start frame names those that run. With the one argument
 * `--re-execute` it is no enclave: it executes a ledger anew for whoever audits it. In a thread that
 * the enclave has started it prepares requests.
 * @param args the command line that `formatEnclaveArguments` of the bridge writes
 * @throws WorkerError whatever ends the enclave before the host asks for it; BridgeError
 */
export async function runWorker(
  adapters: readonly LedgerAdapter[],
  args: readonly string[] = process.argv.slice(2),
): Promise<void> {
  if (isPreparingThread()) return servePreparations(adapters);
  forbidThreads();
  if (args.length === 1 && args[0] === reexecutionArgument) return runReexecution(adapters);
  const { bridgeDirectory, worker: index } = parseEnclaveArguments(args);
  if (index === undefined) throw new WorkerError('INVALID_START', 'a worker needs its number');
  const ended = Promise.withResolvers<void>();
  // Whoever awaits it comes later; until then a failure is not an unhandled one.
  ended.promise.catch(() => {});
  const control = new ControlLink(workerControlSocket(bridgeDirectory, index), (error) => {
    if (error === undefined) ended.resolve();
    else ended.reject(error);
  });
  try {
    await serve({ adapters, bridgeDirectory, index, control, ended });
  } catch (error) {
    const why = error instanceof CodedError ? error.message : '';
    control.log(logLine(index, 'worker.ended', { error: nameOf(error), why }));
    throw error;
  } finally {
    control.end();
  }
}

/** Time for the host to ask for the end after the manager has gone. */
const orderlyStopMs = 1_000;

interface Serving {
  readonly adapters: readonly LedgerAdapter[];
  readonly bridgeDirectory: string;
  readonly index: number;
  readonly control: ControlLink;
  readonly ended: PromiseWithResolvers<void>;
}

async function serve({ adapters, bridgeDirectory, index, control, ended }: Serving): Promise<void> {
  const start = await control.started;
  if (start.index !== index) throw new WorkerError('INVALID_START', 'the start is for another');
  const chosen = choose(adapters, start.adapters);
  const identity = await createLinkIdentity(randomBytes(32), (data) => control.attest(data));
  const socket = await dialManager(workerSocket(bridgeDirectory, index), ended.promise);
  if (socket === undefined) return;
  const log = (event: string, fields: Readonly<Record<string, unknown>>) =>
    control.log(logLine(index, event, fields));
  const threads = preparingThreads(start.limits.preparingThreads, log);
  const worker: Worker = new Worker({
    adapters: chosen,
    limits: limitsFrom(start.limits),
    ...(threads && { preparer: threads }),
    send: (message) => link.send(message),
    wallMs: Date.now,
    nowMs: () => performance.now(),
    random: (bytes) => randomBytes(bytes),
    log,
  });
  const link: ManagerLink = new ManagerLink(socket, identity, {
    onMessage: (message) => worker.receive(message),
    onDrain: () => worker.drained(),
    onClose: (error) => {
      if (error instanceof CodedError) {
        // The host may end everything as soon as the manager has ended: it is to hear why before.
        ended.reject(error);
        return;
      }
      const why = error === undefined ? 'closed' : nameOf(error);
      const lost = new WorkerError('CONNECTION_LOST', `the channel to the manager: ${why}`);
      // In an orderly stop the manager ends first, and the host asks for the end a moment later.
      setTimeout(() => ended.reject(lost), orderlyStopMs);
    },
  });
  try {
    await ended.promise;
  } finally {
    threads?.stop();
    worker.close();
    link.end();
  }
}

/** More would prepare more than one main thread can admit. */
const maxPreparingThreads = 16;

/** The host's choice, or one where there is a second processor. */
function preparingThreads(
  chosen: number | undefined,
  log: (event: string, fields: Readonly<Record<string, unknown>>) => void,
): PreparingThreads | undefined {
  const count = Math.min(chosen ?? (availableParallelism() > 1 ? 1 : 0), maxPreparingThreads);
  // An image without such adapters is not allowed threads.
  const mayHave = process.permission?.has('worker') ?? true;
  if (count === 0 || !mayHave) return undefined;
  return new PreparingThreads({ count, start: startPreparingThread, log });
}

const logLine = (worker: number, event: string, fields: Readonly<Record<string, unknown>>) => ({
  timeMs: Date.now(),
  event,
  process: 'worker',
  worker,
  ...fields,
});

function choose(adapters: readonly LedgerAdapter[], ids: readonly string[]): LedgerAdapter[] {
  return ids.map((id) => {
    const adapter = adapters.find((candidate) => candidate.id === id);
    if (adapter !== undefined) return adapter;
    throw new WorkerError('INVALID_START', `this image holds no adapter ${id}`);
  });
}

/** The host's three limits; the rest are the worker's own. */
function limitsFrom(limits: HostLimits): WorkerLimits {
  const { maxConnections, maxRequestBytes, maxPendingRequests } = limits;
  return {
    ...defaultLimits,
    maxConnections,
    maxBodyBytes: maxRequestBytes,
    maxStreamFrameBytes: Math.min(maxRequestBytes, defaultLimits.maxStreamFrameBytes),
    maxWebSocketMessageBytes: maxRequestBytes,
    maxQueuedTransactions: maxPendingRequests,
    maxInFlightPerActor: Math.max(1, Math.floor(maxPendingRequests / 2)),
  };
}
