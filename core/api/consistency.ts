/** Header of an application request that says how fresh its answer must be; lower case. */
export const consistencyHeader = 'concordat-consistency';

/**
 * How fresh a read is. `committed`, the default, answers from what the asked node knows as
 * committed: never rolled back, in the one order of the ledger, but on a follower or a node that is
 * cut off possibly behind. `linearizable` answers from a state with everything that was committed
 * anywhere in the network when the read was asked for, or not at all.
 */
export type Consistency = 'committed' | 'linearizable';

/** The consistency a header asks for; undefined when its value is none. */
export function parseConsistency(header: string | undefined): Consistency | undefined {
  if (header === undefined || header === 'committed') return 'committed';
  return header === 'linearizable' ? header : undefined;
}
