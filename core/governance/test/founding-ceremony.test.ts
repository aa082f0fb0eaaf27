import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSigningKey } from '@concordat/crypto';
import {
  currentSharedKey,
  foundSharedKey,
  type HolderRegistration,
  keyNeeds,
  newestCeremony,
  rerunCeremony,
  signHolderRegistration,
} from '@concordat/governance';
import {
  createHolderKey,
  encodeThresholdKey,
  proveHolderKey,
  timesBase,
  verificationKeyOf,
} from '@concordat/keys';
import { toHex, toSeqno } from '@concordat/std';
import { machine, organisation, seed } from './network.ts';
import { entropyOf, founders, SharedKeyNetwork } from './shared-key-network.ts';

const seqno = toSeqno(1);
const entropy = entropyOf('founder');

/** A network of one node, and its member's registration. */
function founded(policies: Record<string, unknown> = {}) {
  const network = new SharedKeyNetwork(founders, { policies });
  const nodeId = network.trust(founders, machine(organisation('ada'), 51));
  const { actorId } = organisation('ada');
  const holderKey = createHolderKey(entropy(64));
  const owner = { networkId: network.networkId, actor: actorId };
  const unsigned = {
    actorId,
    nodeId,
    number: 1,
    encryptionKey: toHex(holderKey.encryptionKey),
    proof: toHex(proveHolderKey(owner, holderKey, entropy(64))),
  };
  const nodeKey = createSigningKey(seed(50_051));
  const registration = signHolderRegistration(network.networkId, unsigned, nodeKey);
  return { network, founder: { registration, holderKey } };
}

test('the founder alone makes the first shared key within one transaction, for all to check', () => {
  for (const keyThreshold of ['majority', 1, 3]) {
    const { network, founder } = founded({ keyThreshold });
    const share = foundSharedKey(network.set, founder, { seqno, entropy });
    const { number, sharing, key } = currentSharedKey(network.set) ?? assert.fail();
    assert.deepEqual([number, sharing, key.threshold, key.holders], [1, 1, 1, [1]]);
    assert.deepEqual([share.key, share.sharing, share.index], [1, 1, 1]);
    assert.deepEqual(timesBase(share.secret), verificationKeyOf(key, share.index));
    const again = rerunCeremony(network.set, 1) ?? assert.fail();
    assert.deepEqual(encodeThresholdKey(again), encodeThresholdKey(key));
    assert.equal(keyNeeds(network.set).due, undefined);
    assert.equal(newestCeremony(network.set)?.closedAt, 1);
  }
});

test('the next member that holds a share makes a fresh key due', () => {
  const { network, founder } = founded();
  foundSharedKey(network.set, founder, { seqno, entropy });
  network.next();
  network.bringUp('bob', founders);
  const { due } = keyNeeds(network.set);
  assert.deepEqual([due?.purpose, due?.reason], ['fresh', 'threshold-raised']);
  assert.deepEqual([due?.threshold, due?.receivers.length], [2, 2]);
});

test('a founder whose registration is not its own founds nothing', () => {
  const forge = (change: Partial<HolderRegistration>, code: string): void => {
    const { network, founder } = founded();
    const registration = { ...founder.registration, ...change };
    assert.throws(
      () => foundSharedKey(network.set, { ...founder, registration }, { seqno, entropy }),
      { code },
    );
    assert.equal(newestCeremony(network.set), undefined);
  };
  forge({ signature: founded().founder.registration.signature }, 'BAD_NODE_SIGNATURE');
  forge({ actorId: organisation('bob').actorId }, 'NOT_A_HOLDER');
  forge({ number: 2 }, 'NOT_A_HOLDER');
});
