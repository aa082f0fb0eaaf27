import { ApiError, isErrorCode } from '@concordat/api';
import type { PastReply, PastRequest } from '@concordat/bridge';
import { decodeWriteSet, KvError, type Write } from '@concordat/kv';
import { WorkerError } from './errors.ts';

/** A committed transaction as an adapter sees it. */
export interface PastTransactionView {
  readonly seqno: number;
  readonly view: number;
  /** What it wrote to this adapter's tables; nothing when it is another's. */
  readonly writes: readonly Write[];
  /** Its receipt as JSON; empty unless it was asked for. */
  readonly receipt: Uint8Array;
}

/** Seqnos, both ends inclusive. */
export interface PastRange {
  readonly from: number;
  readonly to: number;
  /** Whether each transaction comes with its receipt. */
  readonly receipts: boolean;
}

interface Waiting {
  readonly range: PastRange;
  readonly tables: ReadonlySet<string>;
  readonly resolve: (transactions: readonly PastTransactionView[]) => void;
  readonly reject: (error: Error) => void;
  sinceMs: number;
}

/** Requests the manager deals with at a time, and those that wait here, of all and of one asker. */
const maxAsked = 4;
const maxWaiting = 64;
const maxWaitingOfOne = 16;
/** Old blocks may have to wait until key shares are collected, milliseconds. */
const patienceMs = 30_000;

/**
 * Asks the manager for the past, for each asker in turn; an adapter sees of it what is in its own
 * tables.
 */
export class PastReader {
  readonly #ask: (request: PastRequest) => void;
  readonly #nowMs: () => number;
  readonly #asked = new Map<number, Waiting>();
  /** By asker; the next in turn first. */
  readonly #waiting = new Map<string, Waiting[]>();
  #nextId = 1;

  /** @param nowMs monotonic milliseconds */
  constructor(ask: (request: PastRequest) => void, nowMs: () => number) {
    this.#ask = ask;
    this.#nowMs = nowMs;
  }

  /**
   * Consecutive committed transactions from the first of a range on: at least one, as many as fit
   * one answer.
   * @param tables whose writes are wanted
   * @param who the actor that asks; empty: the adapter itself
   * @throws ApiError of the manager's code; TRANSACTION_PENDING when the first is not committed here,
   *   OVERLOADED when too much waits, or no answer came in time
   */
  read(
    range: PastRange,
    tables: ReadonlySet<string>,
    who = '',
  ): Promise<readonly PastTransactionView[]> {
    return new Promise((resolve, reject) => {
      const line = this.#waiting.get(who) ?? [];
      let all = 0;
      for (const { length } of this.#waiting.values()) all += length;
      if (all >= maxWaiting || line.length >= maxWaitingOfOne) {
        reject(new ApiError('OVERLOADED', 'too many requests for the past are waiting'));
        return;
      }
      line.push({ range, tables, resolve, reject, sinceMs: this.#nowMs() });
      this.#waiting.set(who, line);
      this.#next();
    });
  }

  #next(): void {
    while (this.#asked.size < maxAsked) {
      const [turn] = this.#waiting;
      if (turn === undefined) return;
      const [who, [waiting, ...rest]] = turn;
      this.#waiting.delete(who);
      if (rest.length > 0) this.#waiting.set(who, rest);
      if (waiting === undefined) continue;
      const id = this.#nextId;
      this.#nextId = (id % 0xffff_fffe) + 1;
      waiting.sinceMs = this.#nowMs();
      this.#asked.set(id, waiting);
      this.#ask({ kind: 'past', id, ...waiting.range });
    }
  }

  /**
   * The manager's answer; one that comes too late is not for anybody.
   * @throws WorkerError PROTOCOL when it is of other transactions
   */
  replied({ id, code, transactions }: PastReply): void {
    const waiting = this.#asked.get(id);
    if (waiting === undefined) return;
    this.#asked.delete(id);
    this.#next();
    const { range, tables, resolve, reject } = waiting;
    if (code !== undefined) {
      const known = isErrorCode(code) ? code : 'INTERNAL_ERROR';
      reject(new ApiError(known, 'the past could not be read'));
      return;
    }
    const isAsked = transactions.every(({ seqno }, at) => seqno === range.from + at);
    if (!isAsked || range.from + transactions.length - 1 > range.to) {
      throw new WorkerError('PROTOCOL', 'an answer about other transactions of the past');
    }
    resolve(
      transactions.map(({ seqno, view, receipt, publicWrites, privateWrites }) => ({
        seqno,
        view,
        receipt,
        writes: [...ownOf(publicWrites, tables), ...ownOf(privateWrites, tables)],
      })),
    );
  }

  /** Ends what has waited too long; called at short intervals. */
  expire(): void {
    const before = this.#nowMs() - patienceMs;
    const late = new ApiError('OVERLOADED', 'the past was not read in time');
    for (const [id, { sinceMs, reject }] of this.#asked) {
      if (sinceMs > before) continue;
      this.#asked.delete(id);
      reject(late);
    }
    for (const [who, line] of this.#waiting) {
      const left = line.filter(({ sinceMs }) => sinceMs > before);
      for (const { sinceMs, reject } of line) if (sinceMs <= before) reject(late);
      if (left.length === 0) this.#waiting.delete(who);
      else this.#waiting.set(who, left);
    }
    this.#next();
  }
}

/** @throws WorkerError PROTOCOL */
function ownOf(segment: Uint8Array, tables: ReadonlySet<string>): Write[] {
  try {
    return [...decodeWriteSet(segment)].filter(({ table }) => tables.has(table));
  } catch (error) {
    if (!(error instanceof KvError)) throw error;
    throw new WorkerError('PROTOCOL', 'a write set of the past is malformed');
  }
}
