import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Constitution,
  constitutionDigest,
  type ProposedAction,
  parseConstitution,
  previewActions,
} from '@concordat/governance';
import { actorArgs, genesisJson, Network } from './network.ts';

const members = ['one', 'two', 'three'];
const genesis = parseConstitution(genesisJson(members));

const act = (name: string, args: object): ProposedAction => ({ name, args }) as ProposedAction;

/** What the preview makes of it. */
function changed(of: Constitution, ...actions: ProposedAction[]): Constitution {
  const preview = previewActions(of, actions);
  assert.ok(preview.ok, JSON.stringify(preview));
  return preview.constitution;
}

test('a preview is what a vote makes of the constitution, action by action', () => {
  const actions = [
    act('add_actor', actorArgs('shop', 'participant')),
    act('set_policy', { name: 'epochBlocks', value: 50 }),
    act('set_voting_policy', { kind: 'add_node', policy: { kind: 'm-of-n', m: 2 } }),
    act('add_tee', { platform: 'other', rank: 3 }),
  ];
  const network = new Network(members);
  const before = network.constitution;
  network.pass(members, ...actions);
  assert.deepEqual(changed(before, ...actions), network.constitution);
  assert.notEqual(constitutionDigest(before), constitutionDigest(network.constitution));
});

test('everything a constitution holds stays as it is but for what is changed', () => {
  const full: Constitution = {
    ...genesis,
    applications: [{ adapter: 'javascript', digest: 'ab'.repeat(32), bytes: 7 }],
    adapters: { keyvalue: { limit: 1 } },
  };
  const after = changed(full, act('set_policy', { name: 'epochBlocks', value: 50 }));
  assert.deepEqual({ ...after, policies: full.policies }, full);
  assert.equal(after.policies.epochBlocks, 50);
});

test('a change that the laws refuse is told with its code, and changes nothing', () => {
  const told = previewActions(genesis, [
    act('set_policy', { name: 'epochBlocks', value: 50 }),
    act('set_policy', { name: 'heartbeatMs', value: 10_000 }),
  ]);
  assert.deepEqual(told.ok === false && told.code, 'INVALID_POLICY');
  const malformed = previewActions(genesis, [act('set_policy', { name: 'epochBlocks' })]);
  assert.equal(malformed.ok === false && malformed.code, 'INVALID_ACTION');
  const none = previewActions(genesis, []);
  assert.equal(none.ok, false);
  const unknown = previewActions(genesis, [act('no_such_action', {})]);
  assert.equal(unknown.ok, false);
});

test('what no constitution holds is neither refused nor shown', () => {
  const actions = [act('revoke_audit', { auditor: 'revisor' }), act('begin_epoch', {})];
  assert.deepEqual(changed(genesis, ...actions), genesis);
});
