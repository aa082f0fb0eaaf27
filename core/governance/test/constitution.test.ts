import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256 } from '@concordat/crypto';
import {
  canonicalJson,
  constitutionDigest,
  GovernanceError,
  networkIdOf,
  parseConstitution,
} from '@concordat/governance';
import { toHex, utf8 } from '@concordat/std';
import { actorArgs, genesisJson, machine, Network, organisation } from './network.ts';

const actors = ['ada', 'bob'].map((name) => actorArgs(name));
const json = () => genesisJson(['ada', 'bob']);

function refusal(value: unknown): GovernanceError {
  try {
    parseConstitution(value);
  } catch (error) {
    assert.ok(error instanceof GovernanceError, String(error));
    return error;
  }
  return assert.fail('the constitution was accepted');
}

test('defaults are filled in and the result parses to itself', () => {
  const constitution = parseConstitution(json());
  assert.deepEqual(constitution.policies, {
    maxBatchTransactions: 100,
    maxBatchDelayMs: 5,
    durability: 'fsync',
    electionTimeoutMs: 1000,
    heartbeatMs: 100,
    overdueRevocationLists: 'honour',
    rejoin: 'automatic',
    maxBlockBytes: 16_777_216,
    snapshotBlocks: 10_000,
    replicationQuorum: 'majority',
    electionQuorum: 'majority',
    distribution: 'direct',
    distributionFanOut: 3,
    keyThreshold: 'majority',
    keyCeremonyTransactions: 100_000,
    keyCeremonyDuration: 10,
    epochDuration: 86_400,
    epochBlocks: 0,
    sessionKeyTtl: 3_600,
    proposalLifetime: 0,
    resumePatience: 10,
    anonymousConnections: 'refuse',
  });
  assert.deepEqual(parseConstitution(canonicalJson(constitution)), constitution);
});

test('each wrong value is refused with the path that leads to it', () => {
  const member = actorArgs('ada');
  const wrong: [Record<string, unknown>, string][] = [
    [{ version: 2 }, 'version'],
    [{ name: '' }, 'name'],
    [{ name: ' padded' }, 'name'],
    [{ name: 'right\u202eto left' }, 'name'],
    [{ surprise: 1 }, 'surprise'],
    [{ actors: {} }, 'actors'],
    [{ actors: [] }, 'actors'],
    [{ actors: [actorArgs('pat', 'participant')] }, 'actors'],
    [{ actors: [{ ...member, kind: [] }] }, 'actors[0].kind'],
    [{ actors: [{ ...member, kind: ['king'] }] }, 'actors[0].kind[0]'],
    [{ actors: [{ ...member, roles: ['No Spaces'] }] }, 'actors[0].roles[0]'],
    [{ actors: [{ ...member, certificate: 'x' }] }, 'actors[0].certificate'],
    [{ actors: [{ ...member, actorId: '00'.repeat(32) }] }, 'actors[0].actorId'],
    [{ actors: [member, { ...actorArgs('bob'), name: 'ada' }] }, 'actors[1].name'],
    [{ actors: [member, { ...member, name: 'x' }] }, 'actors[1].certificate'],
    [{ nodes: [1] }, 'nodes[0]'],
    [{ codeManifest: [{ measurement: 'AA' }] }, 'codeManifest[0].role'],
    [{ teeManifest: [{ platform: 'virtual', rank: -1 }] }, 'teeManifest[0].rank'],
    [{ votingPolicies: {} }, 'votingPolicies.default'],
    [{ votingPolicies: { default: { kind: 'dice' } } }, 'votingPolicies.default.kind'],
    [{ votingPolicies: { default: { kind: 'majority' }, coup: {} } }, 'votingPolicies.coup'],
    [{ policies: { maxBlockBytes: '1' } }, 'policies.maxBlockBytes'],
    [{ policies: { replicationQuorum: 'all' } }, 'policies.replicationQuorum'],
    [{ policies: { electionQuorum: 0 } }, 'policies.electionQuorum'],
    [{ policies: { electionQuorum: 1.5 } }, 'policies.electionQuorum'],
    [{ policies: { replicationQuorum: 1025 } }, 'policies.replicationQuorum'],
    [{ policies: { distribution: 'gossip' } }, 'policies.distribution'],
    [{ policies: { distributionFanOut: 1 } }, 'policies.distributionFanOut'],
    [{ policies: { speed: 11 } }, 'policies.speed'],
    [{ policies: { snapshotBlocks: 9 } }, 'policies.snapshotBlocks'],
    [{ policies: { snapshotBlocks: -1 } }, 'policies.snapshotBlocks'],
    [{ adapters: { 'Not An Id': {} } }, 'adapters.Not An Id'],
    [{ keyHolders: [] }, 'keyHolders'],
  ];
  for (const [overrides, path] of wrong) {
    const error = refusal({ ...json(), ...overrides });
    assert.deepEqual([error.code, error.details.path], ['INVALID_CONSTITUTION', path]);
    assert.ok(error.message.includes(path), error.message);
  }
});

test('snapshots are taken never, or far enough apart that recording one does not cause the next', () => {
  for (const snapshotBlocks of [0, 10, 1_000_000_000]) {
    const { policies } = parseConstitution({ ...json(), policies: { snapshotBlocks } });
    assert.equal(policies.snapshotBlocks, snapshotBlocks);
  }
});

test('a constitution without one of its lists is refused with the name of the list', () => {
  for (const part of [
    'version',
    'name',
    'actors',
    'codeManifest',
    'teeManifest',
    'votingPolicies',
  ]) {
    const { [part]: _, ...rest } = json();
    assert.ok(String(refusal(rest).details.path).startsWith(part), part);
  }
});

test('what is not JSON, or not an object, is refused', () => {
  for (const value of ['', '{', 'null', '[]', '7', null, undefined, 7, []]) {
    assert.equal(refusal(value).code, 'INVALID_CONSTITUTION');
  }
});

test('an entry listed twice is refused', () => {
  const tee = { platform: 'virtual', rank: 0 };
  assert.equal(
    refusal({ ...json(), teeManifest: [tee, tee] }).details.path,
    'teeManifest[1].platform',
  );
});

test('a genesis whose voting policy its members cannot meet is refused', () => {
  const votingPolicies = { default: { kind: 'majority' }, add_node: { kind: 'm-of-n', m: 3 } };
  const error = refusal({ ...json(), votingPolicies });
  assert.equal(error.code, 'UNSATISFIABLE_VOTING_POLICY');
  const path = 'votingPolicies.add_node';
  assert.deepEqual(error.details, { kind: 'add_node', path, members: 2 });
});

test('policies that contradict each other are refused', () => {
  const policies = { heartbeatMs: 100, electionTimeoutMs: 299 };
  assert.equal(refusal({ ...json(), policies }).code, 'INVALID_POLICY');
});

test('a listed node belongs to an actor, has the id of its key and its owner’s signature', () => {
  const { tuple, nodeId } = machine(organisation('ada'), 1);
  const node = { ...tuple, nodeId, status: 'trusted' };
  assert.equal(parseConstitution({ ...json(), nodes: [node] }).nodes[0]?.nodeId, nodeId);
  const { signature: _, ...unsigned } = node;
  assert.equal(parseConstitution({ ...json(), nodes: [unsigned] }).nodes.length, 1);
  const wrong: [Record<string, unknown>, string][] = [
    [{ nodeId: '00'.repeat(32) }, 'nodes[0].nodeId'],
    [{ actorId: organisation('zoe').actorId }, 'nodes[0].actorId'],
    [{ actorId: organisation('bob').actorId }, 'nodes[0].signature'],
    [{ status: 'retired' }, 'nodes[0].retired'],
    [{ retired: 'departed' }, 'nodes[0].retired'],
    [{ address: 'nowhere' }, 'nodes[0].address'],
    [{ address: 'host:65536' }, 'nodes[0].address'],
    [{ address: 'host:0' }, 'nodes[0].address'],
    [{ certificate: 'x' }, 'nodes[0].certificate'],
    [{ replaces: 'x' }, 'nodes[0].replaces'],
  ];
  for (const [overrides, path] of wrong) {
    assert.equal(refusal({ ...json(), nodes: [{ ...node, ...overrides }] }).details.path, path);
  }
  const other = machine(organisation('bob'), 2, tuple.address);
  const twin = { ...other.tuple, nodeId: other.nodeId, status: 'trusted' };
  assert.equal(refusal({ ...json(), nodes: [node, twin] }).code, 'ADDRESS_TAKEN');
});

test('addresses are names, IPv4 or bracketed IPv6 addresses with a port', () => {
  const { tuple, nodeId } = machine(organisation('ada'), 1);
  for (const adminAddress of ['node-1.example.org:1', '127.0.0.1:65535', '[::1]:8080']) {
    const node = { ...tuple, adminAddress, nodeId, status: 'trusted' };
    assert.equal(parseConstitution({ ...json(), nodes: [node] }).nodes.length, 1);
  }
});

test('the configuration of an adapter is kept as any JSON, but not nested without end', () => {
  const config = { chains: [{ id: 1, __proto__x: null }], 'ключ 🔑': [true, 1.5] };
  const constitution = parseConstitution({ ...json(), adapters: { ethereum: config } });
  assert.deepEqual(constitution.adapters, { ethereum: config });
  const network = new Network(['ada'], { adapters: { ethereum: config } });
  assert.deepEqual(network.constitution.adapters, { ethereum: config });
  let deep: unknown = 1;
  for (let i = 0; i < 20_000; i++) deep = [deep];
  assert.equal(refusal({ ...json(), adapters: { ethereum: deep } }).code, 'INVALID_JSON');
});

test('canonical JSON is RFC 8785: sorted by UTF-16 units, shortest numbers, no space', () => {
  // RFC 8785, section 3.2.3.
  const sample = {
    '\u20ac': 'Euro Sign',
    '\r': 'Carriage Return',
    '\ufb33': 'Hebrew Letter Dalet With Dagesh',
    '1': 'One',
    '\ud83d\ude00': 'Emoji: Grinning Face',
    '\u0080': 'Control',
    '\u00f6': 'Latin Small Letter O With Diaeresis',
  };
  const values = Object.values(JSON.parse(canonicalJson(sample)));
  assert.equal(values[0], 'One');
  const order = ['\\r', '1', '\u0080', '\u00f6', '\u20ac', '\ud83d\ude00', '\ufb33'];
  const positions = order.map((name) => canonicalJson(sample).indexOf(`"${name}":`));
  assert.deepEqual(
    positions,
    [...positions].sort((a, b) => a - b),
  );
  // RFC 8785, appendix B.
  const numbers = [
    0, -0, 5e-324, 1e23, 999999999999999900000, 1e21, 9.999999999999997e-7, 333333333.3333332,
  ];
  assert.equal(
    canonicalJson(numbers),
    '[0,0,5e-324,1e+23,999999999999999900000,1e+21,9.999999999999997e-7,333333333.3333332]',
  );
  assert.equal(
    canonicalJson({ b: undefined, a: '€$\u000f\nA\'B"\\' }),
    '{"a":"€$\\u000f\\nA\'B\\"\\\\"}',
  );
});

test('what JSON cannot say is refused', () => {
  for (const value of [undefined, Number.NaN, Number.POSITIVE_INFINITY, 1n, () => 1, Symbol('x')]) {
    assert.throws(() => canonicalJson([value]), { code: 'INVALID_JSON' });
  }
});

test('the identity of a network depends on its genesis and its certificate', () => {
  const one = parseConstitution(json());
  const two = parseConstitution({ ...json(), actors: actors.slice(1) });
  const [a, b] = [organisation('ada').der, organisation('bob').der];
  const ids = [networkIdOf(one, a), networkIdOf(two, a), networkIdOf(one, b)];
  assert.equal(new Set(ids).size, 3);
  assert.equal(networkIdOf(parseConstitution(json()), a), ids[0]);
  assert.notEqual(constitutionDigest(one), constitutionDigest(two));
});

test('a policy with its default is no part of the digest, whether it was written down or not', () => {
  const plain = parseConstitution({ ...json(), policies: {} });
  const spelled = parseConstitution({ ...json(), policies: { ...plain.policies } });
  assert.equal(constitutionDigest(spelled), constitutionDigest(plain));
  const changed = parseConstitution({ ...json(), policies: { maxBatchTransactions: 7 } });
  assert.notEqual(constitutionDigest(changed), constitutionDigest(plain));
  const text = utf8(canonicalJson({ ...plain, policies: {} }));
  assert.equal(constitutionDigest(plain), toHex(sha256(text)), 'no default is in it');
});
