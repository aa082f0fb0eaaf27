import { ApiError } from '@concordat/api';
import type { Actor, AdapterHost, PastRange, PastTransactionView } from '@concordat/worker-enclave';
import {
  bytesOfState,
  type FetchedRange,
  maxRangeBytes,
  type PastState,
  type WantedRange,
} from './past-state.ts';
import { privateTable, publicTable } from './tables.ts';

interface Kept {
  readonly state: Promise<PastState>;
  bytes: number;
  atMs: number;
}

/** Ranges fetched at a time, and those that wait. */
const maxFetching = 2;
const maxWaiting = 100;
/** States kept for requests that come again. */
const maxKept = 64;
const maxKeptBytes = 8 * 1024 * 1024;
const keptForMs = 60_000;

type Past = Pick<AdapterHost, 'readPast'>;

/** Gets the past for an application: single states for its historical endpoints, and ranges. */
export class PastFetcher {
  readonly #host: () => Past | undefined;
  readonly #nowMs: () => number;
  readonly #kept = new Map<number, Kept>();
  readonly #waiting: {
    readonly wanted: WantedRange;
    readonly done: (found: FetchedRange) => void;
  }[] = [];
  #fetching = 0;

  /**
   * @param host undefined until the adapter is started
   * @param nowMs monotonic milliseconds
   */
  constructor(host: () => Past | undefined, nowMs: () => number) {
    this.#host = host;
    this.#nowMs = nowMs;
  }

  /**
   * The state a committed transaction left, whatever its view.
   * @throws ApiError TRANSACTION_PENDING, and what else the manager refuses with
   */
  state(seqno: number, actor?: Actor): Promise<PastState> {
    this.#forgetOld();
    const known = this.#kept.get(seqno);
    if (known !== undefined) return known.state;
    const state = this.#read({ from: seqno, to: seqno, receipts: true }, actor).then(([first]) =>
      stateOf(first as PastTransactionView),
    );
    const kept: Kept = { state, bytes: 0, atMs: this.#nowMs() };
    this.#kept.set(seqno, kept);
    this.#makeRoom(kept);
    state.then(
      (found) => {
        kept.bytes = bytesOfState(found);
        this.#makeRoom(kept);
      },
      () => this.#forgetOne(seqno, kept),
    );
    return state;
  }

  /**
   * What consecutive committed transactions wrote to the application's maps, from the first on.
   * @throws ApiError as {@link state}
   */
  async writes(from: number, to: number): Promise<readonly PastState[]> {
    return (await this.#read({ from, to, receipts: false })).map(stateOf);
  }

  /** Gets a range; the callback comes once, later. */
  range(wanted: WantedRange, done: (found: FetchedRange) => void): void {
    if (this.#waiting.length >= maxWaiting) {
      done({ wanted, code: 'OVERLOADED', states: [] });
      return;
    }
    this.#waiting.push({ wanted, done });
    this.#next();
  }

  #next(): void {
    if (this.#fetching >= maxFetching) return;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#fetching += 1;
    void this.#fetch(next.wanted).then((found) => {
      this.#fetching -= 1;
      next.done(found);
      this.#next();
    });
  }

  async #fetch(wanted: WantedRange): Promise<FetchedRange> {
    const { start, end } = wanted;
    const states: PastState[] = [];
    let bytes = 0;
    try {
      while (states.length <= end - start) {
        const from = start + states.length;
        const part = await this.#read({ from, to: end, receipts: true });
        for (const transaction of part) {
          const state = stateOf(transaction);
          bytes += bytesOfState(state);
          states.push(state);
        }
        if (bytes > maxRangeBytes) return { wanted, code: 'PAYLOAD_TOO_LARGE', states: [] };
      }
      return { wanted, code: '', states };
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return { wanted, code: error.code, states: [] };
    }
  }

  #read(range: PastRange, actor?: Actor): Promise<readonly PastTransactionView[]> {
    const read = this.#host()?.readPast(range, actor);
    return read ?? Promise.reject(new ApiError('OVERLOADED', 'the node is not started yet'));
  }

  #forgetOld(): void {
    const beforeMs = this.#nowMs() - keptForMs;
    for (const [seqno, { atMs }] of this.#kept) {
      if (atMs >= beforeMs) return;
      this.#kept.delete(seqno);
    }
  }

  /** Makes room beside a state that came, which somebody will ask for again: the oldest go first. */
  #makeRoom(newest: Kept): void {
    let bytes = 0;
    for (const kept of this.#kept.values()) bytes += kept.bytes;
    for (const [seqno, kept] of this.#kept) {
      if (this.#kept.size <= maxKept && bytes <= maxKeptBytes) return;
      if (kept === newest) continue;
      this.#kept.delete(seqno);
      bytes -= kept.bytes;
    }
  }

  /** Unless another one has taken its place. */
  #forgetOne(seqno: number, kept: Kept): void {
    if (this.#kept.get(seqno) === kept) this.#kept.delete(seqno);
  }
}

const stateOf = ({ view, seqno, writes, receipt }: PastTransactionView): PastState => ({
  view,
  seqno,
  receipt,
  writes: writes.filter(({ table }) => table === privateTable || table === publicTable),
});
