import { type SnapshotToManager, snapshotChunkCredit } from '@concordat/bridge';
import { pause } from './enclave-sources.ts';
import { ManagerError } from './errors.ts';
import type { WorkerPort } from './ports.ts';

/** The links of a VN's workers. */
export interface WorkerLinks {
  readonly links: Iterable<WorkerPort>;
  link(source: number): WorkerPort | undefined;
}

/** The states of all workers as of one height, while they go on. */
export interface FrozenWorkers {
  /** Sources of blocks, ascending. */
  readonly sources: readonly number[];
  /**
   * The chunks of one worker's state, in order. The worker sends more as they are taken.
   * @throws ManagerError WORKER_REFUSED when it cannot go on
   */
  chunks(source: number): AsyncGenerator<Uint8Array>;
  /** Nobody wants the rest. */
  cancel(): void;
}

/** Bytes on their way to a worker above which a restore waits. */
const maxWaitingBytes = 8 * 1024 * 1024;

/** Where the states of the workers are read for a snapshot, and given back from one. */
export class WorkerStates {
  readonly #workers: WorkerLinks;
  readonly #incoming = new Map<string, Incoming>();
  /** Workers that could make nothing of what they were to restore, and why. */
  readonly #refused = new Map<number, string>();
  #nextRequest = 1;

  constructor(workers: WorkerLinks) {
    this.#workers = workers;
  }

  /**
   * Has every worker keep the state after a block, given with the time in its header. Call it in
   * the turn in which the workers were told that exactly the blocks up to it are committed.
   */
  freeze({ height, timeMs }: { readonly height: number; readonly timeMs: number }): FrozenWorkers {
    const request = this.#nextRequest;
    this.#nextRequest = (request % 0xffff_fffe) + 1;
    const links = [...this.#workers.links].sort((a, b) => a.index - b.index);
    for (const link of links) {
      this.#incoming.set(`${link.index} ${request}`, new Incoming(link, request));
      link.send({ kind: 'snapshot', request, height, timeMs });
    }
    return {
      sources: links.map(({ index }) => index),
      chunks: (source) => this.#chunks(source, request),
      cancel: () => {
        for (const { index } of links) this.#end(index, request);
      },
    };
  }

  async *#chunks(source: number, request: number): AsyncGenerator<Uint8Array> {
    const incoming = this.#incoming.get(`${source} ${request}`);
    if (!incoming) return;
    try {
      for (let chunk = await incoming.next(); chunk; chunk = await incoming.next()) yield chunk;
    } finally {
      this.#end(source, request);
    }
  }

  #end(source: number, request: number): void {
    const name = `${source} ${request}`;
    const incoming = this.#incoming.get(name);
    if (this.#incoming.delete(name)) incoming?.end();
  }

  /**
   * What a worker says of its snapshots.
   * @throws ManagerError WORKER_REFUSED when it breaks the protocol
   */
  received(source: number, message: SnapshotToManager): void {
    if (message.kind === 'restoreRefused') {
      this.#refused.set(source, `${message.code}: ${message.message}`);
      return;
    }
    // What was given up may still have chunks on their way.
    const incoming = this.#incoming.get(`${source} ${message.request}`);
    if (message.kind === 'snapshotRefused') incoming?.refused(message.code);
    else incoming?.arrived(message);
  }

  /**
   * Replaces a worker's state; it serves again once it is started.
   * @throws ManagerError SNAPSHOT_CORRUPT when the chunks are no state: then it holds none;
   *   and what reading the chunks throws
   */
  async restore(
    source: number,
    chunks: number,
    read: (index: number) => Promise<Uint8Array>,
  ): Promise<void> {
    const link = this.#workers.link(source);
    if (!link) throw new ManagerError('WORKER_UNAVAILABLE', `there is no worker ${source} here`);
    this.#refused.delete(source);
    for (let index = 0; index < chunks; index++) {
      link.send({ kind: 'restore', index, chunks, bytes: await read(index) });
      while (link.waitingBytes > maxWaitingBytes) await pause(2);
    }
    await link.settled();
    const why = this.#refused.get(source);
    if (why === undefined) return;
    const details = { source, reason: 'MALFORMED' };
    throw new ManagerError('SNAPSHOT_CORRUPT', `no state of worker ${source}: ${why}`, details);
  }
}

/** The chunks of one worker's state as they come. */
class Incoming {
  readonly #link: WorkerPort;
  readonly #request: number;
  readonly #waiting: { readonly index: number; readonly bytes: Uint8Array }[] = [];
  #arrived = 0;
  #taken = 0;
  #last = false;
  #failure: ManagerError | undefined;
  #wake: (() => void) | undefined;

  constructor(link: WorkerPort, request: number) {
    this.#link = link;
    this.#request = request;
  }

  /** @throws ManagerError WORKER_REFUSED */
  arrived(chunk: {
    readonly index: number;
    readonly last: boolean;
    readonly bytes: Uint8Array;
  }): void {
    const { index, last, bytes } = chunk;
    const inOrder = index === this.#arrived && !this.#last;
    if (!inOrder || this.#arrived - this.#taken >= snapshotChunkCredit) {
      throw new ManagerError('WORKER_REFUSED', `chunk ${index} of a state comes out of turn`);
    }
    this.#arrived += 1;
    this.#last = last;
    // A view of a received frame, which it would keep whole.
    this.#waiting.push({ index, bytes: Uint8Array.from(bytes) });
    this.#wake?.();
  }

  refused(code: string): void {
    this.#failure = new ManagerError('WORKER_REFUSED', `the worker takes no snapshot: ${code}`);
    this.#wake?.();
  }

  /** The next chunk; the one before it has been dealt with. Undefined after the last. */
  async next(): Promise<Uint8Array | undefined> {
    if (this.#taken > 0 && !this.#isOver) {
      this.#link.send({ kind: 'snapshotTaken', request: this.#request, index: this.#taken - 1 });
    }
    while (this.#waiting.length === 0) {
      if (this.#failure) throw this.#failure;
      if (this.#isOver) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#taken += 1;
    return this.#waiting.shift()?.bytes;
  }

  get #isOver(): boolean {
    return this.#last && this.#taken === this.#arrived;
  }

  /** Nobody wants more of it. */
  end(): void {
    if (this.#isOver || this.#failure) return;
    this.#failure = new ManagerError('WORKER_REFUSED', 'the snapshot was given up');
    this.#link.send({ kind: 'snapshotCancel', request: this.#request });
    this.#wake?.();
  }
}
