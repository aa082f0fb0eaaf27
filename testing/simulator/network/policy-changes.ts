import type { Action } from './operator.ts';
import type { Organisation } from './organisation.ts';

const setPolicy = (name: string, value: unknown): (() => Action) => {
  return () => ({ name: 'set_policy', args: { name, value } });
};

/** Policies that decide about `set_policy` from then on; all can be met by two who agree. */
const setVotingPolicy = (policy: (members: readonly Organisation[]) => unknown) => {
  return (members: readonly Organisation[]): Action => ({
    name: 'set_voting_policy',
    args: { kind: 'set_policy', policy: policy(members) },
  });
};

const majority = { kind: 'majority' };
const one = { kind: 'm-of-n', m: 1 };
const idsOf = (members: readonly Organisation[]) => members.map(({ actorId }) => actorId);

/** What members may agree on beside who is in the network. The first of them proposes. */
export const policyChanges: readonly ((members: readonly Organisation[]) => Action)[] = [
  setPolicy('maxBatchTransactions', 1),
  setPolicy('maxBatchTransactions', 50),
  setPolicy('maxBatchDelayMs', 0),
  setPolicy('maxBatchDelayMs', 10),
  setPolicy('replicationQuorum', 'majority'),
  setPolicy('electionQuorum', 'majority'),
  setPolicy('replicationQuorum', 2),
  setPolicy('electionQuorum', 3),
  setPolicy('snapshotBlocks', 10),
  setPolicy('distribution', 'tree'),
  setPolicy('distribution', 'direct'),
  setPolicy('snapshotBlocks', 100),
  setPolicy('epochBlocks', 10),
  setPolicy('epochBlocks', 0),
  setPolicy('sessionKeyTtl', 0),
  setPolicy('keyThreshold', 1),
  setPolicy('keyThreshold', 2),
  setPolicy('keyThreshold', 'majority'),
  setPolicy('proposalLifetime', 5),
  setPolicy('proposalLifetime', 0),
  setVotingPolicy(() => majority),
  setVotingPolicy((members) => {
    return { kind: 'subset', members: idsOf(members.slice(0, 2)), policy: one };
  }),
  setVotingPolicy((members) => {
    const named = { kind: 'subset', members: idsOf(members.slice(0, 1)), policy: majority };
    return { kind: 'all-of', policies: [named, { kind: 'percentage', percent: 50 }] };
  }),
  () => ({ name: 'remove_voting_policy', args: { kind: 'set_policy' } }),
  ([proposer]) => {
    const args = { name: 'rule', member: proposer?.actorId, kinds: ['set_policy', 'add_actor'] };
    return { name: 'set_automation_rule', args };
  },
  () => ({ name: 'remove_automation_rule', args: { name: 'rule' } }),
];
