import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spkiOf, verifySignature } from '@concordat/crypto';
import {
  constitutionDigest,
  eventsOfWrites,
  getProposal,
  listProposals,
  messagesTable,
  nodeJoins,
  nodeTuple,
  parseConstitution,
  readConstitution,
} from '@concordat/governance';
import { fromBase64, fromHex } from '@concordat/std';
import { action, actorArgs, machine, Network, organisation } from './network.ts';

// Each test proves the sentence of the paper quoted above it; sections are named as in the paper.

// Network Creation and Governance: "proposals for changes to the blockchain network constitution
// (such as adding or deleting a member) can be submitted by any member for a vote."
test('any member proposes to add or delete a member', () => {
  const network = new Network(['ada', 'bob']);
  network.pass(['bob', 'ada'], action('add_actor', actorArgs('cyd')));
  assert.deepEqual(network.memberNames, ['ada', 'bob', 'cyd']);
  network.pass(['cyd', 'bob'], action('remove_actor', { actorId: organisation('ada').actorId }));
  assert.deepEqual(network.memberNames, ['bob', 'cyd']);
});

// Actors and Identity: "Participants, unlike members, cannot vote"
test('a participant neither proposes nor votes', () => {
  const network = new Network(['ada'], {
    actors: [actorArgs('ada'), actorArgs('pat', 'participant')],
  });
  const actions = action('set_policy', { name: 'maxBatchDelayMs', value: 9 });
  network.refuses('NOT_A_MEMBER', () => network.propose('pat', actions));
  const { proposalId } = network.propose('ada', actions);
  network.refuses('NOT_A_MEMBER', () => network.vote('pat', proposalId));
});

// Actors and Identity: "each actor could have both member and participant identities"
test('an actor may be member and participant at once', () => {
  const network = new Network(['ada']);
  network.pass(['ada'], action('add_actor', actorArgs('eve', 'participant', 'member')));
  const eve = network.constitution.actors.find(({ name }) => name === 'eve');
  assert.deepEqual(eve?.kind, ['member', 'participant']);
  assert.equal(network.propose('eve', action('remove_tee', { platform: 'virtual' })).state, 'open');
});

// Network Constitution: "At a minimum, these include the membership list, VN list, code manifest,
// TEE manifest, and voting policies."
test('the constitution holds the five fundamental lists, and genesis writes all of them', () => {
  const network = new Network(['ada', 'bob']);
  const constitution = network.constitution;
  assert.deepEqual(constitution, network.genesis);
  for (const part of ['actors', 'nodes', 'codeManifest', 'teeManifest', 'votingPolicies']) {
    assert.ok(Object.hasOwn(constitution, part), part);
  }
});

// Network Constitution: "Only each member's public key certificate is uploaded into the blockchain
// network."
test('an actor is represented by its certificate alone', () => {
  const network = new Network(['ada']);
  assert.ok(!network.dump().includes('PRIVATE'));
  assert.equal(network.constitution.actors[0]?.certificate, organisation('ada').pem);
});

// Network Constitution: "A VN is represented by a signed tuple that includes the member's identity,
// the address [...] of the physical node, and the public key".
test('a node is listed with its tuple signed by the owning actor', () => {
  const network = new Network(['ada', 'bob']);
  const owner = organisation('bob');
  const node = machine(owner, 1);
  network.pass(['ada', 'bob'], action('add_node', node.tuple));
  const entry = network.constitution.nodes[0];
  assert.ok(entry);
  const tuple = nodeTuple({
    actorPublicKey: spkiOf(owner.der),
    address: entry.address,
    publicKey: fromHex(entry.publicKey) as Uint8Array,
  });
  const signature = fromBase64(entry.signature ?? '') as Uint8Array;
  assert.ok(verifySignature(owner.key.publicKeySpki, tuple, signature));
});

test('a tuple signed by anyone but the owner, or for another address or key, is refused', () => {
  const network = new Network(['ada', 'bob']);
  const { tuple } = machine(organisation('bob'), 1);
  const stranger = machine(organisation('ada'), 1).tuple.signature;
  const elsewhere = machine(organisation('bob'), 1, 'elsewhere:7000').tuple.signature;
  const otherKey = machine(organisation('bob'), 2, tuple.address).tuple.signature;
  for (const signature of [stranger, elsewhere, otherKey, '', 'AAAA', '!']) {
    network.refuses('BAD_NODE_SIGNATURE', () =>
      network.propose('ada', action('add_node', { ...tuple, signature })),
    );
  }
});

// Network Constitution: "Options for a voting policy can include unanimous, M of N, one of N, etc."
test('unanimous, M of N, one of N and majority each decide as they say', () => {
  const members = ['ada', 'bob', 'cyd', 'dan', 'eve'];
  const change = action('set_policy', { name: 'maxBatchDelayMs', value: 1 });
  const needed = [
    [{ kind: 'unanimous' }, 5],
    [{ kind: 'majority' }, 3],
    [{ kind: 'm-of-n', m: 2 }, 2],
    [{ kind: 'm-of-n', m: 1 }, 1],
  ] as const;
  for (const [policy, accepts] of needed) {
    const network = new Network(members, { votingPolicies: { default: policy } });
    const { proposalId } = network.propose('ada', change);
    for (const [i, member] of members.slice(0, accepts).entries()) {
      const { state } = network.vote(member, proposalId);
      assert.equal(state, i + 1 === accepts ? 'accepted' : 'open', `${policy.kind} at ${i + 1}`);
    }
  }
});

// Bringing up the Network: "The member who starts the network has no extra privileges compared to
// subsequent members who join the network."
test('the state does not tell which member started the network', () => {
  const [one, two] = [new Network(['ada', 'bob']), new Network(['bob', 'ada'])];
  assert.equal(one.dump(), two.dump());
});

// Adding a New Member or Participant: "an existing member proposes a vote, providing [the new
// member's] identity and first VN [...] If the vote is successful, the member is added to the
// membership list and its node is added to the VN list."
test('one proposal adds a member together with its first node', () => {
  const network = new Network(['ada']);
  const node = machine(organisation('cyd'), 3);
  const { effects } = network.pass(
    ['ada'],
    action('add_actor', actorArgs('cyd')),
    action('add_node', node.tuple),
  );
  assert.deepEqual(effects, [
    { kind: 'actor-added', actorId: organisation('cyd').actorId },
    { kind: 'node-admitted', nodeId: node.nodeId },
  ]);
  assert.equal(network.constitution.nodes[0]?.status, 'admitted');
});

// "Technically, the addition of an actor [...] and its first VN can be decoupled [...] a second
// voting proposal must be made through another member's infrastructure".
test('an actor is added first and its node by a second proposal of another member', () => {
  const network = new Network(['ada']);
  const node = machine(organisation('cyd'), 3);
  network.refuses('ACTOR_NOT_FOUND', () => network.propose('ada', action('add_node', node.tuple)));
  network.pass(['ada'], action('add_actor', actorArgs('cyd', 'participant')));
  network.pass(['ada'], action('add_node', node.tuple));
  assert.equal(network.constitution.nodes.length, 1);
});

// "[the new member's VN will] ensure the constitution matches its own version."
test('equal constitutions have equal digests, whatever order they were written in', () => {
  const network = new Network(['ada', 'bob', 'cyd']);
  const digest = constitutionDigest(network.constitution);
  const shuffled = { ...network.genesis, actors: [...network.genesis.actors].reverse() };
  assert.equal(constitutionDigest(parseConstitution(JSON.stringify(shuffled))), digest);
  network.pass(['ada', 'bob'], action('set_policy', { name: 'maxBatchDelayMs', value: 6 }));
  assert.notEqual(constitutionDigest(network.constitution), digest);
});

// "if the new actor bootstraps its first VN too early, that VN will be rejected [...] The lookup and
// connection attempt will need to be re-initiated after the vote has completed".
test('a node that comes too early is refused by name and welcome after the vote', () => {
  const network = new Network(['ada']);
  const node = machine(organisation('ada'), 1);
  network.refuses('NODE_NOT_ADMITTED', () => nodeJoins(network.set, node.joining));
  network.pass(['ada'], action('add_node', node.tuple));
  assert.equal(nodeJoins(network.set, node.joining).status, 'learning');
});

// Adding New VNs for Existing Actors: "The proposal can be made by any actor, not just the one who
// owns the VN." (Any member: participants cannot propose, see Actors and Identity.)
test("a member proposes another actor's node", () => {
  const network = new Network(['ada', 'bob']);
  network.pass(['ada', 'bob'], action('add_node', machine(organisation('bob'), 1).tuple));
  assert.equal(network.constitution.nodes[0]?.actorId, organisation('bob').actorId);
});

// Removing Actors or VNs: "The actor or VN is not officially removed [...] until voting is completed
// and the vote is processed, meaning that the actor or VN will still have access to the network".
test('an actor facing removal keeps its rights until the deciding vote, and loses them with it', () => {
  const network = new Network(['ada', 'bob', 'cyd']);
  const { actorId } = organisation('cyd');
  const removal = network.propose('ada', action('remove_actor', { actorId }));
  network.vote('ada', removal.proposalId);
  const other = network.propose('cyd', action('remove_tee', { platform: 'virtual' }));
  assert.equal(other.state, 'open');
  const { effects, state } = network.vote('bob', removal.proposalId);
  assert.equal(state, 'accepted');
  assert.deepEqual(effects, [{ kind: 'actor-removed', actorId }]);
  network.refuses('UNKNOWN_ACTOR', () => network.vote('cyd', other.proposalId));
});

test('with an actor go its nodes, in the same write set', () => {
  const network = new Network(['ada', 'bob', 'cyd']);
  const voters = ['ada', 'bob'];
  const kept = network.trust(voters, machine(organisation('ada'), 1));
  const trusted = network.trust(voters, machine(organisation('cyd'), 2));
  const waiting = machine(organisation('cyd'), 3);
  network.pass(voters, action('add_node', waiting.tuple));
  const { actorId } = organisation('cyd');
  const { effects } = network.pass(voters, action('remove_actor', { actorId }));
  const removed = effects.flatMap((effect) => ('nodeId' in effect ? [effect.nodeId] : []));
  assert.deepEqual(new Set(removed), new Set([trusted, waiting.nodeId]));
  const status = new Map(network.constitution.nodes.map((node) => [node.nodeId, node.status]));
  assert.equal(status.get(kept), 'trusted');
  assert.equal(status.get(trusted), 'retired');
  assert.ok(!status.has(waiting.nodeId));
});

// Voting: "members can also propose values for policies that were not specified in the genesis
// network constitution, provided that the policy is supported by the [...] system."
test('a policy genesis did not set is set by vote, and one nobody supports is refused', () => {
  const network = new Network(['ada'], { policies: { maxBatchDelayMs: 7 } });
  network.pass(['ada'], action('set_policy', { name: 'maxBatchTransactions', value: 500 }));
  assert.equal(network.constitution.policies.maxBatchTransactions, 500);
  network.refuses('UNSUPPORTED_POLICY', () =>
    network.propose('ada', action('set_policy', { name: 'proofOfWork', value: true })),
  );
});

// Voting: "Similarly, members can propose to remove policies from the network constitution."
test('a policy is removed by vote, and its default holds again', () => {
  const network = new Network(['ada'], { policies: { maxBatchDelayMs: 7 } });
  network.pass(['ada'], action('remove_policy', { name: 'maxBatchDelayMs' }));
  assert.equal(network.constitution.policies.maxBatchDelayMs, 5);
});

// Voting: "Updates to the framework code and blockchain protocol code are also proposed and voted
// on."
test('code is added to and removed from the manifest by vote', () => {
  const network = new Network(['ada']);
  const code = {
    measurement: 'cc'.repeat(32),
    role: 'worker',
    name: 'worker',
    version: '2.0.0',
    adapters: ['ethereum'],
  };
  const added = network.pass(['ada'], action('add_code', code));
  assert.deepEqual(added.effects, [{ kind: 'code-added', measurement: code.measurement }]);
  assert.deepEqual(network.constitution.codeManifest[1], code);
  network.pass(['ada'], action('remove_code', { measurement: code.measurement }));
  assert.equal(network.constitution.codeManifest.length, 1);
});

// Voting: "A vote to change the voting policy would use the old voting policy; if the vote succeeds,
// the next vote will use the new voting policy."
test('a new voting policy judges the next proposal, not its own and not those already open', () => {
  const network = new Network(['ada', 'bob', 'cyd']);
  const change = action('set_policy', { name: 'maxBatchDelayMs', value: 1 });
  const before = network.propose('ada', change);
  const policy = { kind: 'unanimous' };
  const own = network.propose('ada', action('set_voting_policy', { kind: 'default', policy }));
  network.vote('ada', own.proposalId);
  assert.equal(network.vote('bob', own.proposalId).state, 'accepted');
  assert.deepEqual(network.constitution.votingPolicies.default, policy);
  network.vote('ada', before.proposalId);
  assert.equal(network.vote('bob', before.proposalId).state, 'accepted');
  const after = network.propose('ada', change);
  network.vote('ada', after.proposalId);
  assert.equal(network.vote('bob', after.proposalId).state, 'open');
  assert.equal(network.vote('cyd', after.proposalId).state, 'accepted');
});

// Voting: "all existing members are notified and must vote."
test('the write set of a proposal tells every node what to notify its members of', () => {
  const network = new Network(['ada']);
  network.set.takeWriteSet();
  const { proposalId } = network.propose('ada', action('remove_tee', { platform: 'virtual' }));
  const [event, ...others] = eventsOfWrites(network.set.takeWriteSet().publicWrites);
  assert.ok(event?.event === 'proposal');
  assert.deepEqual([event.proposal.proposalId, event.proposal.state], [proposalId, 'open']);
  assert.deepEqual(others, []);
});

// Voting: "Each member gets one vote, regardless of the number of VNs it has in the network."
test('a member votes once, and its nodes add no weight', () => {
  const network = new Network(['ada', 'bob', 'cyd']);
  for (const number of [1, 2, 3])
    network.trust(['ada', 'bob'], machine(organisation('ada'), number));
  const { proposalId } = network.propose('ada', action('remove_tee', { platform: 'virtual' }));
  assert.equal(network.vote('ada', proposalId).state, 'open');
  network.refuses('ALREADY_VOTED', () => network.vote('ada', proposalId));
  assert.equal(network.vote('ada', proposalId, false).state, 'open');
  assert.equal(getProposal(network.set, proposalId)?.votes.length, 1);
  assert.equal(network.vote('ada', proposalId).state, 'open');
  assert.equal(network.vote('bob', proposalId).state, 'accepted');
});

// Voting: "Each member's vote is an administrative transaction and, as such, is submitted, processed,
// and finally recorded in the administrative ledger."
test('proposal and votes are kept verbatim, and who voted how is on record', () => {
  const network = new Network(['ada', 'bob']);
  const proposed = network.propose('ada', action('remove_tee', { platform: 'virtual' }));
  network.vote('ada', proposed.proposalId);
  network.vote('bob', proposed.proposalId, false);
  assert.equal(network.set.table(messagesTable).size, 3);
  const proposal = getProposal(network.set, proposed.proposalId);
  assert.equal(proposal?.state, 'rejected');
  const votes = proposal.votes.map(({ actorId, accept }) => [actorId, accept]);
  assert.deepEqual(votes, [
    [organisation('ada').actorId, true],
    [organisation('bob').actorId, false],
  ]);
  assert.deepEqual(listProposals(network.set), [proposal]);
});

// Voting: "Changes to any network policy do not take effect until the quorum has finished voting and
// the change approved."
test('nothing takes effect before the deciding vote, and everything with it', () => {
  const network = new Network(['ada', 'bob', 'cyd']);
  const digest = constitutionDigest(network.constitution);
  const { proposalId } = network.propose(
    'ada',
    action('set_policy', { name: 'maxBatchDelayMs', value: 1 }),
    action('add_actor', actorArgs('dan')),
  );
  network.vote('ada', proposalId);
  assert.equal(constitutionDigest(network.constitution), digest);
  network.set.takeWriteSet();
  network.vote('cyd', proposalId);
  const events = eventsOfWrites(network.set.takeWriteSet().publicWrites).map(({ event }) => event);
  assert.deepEqual(new Set(events), new Set(['proposal', 'actor-added', 'constitution-changed']));
  network.set.finish();
  network.store.commit(1);
  assert.equal(readConstitution(network.store.committed()).policies.maxBatchDelayMs, 1);
});

// Voting: "Members can vote at any time".
test('a proposal stays open however long it takes', () => {
  const network = new Network(['ada', 'bob']);
  const { proposalId } = network.propose('ada', action('remove_tee', { platform: 'virtual' }));
  network.vote('ada', proposalId);
  network.now += 400 * 86_400;
  assert.equal(network.vote('bob', proposalId).state, 'accepted');
});
