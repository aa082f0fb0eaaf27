import { type ActorId, toActorId } from '@concordat/std';
import { type ActionName, actionNames } from './action-names.ts';
import type { Field } from './field.ts';
import { isPolicyName, type Policies, readPolicy } from './policies.ts';

/** Rules of one network. */
export const maxAutomationRules = 256;
/** Members one rule may name as proposers. */
export const maxProposers = 1_000;
/** Values one bound of a rule may name. */
export const maxChoices = 16;

/**
 * A rule that casts a member's vote (paper: Network Constitution, "vote submission could be automated
 * if it meets certain criteria"). It accepts a proposal each of whose actions is of one of its kinds
 * and meets every condition there is for that kind; of anything else it keeps out.
 */
export interface AutomationRule {
  /** Unique, an identifier. */
  readonly name: string;
  /** Whose vote it casts: a member. */
  readonly member: ActorId;
  /** Sorted; never those that change rules. */
  readonly kinds: readonly ActionName[];
  /** The proposer is one of these members, sorted. */
  readonly proposers?: readonly ActorId[];
  /** Of `add_node`: the proposer owns the node. */
  readonly ownNodes?: true;
  /** Of `add_node`: with it, and all that are proposed, its owner has at most so many, 1-10,000. */
  readonly maxNodes?: number;
  /**
   * Of `add_node`: the action names a measurement that the code manifest lists for managers, under
   * this name and version. Of `add_code`: the entry has this name and version.
   */
  readonly code?: { readonly name?: string; readonly version?: string };
  /** Of `add_node`: the action names a platform that the TEE manifest lists. */
  readonly acceptedTee?: true;
  /** Of `set_policy`: the policy is one of these, and its value within the bounds. */
  readonly policies?: Readonly<Partial<Record<keyof Policies, PolicyBounds>>>;
}

/** Values a rule accepts: numbers from `min` to `max`, both inclusive, or any of `oneOf`. */
export interface PolicyBounds {
  readonly min?: number;
  readonly max?: number;
  readonly oneOf?: readonly (string | number)[];
}

/** Which kinds a condition is about. */
export const conditionKinds: Readonly<Record<string, readonly ActionName[]>> = {
  ownNodes: ['add_node'],
  maxNodes: ['add_node'],
  acceptedTee: ['add_node'],
  code: ['add_node', 'add_code'],
  policies: ['set_policy'],
};

/** Kinds that no rule votes on: members decide themselves what votes in their names. */
const unruly: readonly string[] = ['set_automation_rule', 'remove_automation_rule'];

/** Kinds that a rule may vote on. */
export const ruledKinds: readonly ActionName[] = actionNames.filter(
  (name) => !unruly.includes(name),
);

/** Reads a rule. @throws GovernanceError of the field's code */
export function readAutomationRule(field: Field): AutomationRule {
  const conditions = Object.keys(conditionKinds);
  field.only(['name', 'member', 'kinds', 'proposers', ...conditions]);
  const kinds = field
    .at('kinds')
    .list(actionNames.length)
    .map((item) => item.oneOf(ruledKinds));
  if (kinds.length === 0) field.at('kinds').fail('must name at least one kind of change');
  for (const condition of conditions) {
    const meant = conditionKinds[condition] as readonly ActionName[];
    if (!kinds.some((kind) => meant.includes(kind))) {
      field.optional(condition)?.fail(`is a condition of ${meant.join(' and ')} only`);
    }
  }
  const proposers = field.optional('proposers');
  const maxNodes = field.optional('maxNodes')?.integer({ min: 1, max: 10_000 });
  const code = field.optional('code');
  const policies = field.optional('policies');
  return {
    name: field.at('name').identifier(),
    member: toActorId(field.at('member').hex(32)),
    kinds: [...new Set(kinds)].sort(),
    ...(proposers && { proposers: readProposers(proposers) }),
    ...(isSet(field.optional('ownNodes')) && { ownNodes: true }),
    ...(maxNodes !== undefined && { maxNodes }),
    ...(code && { code: readCodeCondition(code) }),
    ...(isSet(field.optional('acceptedTee')) && { acceptedTee: true }),
    ...(policies && { policies: readPolicyConditions(policies) }),
  };
}

/** A condition is there or not: `false` would read as its opposite. */
function isSet(field: Field | undefined): boolean {
  if (field === undefined) return false;
  return field.value === true || field.fail('must be true, or absent');
}

function readProposers(field: Field): ActorId[] {
  const ids = field.list(maxProposers).map((item) => toActorId(item.hex(32)));
  if (ids.length === 0) field.fail('must name at least one member');
  return [...new Set(ids)].sort();
}

function readCodeCondition(field: Field): NonNullable<AutomationRule['code']> {
  field.only(['name', 'version']);
  const name = field.optional('name')?.name();
  const version = field.optional('version')?.name();
  return { ...(name !== undefined && { name }), ...(version !== undefined && { version }) };
}

function readPolicyConditions(field: Field): NonNullable<AutomationRule['policies']> {
  const entries = field.members(actionNames.length).map(([name, bounds]) => {
    if (!isPolicyName(name)) return bounds.fail('names no supported policy');
    return [name, readBounds(name, bounds)] as const;
  });
  if (entries.length === 0) field.fail('must name at least one policy');
  return Object.fromEntries(entries);
}

function readBounds(policy: keyof Policies, field: Field): PolicyBounds {
  field.only(['min', 'max', 'oneOf']);
  const whole = { min: 0, max: Number.MAX_SAFE_INTEGER };
  const min = field.optional('min')?.integer(whole);
  const max = field.optional('max')?.integer(whole);
  const choices = field.optional('oneOf');
  if (min === undefined && max === undefined && !choices) field.fail('must have a bound');
  if (min !== undefined && max !== undefined && min > max) field.at('max').fail('is below min');
  const oneOf = choices?.list(maxChoices).map((item) => readPolicy(policy, item));
  if (oneOf?.length === 0) choices?.fail('must name at least one value');
  return {
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
    ...(oneOf && { oneOf: [...new Set(oneOf)].sort() }),
  };
}

/** Reads the rules of a constitution. @throws GovernanceError of the field's code */
export function readAutomationRules(list: Field, isKnown: (actorId: string) => boolean) {
  const names = new Set<string>();
  const rules = list.list(maxAutomationRules).map((item) => {
    const rule = readAutomationRule(item);
    if (names.has(rule.name)) item.at('name').fail('is listed twice');
    names.add(rule.name);
    requireKnown(item, rule, isKnown);
    return rule;
  });
  return rules.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Refuses a rule that names anybody but members: neither votes nor proposals come from others. */
export function requireKnown(
  field: Field,
  rule: AutomationRule,
  isKnown: (actorId: string) => boolean,
): void {
  if (!isKnown(rule.member)) field.at('member').fail('is no member');
  if (rule.proposers?.every(isKnown) === false) field.at('proposers').fail('names no member');
}
