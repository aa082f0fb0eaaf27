import {
  choiceSchema,
  hexSchema,
  identifierSchema,
  integerSchema,
  type JsonSchema,
  listSchema,
  objectSchema,
} from './json-schema.ts';
import { maxNamedMembers, maxPolicyDepth, maxPolicyParts } from './read-voting-policy.ts';

const constant = (kind: string): JsonSchema => ({ const: kind });

const counting: readonly JsonSchema[] = [
  objectSchema({ kind: choiceSchema('unanimous', 'majority') }),
  objectSchema({ kind: constant('m-of-n'), m: integerSchema(1, 10_000) }),
  objectSchema({ kind: constant('percentage'), percent: integerSchema(1, 100) }),
];

const level = (depth: number): string => (depth === 1 ? 'votingPolicy' : `votingPolicy${depth}`);

/** What a policy of this depth may be made of: those one level below. */
function policySchema(depth: number): JsonSchema {
  if (depth === maxPolicyDepth) return { oneOf: counting };
  const inner = { $ref: `#/$defs/${level(depth + 1)}` };
  const members = { ...listSchema(hexSchema(32), maxNamedMembers), uniqueItems: true };
  const subset = {
    ...objectSchema(
      { kind: constant('subset'), policy: inner },
      { members, role: identifierSchema() },
    ),
    anyOf: [{ required: ['members'] }, { required: ['role'] }],
  };
  const parts = listSchema(inner, maxPolicyParts, 2);
  const composed = objectSchema({ kind: choiceSchema('all-of', 'any-of'), policies: parts });
  return { oneOf: [...counting, subset, composed] };
}

/** Definitions of voting policies, one for each level of nesting. */
export const votingPolicyDefinitions: Readonly<Record<string, JsonSchema>> = Object.fromEntries(
  Array.from({ length: maxPolicyDepth }, (_, i) => [level(i + 1), policySchema(i + 1)]),
);

/** A voting policy, in a schema that has {@link votingPolicyDefinitions} among its definitions. */
export const votingPolicySchema: JsonSchema = { $ref: '#/$defs/votingPolicy' };
