import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type ActionName,
  actionNames,
  canonicalJson,
  GovernanceError,
  parseConstitution,
} from '@concordat/governance';
import { applyActions, readActions } from '../actions.ts';
import {
  action,
  actorArgs,
  genesisJson,
  machine,
  measurement,
  Network,
  organisation,
} from './network.ts';

const ada = organisation('ada').actorId;
const policy = {
  kind: 'all-of',
  policies: [
    { kind: 'majority' },
    { kind: 'subset', members: [ada], policy: { kind: 'percentage', percent: 40 } },
  ],
};
const rule = {
  name: 'nodes',
  member: ada,
  kinds: ['add_node', 'set_policy'],
  proposers: [ada],
  code: { name: 'manager' },
  policies: { durability: { oneOf: ['fsync'] }, maxBatchDelayMs: { min: 1, max: 9 } },
};

/** Arguments that nest, and some that do not. */
const seeds: readonly { readonly name: ActionName; readonly args: Record<string, unknown> }[] = [
  action('add_actor', { ...actorArgs('cyd'), roles: ['auditor'] }),
  action('add_node', { ...machine(organisation('ada'), 1).tuple, measurement }),
  action('add_code', { measurement: '11'.repeat(32), role: 'worker', name: 'w', version: '1' }),
  action('set_voting_policy', { kind: 'add_node', policy }),
  action('set_automation_rule', rule),
  action('set_policy', { name: 'snapshotBlocks', value: 10 }),
  action('set_actor_roles', { actorId: ada, roles: ['bank'] }),
  action('set_external_system', {
    name: 'rates',
    origin: 'https://rates.example:443',
    adapters: ['javascript'],
  }),
  action('set_jwt_issuer', { issuer: 'https://a.example', jwks: { keys: [{ kid: 'k' }] } }),
  action('grant_audit', { auditor: 'A', encryptionKey: '04', epochs: [1, 2] }),
];

const hostileKeys = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'kind',
  'members',
  '',
];
const hostileValues = [
  '1',
  '2',
  '[]',
  '"bank"',
  '1e999',
  '-0',
  '9007199254740993',
  '1e-7',
  'null',
  '{"__proto__":{"kind":"unanimous"}}',
  '{"__proto__":null,"kind":"majority"}',
  '{"length":3,"0":"a"}',
  '{"toJSON":1,"valueOf":2,"kind":"m-of-n","m":1}',
  '"__proto__"',
  '"\\ud800"',
  '"\\u202eevil"',
  `"${'A'.repeat(5_000)}"`,
  `${'['.repeat(500)}${']'.repeat(500)}`,
  `${'{"policy":'.repeat(300)}1${'}'.repeat(300)}`,
  `[${new Array(11_000).fill('0').join(',')}]`,
  `{${Array.from({ length: 3_000 }, (_, i) => `"k${i}":0`).join(',')}}`,
];

/** Whole numbers below a bound, the same ones for a seed. */
function numbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** The text of a document with one to three of its keys or values replaced by hostile ones. */
function spoiled(document: unknown, below: (bound: number) => number): string {
  let text = JSON.stringify(document);
  for (let times = 1 + below(3); times > 0; times--) {
    const tokens = [...text.matchAll(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g)].slice(
      0,
      200,
    );
    const token = tokens[below(tokens.length)];
    if (!token) break;
    const isKey = text[token.index + token[0].length] === ':';
    const key = JSON.stringify(hostileKeys[below(hostileKeys.length)]);
    const value = String(hostileValues[below(hostileValues.length)]);
    text =
      text.slice(0, token.index) +
      (isKey ? key : value) +
      text.slice(token.index + token[0].length);
  }
  return text;
}

test('hostile JSON in a proposal is refused by a code, or does what lawful JSON could do', () => {
  const below = numbers(11);
  const network = new Network(['ada', 'bob']);
  const before = network.dump();
  const counts = { accepted: 0, refused: 0 };
  for (let round = 0; round < 6_000; round++) {
    const seed = seeds[below(seeds.length)];
    const payload: unknown = JSON.parse(spoiled({ actions: [seed] }, below));
    const mark = network.set.checkpoint();
    try {
      applyActions(network.set, readActions(payload));
      counts.accepted++;
      const { constitution } = network;
      assert.deepEqual(parseConstitution(JSON.parse(canonicalJson(constitution))), constitution);
    } catch (error) {
      assert.ok(error instanceof GovernanceError, `${error}: ${JSON.stringify(payload)}`);
      counts.refused++;
    }
    network.set.revert(mark);
  }
  assert.equal(network.dump(), before);
  assert.ok(counts.refused > 3_000 && counts.accepted > 20, JSON.stringify(counts));
  assert.equal(({} as { kind?: unknown }).kind, undefined, 'nothing was written to prototypes');
});

test('hostile JSON in a constitution is refused by a code, or parses to itself', () => {
  const below = numbers(12);
  const whole = genesisJson(['ada', 'bob'], {
    votingPolicies: { default: policy, add_node: { kind: 'majority' } },
    automationRules: [rule],
    adapters: { ethereum: { chains: [{ name: 'main' }] } },
    policies: { keyThreshold: 2, epochBlocks: 10 },
  });
  let accepted = 0;
  for (let round = 0; round < 2_000; round++) {
    const text = spoiled(whole, below);
    try {
      const constitution = parseConstitution(text);
      assert.deepEqual(parseConstitution(canonicalJson(constitution)), constitution);
      accepted++;
    } catch (error) {
      assert.ok(error instanceof GovernanceError, `${error}: ${text.slice(0, 2_000)}`);
    }
  }
  assert.ok(accepted > 5, `${accepted} accepted`);
});

test('every action takes an object: a text, a number, a list or null in its place is refused', () => {
  for (const name of actionNames) {
    for (const args of ['x', 1, [], null, true, [{}]]) {
      assert.throws(() => readActions({ actions: [{ name, args }] }), { code: 'INVALID_ACTION' });
    }
  }
});
