import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getProposal } from '@concordat/governance';
import { action, actorArgs, machine, Network, organisation } from './network.ts';

const remove = (name: string) => action('remove_actor', { actorId: organisation(name).actorId });
const harmless = action('set_policy', { name: 'maxBatchDelayMs', value: 1 });

test('a proposal is rejected as soon as it can no longer be accepted', () => {
  const network = new Network(['ada', 'bob', 'cyd']);
  const { proposalId } = network.propose('ada', harmless);
  assert.equal(network.vote('bob', proposalId, false).state, 'open');
  assert.equal(network.vote('cyd', proposalId, false).state, 'rejected');
  network.refuses('PROPOSAL_NOT_OPEN', () => network.vote('ada', proposalId));
});

test('a kind of change has its own policy, and the strictest of a proposal decides', () => {
  const network = new Network(['ada', 'bob', 'cyd'], {
    votingPolicies: { default: { kind: 'm-of-n', m: 1 }, add_actor: { kind: 'unanimous' } },
  });
  const single = network.propose('ada', harmless);
  assert.equal(network.vote('ada', single.proposalId).state, 'accepted');
  const mixed = network.propose('ada', harmless, action('add_actor', actorArgs('dan')));
  assert.deepEqual(getProposal(network.set, mixed.proposalId)?.requirements, [
    { kind: 'add_actor', policy: { kind: 'unanimous' } },
    { kind: 'set_policy', policy: { kind: 'm-of-n', m: 1 } },
  ]);
  network.vote('ada', mixed.proposalId);
  assert.equal(network.vote('bob', mixed.proposalId).state, 'open');
  assert.equal(network.vote('cyd', mixed.proposalId).state, 'accepted');
});

test('a kind whose policy is removed falls back to the default', () => {
  const network = new Network(['ada', 'bob'], {
    votingPolicies: { default: { kind: 'm-of-n', m: 1 }, set_policy: { kind: 'unanimous' } },
  });
  network.pass(['ada'], action('remove_voting_policy', { kind: 'set_policy' }));
  assert.equal(network.pass(['ada'], harmless).state, 'accepted');
});

test('removing a member drops its votes and decides what the rest have decided', () => {
  const network = new Network(['ada', 'bob', 'cyd'], {
    votingPolicies: { default: { kind: 'unanimous' }, remove_actor: { kind: 'majority' } },
  });
  const waiting = network.propose('ada', harmless);
  network.vote('ada', waiting.proposalId);
  network.vote('bob', waiting.proposalId);
  const { effects } = network.pass(['ada', 'bob'], remove('cyd'));
  assert.deepEqual(effects, [
    { kind: 'actor-removed', actorId: organisation('cyd').actorId },
    { kind: 'policy-changed', policy: 'maxBatchDelayMs' },
  ]);
  assert.equal(getProposal(network.set, waiting.proposalId)?.state, 'accepted');
});

test('a dropped vote does not come back with the member', () => {
  const network = new Network(['ada', 'bob', 'cyd'], {
    votingPolicies: { default: { kind: 'majority' }, set_policy: { kind: 'unanimous' } },
  });
  const { proposalId } = network.propose('ada', harmless);
  network.vote('cyd', proposalId);
  network.pass(['ada', 'bob'], remove('cyd'));
  assert.deepEqual(getProposal(network.set, proposalId)?.votes, []);
  network.pass(['ada', 'bob'], action('add_actor', actorArgs('cyd')));
  assert.deepEqual(getProposal(network.set, proposalId)?.votes, []);
});

test('a removal can decide a second removal, and that a third proposal', () => {
  const members = ['ada', 'bob', 'cyd', 'dan', 'eve'];
  const network = new Network(members);
  const change = network.propose('ada', harmless);
  network.vote('ada', change.proposalId);
  network.vote('bob', change.proposalId);
  const second = network.propose('ada', remove('dan'));
  network.vote('ada', second.proposalId);
  network.vote('bob', second.proposalId);
  const first = network.propose('ada', remove('eve'));
  network.vote('ada', first.proposalId);
  network.vote('bob', first.proposalId);
  assert.equal(network.vote('eve', first.proposalId).state, 'accepted');
  // 4 members: 3 needed, so the two accepts of the others do not suffice yet.
  assert.deepEqual(network.memberNames, ['ada', 'bob', 'cyd', 'dan']);
  assert.equal(network.vote('cyd', second.proposalId).state, 'accepted');
  assert.deepEqual(network.memberNames, ['ada', 'bob', 'cyd']);
  assert.equal(getProposal(network.set, change.proposalId)?.state, 'accepted');
});

test('a newcomer votes on what was open before it came, and is counted', () => {
  const network = new Network(['ada', 'bob']);
  const { proposalId } = network.propose('ada', harmless);
  network.vote('ada', proposalId);
  network.pass(['ada', 'bob'], action('add_actor', actorArgs('cyd')));
  assert.equal(network.vote('cyd', proposalId).state, 'accepted');
});

test('a proposal whose frozen policy the members left cannot meet is rejected', () => {
  const network = new Network(['ada', 'bob', 'cyd'], {
    votingPolicies: { default: { kind: 'm-of-n', m: 1 }, set_policy: { kind: 'm-of-n', m: 3 } },
  });
  const { proposalId } = network.propose('ada', harmless);
  network.pass(['ada'], action('remove_voting_policy', { kind: 'set_policy' }));
  network.pass(['ada'], remove('cyd'));
  assert.equal(getProposal(network.set, proposalId)?.state, 'rejected');
});

test('accepted but meanwhile impossible: the proposal fails, wholly and on record', () => {
  const network = new Network(['ada', 'bob']);
  const cyd = action('add_actor', actorArgs('cyd'));
  const late = network.propose('ada', harmless, cyd);
  network.pass(['ada', 'bob'], cyd);
  network.vote('ada', late.proposalId);
  const { state, effects } = network.vote('bob', late.proposalId);
  assert.deepEqual([state, effects], ['failed', []]);
  const proposal = getProposal(network.set, late.proposalId);
  assert.equal(proposal?.failure?.code, 'ACTOR_EXISTS');
  assert.equal(network.constitution.policies.maxBatchDelayMs, 5);
  network.refuses('PROPOSAL_NOT_OPEN', () => network.withdraw('ada', late.proposalId));
});

test('actions of one proposal build on each other, whatever an intermediate state lacks', () => {
  const network = new Network(['ada', 'bob', 'cyd'], {
    votingPolicies: { default: { kind: 'm-of-n', m: 3 } },
  });
  network.refuses('UNSATISFIABLE_VOTING_POLICY', () => network.propose('ada', remove('cyd')));
  const policy = { kind: 'm-of-n', m: 2 };
  network.pass(
    ['ada', 'bob', 'cyd'],
    remove('cyd'),
    action('set_voting_policy', { kind: 'default', policy }),
  );
  assert.deepEqual(network.memberNames, ['ada', 'bob']);
});

test('only its proposer withdraws a proposal, and then nobody votes on it', () => {
  const network = new Network(['ada', 'bob']);
  const { proposalId } = network.propose('ada', harmless);
  network.refuses('NOT_THE_PROPOSER', () => network.withdraw('bob', proposalId));
  assert.equal(network.withdraw('ada', proposalId).state, 'withdrawn');
  network.refuses('PROPOSAL_NOT_OPEN', () => network.vote('bob', proposalId));
});

test('the last member cannot be removed, nor replaced by a participant', () => {
  const network = new Network(['ada']);
  network.refuses('LAST_MEMBER', () => network.propose('ada', remove('ada')));
  const pat = action('add_actor', actorArgs('pat', 'participant'));
  network.refuses('LAST_MEMBER', () => network.propose('ada', pat, remove('ada')));
  network.pass(['ada'], action('add_actor', actorArgs('bob')), remove('ada'));
  assert.deepEqual(network.memberNames, ['bob']);
});

test('the last trusted node cannot be removed, neither itself nor with its owner', () => {
  const network = new Network(['ada', 'bob', 'cyd']);
  const voters = ['ada', 'bob'];
  const nodeId = network.trust(voters, machine(organisation('cyd'), 1));
  network.pass(voters, action('add_node', machine(organisation('ada'), 2).tuple));
  network.refuses('LAST_TRUSTED_NODE', () =>
    network.propose('ada', action('remove_node', { nodeId })),
  );
  network.refuses('LAST_TRUSTED_NODE', () => network.propose('ada', remove('cyd')));
  network.trust(voters, machine(organisation('bob'), 3));
  network.pass(voters, action('remove_node', { nodeId }));
  assert.equal(network.constitution.nodes.filter(({ status }) => status === 'trusted').length, 1);
});

test('two removals opened while both were lawful cannot both succeed', () => {
  const network = new Network(['ada', 'bob']);
  const nodes = [1, 2].map((n) => network.trust(['ada', 'bob'], machine(organisation('ada'), n)));
  const removals = nodes.map((nodeId) => network.propose('ada', action('remove_node', { nodeId })));
  const states = removals.map(({ proposalId }) => {
    network.vote('ada', proposalId);
    return network.vote('bob', proposalId).state;
  });
  assert.deepEqual(states, ['accepted', 'failed']);
});
