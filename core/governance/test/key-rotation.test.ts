import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  buildHolderRotation,
  isOvertaken,
  keyNeeds,
  nodeRetired,
  rotationAsked,
  sharedKeys,
} from '@concordat/governance';
import { type Enclave, networkOf, type SharedKeyNetwork } from './shared-key-network.ts';

const actorOf = (network: SharedKeyNetwork, name: string): string =>
  network.constitution.actors.find((actor) => actor.name === name)?.actorId as string;

const rotate = (network: SharedKeyNetwork, name: string) =>
  network.submit(buildHolderRotation(network.options(name)));

test('a member orders its holder key replaced: its nodes are asked until another is registered', () => {
  const network = networkOf();
  network.ceremonyOf();
  const ada = actorOf(network, 'ada');
  assert.equal(rotationAsked(network.set, ada), undefined);
  const { effects, state } = rotate(network, 'ada');
  assert.equal(state, 'accepted');
  assert.deepEqual(effects, [{ kind: 'holder-rotation-asked', actorId: ada }]);
  assert.equal(rotationAsked(network.set, ada), 1);
  assert.equal(rotationAsked(network.set, actorOf(network, 'bob')), undefined);
  const enclave = network.enclaves.get('ada') as Enclave;
  enclave.holderKey = { ...network.registrationKey() };
  network.register(enclave);
  assert.equal(rotationAsked(network.set, ada), undefined);
  const { due, outOfReach } = keyNeeds(network.set);
  assert.deepEqual([due?.purpose, due?.reason], ['reshare', 'holders-changed']);
  assert.deepEqual(outOfReach, []);
});

test('a holder key is not replaced when a shared key could not be dealt anew without its share', () => {
  const network = networkOf();
  network.ceremonyOf();
  const [{ sharing }] = sharedKeys(network.set) as [ReturnType<typeof sharedKeys>[number]];
  assert.deepEqual([sharing.threshold, sharing.holders.length], [2, 3]);
  rotate(network, 'ada');
  network.refuses('HOLDER_NEEDED', () => rotate(network, 'bob'));
  assert.throws(() => rotate(network, 'bob'), /could deal key 1 anew/);
  assert.equal(rotationAsked(network.set, actorOf(network, 'bob')), undefined);
});

test('a member that has no node left deals nothing, and does not count among the others', () => {
  const network = networkOf();
  network.ceremonyOf();
  nodeRetired(network.set, (network.enclaves.get('cyd') as Enclave).nodeId);
  network.refuses('HOLDER_NEEDED', () => rotate(network, 'ada'));
});

test('one member that orders in a loop ends one ceremony, and the next one is finished', () => {
  const network = networkOf();
  network.ceremonyOf();
  const enclave = network.enclaves.get('ada') as Enclave;
  const carryOut = (): void => {
    enclave.holderKey = { ...network.registrationKey() };
    enclave.shares.clear();
    network.register(enclave);
  };
  rotate(network, 'ada');
  rotate(network, 'ada');
  carryOut();
  network.open();
  for (let again = 0; again < 3; again++) {
    network.refuses('ROTATION_UNFINISHED', () => rotate(network, 'ada'));
  }
  network.deal();
  assert.equal(isOvertaken(network.set, network.ceremony), false);
  const dealt = network.ceremony.terms.receivers.map(({ index }) => index);
  for (const index of dealt) network.check(index);
  assert.equal(network.close().state, 'done');
  assert.equal(rotate(network, 'ada').state, 'accepted', 'it has a share now');
  carryOut();
  network.refuses('ROTATION_UNFINISHED', () => rotate(network, 'ada'));
});

test('a key that is out of reach already keeps nobody from replacing a holder key', () => {
  const network = networkOf();
  network.ceremonyOf();
  for (const name of ['ada', 'bob']) {
    const enclave = network.enclaves.get(name) as Enclave;
    enclave.holderKey = network.registrationKey();
    network.register(enclave);
  }
  assert.deepEqual(keyNeeds(network.set).outOfReach, [1]);
  network.ceremonyOf();
  assert.deepEqual(
    sharedKeys(network.set).map(({ key }) => key.number),
    [2, 1],
  );
  assert.equal(rotate(network, 'cyd').state, 'accepted');
});

test('an order of who has no holder key, or that was heard before, is refused', () => {
  const network = networkOf();
  const order = buildHolderRotation(network.options('bob'));
  network.set.table('public:concordat.keys.holders').delete(actorOf(network, 'ada'));
  network.refuses('NOT_A_HOLDER', () => rotate(network, 'ada'));
  network.submit(order);
  network.refuses('REPLAY', () => network.submit(order));
});
