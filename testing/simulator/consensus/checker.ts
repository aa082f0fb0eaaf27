import { createHash } from 'node:crypto';
import {
  type Configuration,
  type Effects,
  type Entry,
  quorumSizesOf,
  type SnapshotPosition,
  sameConfiguration,
} from '@concordat/consensus';
import type { NodeId } from '@concordat/std';
import { Violation, type ViolationCode } from '../checks/violation.ts';
import type { SimulatedNode } from './node.ts';

/** Watches every effect of every node, all the time, with knowledge no node has. */
export class Checker {
  /** Entry first committed at each height, by anyone. */
  readonly history: Entry[] = [];
  /** Digest of the state after each height: what a snapshot of it is known by. */
  readonly #digests: string[] = [''];
  /** View in which each height was first committed. */
  readonly #committedIn: number[] = [];
  readonly #leaders = new Map<number, NodeId>();
  readonly #written = new Map<string, string>();
  readonly #configurations: { height: number; configuration: Configuration }[] = [];
  /** Every voter of any committed configuration. */
  readonly everVoted: Set<NodeId>;
  /** Every node that ever was, the dead included: their disks prove what was durable. */
  readonly #everyone: ReadonlyMap<NodeId, SimulatedNode>;

  constructor(genesis: Configuration, everyone: ReadonlyMap<NodeId, SimulatedNode>) {
    this.#configurations.push({ height: 0, configuration: genesis });
    this.everVoted = new Set(genesis.voters);
    this.#everyone = everyone;
  }

  /** Voters of the newest committed configuration. */
  get voters(): readonly NodeId[] {
    return this.configuration.voters;
  }

  /** The newest committed configuration. */
  get configuration(): Configuration {
    return this.#configurations[this.#configurations.length - 1]?.configuration as Configuration;
  }

  /** Height of the newest committed configuration. */
  get configurationHeight(): number {
    return this.#configurations[this.#configurations.length - 1]?.height ?? 0;
  }

  /** The digest of the state after a committed height. */
  digestAt(height: number): string {
    return this.#digests[height] as string;
  }

  /** A node made the state of a snapshot its own. */
  restored(node: SimulatedNode, { height, digest, configuration }: SnapshotPosition): void {
    const inForce = this.#configurations.findLast((one) => one.height <= height)?.configuration;
    if (this.#digests[height] === digest && sameConfiguration(inForce, configuration)) return;
    fail('DIVERGENT_COMMIT', node, `restores another state at ${height} than was committed`);
  }

  /** Before the node acts on its effects. */
  beforeEffects(node: SimulatedNode, effects: Effects): void {
    const { hardState, truncateAfter } = effects;
    if (hardState) {
      const { view, votedFor } = node.hardState;
      if (hardState.view < view) fail('VIEW_FELL', node, `from ${view} to ${hardState.view}`);
      const changed = hardState.view === view && votedFor && hardState.votedFor !== votedFor;
      if (changed) fail('VOTED_TWICE', node, `in view ${view}`);
    }
    if (truncateAfter !== undefined && truncateAfter < node.committed) {
      fail('COMMITTED_TRUNCATED', node, `after ${truncateAfter}, committed ${node.committed}`);
    }
    let next = (truncateAfter ?? node.log.lastHeight) + 1;
    for (const entry of effects.append) {
      if (entry.height !== next) fail('LOG_GAP', node, `${entry.height} in place of ${next}`);
      next += 1;
      const key = `${entry.view}.${entry.height}`;
      const content = contentOf(entry);
      const before = this.#written.get(key);
      if (before === undefined) this.#written.set(key, content);
      else if (before !== content) fail('LOG_MISMATCH', node, `two entries ${key}`);
    }
  }

  /** After the node's log and commit height are up to date. */
  afterEffects(node: SimulatedNode, effects: Effects, committedBefore: number): void {
    for (let height = committedBefore + 1; height <= node.committed; height += 1) {
      this.#committed(node, height);
    }
    if (effects.changed) this.#changed(node);
    for (const { requestId, height } of effects.reads) {
      const least = Number(requestId.split('@')[1]);
      if (height < least) fail('STALE_READ', node, `read at ${height}, answered before: ${least}`);
    }
  }

  #committed(node: SimulatedNode, height: number): void {
    const entry = node.log.at(height);
    if (!entry) fail('LOG_GAP', node, `committed ${height} beyond its log`);
    const known = this.history[height - 1];
    if (known) {
      if (known.view !== entry.view || contentOf(known) !== contentOf(entry)) {
        fail('DIVERGENT_COMMIT', node, `at ${height}: ${entry.view}, others ${known.view}`);
      }
      return;
    }
    if (height !== this.history.length + 1) fail('LOG_GAP', node, `commits ${height} first`);
    const governing = [this.configuration];
    if (entry.configuration) {
      governing.push(entry.configuration);
      this.#configurations.push({ height, configuration: entry.configuration });
      for (const voter of entry.configuration.voters) this.everVoted.add(voter);
    }
    for (const one of governing) this.#expectDurable(node, entry, one);
    this.history.push(entry);
    const content = `${this.#digests[height - 1]} ${entry.view} ${contentOf(entry)}`;
    this.#digests.push(createHash('sha256').update(content).digest('hex'));
    this.#committedIn.push(node.raft.status.view);
  }

  #expectDurable(node: SimulatedNode, entry: Entry, configuration: Configuration): void {
    const { voters } = configuration;
    let holders = 0;
    for (const voter of voters) {
      if (this.#everyone.get(voter)?.durable.holds(entry)) holders += 1;
    }
    if (holders < quorumSizesOf(configuration).replication) {
      const held = `${holders} of ${voters.length} voters`;
      fail('COMMIT_NOT_DURABLE', node, `${entry.view}.${entry.height} held by ${held}`);
    }
  }

  #changed(node: SimulatedNode): void {
    const { role, view, retired, configurations } = node.raft.status;
    const expected = node.expectedConfigurations();
    const same = expected.every((one, at) =>
      sameConfiguration(one.configuration, configurations[at]),
    );
    if (!same || expected.length !== configurations.length) {
      fail('WRONG_CONFIGURATION', node, `other active configurations than its log at ${view}`);
    }
    if (retired && this.voters.includes(node.id)) {
      fail('PREMATURE_RETIREMENT', node, 'still a voter of the committed configuration');
    }
    if (role !== 'leader') return;
    const other = this.#leaders.get(view);
    if (other !== undefined && other !== node.id) fail('TWO_LEADERS', node, `of view ${view}`);
    if (other === node.id) return;
    this.#leaders.set(view, node.id);
    for (let at = this.history.length; at > 0; at -= 1) {
      // A vote may arrive late, when a later view has committed already; it owes nothing to that.
      if ((this.#committedIn[at - 1] ?? 0) >= view) continue;
      if (!node.log.holds(this.history[at - 1] as Entry)) {
        fail('COMMIT_LOST', node, `leader of view ${view} lacks committed height ${at}`);
      }
    }
  }
}

function contentOf({ payload, configuration }: Entry): string {
  const text = Buffer.from(payload).toString('latin1');
  if (!configuration) return text;
  const { replication, election } = quorumSizesOf(configuration);
  return `${text} ${configuration.voters.join()} ${replication} ${election}`;
}

function fail(code: ViolationCode, node: SimulatedNode, what: string): never {
  throw new Violation(code, `${node.name}: ${what}`);
}
