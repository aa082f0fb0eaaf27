import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spkiOf, verifySignature } from '@concordat/crypto';
import {
  constitutionDigest,
  constitutionTerms,
  nodeJoins,
  nodeTuple,
  parseConstitution,
} from '@concordat/governance';
import { fromBase64, fromHex } from '@concordat/std';
import {
  action,
  actorArgs,
  machine,
  measurement,
  Network,
  organisation,
  verdict,
} from './network.ts';

// Each test proves the sentence of the paper quoted above it; sections are named as in the paper. "Actors
// and Identity" is in paper-actors.test.ts, "Voting" in paper-voting.test.ts.

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

// Network Constitution: "policies on whether vote submission can be automated if it meets certain criteria
// can be expressed. For example, vote submission could be automated so that every member could add a
// specified number of VNs, provided that the VNs are running majority-endorsed code." (The limits of it:
// automatic-votes.test.ts.)
test('every member adds one node of endorsed code by rules in the constitution, the next by vote', () => {
  const members = ['ada', 'bob', 'cyd'];
  const network = new Network(members, {
    automationRules: members.map((name) => ({
      name: `nodes-${name}`,
      member: organisation(name).actorId,
      kinds: ['add_node'],
      ownNodes: true,
      maxNodes: 1,
      code: {},
    })),
  });
  for (const [i, name] of members.entries()) {
    const [first, second] = [i, i + 5].map((number) =>
      network.propose(
        name,
        action('add_node', { ...machine(organisation(name), number).tuple, measurement }),
      ),
    );
    assert.deepEqual([first?.state, second?.state], ['accepted', 'open']);
  }
});

// Network Constitution: "The Code manifest is the specification of all approved code [...] Any one code
// identity is represented as a single measurement."
test('a measurement is one entry of the code manifest, and no node joins with another', () => {
  const network = new Network(['ada']);
  const [entry] = network.constitution.codeManifest;
  network.refuses('CODE_EXISTS', () =>
    network.propose('ada', action('add_code', { ...entry, name: 'other', version: '2' })),
  );
  const node = machine(organisation('ada'), 1);
  network.pass(['ada'], action('add_node', node.tuple));
  const unlisted = { ...node.joining, verdict: { ...verdict, measurement: 'cc'.repeat(32) } };
  network.refuses('UNLISTED_MEASUREMENT', () => nodeJoins(network.set, unlisted));
});

// Network Constitution: "VNs in a blockchain network can run different TEEs, provided that all TEEs
// employed are acceptable per the TEE manifest."
test('nodes of different TEEs join, each listed, and none of a TEE that is not', () => {
  const network = new Network(['ada']);
  network.pass(['ada'], action('add_tee', { platform: 'sev-snp', rank: 100 }));
  for (const [number, platform] of ['virtual', 'sev-snp'].entries()) {
    const node = machine(organisation('ada'), number);
    network.pass(['ada'], action('add_node', node.tuple));
    const joining = { ...node.joining, verdict: { ...verdict, platform } };
    assert.equal(nodeJoins(network.set, joining).platform, platform);
  }
  const node = machine(organisation('ada'), 7);
  network.pass(['ada'], action('add_node', node.tuple));
  const joining = { ...node.joining, verdict: { ...verdict, platform: 'tdx' } };
  network.refuses('UNLISTED_TEE', () => nodeJoins(network.set, joining));
});

// Bringing up the Network: "The member who starts the network has no extra privileges compared to
// subsequent members who join the network."
test('the state does not tell which member started the network', () => {
  const [one, two] = [new Network(['ada', 'bob']), new Network(['bob', 'ada'])];
  assert.equal(one.dump(), two.dump());
});

// Member, Participant, and Node Management: "any existing member can propose a vote to add a new member or
// participant; add a new VN belonging to an existing member or participant; or remove a member,
// participant, or VN."
test('each of the seven changes is proposed by any member and decided by vote', () => {
  const actors = [
    ...['ada', 'bob', 'cyd'].map((name) => actorArgs(name)),
    actorArgs('pat', 'participant'),
  ];
  const [first, second] = [machine(organisation('ada'), 1), machine(organisation('pat'), 2)];
  const changes = [
    action('add_actor', actorArgs('dan')),
    action('add_actor', actorArgs('eve', 'participant')),
    action('add_node', first.tuple),
    action('add_node', second.tuple),
    action('remove_node', { nodeId: first.nodeId }),
    action('remove_actor', { actorId: organisation('eve').actorId }),
    action('remove_actor', { actorId: organisation('dan').actorId }),
  ];
  for (const proposer of ['ada', 'bob', 'cyd']) {
    const network = new Network([], {
      actors,
      votingPolicies: { default: { kind: 'm-of-n', m: 2 } },
    });
    const other = proposer === 'ada' ? 'bob' : 'ada';
    for (const change of changes) network.pass([proposer, other], change);
    assert.deepEqual(network.memberNames, ['ada', 'bob', 'cyd']);
    assert.deepEqual(
      network.constitution.nodes.map(({ nodeId }) => nodeId),
      [second.nodeId],
    );
  }
});

// Adding a New Member or Participant: "Multiple members and/or participants can be defined in the genesis
// network constitution, in which case they do not need to be added after the network is up and running."
test('whoever is in the genesis constitution votes, or is in the list, without having been added', () => {
  const network = new Network([], {
    actors: [actorArgs('ada'), actorArgs('bob'), actorArgs('pat', 'participant')],
  });
  const change = action('set_policy', { name: 'maxBatchDelayMs', value: 1 });
  network.pass(['ada', 'bob'], change);
  assert.equal(network.constitution.actors.length, 3);
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

// "Regardless of whether a new member or participant is being added, the process is the same."
test('a participant comes with its first node in one proposal, as a member does', () => {
  const network = new Network(['ada']);
  const node = machine(organisation('pat'), 3);
  const { effects } = network.pass(
    ['ada'],
    action('add_actor', actorArgs('pat', 'participant')),
    action('add_node', node.tuple),
  );
  assert.deepEqual(
    effects.map(({ kind }) => kind),
    ['actor-added', 'node-admitted'],
  );
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

// "M_j must have a chance to approve the network constitution after the VN is setup, but before the VN
// downloads data [...], to avoid the case where M_j does not approve of the constitution at the time of
// M_j's admission." Also the copy that was handed over before the admission: "ensure the constitution
// matches its own version". (joining.e2e.ts proves the order, on real nodes.)
test('what a newcomer approved still holds after its own admission, and not after any other change', () => {
  const network = new Network(['ada']);
  const newcomer = organisation('dan');
  const node = machine(newcomer, 3);
  const self = { nodeId: node.nodeId, actorId: newcomer.actorId };
  const approved = constitutionTerms(network.constitution, self);
  network.pass(['ada'], action('add_actor', actorArgs('dan')), action('add_node', node.tuple));
  assert.equal(constitutionTerms(network.constitution, self), approved);
  nodeJoins(network.set, node.joining);
  assert.equal(constitutionTerms(network.constitution, self), approved);
  network.pass(['ada', 'dan'], action('set_policy', { name: 'maxBatchDelayMs', value: 6 }));
  assert.notEqual(constitutionTerms(network.constitution, self), approved);
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

// "The voting process is the same, and the new VN cannot join the network until the vote is successful."
test('a node joins with the deciding vote and not before', () => {
  const network = new Network(['ada', 'bob']);
  const node = machine(organisation('bob'), 1);
  const { proposalId } = network.propose('bob', action('add_node', node.tuple));
  for (const voter of ['ada', 'bob']) {
    network.refuses('NODE_NOT_ADMITTED', () => nodeJoins(network.set, node.joining));
    network.vote(voter, proposalId);
  }
  assert.equal(nodeJoins(network.set, node.joining).status, 'learning');
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
