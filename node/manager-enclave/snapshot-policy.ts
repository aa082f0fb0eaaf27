import type { Policies } from '@concordat/governance';

/**
 * How many blocks a node may lack before it is given a snapshot instead. Where none are taken, one
 * that is left from before is for those whom nobody can give the blocks any more.
 */
export const snapshotGapUnder = ({ snapshotBlocks }: Pick<Policies, 'snapshotBlocks'>): number =>
  snapshotBlocks === 0 ? Number.POSITIVE_INFINITY : snapshotBlocks;
