import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEncryptionKey } from '@concordat/crypto';
import {
  buildKeyExport,
  buildRecoveryConsent,
  constitutionDigest,
  isOpen,
  keyExports,
  markRestored,
  parseConstitution,
  recoveredFrom,
  recoveryConsentOf,
  recoveryStage,
  successorConstitution,
  writeRecoveredFrom,
} from '@concordat/governance';
import { toHex } from '@concordat/std';
import { action, formerNetwork, machine, Network, organisation, seed } from './network.ts';
import { SharedKeyNetwork } from './shared-key-network.ts';

const counts = { formerBlocks: 7, transactions: 40 };

/** A network of ada, bob and cyd whose first node, ada's, recovers it. */
function recovering(overrides: Record<string, unknown> = {}) {
  const network = new Network(['ada', 'bob', 'cyd'], overrides);
  const nodeId = network.trust(['ada', 'bob', 'cyd'], machine(organisation('ada'), 1));
  writeRecoveredFrom(network.set, formerNetwork);
  return { network, requester: `recovery:${nodeId}` };
}

const consent = (
  { network, requester }: ReturnType<typeof recovering>,
  name: string,
  changed: Partial<Parameters<typeof buildRecoveryConsent>[0]> = {},
): Uint8Array =>
  buildRecoveryConsent({
    ...network.options(name),
    requester,
    former: formerNetwork.historyRoot,
    epochs: [1, 4],
    shares: 'ab'.repeat(32),
    ...changed,
  });

test('a successor takes over all of a constitution but its nodes', () => {
  const former = new Network(['ada', 'bob'], { policies: { snapshotBlocks: 50 } });
  for (const number of [1, 2]) former.trust(['ada', 'bob'], machine(organisation('ada'), number));
  const successor = parseConstitution(successorConstitution(former.constitution));
  assert.deepEqual(successor, { ...former.constitution, nodes: [] });
});

test('quorum policies that one node cannot meet fall back to majorities in a successor', () => {
  const former = new Network(['ada', 'bob']);
  for (const number of [1, 2, 3]) {
    former.trust(['ada', 'bob'], machine(organisation('ada'), number));
  }
  former.pass(
    ['ada', 'bob'],
    action('set_policy', { name: 'replicationQuorum', value: 2 }),
    action('set_policy', { name: 'electionQuorum', value: 2 }),
  );
  const { policies } = parseConstitution(successorConstitution(former.constitution));
  assert.equal(policies.replicationQuorum, 'majority');
  assert.equal(policies.electionQuorum, 'majority');
});

test('a network begun anew is open and names no former one', () => {
  const { set } = new Network(['ada']);
  assert.equal(isOpen(set), true);
  assert.equal(recoveredFrom(set), undefined);
  assert.equal(recoveryStage(set), undefined);
});

test('a recovered network opens once restored, by a majority whatever the default policy is', () => {
  const { network } = recovering({ votingPolicies: { default: { kind: 'unanimous' } } });
  assert.deepEqual(recoveredFrom(network.set), formerNetwork);
  assert.equal(isOpen(network.set), false);
  network.refuses('NETWORK_NOT_RESTORED', () => network.propose('ada', action('open_network', {})));
  markRestored(network.set, counts);
  assert.equal(isOpen(network.set), false);
  const { effects } = network.pass(['bob', 'cyd'], action('open_network', {}));
  assert.deepEqual(effects, [{ kind: 'network-opened' }]);
  assert.deepEqual(recoveryStage(network.set), { stage: 'open', ...counts });
  assert.equal(isOpen(network.set), true);
  network.refuses('NETWORK_NOT_RESTORED', () => network.propose('ada', action('open_network', {})));
});

test('the policy for opening can be set like any other', () => {
  const { network } = recovering({
    votingPolicies: { default: { kind: 'majority' }, open_network: { kind: 'unanimous' } },
  });
  markRestored(network.set, counts);
  const { proposalId } = network.propose('ada', action('open_network', {}));
  assert.equal(network.vote('ada', proposalId).state, 'open');
  assert.equal(network.vote('bob', proposalId).state, 'open');
  assert.equal(network.vote('cyd', proposalId).state, 'accepted');
});

test('the member whose node recovers cannot open the network alone', () => {
  const { network } = recovering();
  markRestored(network.set, counts);
  const { proposalId } = network.propose('ada', action('open_network', {}));
  assert.equal(network.vote('ada', proposalId).state, 'open');
  assert.equal(isOpen(network.set), false);
});

test('no other node is admitted while the state is not restored', () => {
  const { network } = recovering();
  const { tuple } = machine(organisation('bob'), 2);
  network.refuses('NETWORK_NOT_RESTORED', () => network.propose('bob', action('add_node', tuple)));
  markRestored(network.set, counts);
  network.pass(['ada', 'bob'], action('add_node', tuple));
});

test('a network is restored once, and only a recovered one', () => {
  const { network } = recovering();
  markRestored(network.set, counts);
  network.refuses('NETWORK_NOT_RECOVERING', () => markRestored(network.set, counts));
  const other = new Network(['ada']);
  other.refuses('NETWORK_NOT_RECOVERING', () => markRestored(other.set, counts));
});

test("a member's consent is recorded with what it gave shares for", () => {
  const world = recovering();
  const { network, requester } = world;
  const { effects, proposalId } = network.submit(consent(world, 'bob'));
  const { actorId } = organisation('bob');
  assert.deepEqual(effects, [{ kind: 'recovery-consented', actorId }]);
  assert.deepEqual(recoveryConsentOf(network.set, actorId), {
    requester,
    epochs: [1, 4],
    shares: 'ab'.repeat(32),
    messageId: proposalId,
    atSeconds: network.now,
  });
});

test('a consent for another ledger, node or span, or when nothing recovers, is refused', () => {
  const world = recovering();
  const { network } = world;
  const bad: Partial<Parameters<typeof buildRecoveryConsent>[0]>[] = [
    { former: '00'.repeat(32) },
    { requester: `recovery:${'00'.repeat(32)}` },
    { requester: world.requester.replace('recovery', 'node') },
    { epochs: [4, 1] },
    { epochs: [0, 1] },
    { epochs: [1] as unknown as [number, number] },
    { shares: 'zz' },
  ];
  for (const change of bad) {
    network.refuses('MALFORMED_MESSAGE', () => network.submit(consent(world, 'bob', change)));
  }
  const replayed = consent(world, 'bob');
  network.submit(replayed);
  network.refuses('REPLAY', () => network.submit(replayed));
  markRestored(network.set, counts);
  network.refuses('NETWORK_NOT_RECOVERING', () => network.submit(consent(world, 'cyd')));
});

test('a share that alone reads what was recovered is not copied out of its enclave', () => {
  const network = new SharedKeyNetwork(['ada', 'bob', 'cyd']);
  network.transact(() => undefined);
  network.bringUp('ada', ['ada', 'bob', 'cyd']);
  network.ceremonyOf();
  const publicKey = toHex(createEncryptionKey(seed(77)).publicKey);
  const request = { publicKey, again: true };
  const ask = (): unknown => network.submit(buildKeyExport({ ...network.options('ada'), request }));
  ask();
  writeRecoveredFrom(network.set, formerNetwork);
  network.refuses('KEY_NOT_SHARED', ask);
  markRestored(network.set, counts);
  network.refuses('KEY_NOT_SHARED', ask);
  network.bringUp('bob', ['ada', 'bob', 'cyd']);
  network.ceremonyOf();
  ask();
  const times = [...keyExports(network.set)].map(({ key, times }) => [key, times]);
  assert.deepEqual(times, [
    [1, 1],
    [2, 1],
  ]);
});

test('nobody consents in the name of a member', () => {
  const world = recovering();
  const { network } = world;
  const { key } = organisation('ada');
  network.refuses('BAD_SIGNATURE', () => network.submit(consent(world, 'bob', { key })));
  assert.notEqual(constitutionDigest(network.constitution), '');
});
