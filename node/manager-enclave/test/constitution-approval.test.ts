import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constitutionTerms } from '@concordat/governance';
import { ConstitutionApproval } from '../constitution-approval.ts';
import { decide, newNetwork, organisation, type TestNode } from './fixture.ts';

const members = [organisation('org 1'), organisation('org 2')];
const [other, owner] = members as [(typeof members)[number], (typeof members)[number]];

/** A network that has just listed a node of the second member. */
async function listed() {
  const { world, first } = await newNetwork(members);
  const node = world.add(owner);
  await decide(world, first, members, [{ name: 'add_node', args: node.tuple }]);
  return { node, constitution: first.administration.constitution, networkId: first.network.id };
}

const startedFor = (
  pem: string,
  node: TestNode,
  approval: { terms?: string; any?: boolean } = {},
) =>
  new ConstitutionApproval(
    { node: { name: 'newcomer', actorCertificatePem: pem }, approval },
    node.id,
  );

test('a newcomer waits for its operator, and goes on with what was approved', async () => {
  const { node, constitution, networkId } = await listed();
  const approval = startedFor(owner.pem, node);
  assert.throws(() => approval.require(constitution, networkId), {
    code: 'CONSTITUTION_NOT_APPROVED',
  });
  const terms = approval.shown?.terms ?? '';
  approval.approve(terms);
  assert.equal(approval.require(constitution, networkId), terms);
});

test('a newcomer that the constitution gives to another actor does not join, whatever is approved', async () => {
  const { node, constitution, networkId } = await listed();
  const newcomer = { nodeId: node.id, actorId: other.actorId };
  const terms = constitutionTerms(constitution, newcomer);
  for (const approved of [{ terms }, { any: true }, {}]) {
    const approval = startedFor(other.pem, node, approved);
    assert.throws(() => approval.require(constitution, networkId), { code: 'NODE_NOT_ADMITTED' });
    assert.equal(approval.shown, undefined);
  }
});

test('a newcomer started with a newer certificate of its actor is that actor’s', async () => {
  const { node, constitution, networkId } = await listed();
  const renewed = organisation('renewed');
  const actors = constitution.actors.map((actor) =>
    actor.actorId === owner.actorId ? { ...actor, certificate: renewed.pem } : actor,
  );
  const approval = startedFor(renewed.pem, node, { any: true });
  approval.require({ ...constitution, actors }, networkId);
});
