import { Duplex } from 'node:stream';
import type { VirtualProcess } from '../platform/virtual-process.ts';
import type { WorldClock } from '../platform/world-clock.ts';

/** One end of a connection within a machine. */
export interface StreamEnd {
  readonly process: VirtualProcess;
  /** Time a chunk takes to get here, milliseconds. */
  readonly delayMs: () => number;
  /** Sees every chunk that is sent to this end. */
  readonly onBytes?: (bytes: Buffer) => void;
}

/** A socket between two processes of one machine: bytes arrive in order, after a while. */
class SimulatedStream extends Duplex {
  readonly #clock: WorldClock;
  readonly #here: StreamEnd;
  readonly #there: StreamEnd;
  #peer: SimulatedStream | undefined;
  #lastArrivalMs = 0;

  constructor(clock: WorldClock, here: StreamEnd, there: StreamEnd) {
    super({ allowHalfOpen: true });
    this.#clock = clock;
    this.#here = here;
    this.#there = there;
  }

  join(peer: SimulatedStream): void {
    this.#peer = peer;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#carry(Buffer.from(chunk));
    done();
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.#carry(Buffer.concat(chunks.map(({ chunk }) => chunk)));
    done();
  }

  #carry(bytes: Buffer): void {
    this.#there.onBytes?.(bytes);
    this.#arrive((peer) => peer.push(bytes));
  }

  #arrive(action: (peer: SimulatedStream) => void): void {
    const { nowMs } = this.#clock;
    this.#lastArrivalMs = Math.max(nowMs + this.#there.delayMs(), this.#lastArrivalMs);
    this.#clock.after(this.#lastArrivalMs - nowMs, this.#there.process, () => {
      const peer = this.#peer;
      if (peer && !peer.destroyed) action(peer);
    });
  }

  override _final(done: () => void): void {
    this.#arrive((peer) => peer.push(null));
    done();
  }

  override _destroy(_error: Error | null, done: (error?: Error | null) => void): void {
    this.#arrive((peer) => peer.destroy());
    done();
  }

  /** The process at this end is gone: the other end learns of it. */
  cutOff(): void {
    if (!this.#here.process.alive) this.#arrive((peer) => peer.destroy());
  }
}

/** Connects two processes of one machine. @returns the ends of the first and the second */
export function streamPair(
  clock: WorldClock,
  first: StreamEnd,
  second: StreamEnd,
): readonly [SimulatedStream, SimulatedStream] {
  const [one, other] = [
    new SimulatedStream(clock, first, second),
    new SimulatedStream(clock, second, first),
  ] as const;
  one.join(other);
  other.join(one);
  return [one, other];
}
