import { numberOf } from './command-line.ts';
import { DatadrivenError } from './errors.ts';
import type { ScenarioNetwork } from './scenario-network.ts';
import type { ScenarioNode } from './scenario-node.ts';
import { checkCommit } from './scenario-safety.ts';
import {
  activeConfigurations,
  detailOf,
  differences,
  lastTransaction,
  leadershipState,
  remaining,
  retirementPhase,
  stateLine,
} from './scenario-state.ts';

/** Rounds within which a network that is left alone must agree. */
const maxSyncRounds = 60;
/** Most milliseconds of one period. */
const maxPeriodMs = 60_000;

/** What a line does: `items` are the words after the verb; `tell` is for those who want to watch. */
type Do = (
  network: ScenarioNetwork,
  items: readonly string[],
  tell: (line: string) => void,
) => void;

/** A verb, how many words it takes, and whether it can change anything. */
export interface Verb {
  readonly least: number;
  readonly most: number;
  readonly changes: boolean;
  readonly do: Do;
}

const any = Number.POSITIVE_INFINITY;
const change = (least: number, most: number, act: Do): Verb => ({
  least,
  most,
  changes: true,
  do: act,
});
const look = (least: number, most: number, act: Do): Verb => ({
  least,
  most,
  changes: false,
  do: act,
});
const one = (items: readonly string[], at = 0): string => items[at] as string;

const nodeVerbs: Readonly<Record<string, Verb>> = {
  pre_vote_enabled: look(1, 1, (network, items) => {
    if (one(items) !== 'true' && one(items) !== 'false') {
      throw new DatadrivenError('BAD_ARGUMENT', `true or false is expected, not ${one(items)}`);
    }
    network.preVote = one(items) === 'true';
  }),
  start_node: change(0, 1, (network, items) => {
    // Older files do not name the node; there it has to win an election first.
    if (items.length > 0) network.start(one(items));
    else {
      network.refusals = 'at once';
      network.begin(['0']);
    }
  }),
  nodes: change(1, any, (network, items) => network.begin(items)),
  create_new_node: change(1, 1, (network, items) => {
    network.create(one(items));
  }),
  trust_node: change(2, 2, (network, [term, ...joining]) => swap(network, term, joining, [])),
  trust_nodes: change(2, any, (network, [term, ...joining]) => swap(network, term, joining, [])),
  swap_node: change(3, 3, (network, items) => {
    swap(network, one(items), [one(items, 2)], [one(items, 1)]);
  }),
  swap_nodes: change(3, any, (network, [term, ...words]) => {
    const { joining, leaving } = joiningAndLeaving(words);
    swap(network, term, joining, leaving);
  }),
  replicate_new_configuration: change(2, any, (network, [term, ...voters]) => {
    for (const name of voters) if (!network.nodes.has(name)) network.create(name);
    network.add(term as string, 'configuration', voters);
  }),
  cleanup_nodes: change(2, any, (network, [term, ...names]) => {
    for (const name of names) network.node(name);
    network.add(term as string, 'cleanup', names);
  }),
  replicate: change(2, any, (network, [term, ...data]) =>
    network.add(term as string, 'data', data),
  ),
  emit_signature: change(1, 1, (network, items) => network.add(one(items), 'signature', [])),
  nominate_successor: change(1, 1, (network, items) => network.node(one(items)).nominate()),
  periodic_one: change(2, 2, (network, items) => {
    network.node(one(items)).period(milliseconds(one(items, 1)));
  }),
  periodic_all: change(1, 1, (network, items) => {
    const ms = milliseconds(one(items));
    for (const node of network.all()) node.period(ms);
  }),
};

const wireVerbs: Readonly<Record<string, Verb>> = {
  connect: change(2, 2, (network, items) => network.link(one(items), one(items, 1), 'works')),
  reconnect: change(2, 2, (network, items) => network.link(one(items), one(items, 1), 'works')),
  disconnect: change(2, 2, (network, items) => network.link(one(items), one(items, 1), 'fails')),
  reconnect_node: change(1, 1, (network, items) => network.linkAll(one(items), 'works')),
  disconnect_node: change(1, 1, (network, items) => network.linkAll(one(items), 'fails')),
  dispatch_all: change(0, 0, (network) => network.dispatchAll()),
  dispatch_all_once: change(0, 0, (network) => network.dispatchOnce()),
  dispatch_one: change(1, 1, (network, items) => network.dispatch(network.node(one(items)))),
  dispatch_one_first_n: change(2, 2, (network, items) => {
    const count = numberOf(one(items, 1), 'a number of messages', 1, 10_000);
    network.dispatch(network.node(one(items)), count);
  }),
  dispatch_single: change(2, 2, (network, items) => {
    network.dispatchSingle(network.node(one(items)), network.node(one(items, 1)).name);
  }),
  drop_pending: change(1, 1, (network, items) => {
    network.node(one(items)).queue.length = 0;
  }),
  drop_pending_to: change(2, 2, (network, items) => {
    network.dropTo(network.node(one(items)), network.node(one(items, 1)).name);
  }),
  shuffle_one: change(1, 1, (network, items) => {
    network.node(one(items)).queue.reverse();
  }),
  shuffle_all: change(0, 0, (network) => {
    for (const node of network.all()) node.queue.reverse();
  }),
};

const lookVerbs: Readonly<Record<string, Verb>> = {
  state_one: look(1, 1, (network, items, tell) => tell(stateLine(network.node(one(items))))),
  state_all: look(0, 0, (network, _, tell) => {
    for (const node of network.all()) tell(stateLine(node));
  }),
  summarise_log: look(1, 1, (network, items, tell) => tell(stateLine(network.node(one(items))))),
  summarise_logs_all: look(0, 0, (network, _, tell) => {
    for (const node of network.all()) tell(stateLine(node));
  }),
  summarise_messages: look(2, 2, (network, items, tell) => {
    const queued = network.node(one(items)).queue.filter(({ to }) => to === items[1]);
    tell(
      `${one(items)} to ${one(items, 1)}: ${queued.map(({ message }) => message.type).join(', ')}`,
    );
  }),
  mark_seed: look(0, any, () => undefined),
};

const assertVerbs: Readonly<Record<string, Verb>> = {
  assert_commit_idx: look(2, 2, (network, items) => {
    expect(
      `the commit index of ${one(items)}`,
      network.node(one(items)).commitIndex,
      one(items, 1),
    );
  }),
  assert_last_txid: look(2, 2, (network, items) => {
    expect(
      `the last transaction of ${one(items)}`,
      lastTransaction(network.node(one(items))),
      one(items, 1),
    );
  }),
  assert_detail: look(3, 3, (network, items) => {
    const [name, field, expected] = items as readonly [string, string, string];
    expect(`${field} of ${name}`, detailOf(network.node(name), field), expected);
  }),
  'assert_!detail': look(3, 3, (network, items) => {
    const [name, field, forbidden] = items as readonly [string, string, string];
    const value = detailOf(network.node(name), field);
    if (value === forbidden) throw new DatadrivenError('FAILED', `${field} of ${name} is ${value}`);
  }),
  assert_config: look(3, any, (network, [name, index, ...voters]) => {
    const active = activeConfigurations(network.node(name as string));
    const words = active.find((item) => `${item.index}` === index)?.words ?? ['none'];
    const sorted = (names: readonly string[]) => [...new Set(names)].sort().join(' ');
    expect(`the configuration ${index} of ${name}`, sorted(words), sorted(voters));
  }),
  assert_absent_config: look(2, 2, absentConfiguration),
  assert_missing_config: look(2, 2, absentConfiguration),
  assert_state_sync: look(0, 0, (network) => requireSync(network.all())),
  assert_commit_safety: look(1, 1, (network, items) => {
    checkCommit(network, network.node(one(items)));
  }),
  loop_until_sync: change(0, 0, (network) => loopUntilSync(network)),
  assert_loop_sync: change(1, any, (network, [rounds, ...names]) => {
    const most = numberOf(rounds as string, 'rounds', 1, 1000);
    const nodes = names.map((name) => network.node(name));
    settle(network, most, () => (nodes.length > 0 ? nodes : remaining(network)));
  }),
  ...stateAssertions(),
};

/** Every verb of the format, older ones included. */
export const verbs: ReadonlyMap<string, Verb> = new Map([
  ...Object.entries(nodeVerbs),
  ...Object.entries(wireVerbs),
  ...Object.entries(lookVerbs),
  ...Object.entries(assertVerbs),
]);

/** `assert_is_primary,0`, `assert_isnot_backup,1` and their like, from before there were details. */
function stateAssertions(): Record<string, Verb> {
  const states: Readonly<Record<string, (node: ScenarioNode) => boolean>> = {
    primary: (node) => leadershipState(node) === 'Leader',
    backup: (node) => leadershipState(node) === 'Follower',
    candidate: (node) => leadershipState(node).endsWith('Candidate'),
    active: (node) => retirementPhase(node) === undefined,
    retired: (node) => retirementPhase(node) !== undefined,
  };
  const found: Record<string, Verb> = {};
  for (const [state, holds] of Object.entries(states)) {
    for (const wanted of [true, false]) {
      found[`assert_is${wanted ? '' : 'not'}_${state}`] = look(1, 1, (network, items) => {
        const node = network.node(one(items));
        if (holds(node) !== wanted) throw new DatadrivenError('FAILED', stateLine(node));
      });
    }
  }
  return found;
}

function absentConfiguration(network: ScenarioNetwork, items: readonly string[]): void {
  const [name, index] = items as readonly [string, string];
  const active = activeConfigurations(network.node(name));
  const found = active.find((item) => `${item.index}` === index);
  if (!found) return;
  throw new DatadrivenError(
    'FAILED',
    `${name} has a configuration ${index}: ${found.words.join(' ')}`,
  );
}

/** The new voters are all nodes there are, without those that leave. */
function swap(
  network: ScenarioNetwork,
  term: string | undefined,
  joining: readonly string[],
  leaving: readonly string[],
): void {
  for (const name of joining) network.create(name);
  for (const name of leaving) network.node(name);
  for (const name of joining) network.linkAll(name, 'works');
  const voters = network.all().map(({ name }) => name);
  const staying = voters.filter((name) => !leaving.includes(name));
  network.add(term as string, 'configuration', staying);
}

/** `in,a,b,out,c`, in either order, either part absent. */
function joiningAndLeaving(words: readonly string[]): { joining: string[]; leaving: string[] } {
  const lists = { in: [] as string[], out: [] as string[] };
  let list: string[] | undefined;
  for (const word of words) {
    if (word === 'in' || word === 'out') list = lists[word];
    else if (list) list.push(word);
    else throw new DatadrivenError('BAD_ARGUMENT', `in or out is expected, not ${word}`);
  }
  return { joining: lists.in, leaving: lists.out };
}

/** Everything is connected again: the network must agree on an entry of its last leader. */
function loopUntilSync(network: ScenarioNetwork): void {
  if (!network.begun) return;
  for (const node of remaining(network)) network.linkAll(node.name, 'works');
  if (network.leader('latest')) network.add('latest', 'signature', []);
  settle(network, maxSyncRounds, () => remaining(network));
}

function settle(network: ScenarioNetwork, rounds: number, nodes: () => ScenarioNode[]): void {
  for (let round = 0; round < rounds; round += 1) {
    network.round(round);
    const leader = network.leader('latest');
    if (!leader) continue;
    // A leader that won only now needs an entry of its own.
    if (leader.machine.status.lastView !== leader.machine.status.view) leader.add('signature', []);
    if (differences(nodes()).length === 0) return;
  }
  requireSync(nodes());
  throw new DatadrivenError('FAILED', `nobody leads after ${rounds} rounds`);
}

function requireSync(nodes: readonly ScenarioNode[]): void {
  const found = differences(nodes);
  if (found.length > 0) throw new DatadrivenError('FAILED', `not in sync: ${found.join('; ')}`);
}

function expect(what: string, actual: string | number | undefined, expected: string): void {
  if (`${actual ?? 'none'}` === expected) return;
  throw new DatadrivenError('FAILED', `${what} is ${actual ?? 'none'}, not ${expected}`);
}

const milliseconds = (word: string): number => numberOf(word, 'milliseconds', 1, maxPeriodMs);
