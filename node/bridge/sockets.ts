import { join } from 'node:path';
import { BridgeError } from './errors.ts';

/** The host listens here; the manager connects and speaks control frames. */
export const controlSocket = (directory: string): string => join(directory, 'control.sock');

/** The host listens here; worker k (from 1) connects and speaks control frames. */
export const workerControlSocket = (directory: string, worker: number): string =>
  join(directory, `worker-${worker}-control.sock`);

/** The host listens here; the manager connects once for each outbound connection to a peer. */
export const dialSocket = (directory: string): string => join(directory, 'dial.sock');

/** The manager listens here; worker k (from 1) connects with TLS and speaks channel frames. */
export const workerSocket = (directory: string, worker: number): string =>
  join(directory, `worker-${worker}.sock`);

/** Name of worker k's application listener, as the `listening` frame and socket carry it. */
export const applicationListener = (worker: number): string => `app-${worker}`;

const listenerName = /^(node|admin|app-[1-9]\d{0,3})$/;

/** Whether a text names a listener: `node`, `admin` or `app-<k>`. */
export const isListenerName = (which: string): boolean => listenerName.test(which);

/**
 * The manager listens here for what the host accepts over TCP.
 * @throws BridgeError INVALID_ARGUMENTS when `which` is not `node`, `admin` or `app-<k>`
 */
export function listenerSocket(directory: string, which: string): string {
  if (!isListenerName(which)) {
    throw new BridgeError('INVALID_ARGUMENTS', 'a listener is node, admin or app-<k>');
  }
  return join(directory, `${which}.sock`);
}

/** What the host passes an enclave on its command line; everything else comes as `start`. */
export interface EnclaveArguments {
  /** Directory of the bridge sockets, as the enclave sees it. */
  readonly bridgeDirectory: string;
  /** Number of this worker, from 1; absent in a manager. */
  readonly worker?: number;
}

/** The command line arguments that {@link parseEnclaveArguments} reads. */
export const formatEnclaveArguments = ({ bridgeDirectory, worker }: EnclaveArguments): string[] =>
  worker === undefined
    ? ['--bridge', bridgeDirectory]
    : ['--bridge', bridgeDirectory, '--worker', String(worker)];

/**
 * Reads an enclave's command line (`process.argv.slice(2)`).
 * @throws BridgeError INVALID_ARGUMENTS
 */
export function parseEnclaveArguments(args: readonly string[]): EnclaveArguments {
  const [bridgeFlag, bridgeDirectory, workerFlag, worker, ...rest] = args;
  const isManager = workerFlag === undefined;
  const isWorker = workerFlag === '--worker' && /^[1-9]\d{0,3}$/.test(worker ?? '');
  if (bridgeFlag !== '--bridge' || !bridgeDirectory || !(isManager || isWorker) || rest.length) {
    throw new BridgeError('INVALID_ARGUMENTS', 'usage: --bridge <directory> [--worker <number>]');
  }
  return isManager ? { bridgeDirectory } : { bridgeDirectory, worker: Number(worker) };
}

/**
 * Exit status of a manager that gave its identity up in order, so that its next launch joins as a new
 * node: no failure, and the host need not wait longer and longer before it.
 */
export const rejoinExitStatus = 75;
