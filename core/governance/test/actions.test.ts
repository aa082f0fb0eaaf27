import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createEncryptionKey, issueCertificate, toPem } from '@concordat/crypto';
import {
  type ActionName,
  actionNames,
  auditGrantOf,
  constitutionTerms,
  governanceErrorCodes,
  markRestored,
  maxActions,
  parseConstitution,
  previewActions,
  programDigest,
  recoveryStage,
  writeRecoveredFrom,
} from '@concordat/governance';
import { toBase64, toHex } from '@concordat/std';
import { issuerId, renewed, revocationList } from './identities.ts';
import {
  action,
  actorArgs,
  formerNetwork,
  jwkOf,
  machine,
  measurement,
  Network,
  noon,
  organisation,
  program,
  seed,
  validFromMs,
  validToMs,
} from './network.ts';

test('every refusal code is in the catalogue of errors', () => {
  const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8');
  for (const code of governanceErrorCodes) assert.ok(page.includes(`| \`${code}\` |`), code);
});

test('every refusal code is met by a test of this room', () => {
  const sources = readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => readFileSync(new URL(`./${name}`, import.meta.url), 'utf8'));
  for (const code of governanceErrorCodes) {
    assert.ok(
      sources.some((source) => source.includes(`'${code}'`)),
      code,
    );
  }
});

const auditorKey = toHex(createEncryptionKey(seed(77)).publicKey);

const jwks = { keys: [{ ...jwkOf(3), kid: 'k' }] };

const valid: Readonly<Record<ActionName, Record<string, unknown>>> = {
  add_actor: { ...actorArgs('cyd'), roles: ['auditor'] },
  remove_actor: { actorId: organisation('bob').actorId },
  set_actor_roles: { actorId: organisation('bob').actorId, roles: ['auditor'] },
  set_actor_kind: { actorId: organisation('bob').actorId, kind: ['member', 'participant'] },
  add_actor_certificate: {
    actorId: organisation('bob').actorId,
    certificate: renewed('bob', 2).pem,
    earlierUntilSeconds: noon + 1000,
  },
  remove_actor_certificate: {
    actorId: organisation('ada').actorId,
    fingerprint: renewed('ada', 3).fingerprint,
  },
  set_revocation_list: {
    actorId: organisation('ada').actorId,
    list: toBase64(revocationList('ada', 7n)),
  },
  remove_revocation_list: { issuer: issuerId('bob') },
  add_node: machine(organisation('ada'), 9).tuple,
  remove_node: { nodeId: machine(organisation('ada'), 1).nodeId },
  add_code: { measurement: '11'.repeat(32), role: 'worker', name: 'worker', version: '1' },
  remove_code: { measurement },
  add_tee: { platform: 'sev-snp', rank: 100 },
  remove_tee: { platform: 'virtual' },
  set_voting_policy: { kind: 'add_node', policy: { kind: 'm-of-n', m: 2 } },
  remove_voting_policy: { kind: 'remove_tee' },
  set_automation_rule: {
    name: 'nodes',
    member: organisation('bob').actorId,
    kinds: ['add_node'],
    maxNodes: 3,
  },
  remove_automation_rule: { name: 'old-rule' },
  set_policy: { name: 'durability', value: 'memory' },
  remove_policy: { name: 'maxBatchDelayMs' },
  grant_audit: { auditor: 'Audit Ltd', encryptionKey: auditorKey, epochs: [2, 3] },
  revoke_audit: { auditor: 'Old auditor' },
  begin_epoch: {},
  set_application: { adapter: 'other', digest: programDigest(program), bytes: program.length },
  remove_application: { adapter: 'running' },
  set_jwt_issuer: { issuer: 'https://new.example' },
  set_jwt_public_signing_keys: { issuer: 'https://old.example', jwks },
  remove_jwt_issuer: { issuer: 'https://old.example' },
  set_external_system: {
    name: 'rates',
    origin: 'https://rates.example:443',
    adapters: ['javascript'],
  },
  remove_external_system: { name: 'old' },
  open_network: {},
};

function prepared(): Network {
  const network = new Network(['ada', 'bob'], {
    policies: { maxBatchDelayMs: 7 },
    votingPolicies: { default: { kind: 'm-of-n', m: 1 }, remove_tee: { kind: 'majority' } },
    automationRules: [
      { name: 'old-rule', member: organisation('ada').actorId, kinds: ['remove_tee'] },
    ],
  });
  for (const number of [1, 2]) network.trust(['ada', 'bob'], machine(organisation('ada'), number));
  const old = { auditor: 'Old auditor', encryptionKey: auditorKey, epochs: [1] };
  network.pass(['ada'], action('grant_audit', old));
  network.pass(['ada'], action('set_jwt_issuer', { issuer: 'https://old.example' }));
  const system = { name: 'old', origin: 'https://old.example:443', adapters: ['javascript'] };
  network.pass(['ada'], action('set_external_system', system));
  const later = { actorId: organisation('ada').actorId, certificate: renewed('ada', 3).pem };
  network.pass(['ada'], action('add_actor_certificate', later));
  const list = toBase64(revocationList('bob', 1n));
  const { actorId } = organisation('bob');
  network.pass(['ada'], action('set_revocation_list', { actorId, list }));
  network.deploy(['ada'], 'running', program);
  writeRecoveredFrom(network.set, formerNetwork);
  markRestored(network.set, { formerBlocks: 3, transactions: 5 });
  return network;
}

/** The constitution, and what auditors may read. */
const lawOf = ({ constitution, set }: Network): string =>
  JSON.stringify([
    constitution,
    auditGrantOf(set, 'Audit Ltd'),
    auditGrantOf(set, 'Old auditor'),
    recoveryStage(set),
  ]);

test('every action in its valid form is accepted and changes the constitution, a grant or a recovery', () => {
  for (const name of actionNames) {
    const network = prepared();
    const before = lawOf(network);
    const { effects } = network.pass(['ada', 'bob'], action(name, valid[name]));
    assert.equal(effects.length, 1, name);
    // That an epoch begins is for the leader to do.
    assert.equal(lawOf(network) === before, name === 'begin_epoch', name);
  }
});

test('what a vote makes of the constitution is foreseen, and survives being written down', () => {
  for (const name of actionNames) {
    const network = prepared();
    const change = action(name, valid[name]);
    const preview = previewActions(network.constitution, [change]);
    network.pass(['ada', 'bob'], change);
    assert.ok(preview.ok, `${name}: ${JSON.stringify(preview)}`);
    assert.deepEqual(preview.constitution, network.constitution, name);
    const copy = parseConstitution(JSON.stringify(network.constitution));
    assert.deepEqual(copy, network.constitution, name);
    assert.equal(constitutionTerms(copy), constitutionTerms(network.constitution), name);
  }
});

const optional = ['roles', 'earlierUntilSeconds', 'maxNodes'];

test('arguments missing, added or of a wrong type are refused with their path', () => {
  const network = prepared();
  for (const name of actionNames) {
    const args = valid[name];
    const bad: Record<string, unknown>[] = [{ ...args, extra: 1 }];
    for (const property of Object.keys(args)) {
      const { [property]: _, ...missing } = args;
      if (!optional.includes(property)) bad.push(missing);
      for (const value of [null, {}, [[]], true, -1, '\u0000', 'x'.repeat(20_000)]) {
        bad.push({ ...args, [property]: value });
      }
    }
    for (const args of bad) {
      const before = network.dump();
      assert.throws(
        () => network.propose('ada', action(name, args)),
        (error: { code?: string; details?: { path?: string } }) => {
          const codes = [
            'INVALID_ACTION',
            'UNSUPPORTED_POLICY',
            'BAD_NODE_SIGNATURE',
            'INVALID_REVOCATION_LIST',
          ];
          assert.ok(codes.includes(error.code ?? ''), `${name} ${JSON.stringify(args)}: ${error}`);
          if (error.code === 'INVALID_ACTION') {
            assert.match(error.details?.path ?? '', /^actions\[0\]\.args/);
          }
          return true;
        },
      );
      assert.equal(network.dump(), before);
    }
  }
});

test('a payload that is no list of known actions is refused', () => {
  const network = prepared();
  const many = Array.from({ length: maxActions + 1 }, () => action('set_policy', valid.set_policy));
  network.refuses('INVALID_ACTION', () => network.propose('ada'));
  network.refuses('INVALID_ACTION', () => network.propose('ada', ...many));
  for (const name of ['seize_power', 'toString', '__proto__']) {
    network.refuses('INVALID_ACTION', () => network.propose('ada', action(name as ActionName, {})));
  }
  const more = { ...action('set_policy', valid.set_policy), more: 1 };
  network.refuses('INVALID_ACTION', () => network.propose('ada', more));
});

test('one key is one actor: no second certificate, name or entry for it', () => {
  const network = prepared();
  const { key } = organisation('ada');
  const again = issueCertificate({
    subject: { commonName: 'another name' },
    publicKeySpki: key.publicKeySpki,
    issuer: { key },
    serial: Uint8Array.of(9),
    notBeforeMs: validFromMs,
    notAfterMs: validToMs,
    isCa: true,
    usages: ['keyCertSign'],
  });
  const twins = [
    actorArgs('ada'),
    { ...actorArgs('cyd'), name: 'ada' },
    { kind: ['member'], name: 'ada again', certificate: toPem(again) },
  ];
  for (const args of twins) {
    network.refuses('ACTOR_EXISTS', () => network.propose('ada', action('add_actor', args)));
  }
});

test('an actor is added with exactly one readable certificate', () => {
  const network = prepared();
  const { pem } = organisation('cyd');
  for (const certificate of ['', 'x', pem + pem, pem.slice(0, -60), pem.replace('MII', 'MIJ')]) {
    const args = { ...actorArgs('cyd'), certificate };
    const refusal = network.refuses('INVALID_ACTION', () =>
      network.propose('ada', action('add_actor', args)),
    );
    assert.equal(refusal.details.path, 'actions[0].args.certificate');
  }
});

test('what exists is not added again, what does not is not removed', () => {
  const network = prepared();
  const propose = (name: ActionName, args: Record<string, unknown>) => () =>
    network.propose('ada', action(name, args));
  const gone = 'ff'.repeat(32);
  network.refuses('ACTOR_NOT_FOUND', propose('remove_actor', { actorId: gone }));
  network.refuses('NODE_NOT_FOUND', propose('remove_node', { nodeId: gone }));
  network.refuses('NODE_EXISTS', propose('add_node', machine(organisation('ada'), 1).tuple));
  network.refuses('CODE_EXISTS', propose('add_code', { ...valid.add_code, measurement }));
  network.refuses('CODE_NOT_FOUND', propose('remove_code', { measurement: gone }));
  network.refuses('TEE_EXISTS', propose('add_tee', { platform: 'virtual', rank: 1 }));
  network.refuses('TEE_NOT_FOUND', propose('remove_tee', { platform: 'tdx' }));
  network.refuses('POLICY_NOT_SET', propose('remove_policy', { name: 'rejoin' }));
  network.refuses('POLICY_NOT_SET', propose('remove_voting_policy', { kind: 'add_code' }));
});

test('a removed node never comes back under its old key', () => {
  const network = prepared();
  const { nodeId, tuple } = machine(organisation('ada'), 1);
  network.pass(['ada'], action('remove_node', { nodeId }));
  network.refuses('NODE_NOT_FOUND', () =>
    network.propose('ada', action('remove_node', { nodeId })),
  );
  network.refuses('NODE_EXISTS', () => network.propose('ada', action('add_node', tuple)));
});

test('two present nodes have two addresses, unless one goes in the same proposal', () => {
  const network = prepared();
  const { nodeId, tuple } = machine(organisation('ada'), 1);
  const next = machine(organisation('bob'), 30, tuple.address);
  const add = action('add_node', next.tuple);
  network.refuses('ADDRESS_TAKEN', () => network.propose('ada', add));
  network.pass(['ada'], action('remove_node', { nodeId }), add);
});

test('the default voting policy is replaced, never removed, and stays within the members', () => {
  const network = prepared();
  network.refuses('INVALID_ACTION', () =>
    network.propose('ada', action('remove_voting_policy', { kind: 'default' })),
  );
  for (const kind of ['default', 'add_actor']) {
    const args = { kind, policy: { kind: 'm-of-n', m: 3 } };
    network.refuses('UNSATISFIABLE_VOTING_POLICY', () =>
      network.propose('ada', action('set_voting_policy', args)),
    );
  }
  for (const policy of [{ kind: 'm-of-n', m: 0 }, { kind: 'm-of-n' }, { kind: 'majority', m: 1 }]) {
    network.refuses('INVALID_ACTION', () =>
      network.propose('ada', action('set_voting_policy', { kind: 'default', policy })),
    );
  }
});

test('policies out of bounds or against each other are refused', () => {
  const network = prepared();
  const set = (name: string, value: unknown) => action('set_policy', { name, value });
  network.refuses('INVALID_ACTION', () => network.propose('ada', set('maxBatchTransactions', 0)));
  network.refuses('INVALID_ACTION', () => network.propose('ada', set('maxBatchDelayMs', 1.5)));
  network.refuses('INVALID_ACTION', () => network.propose('ada', set('durability', 'none')));
  network.refuses('INVALID_POLICY', () => network.propose('ada', set('heartbeatMs', 400)));
  network.pass(['ada'], set('heartbeatMs', 400), set('electionTimeoutMs', 1200));
});

test('a node key that is no point of the curve is refused', () => {
  const network = prepared();
  const { tuple } = machine(organisation('ada'), 9);
  const encryptionKey = `04${'00'.repeat(64)}`;
  const args = { ...tuple, encryptionKey };
  network.refuses('INVALID_ACTION', () => network.propose('ada', action('add_node', args)));
  const publicKey = `${tuple.publicKey.slice(0, 52)}04${'00'.repeat(64)}`;
  const other = { ...tuple, publicKey };
  network.refuses('INVALID_ACTION', () => network.propose('ada', action('add_node', other)));
});
