import type { SnapshotToWorker } from '@concordat/bridge';
import type { SectionWriter, Store } from '@concordat/kv';
import { CodedError, concatBytes, DecodeError, emptyBytes } from '@concordat/std';
import { WorkerError } from './errors.ts';
import {
  answersMemory,
  chunkLength,
  chunksOf,
  decodeStateHead,
  type StateHead,
} from './state-form.ts';
import type { Lane } from './submission.ts';

/** What the restorer needs of the worker around it. */
export interface StateRestorerOptions {
  readonly store: Store;
  readonly lanes: readonly Lane[];
  /** The state is about to be replaced: nobody may be served from it. */
  readonly began: () => void;
  /** The state is that of this head. */
  readonly restored: (head: StateHead) => void;
  /** The chunks are no state; the worker holds none. */
  readonly refused: (code: string, message: string) => void;
  /** The last chunk has been dealt with. */
  readonly ended: () => void;
}

type Chunk = Extract<SnapshotToWorker, { kind: 'restore' }>;

/** The memory of one adapter, as far as it has come. */
interface Memory {
  readonly adapterId: string;
  readonly bytes: number;
  readonly parts: Uint8Array[];
}

/** The restore under way, once its head was read. */
interface Restoring {
  readonly head: StateHead;
  readonly memories: readonly Memory[];
  readonly store: SectionWriter;
}

/** Replaces the state of a worker by that of a snapshot, strictly: any deviation refuses all of it. */
export class StateRestorer {
  readonly #options: StateRestorerOptions;
  #next = 0;
  #chunks = 0;
  /** Undefined while nothing is restored, and after a refusal. */
  #restoring: Restoring | undefined;

  constructor(options: StateRestorerOptions) {
    this.#options = options;
  }

  /** Takes the next chunk. @throws WorkerError PROTOCOL when the manager sends another */
  receive(chunk: Chunk): void {
    const { index, chunks } = chunk;
    if (index === 0) {
      this.#chunks = chunks;
      this.#restoring = undefined;
      this.#options.began();
    } else if (index !== this.#next || chunks !== this.#chunks) {
      throw new WorkerError('PROTOCOL', `chunk ${index} of ${chunks} was not the next one`);
    }
    this.#next = index + 1;
    this.#attempt(chunk);
    if (this.#next === chunks) {
      this.#next = 0;
      this.#restoring = undefined;
      this.#options.ended();
    }
  }

  #attempt(chunk: Chunk): void {
    try {
      if (chunk.index === 0) this.#restoring = this.#begin(chunk);
      // What comes after a refusal is only waited for.
      else if (this.#restoring !== undefined) this.#take(this.#restoring, chunk);
      if (this.#restoring !== undefined && this.#next === chunk.chunks) {
        this.#finish(this.#restoring);
      }
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      this.#refuse(error);
    }
  }

  #begin({ bytes, chunks }: Chunk): Restoring {
    const { lanes, store } = this.#options;
    const head = decodeStateHead(bytes);
    const ids = new Set(lanes.flatMap(({ adapter: { id } }) => [id, answersMemory(id)]));
    if (!head.memories.every(({ adapterId }) => ids.has(adapterId))) {
      throw new DecodeError('INVALID', 'it is the state of an adapter that is not here');
    }
    const before = head.memories.reduce((sum, memory) => sum + chunksOf(memory.bytes), 1);
    // The store is a chunk at least.
    if (before >= chunks) throw new DecodeError('TRUNCATED', `${chunks} chunks are too few`);
    const memories = head.memories.map((memory) => ({ ...memory, parts: [] }));
    return { head, memories, store: store.restore(chunks - before) };
  }

  /** @throws DecodeError, KvError */
  #take({ memories, store }: Restoring, { index, bytes }: Chunk): void {
    let at = index - 1;
    for (const memory of memories) {
      const chunks = chunksOf(memory.bytes);
      if (at < chunks) {
        if (bytes.length !== chunkLength(memory.bytes, at)) {
          throw new DecodeError('INVALID', `a memory's chunk of ${bytes.length} bytes`);
        }
        // A view of a received frame, which it would keep whole.
        memory.parts.push(Uint8Array.from(bytes));
        return;
      }
      at -= chunks;
    }
    store.chunk(bytes);
  }

  /** @throws KvError, and what an adapter throws that can make nothing of its memory */
  #finish({ head, memories, store }: Restoring): void {
    store.finish();
    for (const lane of this.#options.lanes) {
      const { id } = lane.adapter;
      const of = (name: string): Uint8Array =>
        concatBytes(...(memories.find(({ adapterId }) => adapterId === name)?.parts ?? []));
      tell(lane, of(id), of(answersMemory(id)));
    }
    this.#options.restored(head);
  }

  #refuse(error: CodedError<string>): void {
    this.#restoring = undefined;
    this.#options.store.clear();
    for (const lane of this.#options.lanes) tell(lane, emptyBytes, emptyBytes);
    this.#options.refused(error.code, error.message);
  }
}

/** Tells an adapter that its tables are others now. */
function tell({ adapter, committed, answers }: Lane, memory: Uint8Array, places: Uint8Array): void {
  answers.restored(places);
  adapter.headReset?.([]);
  adapter.restored?.(memory, committed);
}
