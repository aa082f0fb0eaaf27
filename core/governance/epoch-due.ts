import type { ReadView } from '@concordat/kv';
import { currentEpoch, type EpochReason, epochOwed, newestEpoch } from './epoch-rows.ts';
import { keyNeeds, sharedKeys } from './key-due.ts';
import { strandedKeys } from './key-reach.ts';
import { defaultPolicy, type Policies } from './policies.ts';
import { readRow, tables } from './tables.ts';

type EpochPolicy = 'epochDuration' | 'epochBlocks';

const policyOf = (view: ReadView, name: EpochPolicy): Policies[EpochPolicy] =>
  (readRow(view, tables.policies, name) ?? defaultPolicy(name)) as number;

/** However long key ceremonies may take, an epoch that is owed begins after this. */
const longestOwedMs = 60_000;

/** Milliseconds for which an epoch may wait for a fresh shared key: three times `keyCeremonyDuration`, a minute at most. */
export function owedPatienceMs(view: ReadView): number {
  const name = 'keyCeremonyDuration';
  const seconds = (readRow(view, tables.policies, name) ?? defaultPolicy(name)) as number;
  return Math.min(3 * seconds * 1000, longestOwedMs);
}

/**
 * Whether so much time lies between a time that the ledger has and now. One that lies as far ahead is
 * of a leader whose clock was wrong: nobody waits for the clock to come to it.
 */
export const hasPassed = (sinceMs: number, nowMs: number, durationMs: number): boolean =>
  Math.abs(nowMs - sinceMs) >= durationMs;

/**
 * Whether an epoch that a change of actors or nodes asks for waits: too few who hold the newest shared
 * key are left to read what would be encrypted to it, and a fresh one is due. The epoch in force is under the
 * stranded key as well, but every node has its session key; one that missed the message with another one could
 * not gather it any more.
 */
export function waitsForFreshKey(view: ReadView): boolean {
  const newest = sharedKeys(view)[0]?.key.number;
  if (newest === undefined || !strandedKeys(view).includes(newest)) return false;
  return keyNeeds(view).due?.purpose === 'fresh';
}

/**
 * Whether the newest epoch has lasted as long as the policies let it, or one that is owed has waited long enough.
 * @param at.nowMs the leader's clock
 * @param at.height of the block that would begin the next one
 */
export function epochDue(
  view: ReadView,
  at: { readonly nowMs: number; readonly height: number },
): Extract<EpochReason, 'time' | 'blocks' | 'actors'> | undefined {
  const begun = newestEpoch(view);
  if (!begun || currentEpoch(view) === 0) return undefined;
  const owed = epochOwed(view);
  if (owed && hasPassed(owed.timeMs, at.nowMs, owedPatienceMs(view))) return 'actors';
  const blocks = policyOf(view, 'epochBlocks');
  if (blocks > 0 && at.height - begun.height >= blocks) return 'blocks';
  const seconds = policyOf(view, 'epochDuration');
  const isOver = seconds > 0 && hasPassed(begun.timeMs, at.nowMs, seconds * 1000);
  return isOver ? 'time' : undefined;
}

/** Milliseconds for which the keys of epochs that are over are kept. */
export const sessionKeyTtlMs = ({ sessionKeyTtl }: Pick<Policies, 'sessionKeyTtl'>): number =>
  sessionKeyTtl * 1000;
