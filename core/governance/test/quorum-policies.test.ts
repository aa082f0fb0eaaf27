import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  defaultPolicy,
  nodeJoins,
  nodeRetired,
  nodeTrusted,
  quorumSizesUnder,
} from '@concordat/governance';
import type { NodeId } from '@concordat/std';
import { action, machine, Network, organisation } from './network.ts';

const members = ['ada', 'bob'];
const set = (name: string, value: unknown) => action('set_policy', { name, value });
const node = (number: number) => machine(organisation('ada'), number);

/** A network of so many trusted nodes. */
function withNodes(count: number): { network: Network; nodes: NodeId[] } {
  const network = new Network(members);
  const numbers = Array.from({ length: count }, (_, at) => at + 1);
  return { network, nodes: numbers.map((number) => network.trust(members, node(number))) };
}

/** Proposes what must be refused before anyone votes on it. */
const refused = (network: Network, ...actions: ReturnType<typeof action>[]) =>
  network.refuses('UNSAFE_QUORUMS', () => network.propose('ada', ...actions));

test('quorums are majorities until a policy says otherwise', () => {
  const majorities = { replicationQuorum: 'majority', electionQuorum: 'majority' } as const;
  assert.equal(quorumSizesUnder(majorities, 5), undefined);
  assert.equal(defaultPolicy('replicationQuorum'), 'majority');
  assert.deepEqual(quorumSizesUnder({ ...majorities, electionQuorum: 4 }, 5), {
    replication: 3,
    election: 4,
  });
  // What a majority is anyway is no other configuration.
  assert.equal(quorumSizesUnder({ replicationQuorum: 3, electionQuorum: 3 }, 5), undefined);
});

test('sizes whose quorums meet are set by vote, those that may not are refused with the path', () => {
  const { network } = withNodes(5);
  network.pass(members, set('replicationQuorum', 2), set('electionQuorum', 4));
  assert.deepEqual(quorumSizesUnder(network.constitution.policies, 5), {
    replication: 2,
    election: 4,
  });
  for (const [name, value] of [
    ['electionQuorum', 3],
    ['replicationQuorum', 1],
    ['electionQuorum', 6],
    ['electionQuorum', 'majority'],
  ] as const) {
    const failure = refused(network, set(name, value));
    assert.equal(failure.details.path, 'policies.replicationQuorum');
    assert.match(failure.message, /of 5 voters/);
  }
  // Each election quorum meets each replication quorum, but two views could be won at once.
  const failure = refused(network, set('replicationQuorum', 5), set('electionQuorum', 2));
  assert.match(failure.message, /two election quorums of 2 of 5 voters may not meet/);
});

test('a change of the voters that the sizes do not allow for is refused, with what to do', () => {
  const { network, nodes } = withNodes(5);
  network.pass(members, set('replicationQuorum', 2), set('electionQuorum', 4));
  const sixth = action('add_node', node(6).tuple);
  const failure = refused(network, sixth);
  assert.match(failure.message, /5 now.*set both quorum policies.*same proposal/);
  network.pass(members, set('electionQuorum', 5), sixth);
  nodeJoins(network.set, node(6).joining);
  nodeTrusted(network.set, node(6).nodeId);
  const [first, second] = nodes as [NodeId, NodeId];
  network.pass(members, action('remove_node', { nodeId: first }));
  refused(network, action('remove_node', { nodeId: second }));
  const error = network.refuses('UNSAFE_QUORUMS', () => nodeRetired(network.set, second));
  assert.deepEqual(error.details, { path: 'policies.replicationQuorum', voters: 4 });
});

test('sizes are judged for the nodes that are on their way as well', () => {
  const { network } = withNodes(3);
  network.pass(members, action('add_node', node(4).tuple));
  const failure = refused(network, set('replicationQuorum', 1), set('electionQuorum', 3));
  assert.match(failure.message, /1 and 3 of 4 voters may not meet \(3 now/);
  network.pass(members, set('electionQuorum', 3));
  nodeJoins(network.set, node(4).joining);
  nodeTrusted(network.set, node(4).nodeId);
});

test('a successor that takes the place of a voter adds none', () => {
  const { network, nodes } = withNodes(3);
  network.pass(members, set('replicationQuorum', 1), set('electionQuorum', 3));
  const successor = machine(organisation('ada'), 9, 'node1:7000');
  nodeJoins(network.set, { ...successor.joining, replaces: nodes[0] as NodeId });
  nodeTrusted(network.set, successor.nodeId);
});
