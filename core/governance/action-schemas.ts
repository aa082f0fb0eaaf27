import { type ActionName, actionNames } from './action-names.ts';
import { maxActions } from './actions.ts';
import { maxGrantedEpochs } from './audit-grant.ts';
import { automationRuleSchema } from './automation-rule-schema.ts';
import {
  actorSchemas,
  adapterSchema,
  applicationSchema,
  codeSchema,
  externalSystemSchema,
  issuerSchema,
  nodeEvidenceSchemas,
  nodeSchemas,
  revocationListSchema,
  teeSchema,
} from './constitution-schema.ts';
import {
  choiceSchema,
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
import { maxJwtKeys } from './jwt-issuers.ts';

import { policyNames, policySchemaOf } from './policies.ts';
import { votingPolicyKinds } from './voting-policy.ts';
import { votingPolicyDefinitions, votingPolicySchema } from './voting-policy-schema.ts';

const actorId = hexSchema(32);
const { roles, ...actor } = actorSchemas;
const none = objectSchema({});

/** Other members of a key are passed over (RFC 7517, section 4). */
const jwks = objectSchema({
  keys: listSchema(
    {
      type: 'object',
      properties: { kid: textSchema(256, 1), issuer: issuerSchema },
      required: ['kid'],
    },
    maxJwtKeys,
  ),
});

/** The arguments of each kind of change. */
export const actionSchemas: Readonly<Record<ActionName, JsonSchema>> = {
  add_actor: objectSchema(actor, { roles }),
  remove_actor: objectSchema({ actorId }),
  set_actor_roles: objectSchema({ actorId, roles }),
  set_actor_kind: objectSchema({ actorId, kind: actor.kind }),
  add_actor_certificate: objectSchema(
    { actorId, certificate: actor.certificate },
    { earlierUntilSeconds: integerSchema(1, 253_402_300_799) },
  ),
  remove_actor_certificate: objectSchema({ actorId, fingerprint: hexSchema(32) }),
  set_revocation_list: objectSchema(
    { actorId, list: revocationListSchema },
    { authority: { type: 'string' } },
  ),
  remove_revocation_list: objectSchema({ issuer: hexSchema(32) }),
  add_node: objectSchema({ ...nodeSchemas, signature: textSchema(200) }, nodeEvidenceSchemas),
  remove_node: objectSchema({ nodeId: hexSchema(32) }),
  add_code: codeSchema,
  remove_code: objectSchema({ measurement: hexSchema(32) }),
  add_tee: teeSchema,
  remove_tee: objectSchema({ platform: identifierSchema() }),
  set_voting_policy: objectSchema({
    kind: choiceSchema(...votingPolicyKinds),
    policy: votingPolicySchema,
  }),
  remove_voting_policy: objectSchema({ kind: choiceSchema(...actionNames) }),
  set_automation_rule: automationRuleSchema,
  remove_automation_rule: objectSchema({ name: identifierSchema() }),
  set_policy: {
    oneOf: policyNames.map((name) =>
      objectSchema({ name: { const: name }, value: policySchemaOf(name) }),
    ),
  },
  remove_policy: objectSchema({ name: choiceSchema(...policyNames) }),
  grant_audit: objectSchema({
    auditor: nameSchema,
    encryptionKey: hexSchema(65),
    epochs: listSchema(integerSchema(1, Number.MAX_SAFE_INTEGER), maxGrantedEpochs, 1),
  }),
  revoke_audit: objectSchema({ auditor: nameSchema }),
  begin_epoch: none,
  set_application: applicationSchema,
  remove_application: objectSchema({ adapter: adapterSchema }),
  set_jwt_issuer: objectSchema({ issuer: issuerSchema }, { auto_refresh: { const: false }, jwks }),
  set_jwt_public_signing_keys: objectSchema({ issuer: issuerSchema, jwks }),
  remove_jwt_issuer: objectSchema({ issuer: issuerSchema }),
  set_external_system: externalSystemSchema,
  remove_external_system: objectSchema({ name: identifierSchema() }),
  open_network: none,
};

/** What a JSON Schema can say of the payload of a proposal. */
export const proposalSchema: JsonSchema = {
  $schema: schemaDialect,
  title: 'Payload of a proposal to a Concordat network',
  ...objectSchema({
    actions: listSchema(
      {
        oneOf: actionNames.map((name) =>
          objectSchema({ name: { const: name }, args: { $ref: `#/$defs/${name}` } }),
        ),
      },
      maxActions,
      1,
    ),
  }),
  $defs: { ...actionSchemas, ...votingPolicyDefinitions },
};
