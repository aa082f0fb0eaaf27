import { idempotencyWindowMs } from '@concordat/api';
import type { AnswerBounds } from './kept-answers.ts';

/** Bounds of everything that could grow. The host may lower or raise them in its start frame. */
export interface WorkerLimits {
  /** Transactions waiting to be executed, all adapters together; then OVERLOADED. */
  readonly maxQueuedTransactions: number;
  /** Request bytes of those transactions. */
  readonly maxQueuedBytes: number;
  /** Executed batches of this leader not yet committed. */
  readonly maxBatchesInFlight: number;
  /** Time an asynchronous execution may take, milliseconds. */
  readonly executionDeadlineMs: number;
  /** Time after which an unanswered submission is answered TRANSACTION_UNKNOWN, milliseconds. */
  readonly commitTimeoutMs: number;
  /** Connections of one actor to this worker at a time. */
  readonly maxConnectionsPerActor: number;
  /** Connections of all actors to this worker at a time. */
  readonly maxConnections: number;
  /** Transactions of one actor accepted and not yet answered. */
  readonly maxInFlightPerActor: number;
  /** Linearizable reads held until the state is current. */
  readonly maxHeldReads: number;
  /** Of these, those of one actor. */
  readonly maxHeldReadsPerActor: number;
  /** HTTP requests of one actor not yet answered. */
  readonly maxRequestsPerActor: number;
  /** Connections on which nobody presented a certificate, beside those of actors. */
  readonly maxConnectionsOfStrangers: number;
  /** HTTP requests on them that are not yet answered. */
  readonly maxRequestsOfStrangers: number;
  /** Bytes of the bodies of these requests. */
  readonly maxBodyBytesOfStrangers: number;
  /** Their transactions accepted and not yet answered, those of other nodes' strangers included. */
  readonly maxInFlightOfStrangers: number;
  /** Request bytes of these transactions. */
  readonly maxQueuedBytesOfStrangers: number;
  /** Request line and headers, bytes. */
  readonly maxHeaderBytes: number;
  /** Body of one HTTP request, bytes. */
  readonly maxBodyBytes: number;
  /** Time to receive the headers of a request, milliseconds. */
  readonly headersTimeoutMs: number;
  /** Time to receive a whole request, milliseconds. */
  readonly requestTimeoutMs: number;
  /** Idle time of a connection between requests, milliseconds. */
  readonly keepAliveTimeoutMs: number;
  /** Body of one frame of a framed stream, bytes. */
  readonly maxStreamFrameBytes: number;
  /** One WebSocket message, bytes. */
  readonly maxWebSocketMessageBytes: number;
  /** Bytes waiting for a WebSocket peer, above which it is dropped. */
  readonly maxWebSocketBufferBytes: number;
  /** Time between WebSocket pings; a peer that misses one whole period is dropped. */
  readonly pingIntervalMs: number;
  /** Write-set bytes of one genesis block. */
  readonly genesisBlockBytes: number;
  /** Genesis data accepted for one adapter, bytes. */
  readonly maxGenesisBytes: number;
}

/** The limits in force unless the start frame says otherwise. */
export const defaultLimits: WorkerLimits = {
  maxQueuedTransactions: 20_000,
  maxQueuedBytes: 64 * 1024 * 1024,
  maxBatchesInFlight: 8,
  executionDeadlineMs: 5_000,
  commitTimeoutMs: 30_000,
  maxConnectionsPerActor: 256,
  maxConnections: 4_096,
  maxInFlightPerActor: 10_000,
  maxHeldReads: 20_000,
  maxHeldReadsPerActor: 10_000,
  maxRequestsPerActor: 1_024,
  maxConnectionsOfStrangers: 512,
  maxRequestsOfStrangers: 256,
  maxBodyBytesOfStrangers: 32 * 1024 * 1024,
  maxInFlightOfStrangers: 1_024,
  maxQueuedBytesOfStrangers: 16 * 1024 * 1024,
  maxHeaderBytes: 16 * 1024,
  maxBodyBytes: 8 * 1024 * 1024,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  keepAliveTimeoutMs: 65_000,
  maxStreamFrameBytes: 1024 * 1024,
  maxWebSocketMessageBytes: 8 * 1024 * 1024,
  maxWebSocketBufferBytes: 16 * 1024 * 1024,
  pingIntervalMs: 30_000,
  genesisBlockBytes: 4 * 1024 * 1024,
  maxGenesisBytes: 2 * 1024 * 1024 * 1024,
};

/** How long, and how much of, the answers to keyed requests are kept. */
export const defaultAnswerBounds: AnswerBounds = {
  windowMs: idempotencyWindowMs,
  maxBytesPerActor: 64 * 1024 * 1024,
  maxBytes: 256 * 1024 * 1024,
  assuredBytesPerActor: 1024 * 1024,
  maxResultBytes: 4_096,
};

/** The parts of the constitution's policies that shape batches. */
export interface BatchPolicy {
  /** Transactions in one batch, from 1. */
  readonly maxBatchTransactions: number;
  /** Age at which the oldest waiting transaction closes a batch, milliseconds. */
  readonly maxBatchDelayMs: number;
  /** Bytes of the write sets of one block. */
  readonly maxBlockBytes: number;
}

/** Batch policy until the constitution's arrives. */
export const defaultBatchPolicy: BatchPolicy = {
  maxBatchTransactions: 100,
  maxBatchDelayMs: 5,
  maxBlockBytes: 8 * 1024 * 1024,
};

/** Takes what a policy or limits object names and is a positive number; the rest stays. */
export function overlayNumbers<T extends object>(base: T, given: unknown): T {
  if (typeof given !== 'object' || given === null) return base;
  const merged: Record<string, number> = { ...(base as Record<string, number>) };
  for (const [name, value] of Object.entries(given)) {
    const usable = typeof value === 'number' && Number.isFinite(value) && value >= 0;
    if (usable && name in merged) merged[name] = value;
  }
  return merged as T;
}
