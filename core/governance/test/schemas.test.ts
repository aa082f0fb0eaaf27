import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  actionNames,
  canonicalJson,
  constitutionSchema,
  GovernanceError,
  parseConstitution,
  proposalSchema,
} from '@concordat/governance';
import { toBase64 } from '@concordat/std';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { readActions } from '../actions.ts';
import { revocationList } from './identities.ts';
import {
  actorArgs,
  genesisJson,
  jwkOf,
  machine,
  measurement,
  Network,
  organisation,
} from './network.ts';

const ajv = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false });
const isProposal = ajv.compile(proposalSchema);
const isConstitution = ajv.compile(constitutionSchema);

for (const [name, schema] of [
  ['constitution', constitutionSchema],
  ['proposal', proposalSchema],
] as const) {
  test(`docs/format/${name}.schema.json is current`, () => {
    const page = new URL(`../../../docs/format/${name}.schema.json`, import.meta.url);
    const published = JSON.parse(readFileSync(page, 'utf8'));
    assert.deepEqual(
      published,
      JSON.parse(JSON.stringify(schema)),
      'node scripts/write-schemas.ts',
    );
  });
}

const ada = organisation('ada');
const bob = organisation('bob');
const node = machine(bob, 1);
const rule = {
  name: 'nodes',
  member: ada.actorId,
  kinds: ['add_node', 'add_code', 'set_policy'],
  proposers: [bob.actorId],
  ownNodes: true,
  maxNodes: 3,
  code: { name: 'manager', version: '1' },
  acceptedTee: true,
  policies: { durability: { oneOf: ['fsync'] }, maxBatchDelayMs: { min: 1, max: 9 } },
};
const subset = {
  kind: 'subset',
  members: [ada.actorId],
  role: 'bank',
  policy: {
    kind: 'any-of',
    policies: [{ kind: 'unanimous' }, { kind: 'percentage', percent: 40 }],
  },
};
const policy = {
  kind: 'all-of',
  policies: [{ kind: 'm-of-n', m: 1 }, { kind: 'majority' }, subset],
};
const jwks = { keys: [{ ...jwkOf(3), kid: 'k', issuer: 'https://a.example' }] };
const system = {
  name: 'rates',
  origin: 'https://rates.example:443',
  adapters: ['javascript'],
  certificates: [ada.pem],
  timeoutMs: 900,
};

/** Arguments with everything there may be in them. */
const args: Readonly<Record<(typeof actionNames)[number], Record<string, unknown>>> = {
  add_actor: { ...actorArgs('cyd'), roles: ['auditor'] },
  remove_actor: { actorId: bob.actorId },
  set_actor_roles: { actorId: bob.actorId, roles: ['auditor'] },
  set_actor_kind: { actorId: bob.actorId, kind: ['member', 'participant'] },
  add_actor_certificate: {
    actorId: bob.actorId,
    certificate: bob.pem,
    earlierUntilSeconds: 1_800_000_000,
  },
  remove_actor_certificate: { actorId: ada.actorId, fingerprint: 'ab'.repeat(32) },
  set_revocation_list: { actorId: ada.actorId, list: toBase64(revocationList('ada', 7n)) },
  remove_revocation_list: { issuer: 'ab'.repeat(32) },
  add_node: { ...node.tuple, measurement, platform: 'virtual' },
  remove_node: { nodeId: node.nodeId },
  add_code: { measurement, role: 'worker', name: 'w', version: '1', adapters: ['ethereum'] },
  remove_code: { measurement },
  add_tee: { platform: 'sev-snp', rank: 100 },
  remove_tee: { platform: 'virtual' },
  set_voting_policy: { kind: 'add_node', policy },
  remove_voting_policy: { kind: 'remove_tee' },
  set_automation_rule: rule,
  remove_automation_rule: { name: 'nodes' },
  set_policy: { name: 'snapshotBlocks', value: 0 },
  remove_policy: { name: 'maxBatchDelayMs' },
  grant_audit: { auditor: 'Audit Ltd', encryptionKey: node.tuple.encryptionKey, epochs: [2, 3] },
  revoke_audit: { auditor: 'Audit Ltd' },
  begin_epoch: {},
  set_application: { adapter: 'other', digest: measurement, bytes: 5 },
  remove_application: { adapter: 'running' },
  set_jwt_issuer: { issuer: 'https://a.example', auto_refresh: false, jwks },
  set_jwt_public_signing_keys: { issuer: 'https://a.example', jwks },
  remove_jwt_issuer: { issuer: 'https://a.example' },
  set_external_system: system,
  remove_external_system: { name: 'rates' },
  open_network: {},
};

const constitution = genesisJson(['ada', 'bob'], {
  actors: [{ ...actorArgs('ada'), roles: ['bank'] }, actorArgs('bob')],
  nodes: [{ ...node.tuple, nodeId: node.nodeId, status: 'admitted' }],
  codeManifest: [args.add_code],
  votingPolicies: { default: policy, add_node: { kind: 'majority' } },
  automationRules: [rule],
  policies: {
    keyThreshold: 2,
    replicationQuorum: 'majority',
    epochBlocks: 10,
    durability: 'fsync',
  },
  adapters: { ethereum: { chainId: 7 } },
  externalSystems: [system],
});

/** Values that some reader or other must refuse in every place. */
const values = [
  null,
  true,
  false,
  -1,
  0,
  1,
  5,
  1.5,
  1e300,
  '',
  'x',
  'add_node',
  'majority',
  '\u0000',
  'x'.repeat(20_000),
  [],
  [[]],
  {},
  { kind: 'majority' },
];

/** Every document that differs in one place: another value there, none, or one more beside it. */
function* mutants(value: unknown): Generator<unknown> {
  yield* values;
  if (Array.isArray(value)) {
    yield [...value, ...value];
    for (const [i, item] of value.entries()) {
      for (const other of mutants(item)) yield value.with(i, other);
    }
  } else if (typeof value === 'object' && value !== null) {
    const record = value as Readonly<Record<string, unknown>>;
    yield { ...record, extra: 1 };
    for (const name of Object.keys(record)) {
      const { [name]: _, ...without } = record;
      yield without;
      for (const other of mutants(record[name])) yield { ...record, [name]: other };
    }
  }
}

/** What a schema cannot tell: why readers refuse what it lets through. */
const beyond = [
  /must be (an X\.509 certificate|exactly one PEM|a P-256|an uncompressed|a revocation list)/,
  /must be (https:\/\/host:port|host:port|above the one before|that of)/,
  /is (listed twice|taken by|no member|not in the membership|not that of|below min|longer than)/,
  /has the key of|names (no member|an? \w+ twice|a member twice)|is made of more than/,
  /is not a key that tokens|is of another host|must be lowercase hex|must be the hex DER/,
  /could not be met if all|who is no member|quorum|keyThreshold|two nodes have the address/,
  /x509|certificate|revocation|^actions\[0\]\.args\.list: DER/i,
];

function compare(
  document: unknown,
  isValid: (document: unknown) => boolean,
  read: (d: unknown) => unknown,
) {
  let refusal: unknown;
  try {
    read(document);
  } catch (error) {
    refusal = error;
  }
  const json = JSON.parse(JSON.stringify({ document })) as { document?: unknown };
  const valid = isValid(json.document);
  if (refusal === undefined) {
    assert.ok(valid, `the readers accept what the schema refuses: ${JSON.stringify(document)}`);
    return 'accepted';
  }
  assert.ok(refusal instanceof GovernanceError, String(refusal));
  if (!valid) return 'refused';
  const { message } = refusal;
  const told = `${message}: the schema lets it through: ${JSON.stringify(document)}`;
  assert.ok(
    beyond.some((pattern) => pattern.test(message)),
    told.slice(0, 2_000),
  );
  return 'beyond';
}

test('a schema of proposals says what the readers of actions say', () => {
  const counts = { accepted: 0, refused: 0, beyond: 0 };
  for (const name of actionNames) {
    const whole = { actions: [{ name, args: args[name] }] };
    assert.equal(compare(whole, isProposal, readActions), 'accepted', name);
    for (const document of mutants(whole)) counts[compare(document, isProposal, readActions)]++;
  }
  assert.ok(counts.refused > 2_000 && counts.beyond < counts.refused / 10, JSON.stringify(counts));
});

test('a schema of constitutions says what their reader says', () => {
  const counts = { accepted: 0, refused: 0, beyond: 0 };
  assert.equal(compare(constitution, isConstitution, parseConstitution), 'accepted');
  for (const document of mutants(constitution)) {
    // The reader takes a text for JSON.
    if (typeof document === 'string') continue;
    counts[compare(document, isConstitution, parseConstitution)]++;
  }
  assert.ok(counts.refused > 1_000 && counts.beyond < counts.refused / 5, JSON.stringify(counts));
});

test('the constitution of a network that lived is valid, with all that votes may bring', () => {
  const network = new Network(['ada', 'bob']);
  network.trust(['ada', 'bob'], machine(ada, 4));
  const passed = ['set_actor_roles', 'add_actor', 'set_jwt_issuer', 'set_external_system'] as const;
  for (const name of passed) network.pass(['ada', 'bob'], { name, args: args[name] });
  network.deploy(['ada', 'bob'], 'running', new Uint8Array(5));
  network.pass(['ada', 'bob'], { name: 'set_automation_rule', args: rule });
  const written: unknown = JSON.parse(canonicalJson(network.constitution));
  assert.ok(isConstitution(written), ajv.errorsText(isConstitution.errors));
});
