import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toPem } from '@concordat/crypto';
import {
  actorForCertificate,
  ceremonyDue,
  nodeJoins,
  parseConstitution,
} from '@concordat/governance';
import { authority, issued, renewed } from './identities.ts';
import { action, actorArgs, genesisJson, machine, Network, noon, organisation } from './network.ts';
import { networkOf } from './shared-key-network.ts';

// The paper's section "Actors and Identity", sentence by sentence; each test quotes its own. Those about
// the front-end systems of members are in clients/gateway.

const idOf = (name: string) => organisation(name).actorId;
const ask = (network: Network, leafDer: Uint8Array, intermediates: Uint8Array[] = []) =>
  actorForCertificate(network.constitution, { leafDer, intermediates, atMs: noon * 1000 });

// "There are two types of actors in a Confidential Consortium network, members and participants."
test('an actor is a member, a participant or both, and nothing else', () => {
  for (const kind of [[], ['admin'], ['member', 'auditor'], 'member']) {
    const actors = [actorArgs('ada'), { ...actorArgs('bob'), kind }];
    assert.throws(() => parseConstitution(genesisJson(['ada'], { actors })), {
      code: 'INVALID_CONSTITUTION',
    });
  }
});

// "Members are the governing bodies [...] with collective control over who can transact on the network
// and its governance — including network membership, the code that runs in the TEEs, and the definition
// of network policies."
test('membership, code and policies change by the votes of members alone', () => {
  const network = new Network(['ada', 'bob'], {
    actors: [actorArgs('ada'), actorArgs('bob'), actorArgs('pat', 'participant')],
  });
  const code = { measurement: 'cc'.repeat(32), role: 'worker', name: 'w', version: '2' };
  for (const change of [
    action('add_actor', actorArgs('cyd', 'participant')),
    action('remove_actor', { actorId: idOf('pat') }),
    action('add_code', code),
    action('set_policy', { name: 'heartbeatMs', value: 90 }),
  ]) {
    network.refuses('NOT_A_MEMBER', () => network.propose('pat', change));
    const before = JSON.stringify(network.constitution);
    const { proposalId } = network.propose('ada', change);
    network.refuses('NOT_A_MEMBER', () => network.vote('pat', proposalId));
    network.vote('ada', proposalId);
    assert.equal(JSON.stringify(network.constitution), before, 'one member alone changes nothing');
    assert.equal(network.vote('bob', proposalId).state, 'accepted');
    assert.notEqual(JSON.stringify(network.constitution), before);
    if (change.name === 'remove_actor') break;
  }
});

// "[members] define the initial configuration and setup of a blockchain network and, throughout the
// lifetime of the network, can propose changes to its configuration and vote on changes proposed by
// other members."
test('genesis defines everything, and every member changes it and votes on what others propose', () => {
  const network = new Network(['ada', 'bob', 'cyd'], { policies: { maxBatchDelayMs: 7 } });
  assert.deepEqual(network.constitution, network.genesis);
  for (const [i, proposer] of ['ada', 'bob', 'cyd'].entries()) {
    const change = action('set_policy', { name: 'maxBatchDelayMs', value: 10 + i });
    const { proposalId } = network.propose(proposer, change);
    const others = ['ada', 'bob', 'cyd'].filter((name) => name !== proposer);
    const [first, second] = others.map((other) => network.vote(other, proposalId).state);
    assert.deepEqual([first, second], ['open', 'accepted'], 'a majority of others decides');
  }
});

// "each member receives a share of the network's shared network key [...], which allows a quorum of
// members to collaboratively restore the network".
// That so many of them read what is under the key is in key-ceremonies.test.ts.
test('each member with a node is dealt a share, and a quorum of them is what it takes', () => {
  const network = networkOf(['ada', 'bob', 'cyd']);
  network.pass(['ada', 'bob'], action('add_actor', actorArgs('pat', 'participant')));
  assert.throws(() => network.bringUp('pat', ['ada', 'bob']), { code: 'NOT_A_HOLDER' });
  const due = ceremonyDue(network.set);
  assert.deepEqual(
    due?.receivers.map(({ actorId }) => actorId),
    ['ada', 'bob', 'cyd'].map(idOf).sort(),
  );
  assert.equal(due.threshold, 2);
});

// "Participants are determined by the network's members and, like members, participants can transact on
// the network." "Participants are handled in the same way as members." (Membership list.)
test('a participant comes by vote, and its certificate authenticates it as that of a member does', () => {
  const network = new Network(['ada']);
  assert.equal(ask(network, organisation('pat').der).ok, false);
  network.pass(['ada'], action('add_actor', actorArgs('pat', 'participant')));
  for (const name of ['ada', 'pat']) {
    const answer = ask(network, organisation(name).der);
    assert.ok(answer.ok);
    assert.equal(answer.actor.name, name);
  }
});

// "They also can, and likely do, run their own VNs."
test("a participant's node is admitted and joins", () => {
  const network = new Network(['ada']);
  const node = machine(organisation('pat'), 5);
  network.pass(
    ['ada'],
    action('add_actor', actorArgs('pat', 'participant')),
    action('add_node', node.tuple),
  );
  const { status, actorId } = nodeJoins(network.set, node.joining);
  assert.deepEqual([status, actorId], ['learning', idOf('pat')]);
});

// "the blockchain network doesn't necessarily need to have both types of actors."
test('a network may have members only', () => {
  const network = new Network(['ada', 'bob']);
  assert.ok(network.constitution.actors.every(({ kind }) => kind.join() === 'member'));
});

// "each actor could have both member and participant identities, as a means of separating business and
// administrative transactions."
test('one organisation may be in the list twice, to govern by one key and to transact by another', () => {
  const desk = issued('desk', organisation('ada'), authority);
  const network = new Network(['ada'], {
    actors: [
      actorArgs('ada'),
      { kind: ['participant'], name: 'desk of ada', certificate: toPem(desk.der) },
    ],
  });
  const [office, business] = [organisation('ada').der, desk.der].map((der) => ask(network, der));
  assert.ok(office?.ok && business?.ok);
  assert.deepEqual([office.actor.kind, business.actor.kind], [['member'], ['participant']]);
});

// "Every member and participant has a private/public key pair [...] and is identified in the blockchain
// network with an organization-wide X.509 certificate. An intermediate certificate can be used to uniquely
// identify the organization and all users within it, abstracting actor-specific certificate policies and
// roll-over from the system."
test('staff below an intermediate certificate are the organisation, before and after it renews', () => {
  const root = organisation('root of ada');
  const intermediate = issued('ada intermediate', root, {
    isCa: true,
    usages: ['keyCertSign', 'clientAuth'],
  });
  const network = new Network(['bob'], {
    votingPolicies: { default: { kind: 'm-of-n', m: 1 } },
    actors: [
      actorArgs('bob'),
      { kind: ['member'], name: 'ada', certificate: toPem(intermediate.der) },
    ],
  });
  const clerk = issued('clerk', intermediate);
  const answer = ask(network, clerk.der, [intermediate.der]);
  assert.ok(answer.ok);
  assert.equal(answer.actor.name, 'ada');
  const sister = issued('sister company', root, authority);
  assert.equal(ask(network, issued('spy', sister).der, [sister.der]).ok, false);
  const { actorId } = answer.actor;
  const certificate = renewed('ada', 9).pem;
  network.pass(['bob'], action('add_actor_certificate', { actorId, certificate }));
  for (const der of [clerk.der, renewed('ada', 9).der]) {
    const known = ask(network, der, [intermediate.der]);
    assert.ok(known.ok);
    assert.equal(known.actor.actorId, actorId);
  }
});

// "different departments that are participating in different consortiums (and thus different blockchain
// networks) can have different certificates to minimize cross-network access."
test('the certificate of one department opens nothing in a network that lists another', () => {
  const bank = organisation('bank');
  const [trade, retail] = ['trade', 'retail'].map((name) => issued(name, bank, authority));
  assert.ok(trade && retail);
  const network = new Network(['ada'], {
    actors: [
      actorArgs('ada'),
      { kind: ['participant'], name: 'trade', certificate: toPem(trade.der) },
    ],
  });
  assert.ok(ask(network, issued('trader', trade).der).ok);
  assert.equal(ask(network, issued('teller', retail).der, [retail.der]).ok, false);
  assert.equal(ask(network, bank.der).ok, false, 'nor does what stands above both');
});

// "End users, such as a bank's customers, do not have an identity in a Confidential Consortium network and
// cannot transact on the network directly."
test('a certificate of nobody in the list is nobody', () => {
  const network = new Network(['ada']);
  const customer = issued('customer', organisation('some issuer'));
  assert.deepEqual(ask(network, customer.der), { ok: false, code: 'UNKNOWN_ACTOR' });
});
