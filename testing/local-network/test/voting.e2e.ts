import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { auditLedger } from '@concordat/auditor';
import type { Proposal, ProposedAction } from '@concordat/governance';
import type { AdminClient } from '@concordat/sdk';
import { anotherSecond, LocalNetwork, type LocalNode, waitUntil } from '../index.ts';

let network: LocalNetwork;
let vn1: LocalNode;
let vn2: LocalNode;
let vn3: LocalNode;

before(async () => {
  network = await LocalNetwork.start();
  [vn1, vn2, vn3] = network.nodes as [LocalNode, LocalNode, LocalNode];
  for (const node of network.nodes) {
    ids.set(node, (await network.identity(node.organisation)).actorId);
  }
});
after(() => network?.end());

/** As the organisation of a node, whatever it calls itself. */
async function as<Result>(node: LocalNode, call: (admin: AdminClient) => Promise<Result>) {
  const admin = await network.admin(node);
  return call(admin).finally(() => admin.close());
}

const ids = new Map<LocalNode, string>();
const actorOf = (node: LocalNode): string => ids.get(node) as string;
const setPolicy = (name: string, value: unknown): ProposedAction => ({
  name: 'set_policy',
  args: { name, value },
});

const propose = (node: LocalNode, ...actions: ProposedAction[]) =>
  as(node, (admin) => admin.propose(actions));
const vote = (node: LocalNode, proposalId: string, accept = true) =>
  as(node, (admin) => admin.vote(proposalId, accept));

/** Proposed by the first of them, accepted by all until it is decided. */
async function decide(voters: readonly LocalNode[], ...actions: ProposedAction[]): Promise<void> {
  let last = await propose(voters[0] as LocalNode, ...actions);
  for (const node of voters) if (last.state === 'open') last = await vote(node, last.proposalId);
  assert.equal(last.state, 'accepted');
  await network.level();
}

async function proposalOf(node: LocalNode, proposalId: string): Promise<Proposal> {
  await network.level();
  const proposals = await as(node, (admin) => admin.proposals());
  const found = proposals.find((proposal) => proposal.proposalId === proposalId);
  assert.ok(found, 'the proposal is listed');
  return found;
}

test('a proposal expires by itself, on every node, and takes no vote then', async () => {
  await decide([vn1, vn2], setPolicy('proposalLifetime', 3));
  const { proposalId } = await propose(vn3, setPolicy('maxBatchDelayMs', 9));
  for (const node of [vn1, vn2, vn3]) {
    await waitUntil(async () => (await proposalOf(node, proposalId)).state === 'expired', {
      what: `${node.name} to tell that it expired`,
    });
  }
  await assert.rejects(vote(vn1, proposalId), { code: 'PROPOSAL_NOT_OPEN' });
  // Its own time may be over before the second vote, on a machine that is busy.
  const isForever = async (): Promise<boolean> => {
    await anotherSecond();
    return decide([vn1, vn2], setPolicy('proposalLifetime', 0)).then(
      () => true,
      (error: { readonly code?: string }) => {
        if (error.code !== 'PROPOSAL_NOT_OPEN') throw error;
        return false;
      },
    );
  };
  await waitUntil(isForever, { what: 'proposals that do not expire' });
});

test('named members and a rule decide; votes change; the first of two that compete wins', async () => {
  const named = { kind: 'subset', members: [actorOf(vn2)], policy: { kind: 'unanimous' } };
  const policy = { kind: 'all-of', policies: [named, { kind: 'percentage', percent: 60 }] };
  await decide([vn1, vn2], {
    name: 'set_voting_policy',
    args: { kind: 'set_policy', policy },
  });
  const rule = {
    name: 'small-batches',
    member: actorOf(vn2),
    kinds: ['set_policy'],
    policies: { maxBatchDelayMs: { max: 20 } },
  };
  await decide([vn2, vn1], { name: 'set_automation_rule', args: rule });
  const [first, second] = [
    await propose(vn1, setPolicy('maxBatchDelayMs', 11)),
    await propose(vn3, setPolicy('maxBatchDelayMs', 12)),
  ];
  assert.equal((await vote(vn3, second.proposalId, false)).state, 'open');
  assert.equal((await vote(vn3, second.proposalId)).state, 'accepted');
  const [lost, won] = [
    await proposalOf(vn1, first.proposalId),
    await proposalOf(vn1, second.proposalId),
  ];
  assert.deepEqual([lost.state, lost.supersededBy], ['superseded', second.proposalId]);
  assert.deepEqual(
    won.votes.map(({ actorId, accept, rule: by, earlier }) => [
      actorId,
      accept,
      by,
      earlier?.length,
    ]),
    [
      [actorOf(vn2), true, 'small-batches', undefined],
      [actorOf(vn3), true, undefined, 1],
    ],
  );
  const large = await propose(vn1, setPolicy('maxBatchDelayMs', 21));
  assert.deepEqual((await proposalOf(vn1, large.proposalId)).votes, []);
});

test('a member that becomes a participant votes no longer, and the network goes on', async () => {
  const before = (await as(vn1, (admin) => admin.constitution())).constitution;
  assert.equal(before.policies.maxBatchDelayMs, 12);
  await decide([vn1, vn2], {
    name: 'set_actor_kind',
    args: { actorId: actorOf(vn3), kind: ['participant'] },
  });
  await assert.rejects(propose(vn3, setPolicy('heartbeatMs', 90)), { code: 'NOT_A_MEMBER' });
  // Its share is worth nothing for what is encrypted from now on: a fresh key, and an epoch under it.
  await waitUntil(
    async () => {
      const { keys } = await as(vn1, (admin) => admin.sharedKeys());
      const holders = keys[0]?.sharings.at(-1)?.holders.map(({ actorId }) => actorId);
      return holders !== undefined && !holders.includes(actorOf(vn3));
    },
    { what: 'a shared key without the participant' },
  );
  await decide([vn1, vn2], setPolicy('maxBatchDelayMs', 13));
});

test('an auditor comes to the same, from the files of every node', async () => {
  await network.level([vn1, vn2, vn3]);
  for (const { ledgerDirectory: directory } of [vn1, vn2, vn3]) {
    const report = await auditLedger({ directory, networkCertificate: network.certificate });
    assert.deepEqual(
      report.classes.flatMap(({ first }) => first ?? []),
      [],
    );
    const states = new Set(report.proposals.map(({ state }) => state));
    for (const state of ['accepted', 'expired', 'superseded'] as const) {
      assert.ok(states.has(state), state);
    }
  }
});
