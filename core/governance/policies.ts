import { maxVoters } from '@concordat/consensus';
import { maxHolders } from '@concordat/keys';
import { GovernanceError } from './errors.ts';
import type { Field } from './field.ts';
import { choiceSchema, integerSchema, type JsonSchema } from './json-schema.ts';

/** The policies the framework supports beyond the lists and manifests (paper: Voting). */
export interface Policies {
  /** A batch closes at so many transactions: 1-100,000, default 100. */
  readonly maxBatchTransactions: number;
  /** A batch closes after so many milliseconds: 0-10,000, default 5. */
  readonly maxBatchDelayMs: number;
  /** Acknowledge a block after it is synced to disk (default), or once it is in memory. */
  readonly durability: 'fsync' | 'memory';
  /** A follower that hears no leader for this long stands for election: 100-60,000, default 1000. */
  readonly electionTimeoutMs: number;
  /** The leader is heard at least this often: 10-10,000, default 100; at most a third of the above. */
  readonly heartbeatMs: number;
  /**
   * What becomes of certificates whose authority's revocation list is overdue: `honour` (default)
   * goes by the list as it is, `refuse` refuses them until there is a newer one.
   */
  readonly overdueRevocationLists: 'honour' | 'refuse';
  /** Whether a restarted node takes its predecessor's place without a vote; default automatic. */
  readonly rejoin: 'automatic' | 'vote';
  /** A sealed block has at most so many bytes: 65,536-50,331,648 (48 MiB), default 16 MiB. */
  readonly maxBlockBytes: number;
  /** Every node takes a snapshot at multiples of this height: 10-1,000,000,000, default 10,000; 0 = never. */
  readonly snapshotBlocks: number;
  /** Voters that hold a block durably before it is final: 1-1,024 or default `majority`. */
  readonly replicationQuorum: QuorumPolicy;
  /** Voters that agree before a node leads: 1-1,024 or default `majority`. */
  readonly electionQuorum: QuorumPolicy;
  /** Whether the leader sends blocks to every node itself (default) or down a tree of nodes. */
  readonly distribution: 'direct' | 'tree';
  /** Nodes that the leader, or a node of the tree, passes blocks on to: 2-16, default 3. */
  readonly distributionFanOut: number;
  /** Shares that read a session key: 1-255, or default `majority` of those who hold one. */
  readonly keyThreshold: KeyThresholdPolicy;
  /** Transactions each phase of a key ceremony waits for the slow: 10-1,000,000,000, default 100,000. */
  readonly keyCeremonyTransactions: number;
  /** The leader ends a phase of a key ceremony that waits for the silent after so many seconds: 10. */
  readonly keyCeremonyDuration: number;
  /** The leader begins another epoch after so many seconds: default 86,400 (a day); 0 = never. */
  readonly epochDuration: number;
  /** The leader begins another epoch after so many blocks: default 0 = never, else at least 10. */
  readonly epochBlocks: number;
  /**
   * Seconds for which a node keeps the session key of an epoch that is over, or that it had opened
   * anew for reading old blocks: default 3,600; 0 = as short as it can.
   */
  readonly sessionKeyTtl: number;
  /**
   * A proposal that is still open so many seconds after it was opened ends undecided: default 0 =
   * never. It holds for proposals that are opened from then on.
   */
  readonly proposalLifetime: number;
  /**
   * Nodes that resume after a majority was lost wait so many seconds for all voters before fewer may
   * elect a leader: default 10; 0 = a quorum goes on at once.
   */
  readonly resumePatience: number;
  /**
   * Whether application ports take connections without a client certificate, for endpoints that ask
   * for none (and for sealed requests): `refuse` (default) or `accept`.
   */
  readonly anonymousConnections: 'refuse' | 'accept';
}

/** A number of holders, or as many as are more than half. */
export type KeyThresholdPolicy = 'majority' | number;

/** A number of voters, or as many as are more than half. */
export type QuorumPolicy = 'majority' | number;

/** How the values of a policy are read, and what a JSON Schema says of them. */
interface ValueForm<Value> {
  readonly read: (field: Field) => Value;
  readonly schema: JsonSchema;
}

type PolicyTable = {
  readonly [Name in keyof Policies]: { readonly initial: Policies[Name] } & ValueForm<
    Policies[Name]
  >;
};

const whole = (min: number, max: number): ValueForm<number> => ({
  read: (field) => field.integer({ min, max }),
  schema: integerSchema(min, max),
});

const choice = <Choice extends string>(...choices: readonly Choice[]): ValueForm<Choice> => ({
  read: (field) => field.oneOf(choices),
  schema: choiceSchema(...choices),
});

const most = 1_000_000_000;

/** Each snapshot and each epoch is a block: were they closer, one would cause the next. */
const neverOrBlocks: ValueForm<number> = {
  read: (field) => {
    const blocks = field.integer({ min: 0, max: most });
    return blocks > 0 && blocks < 10 ? field.fail('must be 0 (never) or at least 10') : blocks;
  },
  schema: { anyOf: [{ const: 0 }, integerSchema(10, most)] },
};

const majorityOr = (max: number): ValueForm<'majority' | number> => ({
  read: (field) => {
    if (field.value === 'majority') return 'majority';
    if (typeof field.value === 'string') field.fail('must be majority or a whole number');
    return field.integer({ min: 1, max });
  },
  schema: { anyOf: [{ const: 'majority' }, integerSchema(1, max)] },
});

const policyTable: PolicyTable = {
  maxBatchTransactions: { initial: 100, ...whole(1, 100_000) },
  maxBatchDelayMs: { initial: 5, ...whole(0, 10_000) },
  durability: { initial: 'fsync', ...choice('fsync', 'memory') },
  electionTimeoutMs: { initial: 1000, ...whole(100, 60_000) },
  heartbeatMs: { initial: 100, ...whole(10, 10_000) },
  overdueRevocationLists: {
    initial: 'honour',
    ...choice('honour', 'refuse'),
  },
  rejoin: { initial: 'automatic', ...choice('automatic', 'vote') },
  maxBlockBytes: { initial: 16_777_216, ...whole(65_536, 50_331_648) },
  snapshotBlocks: { initial: 10_000, ...neverOrBlocks },
  replicationQuorum: { initial: 'majority', ...majorityOr(maxVoters) },
  electionQuorum: { initial: 'majority', ...majorityOr(maxVoters) },
  distribution: { initial: 'direct', ...choice('direct', 'tree') },
  distributionFanOut: { initial: 3, ...whole(2, 16) },
  keyThreshold: { initial: 'majority', ...majorityOr(maxHolders) },
  keyCeremonyTransactions: { initial: 100_000, ...whole(10, 1_000_000_000) },
  keyCeremonyDuration: { initial: 10, ...whole(1, 86_400) },
  epochDuration: { initial: 86_400, ...whole(0, 1_000_000_000) },
  epochBlocks: { initial: 0, ...neverOrBlocks },
  sessionKeyTtl: { initial: 3_600, ...whole(0, 1_000_000_000) },
  proposalLifetime: { initial: 0, ...whole(0, 1_000_000_000) },
  resumePatience: { initial: 10, ...whole(0, 1_000_000_000) },
  // Ports are not open to strangers before a vote says what for.
  anonymousConnections: { initial: 'refuse', ...choice('refuse', 'accept') },
};

/** Names of the supported policies. */
export const policyNames = Object.keys(policyTable) as readonly (keyof Policies)[];

/** Whether the framework supports a policy of that name. */
export const isPolicyName = (name: string): name is keyof Policies =>
  Object.hasOwn(policyTable, name);

/** The value of a policy that is not set; part of version 1 of the constitution's schema. */
export const defaultPolicy = <Name extends keyof Policies>(name: Name): Policies[Name] =>
  policyTable[name].initial;

/** What a JSON Schema says of the values of a policy. */
export const policySchemaOf = (name: keyof Policies): JsonSchema => policyTable[name].schema;

/** Reads the value of one policy. @throws GovernanceError of the field's code */
export const readPolicy = (name: keyof Policies, field: Field): Policies[keyof Policies] =>
  policyTable[name].read(field);

/** Every policy: the value `set` has for it, else its default. */
export function completePolicies(set: (name: keyof Policies) => unknown): Policies {
  const entries = policyNames.map((name) => [name, set(name) ?? defaultPolicy(name)]);
  return Object.fromEntries(entries) as Policies;
}

/** Reads the policies of a constitution, each optional. @throws GovernanceError */
export function readPolicies(field: Field): Policies {
  field.only(policyNames);
  const policies = completePolicies((name) => {
    const given = field.optional(name);
    return given && readPolicy(name, given);
  });
  requireConsistentPolicies(policies);
  return policies;
}

/**
 * Refuses values that contradict each other.
 * @throws GovernanceError INVALID_POLICY
 */
export function requireConsistentPolicies(policies: Policies): void {
  if (policies.heartbeatMs * 3 > policies.electionTimeoutMs) {
    throw new GovernanceError(
      'INVALID_POLICY',
      'heartbeatMs must be at most a third of electionTimeoutMs',
      { path: 'policies.heartbeatMs' },
    );
  }
}
