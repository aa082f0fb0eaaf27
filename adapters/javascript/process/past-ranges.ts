import {
  bytesOfState,
  type FetchedRange,
  isRange,
  maxRangeBytes,
  maxRangeLength,
  type PastState,
  type WantedRange,
} from '../past-state.ts';

interface Kept extends WantedRange {
  expiresMs: number;
  /** Undefined while they are fetched. */
  states: readonly PastState[] | undefined;
  /** Why there are none. */
  code: string;
  bytes: number;
}

/** Handles an application may have in use at a time. */
const maxHandles = 100;
/** Longest time states are kept that nobody asks for again, seconds. */
const maxSeconds = 3_600;

/**
 * The ranges of the past an application has asked for, by its handles: fetched by the worker enclave
 * while the application goes on, kept until they expire, are dropped or are in the way of others.
 */
export class PastRanges {
  readonly #ask: (wanted: WantedRange) => void;
  readonly #nowMs: () => number;
  readonly #kept = new Map<number, Kept>();
  #bytes = 0;

  /** @param nowMs monotonic milliseconds */
  constructor(ask: (wanted: WantedRange) => void, nowMs: () => number) {
    this.#ask = ask;
    this.#nowMs = nowMs;
  }

  /**
   * The states of a range; undefined while they are not there, and then they are asked for.
   * @throws TypeError when there cannot be such a range, or its states are too many
   */
  get(wanted: WantedRange, seconds: number): readonly PastState[] | undefined {
    const { handle, start, end } = wanted;
    if (!Number.isInteger(handle) || handle < 0 || handle > 0xffff_ffff) {
      throw new TypeError('a handle is a whole number from 0 to 2^32 - 1');
    }
    if (!isRange(wanted)) {
      throw new TypeError(
        `a range goes from a seqno to one not before it, at most ${maxRangeLength}`,
      );
    }
    if (!(seconds >= 0)) throw new TypeError('the time to expiry is a number of seconds');
    const expiresMs = this.#nowMs() + Math.min(seconds, maxSeconds) * 1_000;
    this.expire();
    const kept = this.#kept.get(handle);
    if (kept?.start !== start || kept.end !== end) {
      this.drop(handle);
      if (this.#kept.size >= maxHandles) {
        throw new TypeError(`there are ${maxHandles} ranges of the past in use already`);
      }
      this.#kept.set(handle, { ...wanted, expiresMs, states: undefined, code: '', bytes: 0 });
      this.#ask(wanted);
      return undefined;
    }
    kept.expiresMs = expiresMs;
    if (kept.code === '') return kept.states;
    // Asked again it may be there: what was not committed then, say.
    this.drop(handle);
    if (kept.code !== 'PAYLOAD_TOO_LARGE') return undefined;
    throw new TypeError(`the states of this range take more than ${maxRangeBytes} bytes`);
  }

  /** Forgets a range; whether there was one. */
  drop(handle: number): boolean {
    this.#bytes -= this.#kept.get(handle)?.bytes ?? 0;
    return this.#kept.delete(handle);
  }

  /** What the worker enclave found. */
  found({ wanted: { handle, start, end }, code, states }: FetchedRange): void {
    const kept = this.#kept.get(handle);
    if (kept?.start !== start || kept.end !== end || kept.states !== undefined) return;
    if (code !== '') {
      kept.code = code;
      return;
    }
    kept.states = states;
    kept.bytes = states.reduce((sum, state) => sum + bytesOfState(state), 0);
    this.#bytes += kept.bytes;
    this.#makeRoom(kept);
  }

  /** Forgets what has expired. */
  expire(): void {
    const nowMs = this.#nowMs();
    for (const { handle, expiresMs } of this.#kept.values())
      if (expiresMs <= nowMs) this.drop(handle);
  }

  #makeRoom(newest: Kept): void {
    for (const kept of this.#kept.values()) {
      if (this.#bytes <= maxRangeBytes) return;
      if (kept !== newest) this.drop(kept.handle);
    }
  }
}
