import { conditionKinds, maxChoices, maxProposers, ruledKinds } from './automation-rule.ts';
import {
  choiceSchema,
  hexSchema,
  identifierSchema,
  integerSchema,
  type JsonSchema,
  listSchema,
  nameSchema,
  objectSchema,
} from './json-schema.ts';
import { policyNames, policySchemaOf } from './policies.ts';

const whole = integerSchema(0, Number.MAX_SAFE_INTEGER);

const boundsOf = (name: (typeof policyNames)[number]): JsonSchema => ({
  ...objectSchema(
    {},
    { min: whole, max: whole, oneOf: listSchema(policySchemaOf(name), maxChoices, 1) },
  ),
  minProperties: 1,
});

const policies: JsonSchema = {
  ...objectSchema({}, Object.fromEntries(policyNames.map((name) => [name, boundsOf(name)]))),
  minProperties: 1,
};

/** Each condition needs a kind it is about among the rule's. */
const conditionsFit = Object.entries(conditionKinds).map(([condition, kinds]) => ({
  if: { required: [condition] },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: { properties: { kinds: { contains: choiceSchema(...kinds) } } },
}));

/** A rule that casts a member's vote. */
export const automationRuleSchema: JsonSchema = {
  ...objectSchema(
    {
      name: identifierSchema(),
      member: hexSchema(32),
      kinds: listSchema(choiceSchema(...ruledKinds), ruledKinds.length + 2, 1),
    },
    {
      proposers: listSchema(hexSchema(32), maxProposers, 1),
      ownNodes: { const: true },
      maxNodes: integerSchema(1, 10_000),
      code: objectSchema({}, { name: nameSchema, version: nameSchema }),
      acceptedTee: { const: true },
      policies,
    },
  ),
  allOf: conditionsFit,
};
