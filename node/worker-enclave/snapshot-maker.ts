import {
  type SnapshotToManager,
  type SnapshotToWorker,
  snapshotChunkCredit,
} from '@concordat/bridge';
import type { FrozenState, Store } from '@concordat/kv';
import type { AdapterMemory } from './adapter.ts';
import { nameOf, WorkerError } from './errors.ts';
import { answersMemory, cutParts, encodeStateHead } from './state-form.ts';
import type { Lane } from './submission.ts';

/** What the maker needs of the worker around it. */
export interface SnapshotMakerOptions {
  readonly store: Store;
  readonly lanes: readonly Lane[];
  /** Height of the newest block folded into the committed state. */
  readonly committedHeight: () => number;
  /** Sends one frame; false asks to hold back until {@link SnapshotMaker.drained}. */
  readonly send: (message: SnapshotToManager) => boolean;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  readonly log: (event: string, fields: Readonly<Record<string, unknown>>) => void;
}

/**
 * Why a snapshot is not made:
 * - `SNAPSHOT_BUSY`: another one is under way.
 * - `SNAPSHOT_PASSED`: the state is past the height asked for.
 * - `SNAPSHOT_FAILED`: an adapter could not say what it keeps, or a restore goes on.
 * - `SNAPSHOT_ABANDONED`: the state is being replaced.
 */
export type SnapshotRefusal =
  | 'SNAPSHOT_BUSY'
  | 'SNAPSHOT_PASSED'
  | 'SNAPSHOT_FAILED'
  | 'SNAPSHOT_ABANDONED';

/** Pairs of the store handled between two looks at the clock. */
const pairsPerStep = 250;
/** Time worked in one go, then rested, milliseconds: the share of the worker a snapshot takes. */
const workMs = 1;
const restMs = 3;

/** The snapshot under way. */
interface Making {
  readonly request: number;
  readonly frozen: FrozenState;
  /** Undefined stands for a step that finished no chunk. */
  readonly chunks: Iterator<Uint8Array | undefined>;
  /** The newest chunk: whether it is the last is known by the next step. */
  held: Uint8Array | undefined;
  sent: number;
  taken: number;
}

/**
 * Makes snapshots of the committed state while the worker goes on. Freezing costs next to nothing;
 * reading what was frozen goes in short steps, and stops while the manager has chunks to deal with.
 */
export class SnapshotMaker {
  readonly #options: SnapshotMakerOptions;
  #making: Making | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** The channel has enough to carry. */
  #full = false;

  constructor(options: SnapshotMakerOptions) {
    this.#options = options;
  }

  /** Acts on a frame. @throws WorkerError PROTOCOL */
  receive(message: Exclude<SnapshotToWorker, { kind: 'restore' }>): void {
    if (message.kind === 'snapshot') this.#begin(message);
    else if (message.request !== this.#making?.request) return;
    else if (message.kind === 'snapshotCancel') this.#end(this.#making);
    else this.#taken(this.#making, message.index);
  }

  /** The channel takes frames again. */
  drained(): void {
    if (!this.#full) return;
    this.#full = false;
    this.#goOn();
  }

  /** Gives up the snapshot under way, if any. */
  abandon(): void {
    if (this.#making !== undefined) this.#refuse(this.#making.request, 'SNAPSHOT_ABANDONED');
  }

  /** Ends for good. */
  stop(): void {
    if (this.#making !== undefined) this.#end(this.#making);
  }

  #begin({ request, height, timeMs }: Extract<SnapshotToWorker, { kind: 'snapshot' }>): void {
    if (this.#making !== undefined) {
      this.#options.send({ kind: 'snapshotRefused', request, code: 'SNAPSHOT_BUSY' });
      return;
    }
    if (this.#options.committedHeight() > height) {
      this.#refuse(request, 'SNAPSHOT_PASSED');
      return;
    }
    let frozen: FrozenState | undefined;
    try {
      frozen = this.#options.store.freeze();
      const chunks = this.#chunks(frozen, { height, timeMs });
      this.#making = { request, frozen, chunks, held: undefined, sent: 0, taken: 0 };
    } catch (error) {
      frozen?.release();
      this.#fail(request, error);
      return;
    }
    this.#schedule();
  }

  /** Everything is frozen when this returns; only reading is left. */
  #chunks(
    frozen: FrozenState,
    at: { readonly height: number; readonly timeMs: number },
  ): Iterator<Uint8Array | undefined> {
    // Those that keep nothing are not named, so that another adapter changes no snapshot.
    const memories = this.#options.lanes
      .flatMap(({ adapter, answers }) => [
        { adapterId: adapter.id, memory: adapter.freezeMemory?.() },
        { adapterId: answersMemory(adapter.id), memory: answers.freezeMemory() },
      ])
      .filter((kept): kept is { adapterId: string; memory: AdapterMemory } =>
        Boolean(kept.memory?.bytes),
      )
      .sort((a, b) => (a.adapterId < b.adapterId ? -1 : 1));
    const head = encodeStateHead({
      ...at,
      memories: memories.map(({ adapterId, memory: { bytes } }) => ({ adapterId, bytes })),
    });
    return (function* () {
      yield head;
      for (const { memory } of memories) yield* cutParts(memory.parts(), memory.bytes);
      const reader = frozen.section();
      for (let chunks = reader.next(pairsPerStep); chunks; chunks = reader.next(pairsPerStep)) {
        yield undefined;
        yield* chunks;
      }
    })();
  }

  #taken(making: Making, index: number): void {
    if (index >= making.sent) throw new WorkerError('PROTOCOL', `chunk ${index} was not sent yet`);
    making.taken = Math.max(making.taken, index + 1);
    this.#goOn();
  }

  #goOn(): void {
    if (this.#making !== undefined && this.#timer === undefined) this.#schedule();
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const making = this.#making;
      if (making !== undefined) this.#work(making);
    }, restMs);
  }

  #work(making: Making): void {
    const { nowMs } = this.#options;
    const untilMs = nowMs() + workMs;
    try {
      do {
        if (this.#full || making.sent - making.taken >= snapshotChunkCredit) return;
        const { done, value } = making.chunks.next();
        if (done === true) {
          this.#send(making, true);
          this.#end(making);
          return;
        }
        if (value === undefined) continue;
        if (making.held !== undefined) this.#send(making, false);
        making.held = value;
      } while (nowMs() < untilMs);
      this.#schedule();
    } catch (error) {
      this.#fail(making.request, error);
    }
  }

  #send(making: Making, last: boolean): void {
    const { request, sent: index, held } = making;
    making.sent += 1;
    const bytes = held as Uint8Array;
    const goOn = this.#options.send({ kind: 'snapshotChunk', request, index, last, bytes });
    if (!goOn) this.#full = true;
  }

  #fail(request: number, error: unknown): void {
    this.#options.log('worker.snapshot-failed', { error: nameOf(error) });
    this.#refuse(request, 'SNAPSHOT_FAILED');
  }

  #refuse(request: number, code: SnapshotRefusal): void {
    if (this.#making?.request === request) this.#end(this.#making);
    this.#options.send({ kind: 'snapshotRefused', request, code });
  }

  #end({ frozen }: Making): void {
    frozen.release();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#making = undefined;
    this.#full = false;
  }
}
