import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  buildProposal,
  buildVote,
  expireProposals,
  messageIdOf,
  type Proposal,
  submitMessage,
} from '@concordat/governance';
import { createOrganisation, type Identity } from '@concordat/sdk';
import { fromUtf8, utf8 } from '@concordat/std';
import { audit, forgery, policy, seconds, submitted, tables } from './forgery.ts';
import { WrittenLedger } from './written-ledger.ts';

const lifetime = (value: number) =>
  ({ name: 'set_policy', args: { name: 'proposalLifetime', value } }) as const;

test('an audit executes composed policies, changed votes, rules and expiry anew', async () => {
  const ledger = new WrittenLedger({}, ['Beta', 'Gamma']);
  const [beta, gamma] = ledger.others as [Identity, Identity];
  const { alpha } = ledger;
  const delta = createOrganisation({ name: 'Delta' });
  const args = { kind: ['member'], name: 'Delta', certificate: delta.certificatePem };
  ledger.govern({ name: 'add_actor', args });
  ledger.govern({ name: 'set_actor_roles', args: { actorId: alpha.actorId, roles: ['bank'] } });
  const named = { kind: 'subset', members: [gamma.actorId], role: 'bank' };
  const composed = {
    kind: 'all-of',
    policies: [
      { kind: 'percentage', percent: 60 },
      { ...named, policy: { kind: 'unanimous' } },
    ],
  };
  ledger.govern({ name: 'set_voting_policy', args: { kind: 'set_policy', policy: composed } });

  const changed = ledger.propose(beta, policy(41)).proposalId;
  const overtaken = ledger.propose(alpha, policy(42)).proposalId;
  ledger.vote(beta, changed, false);
  ledger.vote(beta, changed);
  ledger.vote(alpha, changed);
  assert.equal(ledger.vote(gamma, changed).state, 'accepted');

  const rule = { name: 'limits', member: delta.actorId, kinds: ['set_policy'] };
  const asked = ledger.propose(delta, { name: 'set_automation_rule', args: rule });
  for (const member of [alpha, beta, gamma]) ledger.vote(member, asked.proposalId);
  const byRule = ledger.propose(beta, policy(43)).proposalId;
  ledger.vote(delta, byRule, false);
  ledger.withdraw(beta, byRule);

  ledger.govern(lifetime(2));
  const dead = ledger.propose(beta, policy(44)).proposalId;
  ledger.nowMs = ledger.timeMs + 3_000;
  const alone = ledger.propose(beta, policy(45)).proposalId;
  ledger.nowMs += 3_000;
  ledger.administer((set) => {
    expireProposals(set, Math.floor((ledger.nowMs ?? 0) / 1000));
  });
  ledger.govern({
    name: 'set_actor_kind',
    args: { actorId: delta.actorId, kind: ['participant'] },
  });
  const report = await audit(ledger);
  assert.deepEqual(
    report.classes.flatMap(({ first }) => first ?? []),
    [],
  );
  const of = (id: string) => report.proposals.find(({ proposalId }) => proposalId === id);
  assert.deepEqual(of(changed)?.votes, [
    { member: 'Beta', accept: true, changes: 1 },
    { member: 'Alpha', accept: true, changes: 0 },
    { member: 'Gamma', accept: true, changes: 0 },
  ]);
  assert.deepEqual([of(overtaken)?.state, of(overtaken)?.supersededBy], ['superseded', changed]);
  assert.deepEqual(of(byRule)?.votes, [{ member: 'Delta', accept: false, changes: 1 }]);
  assert.deepEqual([of(dead)?.state, of(alone)?.state], ['expired', 'expired']);
  const organisation = report.organisations.find(({ name }) => name === 'Delta');
  assert.deepEqual(organisation?.kind, ['participant']);
});

forgery(
  'a proposal that expires before its time',
  { class: 'governance', code: 'UNDECIDED_CHANGE' },
  (ledger) => {
    ledger.govern(lifetime(100));
    ledger.propose(ledger.alpha, policy(9));
    ledger.administer((set) => {
      const table = set.table(tables.proposals);
      for (const [key, row] of [...table.entries()]) {
        const proposal = JSON.parse(fromUtf8(row)) as Proposal;
        if (proposal.state !== 'open') continue;
        const end = { state: 'expired', closedAtSeconds: seconds() };
        table.set(key, utf8(JSON.stringify({ ...proposal, ...end })));
      }
    });
  },
);

forgery(
  'proposals that end at another time than that of their block',
  { class: 'governance', code: 'WRONG_TIME' },
  (ledger) => {
    ledger.govern(lifetime(100));
    ledger.propose(ledger.alpha, policy(9));
    ledger.administer((set) => void expireProposals(set, seconds() + 101));
  },
);

forgery(
  'a vote on a proposal whose time was over',
  { class: 'governance', code: 'MESSAGE_REFUSED', cause: 'PROPOSAL_NOT_OPEN' },
  (ledger) => {
    ledger.govern(lifetime(5));
    const { proposalId } = ledger.propose(ledger.alpha, policy(9));
    ledger.nowMs = ledger.timeMs + 6_000;
    const nowSeconds = Math.floor(ledger.nowMs / 1000);
    const vote = buildVote({ ...ledger.signer(ledger.alpha), proposalId, accept: true });
    ledger.administer((set) => {
      const expiries = set.table('public:concordat.gov.expiries');
      for (const [key] of [...expiries.entries()]) expiries.delete(key);
      submitMessage(set, vote, { nowSeconds });
    });
  },
);

forgery(
  'a vote by a rule that there is not',
  { class: 'governance', code: 'WRONG_OUTCOME' },
  (ledger, [beta]) => {
    const message = buildProposal({ ...ledger.signer(ledger.alpha), actions: [policy(9)] });
    const proposalId = messageIdOf(message);
    const { actorId } = beta as Identity;
    ledger.administer((set) => {
      submitted(set, message);
      const table = set.table(tables.proposals);
      const row = JSON.parse(fromUtf8(table.get(proposalId) as Uint8Array)) as Proposal;
      const cast = { actorId, accept: true, atSeconds: seconds(), rule: 'r' };
      table.set(proposalId, utf8(JSON.stringify({ ...row, votes: [cast] })));
    });
  },
);
