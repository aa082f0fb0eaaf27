import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  constitutionDigest,
  eventsOfWrites,
  GovernanceError,
  getProposal,
  listProposals,
  messagesTable,
  policyNames,
  readConstitution,
} from '@concordat/governance';
import { action, actorArgs, machine, Network, organisation } from './network.ts';

// The paper's section "Voting"; each test quotes its sentence.

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

// Voting: "Any member can propose a change to any of the policies specified in the network constitution for a
// vote".
test('every policy there is can be set, changed and removed by vote', () => {
  const values: Readonly<Record<string, readonly unknown[]>> = {
    electionTimeoutMs: [2_000, 3_000],
    maxBlockBytes: [65_536, 70_000],
    proposalLifetime: [500, 600],
  };
  for (const name of policyNames) {
    const network = new Network(['ada', 'bob', 'cyd']);
    const initial = network.constitution.policies[name];
    const candidates = values[name] ?? ['memory', 'vote', 'tree', 'refuse', 'accept', 2, 3, 10, 20];
    const taken = new Set<unknown>();
    for (const [at, value] of candidates.entries()) {
      const proposer = ['ada', 'bob', 'cyd'][at % 3] as string;
      try {
        const voters = [...new Set([proposer, 'ada', 'bob'])];
        network.pass(voters, action('set_policy', { name, value }));
      } catch (error) {
        // Not every policy takes every one of these.
        assert.ok(error instanceof GovernanceError, String(error));
        continue;
      }
      assert.equal(network.constitution.policies[name], value);
      taken.add(value);
    }
    assert.ok(taken.size > 0 && [...taken].some((value) => value !== initial), name);
    network.pass(['cyd', 'ada'], action('remove_policy', { name }));
    assert.equal(network.constitution.policies[name], initial, name);
  }
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

// Voting: "After a quorum of members have voted, the system determines the result of the vote based on the
// designated voting policy."
test('the same votes come to what the policy of their kind says', () => {
  const change = action('set_policy', { name: 'maxBatchDelayMs', value: 1 });
  const bob = {
    kind: 'subset',
    members: [organisation('bob').actorId],
    policy: { kind: 'unanimous' },
  };
  const designated: [unknown, string][] = [
    [{ kind: 'percentage', percent: 60 }, 'accepted'],
    [{ kind: 'percentage', percent: 67 }, 'rejected'],
    [bob, 'accepted'],
    [{ kind: 'all-of', policies: [bob, { kind: 'unanimous' }] }, 'rejected'],
    [{ kind: 'any-of', policies: [bob, { kind: 'unanimous' }] }, 'accepted'],
  ];
  for (const [set_policy, expected] of designated) {
    const network = new Network(['ada', 'bob', 'cyd'], {
      votingPolicies: { default: { kind: 'majority' }, set_policy },
    });
    const { proposalId } = network.propose('ada', change);
    for (const [voter, accept] of [
      ['cyd', false],
      ['bob', true],
      ['ada', true],
    ] as const) {
      if (getProposal(network.set, proposalId)?.state === 'open') {
        network.vote(voter, proposalId, accept);
      }
    }
    assert.equal(getProposal(network.set, proposalId)?.state, expected);
  }
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
