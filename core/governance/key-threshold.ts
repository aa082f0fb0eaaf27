import { GovernanceError } from './errors.ts';
import type { KeyThresholdPolicy, Policies } from './policies.ts';

/** The threshold that the policy asks of so many holders; it may be more than there are. */
export const keyThresholdUnder = (policy: KeyThresholdPolicy, holders: number): number =>
  policy === 'majority' ? Math.floor(holders / 2) + 1 : policy;

/**
 * Refuses a threshold that the members could never meet, however many bring up nodes.
 * @throws GovernanceError UNSATISFIABLE_KEY_THRESHOLD with details.threshold and details.members
 */
export function requireKeyThreshold(
  { keyThreshold }: Pick<Policies, 'keyThreshold'>,
  members: number,
): void {
  const threshold = keyThresholdUnder(keyThreshold, members);
  if (threshold <= members) return;
  throw new GovernanceError(
    'UNSATISFIABLE_KEY_THRESHOLD',
    `policies.keyThreshold asks for ${threshold} shares, and ${members} members hold one each`,
    { path: 'policies.keyThreshold', threshold, members },
  );
}
