import { maxProgramBytes } from './applications.ts';
import { maxAutomationRules } from './automation-rule.ts';
import { automationRuleSchema } from './automation-rule-schema.ts';
import { externalSystemLimits, maxExternalSystems } from './external-systems.ts';
import {
  choiceSchema,
  endpointSchema,
  hexSchema,
  identifierSchema,
  integerSchema,
  type JsonSchema,
  listSchema,
  nameSchema,
  objectSchema,
  schemaDialect,
  textSchema,
} from './json-schema.ts';
import { maxJwtIssuers, maxJwtKeys } from './jwt-issuers.ts';
import { defaultPolicy, policyNames, policySchemaOf } from './policies.ts';
import { votingPolicyKinds } from './voting-policy.ts';
import { votingPolicyDefinitions, votingPolicySchema } from './voting-policy-schema.ts';

const certificate = textSchema(16_384);
const second = integerSchema(1, 253_402_300_799);

/** What `add_actor` gives. */
export const actorSchemas = {
  kind: listSchema(choiceSchema('member', 'participant'), 2, 1),
  name: nameSchema,
  certificate,
  roles: listSchema(identifierSchema(), 32),
} as const satisfies Readonly<Record<string, JsonSchema>>;

const { roles, ...actor } = actorSchemas;

const listedActor: JsonSchema = {
  ...objectSchema(actor, {
    roles,
    actorId: hexSchema(32),
    earlier: listSchema(objectSchema({ certificate }, { untilSeconds: second }), 3),
    revision: integerSchema(1, 1_000_000_000),
  }),
  dependentRequired: { earlier: ['revision'], revision: ['actorId'] },
};

/** What `add_node` needs. */
export const nodeSchemas = {
  actorId: hexSchema(32),
  name: nameSchema,
  address: endpointSchema,
  adminAddress: endpointSchema,
  applicationAddresses: listSchema(endpointSchema, 16),
  publicKey: hexSchema(91),
  encryptionKey: hexSchema(65),
} as const satisfies Readonly<Record<string, JsonSchema>>;

/** What `add_node` may say beside. */
export const nodeEvidenceSchemas = {
  measurement: hexSchema(32),
  platform: identifierSchema(),
} as const satisfies Readonly<Record<string, JsonSchema>>;

const listedNode: JsonSchema = {
  ...objectSchema(
    {
      ...nodeSchemas,
      nodeId: hexSchema(32),
      status: choiceSchema('admitted', 'learning', 'trusted', 'retired'),
    },
    {
      ...nodeEvidenceSchemas,
      signature: textSchema(200),
      platformKey: hexSchema(32),
      certificate,
      replaces: hexSchema(32),
      retired: choiceSchema('removed', 'replaced', 'departed'),
    },
  ),
  if: { properties: { status: { const: 'retired' } } },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: { required: ['retired'] },
  else: { not: { required: ['retired'] } },
};

/** An entry of the code manifest. */
export const codeSchema: JsonSchema = {
  ...objectSchema(
    {
      measurement: hexSchema(32),
      role: choiceSchema('manager', 'worker'),
      name: nameSchema,
      version: nameSchema,
    },
    { adapters: listSchema(identifierSchema(), 32) },
  ),
  if: { required: ['adapters'] },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: { properties: { role: { const: 'worker' } } },
};

/** An entry of the TEE manifest. */
export const teeSchema = objectSchema({
  platform: identifierSchema(),
  rank: integerSchema(0, 1000),
});

/** Id of an adapter. */
export const adapterSchema = identifierSchema(32);

/** An application in force. */
export const applicationSchema = objectSchema({
  adapter: adapterSchema,
  digest: hexSchema(32),
  bytes: integerSchema(1, maxProgramBytes),
});

/** The name of an issuer of tokens. */
export const issuerSchema: JsonSchema = { type: 'string', pattern: '^[\\x21-\\x7e]{1,512}$' };

const jwtIssuer = objectSchema({
  issuer: issuerSchema,
  keys: listSchema(
    objectSchema({
      kid: textSchema(256, 1),
      key: { type: 'string', pattern: '^(?:[0-9a-f]{2})+$', maxLength: 4_096 },
      constraint: issuerSchema,
    }),
    maxJwtKeys,
  ),
});

/** A revocation list: PEM, or base64 of its DER. */
export const revocationListSchema = textSchema(92_000, 1);

const revocationList = objectSchema(
  {
    issuer: hexSchema(32),
    actorId: hexSchema(32),
    authority: textSchema(1_024),
    list: revocationListSchema,
  },
  { number: {}, thisUpdateMs: {}, nextUpdateMs: {}, revoked: {} },
);

const limitSchemas = Object.fromEntries(
  Object.entries(externalSystemLimits).map(([name, { min, max, usual }]) => [
    name,
    { ...integerSchema(min, max), default: usual },
  ]),
);

/** A system that applications may call. */
export const externalSystemSchema = objectSchema(
  {
    name: identifierSchema(),
    origin: {
      type: 'string',
      pattern:
        '^https:\\/\\/(?:\\[[0-9a-f:.]{2,45}\\]|[a-z0-9](?:[a-z0-9.\\-]{0,251}[a-z0-9])?)(?::[1-9]\\d{0,4})?$',
      maxLength: 300,
    },
    adapters: listSchema(adapterSchema, 16, 1),
  },
  { certificates: listSchema(certificate, 4), ...limitSchemas },
);

const policies = objectSchema(
  {},
  Object.fromEntries(
    policyNames.map((name) => [name, { ...policySchemaOf(name), default: defaultPolicy(name) }]),
  ),
);

const votingPolicies = objectSchema(
  { default: votingPolicySchema },
  Object.fromEntries(votingPolicyKinds.slice(1).map((kind) => [kind, votingPolicySchema])),
);

const entries = 10_000;

/**
 * What a JSON Schema can say of a constitution. `parseConstitution` asks more: that keys and
 * certificates are such, that names are unique, that those named are there, that voting policies can be
 * met and operating policies agree.
 */
export const constitutionSchema: JsonSchema = {
  $schema: schemaDialect,
  title: 'Constitution of a Concordat network, version 1',
  ...objectSchema(
    {
      version: { const: 1 },
      name: nameSchema,
      actors: {
        ...listSchema(listedActor, entries, 1),
        contains: { properties: { kind: { contains: { const: 'member' } } } },
      },
      codeManifest: listSchema(codeSchema, entries),
      teeManifest: listSchema(teeSchema, entries),
      votingPolicies,
    },
    {
      nodes: listSchema(listedNode, entries),
      automationRules: listSchema(automationRuleSchema, maxAutomationRules),
      policies,
      adapters: {
        type: 'object',
        propertyNames: identifierSchema(),
        maxProperties: 32,
      },
      applications: listSchema(applicationSchema, 32),
      jwtIssuers: listSchema(jwtIssuer, maxJwtIssuers),
      revocationLists: listSchema(revocationList, entries),
      externalSystems: listSchema(externalSystemSchema, maxExternalSystems),
    },
  ),
  $defs: votingPolicyDefinitions,
};
