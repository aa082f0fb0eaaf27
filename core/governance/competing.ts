import type { ActionName } from './action-names.ts';
import type { ProposedAction } from './proposal.ts';

type Args = ProposedAction['args'];

/** One thing that can be set again and again, each time in place of what it was. */
const items: Readonly<Partial<Record<ActionName, (args: Args) => string>>> = {
  set_actor_roles: ({ actorId }) => `actors.${actorId}.roles`,
  set_actor_kind: ({ actorId }) => `actors.${actorId}.kind`,
  set_policy: ({ name }) => `policies.${name}`,
  remove_policy: ({ name }) => `policies.${name}`,
  set_voting_policy: ({ kind }) => `votingPolicies.${kind}`,
  remove_voting_policy: ({ kind }) => `votingPolicies.${kind}`,
  set_automation_rule: ({ name }) => `automationRules.${name}`,
  remove_automation_rule: ({ name }) => `automationRules.${name}`,
  set_external_system: ({ name }) => `externalSystems.${name}`,
  remove_external_system: ({ name }) => `externalSystems.${name}`,
  set_application: ({ adapter }) => `applications.${adapter}`,
  remove_application: ({ adapter }) => `applications.${adapter}`,
  set_jwt_issuer: ({ issuer }) => `jwtIssuers.${issuer}`,
  set_jwt_public_signing_keys: ({ issuer }) => `jwtIssuers.${issuer}`,
  remove_jwt_issuer: ({ issuer }) => `jwtIssuers.${issuer}`,
};

/**
 * Whether an open proposal would set something in place of what an accepted one made of it: whoever
 * voted on it saw another state. Additions and removals compete with nothing: the second one of the
 * same finds it there or gone, and fails by that name. So a removal cannot be held up by a change
 * that takes fewer votes. The removal of an automation rule is an exception: whose accept it takes
 * was said of the rule that had the name when it was opened.
 */
export function isOvertaken(
  open: readonly ProposedAction[],
  accepted: readonly ProposedAction[],
): boolean {
  const changed = new Set(accepted.map(itemOf));
  return open.some((action) => {
    const isReplacing = action.name.startsWith('set_') || action.name === 'remove_automation_rule';
    const item = isReplacing ? itemOf(action) : undefined;
    return item !== undefined && changed.has(item);
  });
}

const itemOf = ({ name, args }: ProposedAction): string | undefined => items[name]?.(args);
