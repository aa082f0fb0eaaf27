import {
  type Configuration,
  type Distribution,
  decodeMessage,
  directDistribution,
  encodeMessage,
  type Message,
  type Outgoing,
  type QuorumSizes,
  quorumSize,
  quorumSizesOf,
  treeDistribution,
} from '@concordat/consensus';
import { type Height, type NodeId, toNodeId, type View } from '@concordat/std';
import { Violation } from '../checks/violation.ts';
import { Random } from '../random.ts';
import { Checker } from './checker.ts';
import { drawPlan, type FaultPlan, healed, Partition } from './faults.ts';
import { SimulatedNode } from './node.ts';

/** What one run did, for its report. */
export interface RunSummary {
  readonly seed: number;
  readonly committed: number;
  readonly views: number;
  readonly crashes: number;
  readonly reconfigurations: number;
  readonly reads: number;
  readonly retired: number;
  readonly delivered: number;
  /** Configurations with quorums of other sizes than majorities. */
  readonly flexible: number;
  /** Snapshots a node made its own. */
  readonly restored: number;
  /** Messages passed on by a node of a broadcast tree. */
  readonly relayed: number;
  /** Ticks from the end of all faults until everybody agreed. */
  readonly healedAfterTicks: number;
}

interface Packet {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly message: Message;
}

const electionTicks = 10;
const mostVoters = 7;
/** Ticks within which a network without faults must agree. */
const healingTicks = 30_000;
/** Ticks of those during which clients still write. */
const writingTicks = 200;

/**
 * Runs one network of many machines from one seed: `ticks` ticks of faults, then healing.
 * @throws Violation when a promise of consensus is broken
 */
export function simulateConsensus(seed: number, ticks: number): RunSummary {
  return new Simulation(seed).run(ticks);
}

class Simulation {
  readonly #seed: number;
  readonly #random: Random;
  readonly #genesis: Configuration;
  #plan: FaultPlan;
  readonly #everyone = new Map<NodeId, SimulatedNode>();
  readonly #live = new Map<NodeId, SimulatedNode>();
  readonly #checker: Checker;
  readonly #wire = new Map<number, Packet[]>();
  #partitions: Partition[] = [];
  #now = 0;
  #proposals = 0;
  #requests = 0;
  #stats = {
    crashes: 0,
    reconfigurations: 0,
    reads: 0,
    retired: 0,
    delivered: 0,
    flexible: 0,
    restored: 0,
    relayed: 0,
  };

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = new Random(seed);
    this.#plan = drawPlan(this.#random);
    const count = this.#random.pick([1, 2, 3, 3, 3, 4, 5, 5]);
    const voters = Array.from({ length: count }, (_, at) => nameToId(at + 1));
    this.#genesis = { voters };
    for (const _ of voters) this.#start();
    this.#checker = new Checker(this.#genesis, this.#everyone);
  }

  run(ticks: number): RunSummary {
    for (let tick = 0; tick < ticks; tick += 1) {
      this.#injectFaults();
      this.#tick();
    }
    const healedAfterTicks = this.#heal();
    let views = 0;
    for (const node of this.#live.values()) views = Math.max(views, node.raft.status.view);
    const committed = this.#checker.history.length;
    return { seed: this.#seed, committed, views, ...this.#stats, healedAfterTicks };
  }

  #tick(): void {
    this.#now += 1;
    for (const node of [...this.#live.values()]) {
      this.#send(node, node.finishDisk(this.#now));
      this.#work(node);
      if (node.pausedUntil > this.#now || this.#random.chance(this.#plan.clockSkew)) continue;
      node.raft.tick();
      this.#work(node);
    }
    const packets = this.#wire.get(this.#now) ?? [];
    this.#wire.delete(this.#now);
    for (const packet of packets) this.#deliver(packet);
    for (const node of [...this.#live.values()]) this.#drive(node);
  }

  #deliver(packet: Packet): void {
    const node = this.#live.get(packet.to);
    if (!node || this.#partitions.some((one) => one.cuts(packet.from, packet.to))) return;
    if (node.pausedUntil > this.#now) {
      this.#post(packet, node.pausedUntil);
      return;
    }
    this.#stats.delivered += 1;
    if (packet.message.type === 'relay') this.#stats.relayed += 1;
    const refusal = node.raft.step(packet.from, packet.message);
    const dishonest = ['MALFORMED', 'SECOND_LEADER', 'CONFLICT'];
    if (refusal && dishonest.includes(refusal.code)) {
      throw new Violation('DISHONEST_PEER', `${node.name}: ${refusal.code} ${refusal.message}`);
    }
    this.#work(node);
  }

  /** Takes and carries out whatever the node's machine owes. */
  #work(node: SimulatedNode): void {
    for (let effects = node.raft.takeEffects(); effects; effects = node.raft.takeEffects()) {
      const before = node.committed;
      this.#checker.beforeEffects(node, effects);
      node.accept(effects, this.#now, this.#random.between(0, this.#plan.maxPersistTicks));
      this.#checker.afterEffects(node, effects, before);
      this.#takeSnapshot(node);
      this.#stats.reads += effects.reads.length;
      this.#send(node, effects.messages);
    }
  }

  /** Every node takes a snapshot at the same heights. */
  #takeSnapshot(node: SimulatedNode): void {
    const { snapshotEvery, keptEntries } = this.#plan;
    if (snapshotEvery === 0) return;
    const height = node.committed - (node.committed % snapshotEvery);
    const entry = node.log.at(height);
    const digest = this.#checker.digestAt(height);
    if (height === 0 || !entry || node.snapshots.taken.has(digest)) return;
    const { height: configurationHeight, configuration } = node.configurationAt(height);
    const chunks = 1 + (height % 5);
    const { view } = entry;
    node.offer(
      { height: entry.height, view, configuration, configurationHeight, chunks, digest },
      keptEntries,
      this.#now,
    );
  }

  #send(node: SimulatedNode, messages: readonly Outgoing[]): void {
    for (const { to, message } of messages) {
      if (this.#random.chance(this.#plan.loss)) continue;
      const copies = this.#random.chance(this.#plan.duplication) ? 2 : 1;
      for (let copy = 0; copy < copies; copy += 1) {
        const delay = 1 + this.#random.between(0, this.#plan.maxDelayTicks);
        this.#post({ from: node.id, to, message: this.#overTheWire(message) }, this.#now + delay);
      }
    }
  }

  #overTheWire(message: Message): Message {
    return this.#random.chance(0.1)
      ? decodeMessage(Buffer.concat(encodeMessage(message)))
      : message;
  }

  #post(packet: Packet, at: number): void {
    const due = this.#wire.get(at);
    if (due) due.push(packet);
    else this.#wire.set(at, [packet]);
  }

  /** What the manager enclave would do: propose, read, feed learners, switch off when retired. */
  #drive(node: SimulatedNode): void {
    const { role, view, retired } = node.raft.status;
    if (retired) {
      this.#live.delete(node.id);
      this.#stats.retired += 1;
      return;
    }
    if (role !== 'leader' || node.pausedUntil > this.#now) return;
    for (const peer of this.#live.keys()) {
      if (!node.raft.status.progress.has(peer) && this.#isNewcomer(peer)) {
        node.raft.addLearner(peer);
      }
    }
    const fresh = node.ledView !== view;
    node.ledView = view;
    if (fresh || this.#random.chance(this.#plan.propose)) this.#propose(node);
    if (this.#random.chance(this.#plan.reconfigure)) this.#reconfigure(node);
    if (this.#random.chance(this.#plan.transfer)) node.raft.transferLeadership();
    if (this.#random.chance(this.#plan.transfer)) node.raft.distributeBy(this.#distribution());
    if (this.#random.chance(this.#plan.read)) {
      this.#requests += 1;
      node.raft.readIndex(`${this.#requests}@${this.#checker.history.length}`);
    }
    this.#work(node);
  }

  #propose(node: SimulatedNode): void {
    this.#proposals += 1;
    const padding = this.#random.between(0, 60);
    node.raft.propose(Buffer.from(`${this.#proposals}`.padEnd(padding)));
  }

  /** From any set to any set: some of those that live, caught up or not. */
  #reconfigure(node: SimulatedNode): void {
    const { progress } = node.raft.status;
    const candidates = [node.id, ...progress.keys()].filter(
      (one) => this.#live.has(one) && (this.#isNewcomer(one) || this.#checker.voters.includes(one)),
    );
    const size = this.#random.between(1, Math.min(mostVoters, candidates.length));
    const voters = this.#random.shuffle(candidates).slice(0, size);
    this.#proposals += 1;
    const configuration = this.#random.chance(this.#plan.flexible)
      ? { voters, quorums: this.#drawQuorums(size) }
      : { voters };
    const proposed = node.raft.propose(Buffer.from(`${this.#proposals}`), configuration);
    if (!proposed.ok) return;
    this.#stats.reconfigurations += 1;
    if (configuration.quorums) this.#stats.flexible += 1;
  }

  /** Sizes among so many voters by which any two quorums that must meet do. */
  #drawQuorums(voters: number): QuorumSizes {
    const election = this.#random.between(quorumSize(voters), voters);
    return { election, replication: this.#random.between(voters - election + 1, voters) };
  }

  #distribution(): Distribution {
    const fanOut = this.#random.between(2, 3);
    return this.#random.chance(0.5) ? directDistribution : treeDistribution(fanOut);
  }

  #injectFaults(): void {
    const random = this.#random;
    const nodes = [...this.#live.keys()];
    this.#partitions = this.#partitions.filter((partition) => partition.until > this.#now);
    if (random.chance(this.#plan.partition) && this.#partitions.length < 2) {
      const until = this.#now + random.between(5, 150);
      this.#partitions.push(new Partition(nodes, until, random));
    }
    if (random.chance(this.#plan.pause)) {
      const node = this.#live.get(random.pick(nodes));
      if (node) node.pausedUntil = this.#now + random.between(5, 100);
    }
    if (random.chance(this.#plan.crash)) this.#crash(random.pick(nodes));
    const newcomers = nodes.filter((node) => this.#isNewcomer(node)).length;
    if (newcomers < 2 && random.chance(this.#plan.reconfigure)) this.#start();
  }

  /** A crashed node never comes back; another one joins in its place, with nothing. */
  #crash(victim: NodeId): void {
    if (!this.#survivable(victim)) return;
    this.#live.delete(victim);
    this.#stats.crashes += 1;
    for (const node of this.#live.values()) {
      // Some learn of it at once, by their connection; the hint may come late, or be wrong.
      if (this.#random.chance(0.3)) node.raft.connectionLost(victim);
    }
    this.#start();
  }

  /** Whether what remains can still be required to make progress. */
  #survivable(victim: NodeId): boolean {
    const survivors = [...this.#live.values()].filter((node) => node.id !== victim);
    // Configurations before the newest that a survivor knows as committed are history.
    let settled = 0;
    for (const node of survivors) settled = Math.max(settled, committedConfiguration(node));
    for (const node of survivors) {
      for (const configuration of activeSince(node, settled)) {
        const { voters } = configuration;
        const { replication, election } = quorumSizesOf(configuration);
        const alive = voters.filter((voter) => voter !== victim && this.#live.has(voter)).length;
        if (alive < Math.max(replication, election)) return false;
      }
    }
    return survivors.length > 0 && this.#checker.configurationHeight <= settled;
  }

  /** Runs without faults until every voter and learner agrees and everyone removed has gone. */
  #heal(): number {
    this.#plan = healed(this.#plan);
    this.#partitions = [];
    for (const node of this.#live.values()) node.pausedUntil = 0;
    for (let tick = 1; tick <= healingTicks; tick += 1) {
      if (tick === writingTicks) this.#plan = { ...this.#plan, propose: 0 };
      this.#tick();
      if (this.#plan.propose === 0 && this.#agreed()) return tick - writingTicks;
    }
    const states = [...this.#live.values()].map((node) => {
      const { role, view, committed, lastHeight, configurations } = node.raft.status;
      const sizes = configurations.map(({ voters }) => voters.map(idToName).join('')).join('/');
      return `${node.name}: ${role} view ${view} ${committed}/${lastHeight} in ${sizes}`;
    });
    throw new Violation('NOT_LIVE', `no agreement after healing\n  ${states.join('\n  ')}`);
  }

  #agreed(): boolean {
    const voters = this.#checker.voters;
    const leaders = [...this.#live.values()].filter((node) => node.raft.status.role === 'leader');
    const leader = leaders[0];
    if (leaders.length !== 1 || !leader) return false;
    const { lastHeight, view } = leader.raft.status;
    if (this.#checker.history[lastHeight - 1]?.view !== view) return false;
    for (const node of this.#live.values()) {
      if (this.#isDisowned(node, leader)) continue;
      if (!voters.includes(node.id) && !this.#isNewcomer(node.id)) return false;
      if (node.committed !== lastHeight || node.raft.status.view !== view) return false;
    }
    return true;
  }

  /**
   * Whether a node was removed and everyone it could ask is gone, while those who came after them
   * began from a snapshot and never heard of it. Consensus cannot tell it: its manager does, whom
   * peers refuse by the node list.
   */
  #isDisowned(node: SimulatedNode, leader: SimulatedNode): boolean {
    if (this.#checker.voters.includes(node.id) || this.#isNewcomer(node.id)) return false;
    const known = node.raft.status.configurations.flatMap(({ voters }) => voters);
    const hasAnyone = known.some((one) => one !== node.id && this.#live.has(one));
    return !hasAnyone && !leader.raft.status.progress.has(node.id);
  }

  /** Whether a node has not been a voter yet. */
  #isNewcomer(node: NodeId): boolean {
    return !this.#checker.everVoted.has(node);
  }

  /** A fresh node with an empty log; who joins later begins as a learner, knowing the genesis. */
  #start(): void {
    const random = this.#random;
    const number = this.#everyone.size + 1;
    const node = new SimulatedNode(`n${number}`, {
      self: nameToId(number),
      electionTicks,
      heartbeatTicks: random.between(1, 3),
      random: () => random.fraction(),
      maxAppendBytes: random.pick([1, 100, 1000, 100_000]),
      maxInflightAppends: random.between(1, 8),
      maxMemoryBytes: random.pick([1, 2000, 20_000, 1_000_000]),
      ...(random.chance(0.7) && { snapshotGap: random.pick([1, 10, 100]) }),
      distribution: this.#distribution(),
      initial: {
        view: 0 as View,
        lastHeight: 0 as Height,
        lastView: 0 as View,
        committed: 0 as Height,
        configuration: this.#genesis,
        configurationHeight: 0 as Height,
        viewHistory: [],
      },
    });
    node.snapshots.damages = () => random.chance(this.#plan.damagedChunk);
    node.onRestored = (position) => {
      this.#stats.restored += 1;
      this.#checker.restored(node, position);
    };
    this.#everyone.set(node.id, node);
    this.#live.set(node.id, node);
  }
}

const nameToId = (number: number): NodeId => toNodeId(number.toString(16).padStart(64, '0'));
const idToName = (node: NodeId): string => `n${Number.parseInt(node, 16)}`;

const committedConfiguration = (node: SimulatedNode): number =>
  node.expectedConfigurations()[0]?.height ?? 0;

/** The node's active configurations from this height on. */
const activeSince = (node: SimulatedNode, height: number): Configuration[] =>
  node
    .expectedConfigurations()
    .filter((one) => one.height >= height)
    .map((one) => one.configuration);
