/** Bounds of what one caller may ask of the JSON-RPC endpoints. */
export interface RpcLimits {
  /** Bytes of one HTTP body or WebSocket message; default 5 MiB, as Geth. */
  readonly maxBodyBytes: number;
  /** Calls of one batch; default 1,000, as Geth. */
  readonly maxBatchCalls: number;
  /** Characters of all answers of one batch together; default 25,000,000, as Geth. */
  readonly maxBatchAnswer: number;
  /** Time the reads of one batch may take together, milliseconds; default 10,000. */
  readonly maxBatchBusyMs: number;
  /** Calls of one WebSocket not yet answered; default 4,096. */
  readonly maxSocketCalls: number;
  /** Subscriptions of one WebSocket; default 128. */
  readonly maxSubscriptions: number;
  /** Filters of one actor; default 128. */
  readonly maxFiltersPerActor: number;
  /** Idle time after which a filter is forgotten, milliseconds; default 5 minutes, as Geth. */
  readonly filterIdleMs: number;
  /** Blocks one `eth_getLogs` may span; default 100,000. */
  readonly maxLogBlocks: number;
  /** Logs one answer may hold; default 10,000. */
  readonly maxLogs: number;
}

/** The limits in force. */
export const defaultRpcLimits: RpcLimits = {
  maxBodyBytes: 5 * 1024 * 1024,
  maxBatchCalls: 1_000,
  maxBatchAnswer: 25_000_000,
  maxBatchBusyMs: 10_000,
  maxSocketCalls: 4_096,
  maxSubscriptions: 128,
  maxFiltersPerActor: 128,
  filterIdleMs: 300_000,
  maxLogBlocks: 100_000,
  maxLogs: 10_000,
};
