import type { AppliedBlock } from '@concordat/bridge';
import type { BlockHeader, OpenedBlock } from '@concordat/ledger';
import type { Height } from '@concordat/std';
import type { WorkerPort } from './ports.ts';

/** What a worker must know of a block to take it up. */
export interface BlockToApply extends Pick<OpenedBlock, 'transactions'> {
  readonly header: Pick<BlockHeader, 'source' | 'view' | 'height' | 'firstSeqno' | 'timeMs'>;
}

/**
 * Keeps every worker's state in step with the ledger. A worker that executed a block holds it
 * already; blocks made elsewhere are handed over when they commit, or speculatively when this node
 * becomes the leader and must execute on top of them.
 */
export class WorkerFeed {
  readonly #links = new Map<number, WorkerPort>();
  /** Uncommitted blocks opened here that no worker has seen. */
  readonly #held = new Map<number, BlockToApply[]>();
  /** Sources of uncommitted blocks that their workers hold as a speculative layer. */
  readonly #given = new Map<number, readonly number[]>();
  /** Highest block each worker held that was taken back, until all up to it is committed. */
  readonly #takenBack = new Map<number, number>();

  /** Adds a worker that is attested and configured. */
  add(link: WorkerPort): void {
    this.#links.set(link.index, link);
  }

  /** The worker behind a source of blocks. */
  link(source: number): WorkerPort | undefined {
    return this.#links.get(source);
  }

  /** Every worker. */
  get links(): IterableIterator<WorkerPort> {
    return this.#links.values();
  }

  /** A worker's own batch became the block at this height. */
  sealedHere(height: Height, source: number): void {
    this.#given.set(height, [source]);
  }

  /** A block made elsewhere is the newest of the log. */
  opened(block: BlockToApply): void {
    const { source, height } = block.header;
    if (source > 0) this.#held.set(height, [...(this.#held.get(height) ?? []), block]);
  }

  /**
   * This node, which leads, made a block that changes the state of a worker. What the worker executed
   * meanwhile stands on the state before: the manager refuses it until the worker is ready.
   */
  placedHere(block: BlockToApply): void {
    const { source, height } = block.header;
    const link = this.#links.get(source);
    link?.send({ kind: 'applied', blocks: [appliedOf(block, true)] });
    link?.send({ kind: 'rollback', height });
    this.#given.set(height, [...(this.#given.get(height) ?? []), source]);
  }

  /** This node leads now: its workers execute on top of everything in the log. */
  giveSpeculatively(): void {
    const heights = [...this.#held.keys()].sort((a, b) => a - b);
    for (const height of heights) {
      const blocks = this.#held.get(height) as BlockToApply[];
      for (const block of blocks) {
        const { source } = block.header;
        this.#links.get(source)?.send({ kind: 'applied', blocks: [appliedOf(block, true)] });
      }
      this.#given.set(
        height,
        blocks.map(({ header }) => header.source),
      );
    }
    this.#held.clear();
  }

  /** The state of every worker is replaced: nothing is on its way to any. */
  reset(): void {
    this.#held.clear();
    this.#given.clear();
  }

  /** Blocks above a height are taken back. */
  rollback(height: Height): void {
    for (const held of this.#held.keys()) if (held > height) this.#held.delete(held);
    const affected = new Set<number>();
    for (const [given, sources] of this.#given) {
      if (given <= height) continue;
      this.#given.delete(given);
      for (const source of sources) {
        affected.add(source);
        this.#takenBack.set(source, Math.max(given, this.#takenBack.get(source) ?? 0));
      }
    }
    for (const source of affected) this.#links.get(source)?.send({ kind: 'rollback', height });
  }

  /** Blocks `from`..`to` are final: one message a worker for each run of the same kind. */
  committed(from: Height, to: Height): void {
    const runs = new Map<number, Run>();
    for (let height: number = from; height <= to; height++) {
      const given = this.#given.get(height);
      const held = given === undefined ? (this.#held.get(height) ?? []) : [];
      for (const source of given ?? []) this.#runOf(runs, source).commit(height);
      for (const block of held) this.#runOf(runs, block.header.source).apply(block);
      this.#given.delete(height);
      this.#held.delete(height);
    }
    for (const run of runs.values()) run.flush();
    this.#tellOfTakenBack(to);
  }

  /** Who waits at a worker for a block that was taken back is answered once others are there. */
  #tellOfTakenBack(committed: Height): void {
    for (const [source, height] of this.#takenBack) {
      if (height > committed) continue;
      this.#takenBack.delete(source);
      this.#links.get(source)?.send({ kind: 'committed', height: committed });
    }
  }

  #runOf(runs: Map<number, Run>, source: number): Run {
    let run = runs.get(source);
    if (!run) {
      run = new Run(this.#links.get(source));
      runs.set(source, run);
    }
    return run;
  }
}

/** Collects consecutive commits, or consecutive blocks, of one worker into one message. */
class Run {
  readonly #link: WorkerPort | undefined;
  #committed = 0;
  #blocks: AppliedBlock[] = [];

  constructor(link: WorkerPort | undefined) {
    this.#link = link;
  }

  commit(height: number): void {
    if (this.#blocks.length > 0) this.flush();
    this.#committed = height;
  }

  apply(block: BlockToApply): void {
    if (this.#committed > 0) this.flush();
    this.#blocks.push(appliedOf(block, false));
  }

  flush(): void {
    if (this.#committed > 0) this.#link?.send({ kind: 'committed', height: this.#committed });
    if (this.#blocks.length > 0) this.#link?.send({ kind: 'applied', blocks: this.#blocks });
    this.#committed = 0;
    this.#blocks = [];
  }
}

/** A block as a worker takes it up. */
export function appliedOf(block: BlockToApply, speculative: boolean): AppliedBlock {
  const { view, height, firstSeqno, timeMs } = block.header;
  return { view, height, firstSeqno, timeMs, speculative, transactions: block.transactions };
}
