import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getNode, nodeJoins, nodeRetired, nodeTrusted } from '@concordat/governance';
import type { NodeId } from '@concordat/std';
import { action, machine, Network, organisation, platformKey, verdict } from './network.ts';

const voters = ['ada', 'bob'];
const address = 'vn.ada:7000';
const atAddress = (number: number) => machine(organisation('ada'), number, address);

/** Two trusted nodes; the first is ada's at the address, the second keeps the network alive. */
function running(overrides: Record<string, unknown> = {}): { network: Network; first: NodeId } {
  const network = new Network(voters, overrides);
  const first = network.trust(voters, atAddress(1));
  network.trust(voters, machine(organisation('bob'), 2));
  return { network, first };
}

const rejoin = (network: Network, number: number, replaces: NodeId, changes = {}) =>
  nodeJoins(network.set, { ...atAddress(number).joining, replaces, ...changes });

const status = (network: Network, nodeId: NodeId) => {
  const node = getNode(network.set, nodeId);
  return node?.retired ?? node?.status;
};

test('a node is admitted, learns, is trusted, departs', () => {
  const { network } = running();
  const node = machine(organisation('ada'), 3);
  network.pass(voters, action('add_node', node.tuple));
  const learning = nodeJoins(network.set, node.joining);
  assert.equal(learning.status, 'learning');
  assert.deepEqual(
    [learning.measurement, learning.platform, learning.platformKey],
    [verdict.measurement, verdict.platform, verdict.platformKey],
  );
  assert.equal(nodeTrusted(network.set, node.nodeId).status, 'trusted');
  assert.equal(nodeRetired(network.set, node.nodeId).retired, 'departed');
  assert.equal(status(network, node.nodeId), 'departed');
});

test('no step of its life is taken twice or out of order', () => {
  const { network, first } = running();
  const node = machine(organisation('ada'), 3);
  network.pass(voters, action('add_node', node.tuple));
  const trust = () => nodeTrusted(network.set, node.nodeId);
  const join = () => nodeJoins(network.set, node.joining);
  const leave = () => nodeRetired(network.set, node.nodeId);
  network.refuses('WRONG_NODE_STATUS', trust);
  network.refuses('WRONG_NODE_STATUS', leave);
  join();
  network.refuses('WRONG_NODE_STATUS', join);
  trust();
  network.refuses('WRONG_NODE_STATUS', join);
  network.refuses('WRONG_NODE_STATUS', trust);
  leave();
  network.refuses('WRONG_NODE_STATUS', join);
  network.refuses('WRONG_NODE_STATUS', trust);
  network.refuses('WRONG_NODE_STATUS', leave);
  const nobody = 'ee'.repeat(32) as NodeId;
  network.refuses('NODE_NOT_FOUND', () => nodeTrusted(network.set, nobody));
  network.refuses('NODE_NOT_FOUND', () => nodeRetired(network.set, nobody));
  assert.equal(status(network, first), 'trusted');
});

test('an admitted node joins only with listed code on a listed TEE without debugging', () => {
  const { network } = running();
  const node = machine(organisation('ada'), 3);
  network.pass(voters, action('add_node', node.tuple));
  const join = (changes: object) => () =>
    nodeJoins(network.set, { ...node.joining, verdict: { ...verdict, ...changes } });
  network.refuses('UNLISTED_MEASUREMENT', join({ measurement: 'dd'.repeat(32) }));
  network.refuses('UNLISTED_TEE', join({ platform: 'sgx' }));
  network.refuses('DEBUG_ENCLAVE', join({ debug: true }));
  const worker = { measurement: 'dd'.repeat(32), role: 'worker', name: 'w', version: '1' };
  network.pass(voters, action('add_code', worker));
  network.refuses('UNLISTED_MEASUREMENT', join({ measurement: worker.measurement }));
  network.refuses('INVALID_ACTION', () =>
    nodeJoins(network.set, { ...node.joining, encryptionKey: '04' }),
  );
});

test('the last trusted node does not depart', () => {
  const { network, first } = running();
  nodeRetired(network.set, first);
  const last = machine(organisation('bob'), 2).nodeId;
  network.refuses('LAST_TRUSTED_NODE', () => nodeRetired(network.set, last));
});

test('a restarted node takes the place of its predecessor, which retires once it is trusted', () => {
  const { network, first } = running();
  const entry = rejoin(network, 11, first);
  assert.deepEqual([entry.status, entry.replaces, entry.address], ['learning', first, address]);
  assert.equal(entry.signature, undefined);
  assert.equal(status(network, first), 'trusted');
  nodeTrusted(network.set, entry.nodeId);
  assert.equal(status(network, first), 'replaced');
  assert.equal(status(network, entry.nodeId), 'trusted');
});

test('a node that departed in good order comes back the same way', () => {
  const { network, first } = running();
  nodeRetired(network.set, first);
  const { nodeId } = rejoin(network, 11, first);
  nodeTrusted(network.set, nodeId);
  assert.deepEqual([status(network, first), status(network, nodeId)], ['departed', 'trusted']);
  // Its disk was put back to before that: it names the launch it knew, and takes its own place.
  const { replaces } = rejoin(network, 12, first);
  assert.equal(replaces, nodeId);
});

test('a successor that fails while learning gives way to the next attempt', () => {
  const { network, first } = running();
  const second = rejoin(network, 11, first).nodeId;
  const third = rejoin(network, 12, first).nodeId;
  assert.equal(status(network, second), 'replaced');
  const fourth = rejoin(network, 13, third);
  assert.equal(fourth.replaces, first);
  nodeTrusted(network.set, fourth.nodeId);
  const life = [first, second, third, fourth.nodeId].map((id) => status(network, id));
  assert.deepEqual(life, ['replaced', 'replaced', 'replaced', 'trusted']);
});

test('a chain of restarts goes on for ever', () => {
  const { network, first } = running();
  let last = first;
  for (let number = 11; number < 20; number++) {
    last = rejoin(network, number, last).nodeId;
    nodeTrusted(network.set, last);
  }
  const present = network.constitution.nodes.filter((node) => node.status !== 'retired');
  assert.equal(present.length, 2);
  const former = rejoin(network, 30, first);
  assert.equal(former.replaces, last);
  nodeTrusted(network.set, former.nodeId);
  assert.deepEqual(
    [status(network, last), status(network, former.nodeId)],
    ['replaced', 'trusted'],
  );
  const elsewhere = { verdict: { ...verdict, platformKey: platformKey.replaceAll('b', 'c') } };
  network.refuses('REJOIN_REFUSED', () => rejoin(network, 31, first, elsewhere));
});

test('a place is refused to another platform, under the policy vote, and without a place', () => {
  const { network, first } = running();
  const elsewhere = { verdict: { ...verdict, platformKey: platformKey.replaceAll('b', 'c') } };
  network.refuses('REJOIN_REFUSED', () => rejoin(network, 11, first, elsewhere));
  const bad = { verdict: { ...verdict, measurement: 'dd'.repeat(32) } };
  network.refuses('UNLISTED_MEASUREMENT', () => rejoin(network, 11, first, bad));
  network.refuses('NODE_NOT_ADMITTED', () => rejoin(network, 11, 'ee'.repeat(32) as NodeId));
  const waiting = machine(organisation('ada'), 3);
  network.pass(voters, action('add_node', waiting.tuple));
  network.refuses('REJOIN_REFUSED', () => rejoin(network, 11, waiting.nodeId));
  network.pass(voters, action('set_policy', { name: 'rejoin', value: 'vote' }));
  network.refuses('REJOIN_REFUSED', () => rejoin(network, 11, first));
});

test('a node removed by vote has no successor, not even one that was learning already', () => {
  const { network, first } = running();
  const successor = rejoin(network, 11, first).nodeId;
  const { effects } = network.pass(voters, action('remove_node', { nodeId: first }));
  assert.deepEqual(effects, [
    { kind: 'node-removed', nodeId: first },
    { kind: 'node-removed', nodeId: successor },
  ]);
  network.refuses('WRONG_NODE_STATUS', () => nodeTrusted(network.set, successor));
  network.refuses('REJOIN_REFUSED', () => rejoin(network, 12, first));
  network.refuses('REJOIN_REFUSED', () => rejoin(network, 12, successor));
});
