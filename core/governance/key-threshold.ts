import { GovernanceError } from './errors.ts';
import type { KeyThresholdPolicy, Policies } from './policies.ts';

/**
 * The threshold of a key that so many hold: what the policy asks, and while fewer hold a share than it
 * asks for, all of them. A network has a shared key from its first block on, with one holder; each
 * that comes raises the threshold, and with it a fresh key takes over.
 */
export const keyThresholdUnder = (policy: KeyThresholdPolicy, holders: number): number =>
  policy === 'majority' ? Math.floor(holders / 2) + 1 : Math.min(policy, holders);

/**
 * Refuses a threshold that the members could never meet, however many bring up nodes.
 * @throws GovernanceError UNSATISFIABLE_KEY_THRESHOLD with details.threshold and details.members
 */
export function requireKeyThreshold(
  { keyThreshold }: Pick<Policies, 'keyThreshold'>,
  members: number,
): void {
  if (keyThreshold === 'majority' || keyThreshold <= members) return;
  const threshold = keyThreshold;
  throw new GovernanceError(
    'UNSATISFIABLE_KEY_THRESHOLD',
    `policies.keyThreshold asks for ${threshold} shares, and ${members} members hold one each`,
    { path: 'policies.keyThreshold', threshold, members },
  );
}
