import type { TransactionSet } from '@concordat/kv';
import { type ActionName, actionNames } from './action-names.ts';
import { actorActions } from './actor-actions.ts';
import { actorCertificateActions } from './actor-certificate-actions.ts';
import { applicationActions } from './application-actions.ts';
import { auditGrantProperties, readAuditGrant } from './audit-grant.ts';
import { automationActions } from './automation-actions.ts';
import type { ApplicationEntry } from './constitution.ts';
import type { Action, GovernanceEffect } from './effects.ts';
import { Field } from './field.ts';
import { requireLawful, requireTrustedNode, trustedNodes } from './laws.ts';
import { manifestActions } from './manifest-actions.ts';
import { nodeActions } from './node-actions.ts';
import { policyActions } from './policy-actions.ts';
import type { ProposedAction } from './proposal.ts';
import { openNetwork } from './recovery.ts';
import { revocationListActions } from './revocation-lists.ts';
import { addRow, removeRow, tables, textKey } from './tables.ts';

/** Actions one proposal may hold. */
export const maxActions = 64;

/**
 * Reads the actions of a proposal's payload `{"actions":[{"name","args"}]}`.
 * @throws GovernanceError INVALID_ACTION with details.path
 */
export function readActions(payload: unknown): readonly ProposedAction[] {
  const root = new Field(payload, '', 'INVALID_ACTION').only(['actions']);
  const list = root.at('actions').list(maxActions);
  if (list.length === 0) root.at('actions').fail('must hold at least one action');
  return list.map((item) => {
    const name = item.only(['name', 'args']).at('name').oneOf(actionNames);
    const args = item.at('args');
    actions[name](args);
    return { name, args: args.value as Record<string, unknown> };
  });
}

/** Applications that the actions of a proposal's payload would put in force. @throws GovernanceError */
export const proposedApplications = (payload: unknown): readonly ApplicationEntry[] =>
  readActions(payload)
    .filter(({ name }) => name === 'set_application')
    .map(({ args }) => args as unknown as ApplicationEntry);

/**
 * Makes the changes in order and checks the laws of a network on the result. On a refusal the
 * caller reverts the set.
 * @throws GovernanceError of the action or law that refused
 */
export function applyActions(
  set: TransactionSet,
  proposed: readonly ProposedAction[],
): readonly GovernanceEffect[] {
  const trustedBefore = trustedNodes(set);
  const effects = proposed.flatMap(({ name, args }, i) =>
    actions[name](new Field(args, `actions[${i}].args`, 'INVALID_ACTION'))(set),
  );
  requireLawful(set);
  requireTrustedNode(set, trustedBefore);
  return effects;
}

/** Changes that concern no list of the constitution. */
const networkActions = {
  grant_audit: (args) => {
    const grant = readAuditGrant(args.only(auditGrantProperties));
    const { auditor } = grant;
    return (set) => {
      const key = textKey(auditor);
      addRow(set, tables.auditGrants, { key, row: grant, exists: 'AUDITOR_EXISTS' });
      return [{ kind: 'audit-granted', auditor }];
    };
  },
  revoke_audit: (args) => {
    const auditor = args.only(['auditor']).at('auditor').name();
    return (set) => {
      const key = textKey(auditor);
      removeRow(set, tables.auditGrants, { key, missing: 'AUDITOR_NOT_FOUND' });
      return [{ kind: 'audit-revoked', auditor }];
    };
  },
  begin_epoch: (args) => {
    args.only([]);
    // What the network does about it is for whoever leads: a session key is drawn there.
    return () => [{ kind: 'epoch-asked' }];
  },
  open_network: (args) => {
    args.only([]);
    return openNetwork;
  },
} satisfies Record<string, Action>;

const actions: Readonly<Record<ActionName, Action>> = {
  ...actorActions,
  ...actorCertificateActions,
  ...revocationListActions,
  ...nodeActions,
  ...manifestActions,
  ...policyActions,
  ...automationActions,
  ...applicationActions,
  ...networkActions,
};
