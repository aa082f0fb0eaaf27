import { createHash } from 'node:crypto';
import { type Configuration, quorumSizesOf } from '@concordat/consensus';
import { decodeHeader } from '@concordat/ledger';
import type { NodeId } from '@concordat/std';
import { Violation, type ViolationCode } from './violation.ts';

/** What the watch asks of a node that takes part; read anew after each event. */
export interface WatchedNode {
  readonly nodeId: NodeId;
  readonly view: number;
  readonly leads: boolean;
  readonly committed: number;
  readonly lastHeight: number;
  readonly configurations: readonly Configuration[];
  viewAt(height: number): number | undefined;
}

/** What the watch asks of the world. */
export interface WatchedWorld {
  /** Name of the machine a node runs or ran on, for messages. */
  nameOf(node: NodeId): string;
  /** Whether the node may vote again: neither replaced nor on a disk somebody tampered with. */
  mayVote(node: NodeId): boolean;
  /** Whether the disk of a node certainly holds a block, whatever happens to its machine. */
  holds(node: NodeId, height: number, digest: string): boolean;
}

/** A block as some node handed it to its host. */
interface Appended {
  readonly view: number;
  readonly digest: string;
  readonly reconfigures: boolean;
}

interface Committed {
  readonly view: number;
  readonly digest: string | undefined;
  /** View of the node that committed it first. */
  readonly inView: number;
}

/** What was seen of one launch of a node. */
class Seen {
  readonly node: string;
  readonly appended = new Map<number, Appended>();
  committed = 0;
  view = 0;
  ledView = 0;
  configurations: readonly Configuration[] = [];
  /** Committed heights whose block has not been handed to the host yet. */
  readonly owed = new Set<number>();

  constructor(node: string) {
    this.node = node;
  }
}

/**
 * Watches what every node appends and commits, with knowledge no node has: one leader a view, one
 * block a height, nothing committed that could be lost, nothing committed missing in a leader.
 */
export class LedgerWatch {
  readonly #world: WatchedWorld;
  readonly #committed: Committed[] = [];
  readonly #leaders = new Map<number, NodeId>();
  /** Digest of each block that anyone wrote, by view and height. */
  readonly #written = new Map<string, string>();
  readonly #seen = new Map<object, Seen>();
  /** Whether durability is checked: not where the constitution does without. */
  durable = true;

  constructor(world: WatchedWorld) {
    this.#world = world;
  }

  /** Height of the newest block that some node has committed. */
  get height(): number {
    return this.#committed.length;
  }

  /** Views in which somebody led. */
  get views(): number {
    return this.#leaders.size;
  }

  /** SHA-256 of the committed block at a height, hex; undefined when nobody was seen to write it. */
  digestAt(height: number): string | undefined {
    return this.#committed[height - 1]?.digest;
  }

  #seenOf(launch: object, node: string): Seen {
    let seen = this.#seen.get(launch);
    if (!seen) {
      seen = new Seen(node);
      this.#seen.set(launch, seen);
    }
    return seen;
  }

  /** A node handed a block to its host. */
  appended(launch: object, node: string, block: Uint8Array): void {
    const seen = this.#seenOf(launch, node);
    const { height, view, flags } = decodeHeader(block);
    const digest = createHash('sha256').update(block).digest('hex');
    if (height <= seen.committed && !seen.owed.has(height)) {
      fail('COMMITTED_TRUNCATED', seen, `writes block ${height} again, committed already`);
    }
    this.#written.set(`${view}.${height}`, digest);
    seen.appended.set(height, { view, digest, reconfigures: (flags & 1) === 1 });
    if (seen.owed.delete(height)) this.#compare(seen, height);
  }

  /** A node has its host drop blocks above a height. */
  truncated(launch: object, node: string, after: number): void {
    const seen = this.#seenOf(launch, node);
    if (after < seen.committed) {
      fail('COMMITTED_TRUNCATED', seen, `drops blocks above ${after}, committed ${seen.committed}`);
    }
    for (const height of seen.appended.keys()) if (height > after) seen.appended.delete(height);
  }

  /** Something happened at a node. */
  observe(launch: object, node: WatchedNode): void {
    const seen = this.#seenOf(launch, this.#world.nameOf(node.nodeId));
    if (node.view < seen.view) fail('VIEW_FELL', seen, `from ${seen.view} to ${node.view}`);
    seen.view = node.view;
    if (node.leads && seen.ledView !== node.view) this.#led(seen, node);
    if (node.committed > seen.committed) this.#commits(seen, node);
    if (node.committed < seen.committed) fail('COMMITTED_TRUNCATED', seen, 'commit height fell');
    seen.configurations = node.configurations;
  }

  #led(seen: Seen, node: WatchedNode): void {
    const { view, nodeId } = node;
    seen.ledView = view;
    const other = this.#leaders.get(view);
    if (other !== undefined && other !== nodeId) {
      fail('TWO_LEADERS', seen, `and ${this.#world.nameOf(other)} lead in view ${view}`);
    }
    this.#leaders.set(view, nodeId);
    for (let height = node.committed + 1; height <= this.#committed.length; height++) {
      const { view: of, inView } = this.#committed[height - 1] as Committed;
      // A vote may arrive late, when a later view has committed already; it owes nothing to that.
      if (inView >= view || node.viewAt(height) === of) continue;
      fail('COMMIT_LOST', seen, `leads view ${view} without committed block ${of}.${height}`);
    }
  }

  #commits(seen: Seen, node: WatchedNode): void {
    const from = seen.committed + 1;
    seen.committed = node.committed;
    let reconfigured = 0;
    for (let height = from; height <= node.committed; height++) {
      if (seen.appended.get(height)?.reconfigures) reconfigured = height;
    }
    for (let height = from; height <= node.committed; height++) {
      if (seen.appended.has(height)) this.#compare(seen, height);
      else if (height <= this.#committed.length) this.#compareView(seen, node, height);
      else seen.owed.add(height);
      if (height <= this.#committed.length) continue;
      this.#first(seen, node, { height, wasOld: height <= reconfigured });
    }
  }

  /** A node is the first to commit a height. */
  #first(
    seen: Seen,
    node: WatchedNode,
    { height, wasOld }: { readonly height: number; readonly wasOld: boolean },
  ): void {
    const block = seen.appended.get(height);
    const view = block?.view ?? node.viewAt(height) ?? 0;
    const digest = block?.digest ?? this.#written.get(`${view}.${height}`);
    this.#committed.push({ view, digest, inView: node.view });
    if (!block || !this.durable) return;
    const governing = [...node.configurations, ...(wasOld ? seen.configurations : [])];
    for (const configuration of governing) {
      const lacking = configuration.voters.filter(
        (voter) => this.#world.mayVote(voter) && !this.#world.holds(voter, height, block.digest),
      );
      if (lacking.length < quorumSizesOf(configuration).election) continue;
      const names = lacking.map((voter) => this.#world.nameOf(voter)).join(' ');
      fail('COMMIT_NOT_DURABLE', seen, `block ${view}.${height} is not on the disks of ${names}`);
    }
  }

  #compareView(seen: Seen, node: WatchedNode, height: number): void {
    const known = this.#committed[height - 1] as Committed;
    const view = node.viewAt(height);
    // A node that began from a snapshot does not know the views before it.
    if (view === undefined || view === known.view) return;
    fail('DIVERGENT_COMMIT', seen, `block ${view}.${height}, others ${known.view}.${height}`);
  }

  #compare(seen: Seen, height: number): void {
    const known = this.#committed[height - 1];
    const block = seen.appended.get(height) as Appended;
    if (!known) return;
    if (known.digest === undefined) {
      this.#committed[height - 1] = { ...known, digest: block.digest };
    } else if (known.digest !== block.digest) {
      fail('DIVERGENT_COMMIT', seen, `another block at ${height} than others`);
    }
  }

  /** A launch is over: nothing of it is needed any more. */
  forget(launch: object): void {
    this.#seen.delete(launch);
  }
}

function fail(code: ViolationCode, { node }: Seen, what: string): never {
  throw new Violation(code, `${node}: ${what}`);
}
