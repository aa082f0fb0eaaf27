import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  buildVote,
  expireProposals,
  getProposal,
  isExpiryDue,
  listProposals,
  maxVoteChanges,
  messageIdOf,
  messagesTable,
  programDigest,
  programOf,
  recentMessages,
} from '@concordat/governance';
import { utf8 } from '@concordat/std';
import { action, actorArgs, machine, Network, organisation } from './network.ts';

const setPolicy = (value: number, name = 'maxBatchDelayMs') =>
  action('set_policy', { name, value });
const remove = (name: string) => action('remove_actor', { actorId: organisation(name).actorId });

test('a member changes its vote while the proposal is open, and each vote is on record', () => {
  const network = new Network(['ada', 'bob', 'cyd']);
  const { proposalId } = network.propose('ada', setPolicy(1));
  network.vote('ada', proposalId, false);
  network.vote('bob', proposalId);
  assert.equal(network.vote('ada', proposalId).state, 'accepted');
  const messages = Array.from(network.set.table(messagesTable).entries(), ([, bytes]) =>
    messageIdOf(bytes),
  );
  const [, rejected, other, accepted] = messages;
  const votes = getProposal(network.set, proposalId)?.votes;
  assert.deepEqual(votes, [
    {
      actorId: organisation('bob').actorId,
      accept: true,
      atSeconds: votes?.[0]?.atSeconds,
      message: other,
    },
    {
      actorId: organisation('ada').actorId,
      accept: true,
      atSeconds: network.now,
      message: accepted,
      earlier: [{ accept: false, atSeconds: network.now - 2, message: rejected }],
    },
  ]);
});

test('a vote that was changed to reject counts as a rejection', () => {
  const network = new Network(['ada', 'bob', 'cyd']);
  const { proposalId } = network.propose('ada', setPolicy(1));
  network.vote('ada', proposalId);
  network.vote('ada', proposalId, false);
  assert.equal(network.vote('bob', proposalId, false).state, 'rejected');
});

test('a decided proposal takes no change of a vote', () => {
  const network = new Network(['ada', 'bob']);
  const { proposalId } = network.pass(['ada', 'bob'], setPolicy(1));
  const refusal = network.refuses('PROPOSAL_NOT_OPEN', () =>
    network.vote('bob', proposalId, false),
  );
  assert.equal(refusal.details.state, 'accepted');
});

test('a member changes its vote so often only', () => {
  const network = new Network(['ada', 'bob', 'cyd']);
  const { proposalId } = network.propose('ada', setPolicy(1));
  for (let i = 0; i <= maxVoteChanges; i++) network.vote('ada', proposalId, i % 2 === 0);
  network.refuses('VOTE_CHANGE_LIMIT', () => network.vote('ada', proposalId, false));
  assert.equal(network.vote('bob', proposalId).state, 'accepted');
});

test('a proposal that is not decided in its time expires before the next message', () => {
  const network = new Network(['ada', 'bob'], { policies: { proposalLifetime: 1_000 } });
  const { proposalId } = network.propose('ada', setPolicy(1));
  assert.equal(getProposal(network.set, proposalId)?.expiresAtSeconds, network.now + 1_000);
  network.vote('ada', proposalId);
  network.now += 1_000;
  const refusal = network.refuses('PROPOSAL_NOT_OPEN', () => network.vote('bob', proposalId));
  assert.equal(refusal.details.state, 'expired');
  const next = network.propose('bob', setPolicy(2));
  assert.deepEqual(next.effects, [{ kind: 'proposal-expired', proposalId }]);
  const { state, closedAtSeconds } = getProposal(network.set, proposalId) ?? {};
  assert.deepEqual([state, closedAtSeconds], ['expired', network.now]);
});

test('the last second counts: at the second of its expiry a proposal is over', () => {
  for (const [wait, code] of [
    [99, undefined],
    [100, 'expired'],
  ] as const) {
    const network = new Network(['ada'], { policies: { proposalLifetime: 100 } });
    const { proposalId } = network.propose('ada', setPolicy(1));
    network.now += wait - 1;
    if (code === undefined) assert.equal(network.vote('ada', proposalId).state, 'accepted');
    else network.refuses('PROPOSAL_NOT_OPEN', () => network.vote('ada', proposalId));
  }
});

test('without a message, expiry is a change of its own, due in the order of time', () => {
  const network = new Network(['ada', 'bob']);
  const forever = network.propose('ada', setPolicy(1));
  network.pass(['ada', 'bob'], setPolicy(50, 'proposalLifetime'));
  const first = network.propose('ada', setPolicy(2));
  network.pass(['ada', 'bob'], setPolicy(10, 'proposalLifetime'));
  const second = network.propose('ada', setPolicy(3));
  const at = network.now;
  assert.equal(isExpiryDue(network.set, at + 9), false);
  assert.deepEqual(expireProposals(network.set, at + 9), []);
  assert.equal(isExpiryDue(network.set, at + 10), true);
  assert.deepEqual(expireProposals(network.set, at + 10), [
    { kind: 'proposal-expired', proposalId: second.proposalId },
  ]);
  assert.deepEqual(expireProposals(network.set, at + 400 * 86_400), [
    { kind: 'proposal-expired', proposalId: first.proposalId },
  ]);
  assert.equal(getProposal(network.set, forever.proposalId)?.state, 'open');
  assert.equal(isExpiryDue(network.set, Number.MAX_SAFE_INTEGER), false);
});

test('a decided proposal does not expire', () => {
  const network = new Network(['ada', 'bob'], { policies: { proposalLifetime: 100 } });
  network.pass(['ada', 'bob'], setPolicy(1));
  const { proposalId } = network.propose('ada', setPolicy(2));
  network.withdraw('ada', proposalId);
  assert.equal(isExpiryDue(network.set, network.now + 1_000), false);
});

test('with a proposal that expires goes the program that came with it', () => {
  const network = new Network(['ada', 'bob'], { policies: { proposalLifetime: 100 } });
  const of = utf8('a program');
  network.proposeProgram('ada', 'adapter', { of });
  assert.ok(programOf(network.set, programDigest(of)));
  expireProposals(network.set, network.now + 100);
  assert.equal(programOf(network.set, programDigest(of)), undefined);
});

test('of two proposals that set the same thing the first accepted wins, and the other is over', () => {
  const network = new Network(['ada', 'bob', 'cyd']);
  const [one, two, bundle, other] = [
    network.propose('ada', setPolicy(1)),
    network.propose('bob', setPolicy(2)),
    network.propose('cyd', action('add_actor', actorArgs('dan')), setPolicy(3)),
    network.propose('cyd', setPolicy(400, 'maxBatchTransactions')),
  ].map(({ proposalId }) => proposalId) as [string, string, string, string];
  network.vote('ada', one);
  network.vote('ada', two);
  const { effects } = network.vote('bob', two);
  assert.deepEqual(effects, [
    { kind: 'policy-changed', policy: 'maxBatchDelayMs' },
    { kind: 'proposal-superseded', proposalId: one, by: two },
    { kind: 'proposal-superseded', proposalId: bundle, by: two },
  ]);
  for (const proposalId of [one, bundle]) {
    const { state, supersededBy } = getProposal(network.set, proposalId) ?? {};
    assert.deepEqual([state, supersededBy], ['superseded', two]);
    const refusal = network.refuses('PROPOSAL_NOT_OPEN', () => network.vote('bob', proposalId));
    assert.equal(refusal.details.state, 'superseded');
  }
  assert.equal(getProposal(network.set, other)?.state, 'open');
  assert.equal(network.constitution.policies.maxBatchDelayMs, 2);
  assert.deepEqual(network.memberNames, ['ada', 'bob', 'cyd']);
});

test('every kind that sets something competes with others that set or remove it', () => {
  const network = new Network(['ada']);
  const voting = (kind: string) => ({ kind, policy: { kind: 'majority' } });
  network.pass(['ada'], action('set_voting_policy', voting('add_tee')));
  network.pass(['ada'], setPolicy(7));
  const pairs = [
    [
      action('set_voting_policy', voting('add_tee')),
      action('remove_voting_policy', { kind: 'add_tee' }),
    ],
    [setPolicy(8), action('remove_policy', { name: 'maxBatchDelayMs' })],
    [setPolicy(8), setPolicy(9)],
  ] as const;
  for (const [late, early] of pairs) {
    const waiting = network.propose('ada', late).proposalId;
    network.pass(['ada'], early);
    assert.equal(getProposal(network.set, waiting)?.state, 'superseded', late.name);
  }
});

test('a removal is not held up by a change that takes fewer votes, and happens once', () => {
  const network = new Network(['ada', 'bob', 'cyd'], {
    votingPolicies: { default: { kind: 'majority' }, set_policy: { kind: 'm-of-n', m: 1 } },
  });
  network.pass(['cyd'], setPolicy(7));
  const removal = network.propose('ada', action('remove_policy', { name: 'maxBatchDelayMs' }));
  network.vote('ada', removal.proposalId);
  network.pass(['cyd'], setPolicy(8));
  assert.equal(network.vote('bob', removal.proposalId).state, 'accepted');

  const removals = ['ada', 'bob'].map((name) => network.propose(name, remove('cyd')).proposalId);
  for (const id of removals) network.vote('ada', id);
  for (const id of removals) network.vote('bob', id);
  const ended = removals.map((id) => getProposal(network.set, id));
  assert.deepEqual(
    ended.map((proposal) => [proposal?.state, proposal?.failure?.code]),
    [
      ['accepted', undefined],
      ['failed', 'ACTOR_NOT_FOUND'],
    ],
  );
});

test('competing additions: the second of the same node fails by name', () => {
  const network = new Network(['ada', 'bob']);
  const add = action('add_node', machine(organisation('ada'), 1).tuple);
  const [one, two] = [network.propose('ada', add), network.propose('bob', add)];
  for (const { proposalId } of [one, two]) network.vote('ada', proposalId);
  network.vote('bob', two.proposalId);
  assert.equal(network.vote('bob', one.proposalId).state, 'failed');
  assert.equal(getProposal(network.set, one.proposalId)?.failure?.code, 'NODE_EXISTS');
});

test('a proposal that fails supersedes nothing', () => {
  const network = new Network(['ada', 'bob']);
  const dan = action('add_actor', actorArgs('dan'));
  const doomed = network.propose('ada', setPolicy(2), dan);
  const other = network.propose('ada', setPolicy(3));
  network.pass(['ada', 'bob'], dan);
  network.vote('ada', doomed.proposalId);
  assert.equal(network.vote('bob', doomed.proposalId).state, 'failed');
  assert.equal(getProposal(network.set, other.proposalId)?.state, 'open');
});

test('a recount can accept what supersedes another proposal that is to be counted', () => {
  const network = new Network(['ada', 'bob', 'cyd'], {
    votingPolicies: { default: { kind: 'unanimous' }, remove_actor: { kind: 'majority' } },
  });
  const both = [network.propose('ada', setPolicy(1)), network.propose('ada', setPolicy(2))];
  for (const { proposalId } of both)
    for (const name of ['ada', 'bob']) network.vote(name, proposalId);
  network.pass(['ada', 'bob'], remove('cyd'));
  const states = listProposals(network.set).map(({ state }) => state);
  assert.deepEqual(states, ['accepted', 'superseded', 'accepted']);
  assert.equal(network.constitution.policies.maxBatchDelayMs, 1);
});

test('a vote that somebody held back does not undo what its member decided later', () => {
  const network = new Network(['ada', 'bob', 'cyd']);
  const { proposalId } = network.propose('bob', setPolicy(7));
  network.vote('bob', proposalId);
  const heldBack = buildVote({ ...network.options('ada'), proposalId, accept: true });
  network.vote('ada', proposalId, false);
  network.refuses('OLDER_VOTE', () => network.submit(heldBack));
  // So it is when much was signed since, and the standing vote is remembered no longer.
  for (let i = 0; i < recentMessages / 2 + 1; i++) {
    network.withdraw('ada', network.propose('ada', setPolicy(8)).proposalId);
  }
  network.refuses('CREATED_TOO_LONG_AGO', () => network.submit(heldBack));
  assert.equal(network.vote('ada', proposalId).state, 'accepted');
});

test('a lifetime too short to vote in can be changed: proposals of that alone do not expire', () => {
  const network = new Network(['ada', 'bob'], { policies: { proposalLifetime: 1 } });
  const other = network.propose('ada', setPolicy(1)).proposalId;
  const longer = network.propose('ada', setPolicy(3_600, 'proposalLifetime')).proposalId;
  const mixed = network.propose('ada', setPolicy(60, 'proposalLifetime'), setPolicy(2)).proposalId;
  network.now += 10_000;
  expireProposals(network.set, network.now);
  for (const id of [other, mixed]) assert.equal(getProposal(network.set, id)?.state, 'expired');
  network.vote('ada', longer);
  assert.equal(network.vote('bob', longer).state, 'accepted');
});
