import type { ReadView } from '@concordat/kv';
import {
  type AutomationRule,
  maxAutomationRules,
  readAutomationRule,
  requireKnown,
} from './automation-rule.ts';
import type { Action } from './effects.ts';
import { GovernanceError } from './errors.ts';
import { membersOf } from './members.ts';
import { readRow, readRows, removeRow, tables, writeRow } from './tables.ts';

/** Changes of the rules that cast members' votes. */
export const automationActions = {
  set_automation_rule: (args) => {
    const rule = readAutomationRule(args);
    return (set) => {
      const members = new Set<string>(membersOf(set).map(({ actorId }) => actorId));
      requireKnown(args, rule, (actorId) => members.has(actorId));
      requireRoom(set, rule);
      writeRow(set, tables.automationRules, rule.name, rule);
      return [{ kind: 'automation-rule-set', rule: rule.name }];
    };
  },
  remove_automation_rule: (args) => {
    const name = args.only(['name']).at('name').identifier();
    return (set) => {
      removeRow(set, tables.automationRules, { key: name, missing: 'AUTOMATION_RULE_NOT_FOUND' });
      return [{ kind: 'automation-rule-removed', rule: name }];
    };
  },
} satisfies Record<string, Action>;

function requireRoom(view: ReadView, { name }: AutomationRule): void {
  if (readRow(view, tables.automationRules, name)) return;
  if (listAutomationRules(view).length < maxAutomationRules) return;
  const why = `there are ${maxAutomationRules} rules already`;
  throw new GovernanceError('AUTOMATION_RULE_LIMIT', why);
}

/** The rules in force, sorted by name. */
export const listAutomationRules = (view: ReadView): AutomationRule[] =>
  Array.from(readRows(view, tables.automationRules), ([, rule]) => rule);
