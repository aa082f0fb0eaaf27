import type { NodeId } from '@concordat/std';

/** Votes that decide among `voters` nodes: a majority, so that any two quorums intersect. */
export const quorumSize = (voters: number): number => Math.floor(voters / 2) + 1;

/** Whether, in this one configuration, a quorum satisfies the predicate. */
export function hasQuorum(voters: readonly NodeId[], agrees: (voter: NodeId) => boolean): boolean {
  let needed = quorumSize(voters.length);
  for (const voter of voters) {
    if (agrees(voter)) {
      needed -= 1;
      if (needed === 0) return true;
    }
  }
  return false;
}

/** The highest value that a quorum of this one configuration has reached. */
export function quorumValue(voters: readonly NodeId[], reached: (voter: NodeId) => number): number {
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
  return values[quorumSize(values.length) - 1] ?? 0;
}
