import type { ReadView } from '@concordat/kv';
import type { ActorId } from '@concordat/std';
import { actorIdOfFingerprint } from './actor-certificates.ts';
import { listAutomationRules } from './automation-actions.ts';
import type { AutomationRule, PolicyBounds } from './automation-rule.ts';
import type { CodeEntry } from './constitution.ts';
import { GovernanceError } from './errors.ts';
import { membersOf } from './members.ts';
import type { Proposal, ProposedAction, Requirement, Vote } from './proposal.ts';
import { readRow, readRows, tables } from './tables.ts';

/**
 * The votes that rules cast on a proposal that is opened: of each member by the first of its rules, in
 * the order of their names, that accepts it. The state is that before the proposal; rules that come
 * into force later cast nothing on it.
 */
export function automaticVotes(view: ReadView, proposal: Proposal): Vote[] {
  const members = new Set(membersOf(view).map(({ actorId }) => actorId));
  const votes = new Map<ActorId, Vote>();
  const question = { view, proposal, nodesOf: nodeCount(view, proposal) };
  for (const rule of listAutomationRules(view)) {
    const { member: actorId, name } = rule;
    if (!members.has(actorId) || votes.has(actorId) || !accepts(rule, question)) continue;
    const atSeconds = proposal.openedAtSeconds;
    votes.set(actorId, { actorId, accept: true, atSeconds, rule: name });
  }
  return [...votes.values()];
}

interface Question {
  readonly view: ReadView;
  readonly proposal: Proposal;
  readonly nodesOf: NodeCount;
}

function accepts(rule: AutomationRule, question: Question): boolean {
  const { proposer, actions } = question.proposal;
  if (rule.proposers && !rule.proposers.includes(proposer)) return false;
  return actions.every((action) => meets(rule, action, question));
}

function meets(rule: AutomationRule, action: ProposedAction, question: Question): boolean {
  const { name, args } = action;
  if (!rule.kinds.includes(name)) return false;
  switch (name) {
    case 'add_node':
      return meetsNode(rule, action, question);
    case 'add_code':
      return !rule.code || isCode(rule.code, args as unknown as CodeEntry);
    case 'set_policy':
      return !rule.policies || isWithin(rule, args);
    default:
      return true;
  }
}

function meetsNode(
  rule: AutomationRule,
  { args: { actorId, measurement, platform } }: ProposedAction,
  { view, proposal, nodesOf }: Question,
): boolean {
  const owner = actorIdOfFingerprint(view, String(actorId));
  if (rule.ownNodes && owner !== proposal.proposer) return false;
  if (rule.acceptedTee && !readRow(view, tables.tees, String(platform))) return false;
  if (rule.code) {
    const listed = readRow(view, tables.code, String(measurement));
    if (listed?.role !== 'manager' || !isCode(rule.code, listed)) return false;
  }
  return rule.maxNodes === undefined || nodesOf(owner) <= rule.maxNodes;
}

/** How many nodes an actor has, or would have. */
type NodeCount = (owner: ActorId) => number;

/**
 * Nodes each actor has, or would have if all were accepted that is proposed: proposals that wait for
 * other votes are of the same number. Counted once a proposal, when a rule asks first.
 */
function nodeCount(view: ReadView, proposal: Proposal): NodeCount {
  let counts: Map<ActorId, number> | undefined;
  return (owner) => {
    counts ??= countNodes(view, proposal);
    return counts.get(owner) ?? 0;
  };
}

function countNodes(view: ReadView, proposal: Proposal): Map<ActorId, number> {
  const counts = new Map<ActorId, number>();
  const add = (owner: ActorId): void => void counts.set(owner, (counts.get(owner) ?? 0) + 1);
  for (const [, { actorId, status, replaces }] of readRows(view, tables.nodes)) {
    // Until a successor is trusted, its predecessor stands for both.
    if (status !== 'retired' && (!replaces || status === 'trusted')) add(actorId);
  }
  const open = Array.from(readRows(view, tables.open), ([, id]) => id);
  const proposed = open.flatMap((id) => readRow(view, tables.proposals, id)?.actions ?? []);
  for (const { name, args } of [...proposed, ...proposal.actions]) {
    // An owner may be named by any of its certificates: its nodes are of one number all the same.
    if (name === 'add_node') add(actorIdOfFingerprint(view, String(args.actorId)));
  }
  return counts;
}

const isCode = (
  { name, version }: NonNullable<AutomationRule['code']>,
  entry: Pick<CodeEntry, 'name' | 'version'>,
): boolean =>
  (name === undefined || entry.name === name) &&
  (version === undefined || entry.version === version);

function isWithin(
  { policies = {} }: AutomationRule,
  { name, value }: ProposedAction['args'],
): boolean {
  const bounds = Object.hasOwn(policies, String(name))
    ? (policies as Readonly<Record<string, PolicyBounds>>)[String(name)]
    : undefined;
  if (!bounds) return false;
  const { min, max, oneOf } = bounds;
  if (oneOf?.includes(value as string | number)) return true;
  if (typeof value !== 'number' || (min === undefined && max === undefined)) return false;
  return value >= (min ?? 0) && value <= (max ?? value);
}

/**
 * Members in whose names the rules of a proposal would vote: without their accept it does not pass.
 * @throws GovernanceError ACTOR_NOT_FOUND for one who is no member yet, and so could not accept
 */
export function consentsTo(view: ReadView, actions: readonly ProposedAction[]): ActorId[] {
  const set = actions.filter(({ name }) => name === 'set_automation_rule');
  const wanted = [...new Set(set.map(({ args }) => args.member as ActorId))].sort();
  const members = new Set(membersOf(view).map(({ actorId }) => actorId));
  const stranger = wanted.find((actorId) => !members.has(actorId));
  if (stranger === undefined) return wanted;
  const why = 'a rule votes for a member that is there to accept it';
  throw new GovernanceError('ACTOR_NOT_FOUND', why, { actorId: stranger });
}

/**
 * What a proposal that removes rules of its proposer alone is judged by: nobody has to go on being
 * voted for, whatever the others think of it.
 */
export function ownRulesRequirement(
  view: ReadView,
  requirement: Requirement,
  {
    proposer,
    actions,
  }: { readonly proposer: ActorId; readonly actions: readonly ProposedAction[] },
): Requirement {
  const removed = actions.filter(({ name }) => name === 'remove_automation_rule');
  const isOwn = removed.every(
    ({ args }) => readRow(view, tables.automationRules, String(args.name))?.member === proposer,
  );
  if (requirement.kind !== 'remove_automation_rule' || !isOwn) return requirement;
  const own = { kind: 'subset', members: [proposer], policy: { kind: 'unanimous' } } as const;
  return { ...requirement, policy: { kind: 'any-of', policies: [requirement.policy, own] } };
}
