import { type Distribution, directDistribution, treeDistribution } from '@concordat/consensus';
import type { Policies } from '@concordat/governance';

/** How the policies have blocks reach the other nodes. */
export const distributionUnder = ({ distribution, distributionFanOut }: Policies): Distribution =>
  distribution === 'tree' ? treeDistribution(distributionFanOut) : directDistribution;
