import type { BatchPolicy, WorkerLimits } from './limits.ts';
import type { TransactionWrites } from './scoped-state.ts';

/** What holding executed batches needs of the pipeline. */
export interface HoldingOptions {
  /** Hands an executed batch to the manager. */
  readonly sendBatch: (batch: number, writes: readonly TransactionWrites[]) => void;
  readonly limits: WorkerLimits;
  readonly policy: () => BatchPolicy;
}

/** An executed batch as the manager gets it. */
export interface ExecutedBatch {
  readonly batch: number;
  readonly writes: readonly TransactionWrites[];
  /** Of the writes. */
  readonly bytes: number;
}

/** An executed batch may wait for others as many times as long as a transaction for its batch. */
const maxHeldDelays = 4;
/** Write-set bytes from which batches travel well alone. */
const enoughBytes = 256 * 1024;

/**
 * Executed batches on their way to the manager. What a block costs on its way, on three nodes, is
 * mostly waking processes up and syncing files, and blocks that leave together share it. So a batch
 * is held while more full ones wait to be executed than are held, since those keep the worker busy
 * anyway. Nothing is held when nothing waits, and each batch stays a block of its own.
 */
export class HeldBatches {
  readonly #options: HoldingOptions;
  #held: ExecutedBatch[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: HoldingOptions) {
    this.#options = options;
  }

  /** Takes an executed batch, behind which so many transactions wait. */
  add(batch: ExecutedBatch, waiting: number): void {
    this.#held.push(batch);
    this.#bytes += batch.bytes;
    const { policy, limits } = this.#options;
    const { maxBatchTransactions, maxBatchDelayMs } = policy();
    const count = this.#held.length;
    const othersWait = waiting >= count * maxBatchTransactions;
    // While some are on their way, others are executed.
    const hasRoom = count < limits.maxBatchesInFlight >> 1 && this.#bytes < enoughBytes;
    if (!othersWait || !hasRoom || maxBatchDelayMs === 0) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), maxBatchDelayMs * maxHeldDelays);
  }

  /** Sends what is held. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const held = this.#held;
    if (held.length === 0) return;
    this.#held = [];
    this.#bytes = 0;
    for (const { batch, writes } of held) this.#options.sendBatch(batch, writes);
  }

  /** Forgets what is held: this worker ends. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#held = [];
  }
}
