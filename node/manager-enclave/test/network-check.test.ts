import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toNodeId } from '@concordat/std';
import { requireManifests, unknownNetwork } from '../admission.ts';
import { decodeJoinOffer, type JoinOffer } from '../join-messages.ts';
import { checkNetwork } from '../network-check.ts';
import { askToJoin, decide, newNetwork, organisation, verdictOf } from './fixture.ts';

const members = [organisation('org 1'), organisation('org 2')];

/** What an honest network shows a node it has listed, and how that node expects it. */
async function shown() {
  const { world, first } = await newNetwork(members);
  const node = world.add(members[1] as (typeof members)[number]);
  await decide(world, first, members, [{ name: 'add_node', args: node.tuple }]);
  const offer = decodeJoinOffer(await askToJoin(world, first, node, {}));
  const { certificate } = first.network;
  const [{ measurement = '' } = {}] = first.administration.constitution.nodes;
  const expecting = (of: {
    readonly id?: string;
    readonly pinned?: string;
    readonly runs?: string;
    readonly self?: typeof node.id;
  }) => ({
    network: { id: of.id ?? unknownNetwork, certificate: of.pinned ?? certificate },
    nodeId: of.self ?? node.id,
    requireCode: (constitution: Parameters<typeof requireManifests>[1]) =>
      requireManifests(verdictOf(of.runs ?? measurement), constitution, 'manager'),
  });
  return { first, node, offer, expecting };
}

test('a newcomer takes the network that shows itself as it was told of it', async () => {
  const { first, offer, expecting } = await shown();
  const { constitution } = first.administration;
  assert.deepEqual(checkNetwork(expecting({}), offer), constitution);
  assert.deepEqual(checkNetwork(expecting({ id: first.network.id }), offer), constitution);
});

test('a newcomer refuses a network with another certificate or id than it was told', async () => {
  const { offer, expecting } = await shown();
  const refuses = (expected: Parameters<typeof checkNetwork>[0], shows: JoinOffer = offer) =>
    assert.throws(() => checkNetwork(expected, shows), { code: 'WRONG_NETWORK' });
  refuses(expecting({ pinned: 'another certificate' }));
  refuses(expecting({}), { ...offer, networkCertificate: 'another certificate' });
  refuses(expecting({ id: 'ab'.repeat(32) }));
});

test('a newcomer refuses a network whose nodes run code that its own constitution does not list', async () => {
  const { offer, expecting } = await shown();
  assert.throws(() => checkNetwork(expecting({ runs: 'ee'.repeat(32) }), offer), {
    code: 'UNLISTED_MEASUREMENT',
  });
  const constitution = offer.constitution as { readonly codeManifest: readonly unknown[] };
  const without = { ...offer, constitution: { ...constitution, codeManifest: [] } };
  assert.throws(() => checkNetwork(expecting({}), without), { code: 'UNLISTED_MEASUREMENT' });
  const tees = { ...offer, constitution: { ...constitution, teeManifest: [] } };
  assert.throws(() => checkNetwork(expecting({}), tees), { code: 'UNLISTED_TEE' });
});

test('a newcomer refuses a constitution that does not list it, or that is none', async () => {
  const { offer, expecting } = await shown();
  const other = expecting({ self: toNodeId('cd'.repeat(32)) });
  assert.throws(() => checkNetwork(other, offer), { code: 'NODE_NOT_ADMITTED' });
  for (const constitution of [undefined, null, {}, [], 'text', { version: 1 }]) {
    assert.throws(() => checkNetwork(expecting({}), { ...offer, constitution }), {
      code: 'INVALID_CONSTITUTION',
    });
  }
});
