import type { Admitted, Refused } from './adapter.ts';
import { BatchQueue } from './batch-queue.ts';
import type { BatchPolicy } from './limits.ts';
import { type Lane, refusal } from './submission.ts';

/** The queues of all lanes, which take turns. */
export class BatchQueues {
  readonly #queues: readonly BatchQueue[];
  readonly #queueOf = new Map<Lane, BatchQueue>();
  #next = 0;

  constructor(lanes: readonly Lane[]) {
    this.#queues = lanes.map((lane) => new BatchQueue(lane));
    for (const queue of this.#queues) this.#queueOf.set(queue.lane, queue);
  }

  [Symbol.iterator](): Iterator<BatchQueue> {
    return this.#queues[Symbol.iterator]();
  }

  /** The queue of a lane. */
  of(lane: Lane): BatchQueue {
    return this.#queueOf.get(lane) as BatchQueue;
  }

  /** Transactions in the queues. */
  get length(): number {
    return this.#queues.reduce((sum, { length }) => sum + length, 0);
  }

  /** Bytes of the transactions in the queues: requests, and what admitting them brought. */
  get bytes(): number {
    return this.#queues.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** The verdict, unless what admitting brought would fill the queues beyond this. */
  roomFor(verdict: Admitted<unknown> | Refused, maxBytes: number): Admitted<unknown> | Refused {
    if (!verdict.ok || verdict.bytes === undefined) return verdict;
    return this.bytes + verdict.bytes > maxBytes ? full : verdict;
  }

  /**
   * The next lane's queue, in turn, that has a full batch, a transaction received at or before
   * `oldestMs`, or anything at all when nothing else goes on.
   */
  due(policy: BatchPolicy, oldestMs: number, idle: boolean): BatchQueue | undefined {
    const { maxBatchTransactions, maxBlockBytes } = policy;
    for (let tried = 0; tried < this.#queues.length; tried++) {
      const at = (this.#next + tried) % this.#queues.length;
      const queue = this.#queues[at] as BatchQueue;
      const { oldest } = queue;
      if (oldest === undefined) continue;
      const full = queue.length >= maxBatchTransactions || queue.bytes >= maxBlockBytes;
      if (!full && !idle && oldest.receivedMs > oldestMs) continue;
      this.#next = at + 1;
      return queue;
    }
    return undefined;
  }
}

const full = refusal('OVERLOADED', 'too many transactions are waiting');
