import type { ReadView } from '@concordat/kv';
import { currentEpoch, type EpochReason, newestEpoch } from './epoch-rows.ts';
import { defaultPolicy, type Policies } from './policies.ts';
import { readRow, tables } from './tables.ts';

type EpochPolicy = 'epochDuration' | 'epochBlocks';

const policyOf = (view: ReadView, name: EpochPolicy): Policies[EpochPolicy] =>
  (readRow(view, tables.policies, name) ?? defaultPolicy(name)) as number;

/**
 * Whether the newest epoch has lasted as long as the policies let it.
 * @param at.nowMs the leader's clock
 * @param at.height of the block that would begin the next one
 */
export function epochDue(
  view: ReadView,
  at: { readonly nowMs: number; readonly height: number },
): Extract<EpochReason, 'time' | 'blocks'> | undefined {
  const begun = newestEpoch(view);
  if (!begun || currentEpoch(view) === 0) return undefined;
  const blocks = policyOf(view, 'epochBlocks');
  if (blocks > 0 && at.height - begun.height >= blocks) return 'blocks';
  const seconds = policyOf(view, 'epochDuration');
  return seconds > 0 && at.nowMs - begun.timeMs >= seconds * 1000 ? 'time' : undefined;
}

/** Milliseconds for which the keys of epochs that are over are kept. */
export const sessionKeyTtlMs = ({ sessionKeyTtl }: Pick<Policies, 'sessionKeyTtl'>): number =>
  sessionKeyTtl * 1000;
