import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Constitution, constitutionTerms, type NodeEntry } from '@concordat/governance';
import { toActorId, toNodeId } from '@concordat/std';

const actorId = (digit: string) => toActorId(digit.repeat(64));
const nodeId = (digit: string) => toNodeId(digit.repeat(64));

const node = (digit: string, of: Partial<NodeEntry> = {}): NodeEntry => ({
  nodeId: nodeId(digit),
  actorId: actorId('a'),
  name: `vn-${digit}`,
  address: `host-${digit}:1`,
  adminAddress: `host-${digit}:2`,
  applicationAddresses: [`host-${digit}:3`],
  publicKey: digit.repeat(20),
  encryptionKey: digit.repeat(20),
  status: 'trusted',
  ...of,
});

const actor = (digit: string, name: string) =>
  ({ actorId: actorId(digit), kind: ['member'], name, certificate: 'PEM', roles: [] }) as const;

const constitution = {
  version: 1,
  name: 'test',
  actors: [actor('a', 'one'), actor('b', 'two')],
  nodes: [node('1'), node('2')],
  codeManifest: [],
  teeManifest: [{ platform: 'virtual', rank: 0 }],
  votingPolicies: { default: { kind: 'majority' } },
  policies: {},
  adapters: {},
} as unknown as Constitution;

const newcomer = { nodeId: nodeId('9'), actorId: actorId('c') };
const terms = constitutionTerms(constitution, newcomer);

const withChange = (change: Partial<Constitution>): string =>
  constitutionTerms({ ...constitution, ...change }, newcomer);

test('its own admission does not change what a newcomer approved', () => {
  const own = node('9', { actorId: actorId('c'), status: 'admitted' });
  const admitted = {
    actors: [...constitution.actors, actor('c', 'three')],
    nodes: [...constitution.nodes, own],
  };
  assert.equal(withChange(admitted), terms);
  assert.equal(
    withChange({ ...admitted, nodes: [...constitution.nodes, { ...own, status: 'learning' }] }),
    terms,
  );
  const unsaid = constitutionTerms({ ...constitution, ...admitted }, { nodeId: nodeId('9') });
  assert.notEqual(
    unsaid,
    terms,
    'an actor that did not say who it is finds itself in what it approves',
  );
});

test('nodes that start anew in their own places change nothing, nodes that come or go do', () => {
  const [first, second] = constitution.nodes as [NodeEntry, NodeEntry];
  const successor = { ...second, nodeId: nodeId('3'), replaces: second.nodeId, publicKey: 'other' };
  const learning = { ...successor, status: 'learning' } as const;
  const gone = { ...second, status: 'retired', retired: 'replaced' } as const;
  assert.equal(withChange({ nodes: [first, second, learning] }), terms);
  assert.equal(withChange({ nodes: [first, gone, successor] }), terms);
  assert.equal(withChange({ nodes: [second, first] }), terms);
  assert.notEqual(withChange({ nodes: [first] }), terms);
  assert.notEqual(withChange({ nodes: [first, gone] }), terms);
  assert.notEqual(withChange({ nodes: [first, second, node('4')] }), terms);
  assert.notEqual(withChange({ nodes: [first, { ...second, address: 'elsewhere:1' }] }), terms);
  assert.notEqual(withChange({ nodes: [first, { ...second, actorId: actorId('b') }] }), terms);
});

test('everything else that members vote on is part of what is approved', () => {
  const changes: readonly Partial<Constitution>[] = [
    { name: 'other' },
    { actors: [actor('a', 'one')] },
    { actors: [actor('a', 'one'), { ...actor('b', 'two'), kind: ['participant'] }] },
    { teeManifest: [] },
    { codeManifest: [{ measurement: '5'.repeat(64), role: 'manager', name: 'm', version: '1' }] },
    { votingPolicies: { default: { kind: 'unanimous' } } },
    { policies: { ...constitution.policies, epochBlocks: 50 } },
    { adapters: { keyvalue: { limit: 1 } } },
    { applications: [{ adapter: 'javascript', digest: '6'.repeat(64), bytes: 1 }] },
  ];
  const digests = changes.map(withChange);
  assert.equal(new Set([terms, ...digests]).size, changes.length + 1);
});
