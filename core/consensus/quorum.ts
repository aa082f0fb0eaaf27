import { isHex64, type NodeId } from '@concordat/std';
import type { Configuration, QuorumSizes } from './consensus.ts';

/** Most voters of one configuration. */
export const maxVoters = 1024;

/**
 * What a quorum is asked for: `replication` to commit, to confirm a leader and to let it stay;
 * `election` to make one.
 */
export type QuorumKind = keyof QuorumSizes;

/** A majority of `voters` nodes: any two quorums intersect. */
export const quorumSize = (voters: number): number => Math.floor(voters / 2) + 1;

/** The sizes that hold in a configuration: those it names, else majorities. */
export function quorumSizesOf({ voters, quorums }: Configuration): QuorumSizes {
  if (quorums) return quorums;
  const majority = quorumSize(voters.length);
  return { replication: majority, election: majority };
}

/**
 * Why quorums of these sizes would be unsafe among so many voters; undefined when they are safe.
 * A replication quorum must meet every election quorum, or a new leader could lack what is
 * committed (Howard, Malkhi, Spiegelman 2016: Flexible Paxos). That is all Paxos asks, where a
 * ballot belongs to one node. A view of Raft belongs to whoever wins it, so two election quorums
 * must meet as well: `2 election > voters`, or one view could have two leaders.
 */
export function quorumSizesFault(
  { replication, election }: QuorumSizes,
  voters: number,
): string | undefined {
  for (const [kind, size] of [
    ['replication', replication],
    ['election', election],
  ] as const) {
    if (!Number.isSafeInteger(size) || size < 1 || size > voters) {
      return `the ${kind} quorum must be 1 to ${voters} of ${voters} voters, not ${size}`;
    }
  }
  if (replication + election <= voters) {
    return `replication and election quorums of ${replication} and ${election} of ${voters} voters may not meet`;
  }
  if (2 * election <= voters) {
    return `two election quorums of ${election} of ${voters} voters may not meet`;
  }
  return undefined;
}

/** Why a configuration cannot be put in force; undefined when it can. */
export function configurationFault({ voters, quorums }: Configuration): string | undefined {
  const { length } = voters;
  if (length === 0 || length > maxVoters) return `configuration of ${length} voters`;
  if (!voters.every(isHex64)) return 'a voter is no node identity';
  if (new Set(voters).size !== length) return 'a voter is named twice';
  return quorums && quorumSizesFault(quorums, length);
}

/** Whether two configurations name the same voters in the same order and ask the same of them. */
export function sameConfiguration(
  one: Configuration | undefined,
  other: Configuration | undefined,
): boolean {
  if (one === undefined || other === undefined) return one === other;
  const [a, b] = [quorumSizesOf(one), quorumSizesOf(other)];
  return (
    a.replication === b.replication &&
    a.election === b.election &&
    one.voters.length === other.voters.length &&
    one.voters.every((voter, at) => voter === other.voters[at])
  );
}

/** Whether `needed` of the voters of one configuration satisfy the predicate. */
export function hasQuorum(
  voters: readonly NodeId[],
  needed: number,
  agrees: (voter: NodeId) => boolean,
): boolean {
  let missing = needed;
  for (const voter of voters) {
    if (agrees(voter)) {
      missing -= 1;
      if (missing === 0) return true;
    }
  }
  return false;
}

/** The highest value that `needed` of the voters of one configuration have reached. */
export function quorumValue(
  voters: readonly NodeId[],
  needed: number,
  reached: (voter: NodeId) => number,
): number {
  const values: number[] = [];
  for (const voter of voters) {
    const value = reached(voter);
    let at = values.length;
    while (at > 0 && (values[at - 1] as number) < value) {
      values[at] = values[at - 1] as number;
      at -= 1;
    }
    values[at] = value;
  }
  return values[needed - 1] ?? 0;
}
