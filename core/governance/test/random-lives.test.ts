import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  expireProposals,
  GovernanceError,
  isMember,
  listProposals,
  type Proposal,
  type ProposedAction,
  parseConstitution,
} from '@concordat/governance';
import { judgeProposal } from '../proposal.ts';
import { readRows, tables } from '../tables.ts';
import { action, actorArgs, machine, Network, organisation } from './network.ts';

const names = ['ada', 'bob', 'cyd', 'dan', 'eve'];
const idOf = (name: string) => organisation(name).actorId;

/** Whole numbers below a bound, the same ones for a seed. */
function numbers(seed: number): (below: number) => number {
  let state = (seed * 7_919 + 13) >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

type Draw = (below: number) => number;
const pick = <Item>(draw: Draw, items: readonly Item[]): Item => items[draw(items.length)] as Item;

function votingPolicy(draw: Draw): Record<string, unknown> {
  const policies = () => [votingPolicy(draw), { kind: 'm-of-n', m: 1 + draw(2) }];
  const subset = { kind: 'subset', members: [idOf(pick(draw, names))], role: 'bank' };
  return pick<() => Record<string, unknown>>(draw, [
    () => ({ kind: 'majority' }),
    () => ({ kind: 'unanimous' }),
    () => ({ kind: 'percentage', percent: 1 + draw(100) }),
    () => ({ ...subset, policy: { kind: 'majority' } }),
    () => ({ kind: 'all-of', policies: policies() }),
    () => ({ kind: 'any-of', policies: policies() }),
  ])();
}

const kinds = ['default', 'set_policy', 'remove_actor', 'add_actor'] as const;

function change(draw: Draw): ProposedAction {
  const name = pick(draw, names);
  const actorId = idOf(name);
  return pick<() => ProposedAction>(draw, [
    () => action('add_actor', actorArgs(name, ...pick(draw, [['member'], ['participant']]))),
    () => action('add_actor', { ...actorArgs(name), roles: ['bank'] }),
    () => action('remove_actor', { actorId }),
    () => action('set_actor_roles', { actorId, roles: pick(draw, [[], ['bank']]) }),
    () => action('set_actor_kind', { actorId, kind: pick(draw, [['member'], ['participant']]) }),
    () => action('add_node', machine(organisation(name), draw(6)).tuple),
    () => action('set_voting_policy', { kind: pick(draw, kinds), policy: votingPolicy(draw) }),
    () => action('remove_voting_policy', { kind: pick(draw, kinds.slice(1)) }),
    () => action('set_policy', { name: 'proposalLifetime', value: pick(draw, [0, 5, 40]) }),
    () => action('set_policy', { name: 'maxBatchDelayMs', value: draw(10) }),
    () =>
      action('set_automation_rule', {
        name: pick(draw, ['one', 'two']),
        member: actorId,
        kinds: pick(draw, [['set_policy'], ['set_policy', 'remove_actor', 'add_actor']]),
      }),
    () => action('remove_automation_rule', { name: pick(draw, ['one', 'two']) }),
  ])();
}

/** What holds of every network between two messages. */
function requireSound(network: Network): void {
  const { constitution, set } = network;
  assert.deepEqual(parseConstitution(constitution), constitution);
  const voters = constitution.actors.filter(isMember);
  const members = new Set<string>(voters.map(({ actorId }) => actorId));
  const proposals = listProposals(set);
  const open = proposals.filter(({ state }) => state === 'open');
  const idsOf = (list: readonly Proposal[]) => list.map(({ proposalId }) => proposalId).sort();
  const listed = Array.from(readRows(set, tables.open), ([, id]) => id).sort();
  assert.deepEqual(listed, idsOf(open), 'the list of open proposals is that of proposals open');
  const expiring = Array.from(readRows(set, tables.expiries), ([, id]) => id).sort();
  assert.deepEqual(expiring, idsOf(open.filter((one) => one.expiresAtSeconds !== undefined)));
  for (const proposal of open) {
    // Nothing that is decided waits for another message.
    assert.equal(judgeProposal(proposal, voters), 'open', JSON.stringify(proposal));
    assert.ok(proposal.votes.every(({ actorId }) => members.has(actorId)));
    assert.equal(new Set(proposal.votes.map(({ actorId }) => actorId)).size, proposal.votes.length);
  }
  for (const proposal of proposals) {
    assert.equal(proposal.state === 'open', proposal.closedAtSeconds === undefined);
    assert.equal(proposal.state === 'failed', proposal.failure !== undefined);
    assert.equal(proposal.state === 'superseded', proposal.supersededBy !== undefined);
  }
}

test('whatever members do, the network stays lawful and nothing decided stays open', () => {
  const ended: Record<string, number> = {};
  let byRule = 0;
  for (let seed = 0; seed < 10; seed++) {
    const draw = numbers(seed);
    const network = new Network(names.slice(0, 1 + draw(4)), {
      votingPolicies: { default: { kind: 'm-of-n', m: 1 }, set_policy: { kind: 'majority' } },
    });
    for (let step = 0; step < 150; step++) {
      const open = listProposals(network.set).filter(({ state }) => state === 'open');
      const { proposalId = '' } = pick(draw, open) ?? {};
      const by = pick(draw, names);
      const deed = open.length === 0 ? 0 : draw(10);
      const before = network.dump();
      try {
        if (deed < 4)
          network.propose(by, ...Array.from({ length: 1 + draw(2) }, () => change(draw)));
        else if (deed < 8) network.vote(by, proposalId, draw(3) > 0);
        else if (deed === 8) network.withdraw(by, proposalId);
        else {
          network.now += draw(30);
          expireProposals(network.set, network.now);
        }
      } catch (error) {
        assert.ok(error instanceof GovernanceError, String(error));
        assert.equal(network.dump(), before, `${error.code} left a trace`);
      }
      requireSound(network);
    }
    for (const { state, votes } of listProposals(network.set)) {
      ended[state] = (ended[state] ?? 0) + 1;
      byRule += votes.filter(({ rule }) => rule !== undefined).length;
    }
  }
  for (const state of [
    'open',
    'accepted',
    'rejected',
    'withdrawn',
    'failed',
    'expired',
    'superseded',
  ]) {
    assert.ok((ended[state] ?? 0) > 0, `${state}: ${JSON.stringify(ended)}`);
  }
  assert.ok(byRule > 5, `${byRule} votes by rules`);
});
