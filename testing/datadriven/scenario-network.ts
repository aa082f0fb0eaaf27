import { type Configuration, decodeMessage, encodeMessage } from '@concordat/consensus';
import type { View } from '@concordat/std';
import { DatadrivenError } from './errors.ts';
import { idOf } from './names.ts';
import type { Item } from './scenario-batch.ts';
import { electionMs, heartbeatMs, type Queued, ScenarioNode } from './scenario-node.ts';

/** Rounds of messages that one `dispatch_all` delivers at most. */
const dispatchRounds = 5;
/** Most nodes of a scenario. */
const maxNodes = 100;

/** The nodes of a scenario by name, their queues and the links between them. */
export class ScenarioNetwork {
  readonly nodes = new Map<string, ScenarioNode>();
  preVote = true;
  /** In older files a leader answers refusals at once. */
  refusals: 'at once' | 'next period' = 'next period';
  #genesis: Configuration = { voters: [] };
  readonly #links = new Set<string>();

  /** Whether there is anybody who may vote. */
  get begun(): boolean {
    return this.#genesis.voters.length > 0;
  }

  /** In the order of their names, which is the order of everything done to all. */
  all(): ScenarioNode[] {
    return [...this.nodes.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  /** @throws DatadrivenError BAD_ARGUMENT */
  node(name: string): ScenarioNode {
    const node = this.nodes.get(name);
    if (!node) throw new DatadrivenError('BAD_ARGUMENT', `there is no node ${name}`);
    return node;
  }

  /** Nodes that know each other as the voters of a network that has not begun. */
  begin(names: readonly string[]): void {
    this.#genesis = { voters: [...names].sort().map(idOf) };
    for (const name of names) this.create(name);
  }

  /** One node that leads view 2 from the start. */
  start(name: string): void {
    if (this.nodes.size > 0) throw new DatadrivenError('BAD_ARGUMENT', 'there is a start node');
    this.#genesis = { voters: [idOf(name)] };
    const node = this.create(name, 1 as View);
    node.period(1000);
    node.add('configuration', [name]);
  }

  /** A node with an empty log that knows how the network began. */
  create(name: string, view = 0 as View): ScenarioNode {
    const code = Buffer.byteLength(name) > 31 || this.nodes.size >= maxNodes || name === '';
    if (code || this.nodes.has(name)) {
      throw new DatadrivenError('BAD_ARGUMENT', `there cannot be another node ${name}`);
    }
    const { preVote, refusals } = this;
    const node = new ScenarioNode(name, { genesis: this.#genesis, view, preVote, refusals });
    this.nodes.set(name, node);
    return node;
  }

  link(one: string, other: string, how: 'works' | 'fails'): void {
    for (const link of [`${this.node(one).name},${other}`, `${this.node(other).name},${one}`]) {
      if (how === 'works') this.#links.add(link);
      else this.#links.delete(link);
    }
  }

  linkAll(name: string, how: 'works' | 'fails'): void {
    for (const other of this.nodes.keys()) if (other !== name) this.link(name, other, how);
  }

  /** The leader of a view by number, or of the `latest`; undefined when nobody leads at all. */
  leader(term: string): ScenarioNode | undefined {
    const leaders = this.all().filter((node) => node.leads);
    leaders.sort((one, other) => one.machine.status.view - other.machine.status.view);
    if (term === 'latest') return leaders[leaders.length - 1];
    const leader = leaders.find((node) => `${node.machine.status.view}` === term);
    if (!leader) throw new DatadrivenError('FAILED', `nobody leads view ${term}`);
    return leader;
  }

  /** A position for the leader of a view; without any leader the latest is nobody. */
  add(term: string, kind: Item['kind'], words: readonly string[]): void {
    this.leader(term)?.add(kind, words);
  }

  /** Delivers from the front of one node's queue, at most `count` messages. */
  dispatch(node: ScenarioNode, count = Number.POSITIVE_INFINITY): void {
    let left = count;
    while (left > 0) {
      const queued = node.queue.shift();
      if (!queued) return;
      if (this.#deliver(node, queued)) left -= 1;
    }
  }

  /** The first message of one node to another. */
  dispatchSingle(from: ScenarioNode, to: string): void {
    const at = from.queue.findIndex((queued) => queued.to === to);
    if (at >= 0) this.#deliver(from, from.queue.splice(at, 1)[0] as Queued);
  }

  /** What is in the queues now, and nothing that it causes. */
  dispatchOnce(): void {
    const counts = this.all().map((node) => [node, node.queue.length] as const);
    for (const [node, count] of counts) this.dispatch(node, count);
  }

  dispatchAll(): void {
    for (let round = 0; round < dispatchRounds; round += 1) {
      if (this.all().every((node) => node.queue.length === 0)) return;
      this.dispatchOnce();
    }
  }

  dropTo(from: ScenarioNode, to: string): void {
    const kept = from.queue.filter((queued) => queued.to !== to);
    from.queue.splice(0, from.queue.length, ...kept);
  }

  /**
   * One round of a network that is left alone: a beat of its leader, or without one the end of one
   * node's patience, and all messages.
   */
  round(number: number): void {
    const nodes = this.all();
    const leader = this.leader('latest');
    if (leader) leader.period(heartbeatMs);
    else nodes[number % nodes.length]?.period(electionMs);
    this.dispatchAll();
  }

  #deliver(from: ScenarioNode, { to, message }: Queued): boolean {
    const receiver = this.nodes.get(to);
    if (!receiver || !this.#links.has(`${from.name},${to}`)) return false;
    receiver.receive(from.name, decodeMessage(Buffer.concat(encodeMessage(message))));
    return true;
  }
}
