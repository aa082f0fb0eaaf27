import { BinaryReader, BinaryWriter, type NodeId } from '@concordat/std';
import { ManagerError } from './errors.ts';
import { readForeign } from './foreign.ts';
import type { ReadIndex } from './read-index.ts';

/** Why it could not be made certain that reads would be current; each is worth a retry. */
export type BarrierRefusal = 'LEADER_UNKNOWN' | 'READ_NOT_CONFIRMED' | 'OVERLOADED';

/** Called once, when reads may be answered, or with the reason why not. */
export type BarrierCallback = (refusal?: BarrierRefusal) => void;

/** What the barriers need of the node around them. */
export interface ReadBarrierParts {
  readonly self: NodeId;
  /** The leader as this node knows it. */
  readonly leader: () => NodeId | undefined;
  /** This node's own ReadIndex; undefined before it takes part in consensus. */
  readonly readIndex: () => ReadIndex | undefined;
  readonly channel: {
    connected(nodeId: NodeId): boolean;
    request(nodeId: NodeId, kind: string, body: Uint8Array, timeoutMs: number): Promise<Buffer>;
  };
  /** Height up to which the workers have been told of every committed block. */
  readonly committedHeight: () => number;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
}

/** Barriers that may wait at a time: a worker has few open, each for many reads. */
const maxOpen = 1_024;
/** A barrier not passed within this time is refused. An election fits in. */
const deadlineMs = 5_000;
/** How long one question to the leader may take before it is asked again. */
const attemptTimeoutMs = 2_000;
/** Wait before a question that could not be answered is put again. */
const retryMs = 25;
const noBody = new Uint8Array(0);

/** Barriers of one turn, and how far they have come. */
interface Group {
  readonly callbacks: BarrierCallback[];
  readonly sinceMs: number;
  /** Counts attempts: the answer to an earlier one comes too late. */
  attempt: number;
  /** Who is being asked; undefined while the group is parked or its height is known. */
  asked: NodeId | undefined;
  /** Height to be reached, once known. */
  height: number | undefined;
  why: BarrierRefusal;
}

/**
 * Linearizable reads on any node (Raft thesis, 6.4): a barrier is passed once this node has told
 * its workers everything that was committed anywhere when the barrier was asked for. The leader
 * says which height that is, after a quorum has confirmed that it still leads; a follower asks it
 * over the node channel. Nothing is ever passed on the word of a leader that cannot reach a quorum.
 */
export class ReadBarriers {
  readonly #parts: ReadBarrierParts;
  readonly #groups = new Set<Group>();
  #collecting: Group | undefined;
  #parked: Group[] = [];
  #open = 0;
  #passed = 0;
  #refused = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: ReadBarrierParts) {
    this.#parts = parts;
  }

  /** Barriers passed and refused since the start. */
  get counts(): { readonly passed: number; readonly refused: number } {
    return { passed: this.#passed, refused: this.#refused };
  }

  /** Asks for a barrier. The callback is never called from inside. */
  ask(callback: BarrierCallback): void {
    if (this.#open >= maxOpen) {
      this.#refused += 1;
      process.nextTick(callback, 'OVERLOADED' satisfies BarrierRefusal);
      return;
    }
    this.#open += 1;
    if (this.#collecting) {
      this.#collecting.callbacks.push(callback);
      return;
    }
    const sinceMs = this.#parts.nowMs();
    const fresh = { attempt: 0, asked: undefined, height: undefined } as const;
    const group: Group = { callbacks: [callback], sinceMs, ...fresh, why: 'LEADER_UNKNOWN' };
    this.#collecting = group;
    this.#groups.add(group);
    process.nextTick(() => {
      this.#collecting = undefined;
      this.#attempt(group);
    });
  }

  /**
   * Answers a follower's question: u64 height.
   * @throws ManagerError NOT_LEADER
   */
  async answerPeer(): Promise<Uint8Array> {
    const height = await new Promise<number | undefined>((resolve) => {
      const readIndex = this.#parts.readIndex();
      if (readIndex) readIndex.request(resolve);
      else resolve(undefined);
    });
    if (height === undefined) throw new ManagerError('NOT_LEADER', 'this node does not lead');
    return new BinaryWriter(8).u64(height).take();
  }

  /** The workers have been told of all blocks up to a height. */
  committed(height: number): void {
    for (const group of this.#groups) {
      if (group.height !== undefined && group.height <= height) this.#settle(group);
    }
  }

  /** Another node leads, or none: who was asked before may have nothing to say any more. */
  standingChanged(): void {
    const leader = this.#parts.leader();
    for (const group of this.#groups) {
      if (group.asked !== undefined && group.asked !== leader) this.#again(group);
    }
    if (leader !== undefined) this.#unpark();
  }

  /** Refuses what has waited too long; called at short intervals. */
  expire(): void {
    const before = this.#parts.nowMs() - deadlineMs;
    for (const group of this.#groups) if (group.sinceMs <= before) this.#giveUp(group);
  }

  /** Refuses everything that waits. */
  stop(): void {
    clearTimeout(this.#timer);
    for (const group of this.#groups) this.#giveUp(group);
  }

  #attempt(group: Group): void {
    if (!this.#groups.has(group)) return;
    const { self, channel, readIndex } = this.#parts;
    const leader = this.#parts.leader();
    group.attempt += 1;
    const { attempt } = group;
    const own = leader === self ? readIndex() : undefined;
    if (leader === undefined || (leader === self ? !own : !channel.connected(leader))) {
      group.why = 'LEADER_UNKNOWN';
      this.#again(group);
      return;
    }
    group.asked = leader;
    group.why = 'READ_NOT_CONFIRMED';
    const answered = (height: number | undefined): void => {
      if (group.attempt === attempt && this.#groups.has(group)) this.#answered(group, height);
    };
    if (own) {
      own.request(answered);
      return;
    }
    channel
      .request(leader, 'read-index', noBody, attemptTimeoutMs)
      .then((bytes) => readForeign('read index', () => readHeight(bytes)))
      .then(answered, () => answered(undefined));
  }

  #answered(group: Group, height: number | undefined): void {
    if (height === undefined) {
      this.#again(group);
      return;
    }
    group.asked = undefined;
    group.height = height;
    if (height <= this.#parts.committedHeight()) this.#settle(group);
  }

  #again(group: Group): void {
    group.attempt += 1;
    group.asked = undefined;
    this.#parked.push(group);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#unpark();
    }, retryMs);
  }

  #unpark(): void {
    const parked = this.#parked;
    this.#parked = [];
    for (const group of parked) this.#attempt(group);
  }

  #giveUp(group: Group): void {
    this.#settle(group, this.#parts.leader() === undefined ? 'LEADER_UNKNOWN' : group.why);
  }

  #settle(group: Group, refusal?: BarrierRefusal): void {
    this.#groups.delete(group);
    const { callbacks } = group;
    this.#open -= callbacks.length;
    if (refusal === undefined) this.#passed += callbacks.length;
    else this.#refused += callbacks.length;
    for (const callback of callbacks) callback(refusal);
  }
}

function readHeight(bytes: Buffer): number {
  const reader = new BinaryReader(bytes);
  const height = reader.u64();
  reader.end();
  return height;
}
