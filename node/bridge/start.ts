import { isHex64, utf8 } from '@concordat/std';
import { BridgeError } from './errors.ts';
import { isTextList, parseObject } from './identity.ts';

/**
 * How a manager begins: a new network, joining one, with a ledger found on the host, or a new network
 * that goes on from the ledger of one whose nodes are lost.
 */
export type StartMode = 'genesis' | 'join' | 'resume' | 'recover';

/** Where peers, operators and clients reach this node, as `host:port` each. */
export interface NodeAddresses {
  readonly node: string;
  readonly admin: string;
  /** One a worker; worker k is reached at index k-1. */
  readonly applications: readonly string[];
}

/** Blocks from one height to another, both inclusive. */
export interface HeightRange {
  readonly from: number;
  readonly to: number;
}

/** What a newcomer goes on with unasked; nothing: it waits until its operator approves. */
export interface StartApproval {
  /** Whatever the constitution of the network says. */
  readonly any?: boolean;
  /** Hex, 32 bytes: the constitution with these terms. */
  readonly terms?: string;
  /** A constitution that was handed over, as JSON. */
  readonly constitution?: unknown;
}

/** The `start` frame of a manager enclave. Everything in it is the host's claim, to be checked. */
export interface ManagerStart {
  readonly role: 'manager';
  readonly mode: StartMode;
  readonly node: { readonly name: string; readonly actorCertificatePem?: string };
  readonly addresses: NodeAddresses;
  /** The genesis constitution (mode genesis). */
  readonly genesis?: unknown;
  /** Node channel addresses of the network (mode join; resume may use them to rejoin). */
  readonly peers: readonly string[];
  /** The network to join, pinned (mode join), or the one whose ledger is recovered (mode recover). */
  readonly networkCertificatePem?: string;
  /** What the operator approved of the network's constitution beforehand (mode join). */
  readonly approval?: StartApproval;
  /**
   * Height of the last block in the host's ledger, or of the base it goes on from while it holds
   * none; 0 = no ledger.
   */
  readonly lastHeight: number;
  /**
   * The ledger is whole from this height to `lastHeight`: 1 normally, more after a snapshot was
   * installed or old chunks were archived; `lastHeight + 1` while it holds nothing above a base.
   */
  readonly firstHeight: number;
  /** Blocks below the base that the host wants by `appendEarlier`, lowest first. */
  readonly missing: readonly HeightRange[];
  /**
   * The ledger of a network whose nodes are lost: it is to be recovered by a new network here. Also
   * with mode resume, until the host is configured otherwise.
   */
  readonly former?: { readonly lastHeight: number };
  /** Finished snapshots on the host, oldest first. */
  readonly snapshots: readonly { readonly height: number; readonly chunks: number }[];
  /** Length of a consensus tick, in milliseconds. */
  readonly tickMs: number;
  /** Workers the host launches beside this manager, numbered from 1. */
  readonly workers: readonly { readonly index: number; readonly adapters: readonly string[] }[];
  /** Adapters whose genesis data the host will send as `genesisData` frames after this one. */
  readonly genesisData: readonly string[];
  /** How often the host has restarted the enclaves since it started; 0 the first time. */
  readonly restarts: number;
}

/** The `start` frame of a worker enclave. */
export interface WorkerStart {
  readonly role: 'worker';
  /** From 1. */
  readonly index: number;
  readonly adapters: readonly string[];
  readonly limits: WorkerLimits;
}

/** What a worker may take in, chosen by the host's operator. */
export interface WorkerLimits {
  /** Connections held open at once. */
  readonly maxConnections: number;
  /** Bytes of one request. */
  readonly maxRequestBytes: number;
  /** Requests accepted and not yet answered; above it the answer is 503. */
  readonly maxPendingRequests: number;
  /** Threads that check signatures beside the main one; absent: one where there are two processors. */
  readonly preparingThreads?: number;
}

const startModes: readonly unknown[] = ['genesis', 'join', 'resume', 'recover'];

/** Most entries of `missing` and of `snapshots`. */
const maxListed = 1_000;

/** UTF-8 JSON of a `start` frame. */
export const encodeStart = (start: ManagerStart | WorkerStart): Uint8Array =>
  utf8(JSON.stringify(start));

/**
 * Reads the start frame of a manager.
 * @throws BridgeError MALFORMED_FRAME naming the field
 */
export function decodeManagerStart(json: Uint8Array): ManagerStart {
  const value = parseStart(json, 'manager');
  const { mode, node, addresses, workers, networkCertificatePem } = value;
  check(startModes.includes(mode), 'mode');
  check(isObject(node) && typeof node.name === 'string', 'node.name');
  check(isOptionalText(node.actorCertificatePem), 'node.actorCertificatePem');
  check(isObject(addresses), 'addresses');
  for (const key of ['node', 'admin'] as const) {
    check(typeof addresses[key] === 'string', `addresses.${key}`);
  }
  check(isTextList(addresses.applications), 'addresses.applications');
  check(isTextList(value.peers), 'peers');
  check(isTextList(value.genesisData), 'genesisData');
  check(isOptionalText(networkCertificatePem), 'networkCertificatePem');
  check(isApproval(value.approval), 'approval');
  check(isCount(value.lastHeight), 'lastHeight');
  const { firstHeight, missing, snapshots } = value;
  check(isHeight(firstHeight) && firstHeight <= value.lastHeight + 1, 'firstHeight');
  check(isListOf(missing, isHeightRange), 'missing');
  check(isListOf(snapshots, isSnapshotEntry), 'snapshots');
  const { former } = value;
  const isFormer = isObject(former) && isHeight(former.lastHeight);
  check(isFormer || (former === undefined && mode !== 'recover'), 'former');
  check(isCount(value.tickMs) && value.tickMs >= 1, 'tickMs');
  check(isCount(value.restarts), 'restarts');
  check(Array.isArray(workers) && workers.every(isWorkerEntry), 'workers');
  return value as unknown as ManagerStart;
}

/**
 * Reads the start frame of a worker.
 * @throws BridgeError MALFORMED_FRAME naming the field
 */
export function decodeWorkerStart(json: Uint8Array): WorkerStart {
  const value = parseStart(json, 'worker');
  check(isWorkerEntry(value), 'index, adapters');
  check(isObject(value.limits), 'limits');
  for (const key of ['maxConnections', 'maxRequestBytes', 'maxPendingRequests']) {
    check(isCount(value.limits[key]), `limits.${key}`);
  }
  const { preparingThreads } = value.limits;
  check(preparingThreads === undefined || isCount(preparingThreads), 'limits.preparingThreads');
  return value as unknown as WorkerStart;
}

function parseStart(json: Uint8Array, role: string): Record<string, unknown> {
  let value: Record<string, unknown>;
  try {
    value = parseObject(json, 'start');
  } catch (error) {
    throw new BridgeError('MALFORMED_FRAME', (error as Error).message);
  }
  check(value.role === role, 'role');
  return value;
}

function check(condition: boolean, field: string): asserts condition {
  if (!condition) {
    throw new BridgeError('MALFORMED_FRAME', `start frame: ${field} is missing or malformed`, {
      field,
    });
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;
const isHeight = (value: unknown): value is number => isCount(value) && value >= 1;
const isHeightRange = (value: unknown): boolean =>
  isObject(value) && isHeight(value.from) && isHeight(value.to) && value.from <= value.to;
const isSnapshotEntry = (value: unknown): boolean =>
  isObject(value) && isHeight(value.height) && isHeight(value.chunks);
/** A list from a host is short: it keeps two snapshots, and few gaps in its ledger. */
const isListOf = (value: unknown, isEntry: (entry: unknown) => boolean): boolean =>
  Array.isArray(value) && value.length <= maxListed && value.every(isEntry);
const isApproval = (value: unknown): boolean =>
  value === undefined ||
  (isObject(value) &&
    (value.any === undefined || typeof value.any === 'boolean') &&
    (value.terms === undefined || isHex64(value.terms)));
const isOptionalText = (value: unknown): boolean =>
  value === undefined || typeof value === 'string';
const isWorkerEntry = (value: unknown): boolean =>
  isObject(value) && isCount(value.index) && value.index >= 1 && isTextList(value.adapters);
