import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyNeeds, nodeRetired, sharedKeys, strandedKeys } from '@concordat/governance';
import { type Enclave, networkOf, type SharedKeyNetwork } from './shared-key-network.ts';

/** Three members, and a key of which two shares read. */
function sharedBetweenThree(): SharedKeyNetwork {
  const network = networkOf();
  network.ceremonyOf();
  const [{ sharing }] = sharedKeys(network.set) as [ReturnType<typeof sharedKeys>[number]];
  assert.deepEqual([sharing.threshold, sharing.holders.length], [2, 3]);
  return network;
}

const enclave = (network: SharedKeyNetwork, name: string): Enclave =>
  network.enclaves.get(name) as Enclave;

test('a key is stranded when fewer members than its threshold have a node left', () => {
  const network = sharedBetweenThree();
  assert.deepEqual(strandedKeys(network.set), []);
  nodeRetired(network.set, enclave(network, 'cyd').nodeId);
  assert.deepEqual(strandedKeys(network.set), []);
  nodeRetired(network.set, enclave(network, 'bob').nodeId);
  assert.deepEqual(strandedKeys(network.set), [1]);
  assert.deepEqual(keyNeeds(network.set).outOfReach, [], 'they may come back');
});

test('a share that was dealt to a holder key its member gave up counts no more', () => {
  const network = sharedBetweenThree();
  for (const name of ['ada', 'bob']) {
    assert.deepEqual(strandedKeys(network.set), []);
    const member = enclave(network, name);
    member.holderKey = { ...network.registrationKey() };
    network.register(member);
  }
  assert.deepEqual(strandedKeys(network.set), [1]);
  assert.deepEqual(keyNeeds(network.set).outOfReach, [1]);
});

test('who could deal a key anew has no node: those who are there get a fresh one, and wait for nobody', () => {
  const network = sharedBetweenThree();
  nodeRetired(network.set, enclave(network, 'cyd').nodeId);
  assert.equal(keyNeeds(network.set).due, undefined);
  const bob = enclave(network, 'bob');
  bob.holderKey = network.registrationKey();
  network.register(bob);
  const { due } = keyNeeds(network.set);
  assert.deepEqual([due?.purpose, due?.reason, due?.threshold], ['fresh', 'out-of-reach', 2]);
  network.ceremonyOf();
  assert.deepEqual(strandedKeys(network.set), [1]);
  const after = keyNeeds(network.set);
  assert.deepEqual(after.outOfReach, [], 'cyd may come back, and then deals it anew');
  assert.deepEqual([after.due?.purpose, after.due?.key], ['reshare', 1]);
});
