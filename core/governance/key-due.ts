import type { ReadView } from '@concordat/kv';
import { type Candidate, candidateHolders, holdersWithNode } from './key-holders.ts';
import type { CeremonyReason, CeremonyRow, KeyRow, SharingRow } from './key-rows.ts';
import { keyThresholdUnder } from './key-threshold.ts';
import { defaultPolicy, type KeyThresholdPolicy } from './policies.ts';
import { memberIds } from './state.ts';
import { readRow, readRows, sequenceKey, tables } from './tables.ts';

/** A key with its newest sharing. */
export interface SharedKey {
  readonly key: KeyRow;
  readonly sharing: SharingRow;
}

/** A ceremony that should be opened. */
export interface DueCeremony {
  readonly purpose: CeremonyRow['purpose'];
  readonly reason: CeremonyReason;
  /** Number of the key that is to be made or reshared. */
  readonly key: number;
  readonly threshold: number;
  readonly receivers: readonly Candidate[];
  /** In a resharing: the key as it is shared now. */
  readonly reshared?: SharedKey;
}

/** What the shared keys lack. */
export interface KeyNeeds {
  /** What to open next; undefined when nothing is due. */
  readonly due?: DueCeremony;
  /** Fewer are there to hold a share than the policy asks for: until more join, it takes them all. */
  readonly short?: { readonly holders: number; readonly asked: number };
  /**
   * Older keys that fewer than their threshold of today's holders have a share of: resharing cannot
   * help, only those who left, or recovery copies.
   */
  readonly outOfReach: readonly number[];
}

/** All keys, newest first. */
export function sharedKeys(view: ReadView): SharedKey[] {
  const keys: SharedKey[] = [];
  for (const [, key] of readRows(view, tables.keys)) {
    const sharing = readRow(view, tables.sharings, sequenceKey(key.sharing));
    if (sharing) keys.unshift({ key, sharing });
  }
  return keys;
}

/**
 * What should be done about the shared keys, from the state alone. A removal, and a threshold that
 * rises, ask for a fresh key: shares that were given out stay good for the old one under the old
 * threshold, whatever is reshared. Newcomers, lost shares and a threshold that falls ask for a
 * resharing; older keys are reshared to today's holders after that, one by one.
 */
export function keyNeeds(view: ReadView): KeyNeeds {
  const keys = sharedKeys(view);
  const newest = keys[0];
  const present = new Set<string>(newest?.sharing.holders.map(({ actorId }) => actorId));
  const receivers = candidateHolders(view, present);
  const policy = (readRow(view, tables.policies, 'keyThreshold') ??
    defaultPolicy('keyThreshold')) as KeyThresholdPolicy;
  const threshold = keyThresholdUnder(policy, receivers.length);
  const short = policy !== 'majority' &&
    policy > receivers.length && {
      short: { holders: receivers.length, asked: policy },
    };
  if (receivers.length === 0) return { ...short, outOfReach: [] };
  const there = holdersWithNode(view);
  const wanted: Wanted = { receivers, threshold, members: memberIds(view), there };
  const fresh = freshReason(newest, wanted);
  const nextKey = (newest?.key.number ?? 0) + 1;
  const outOfReach: number[] = [];
  let due: DueCeremony | undefined = fresh && {
    purpose: 'fresh',
    reason: fresh,
    key: nextKey,
    threshold,
    receivers,
  };
  /** Of keys that wait for nodes of members without any, which keep no other key waiting. */
  let later: DueCeremony | undefined;
  for (const shared of keys) {
    const reason = reshareReason(shared, wanted);
    if (!reason) continue;
    if (dealersOf(shared, receivers).length < shared.sharing.threshold) {
      outOfReach.push(shared.key.number);
      continue;
    }
    const { number: key } = shared.key;
    const again = {
      purpose: 'reshare',
      reason,
      key,
      threshold,
      receivers,
      reshared: shared,
    } as const;
    if (isReachable(shared, wanted)) due ??= again;
    else later ??= again;
  }
  const next = due ?? later;
  return { ...(next && { due: next }), ...short, outOfReach };
}

/** The ceremony that is due; undefined when none is, or too few holders are there. */
export const ceremonyDue = (view: ReadView): DueCeremony | undefined => keyNeeds(view).due;

interface Wanted {
  readonly receivers: readonly Candidate[];
  readonly threshold: number;
  readonly members: ReadonlySet<string>;
  /** Those of them that have a node. */
  readonly there: readonly Candidate[];
}

/** Whether as many members that have a node hold shares of it as it takes to deal it anew. */
const isReachable = (shared: SharedKey, { there }: Wanted): boolean =>
  dealersOf(shared, there).length >= shared.sharing.threshold;

function freshReason(newest: SharedKey | undefined, wanted: Wanted): CeremonyReason | undefined {
  if (!newest) return 'first';
  const { holders, threshold } = newest.sharing;
  if (holders.some(({ actorId }) => !wanted.members.has(actorId))) return 'removal';
  if (threshold < wanted.threshold) return 'threshold-raised';
  // A member without a node may come back with its share; nobody can wait for that.
  const canReshare = isReachable(newest, wanted);
  return canReshare || !reshareReason(newest, wanted) ? undefined : 'out-of-reach';
}

function reshareReason({ sharing }: SharedKey, wanted: Wanted): CeremonyReason | undefined {
  const { holders, threshold } = sharing;
  const isSame =
    holders.length === wanted.receivers.length &&
    wanted.receivers.every((candidate) => holders.some((holder) => isHeldBy(holder, candidate)));
  if (!isSame) return 'holders-changed';
  if (threshold === wanted.threshold) return undefined;
  return threshold > wanted.threshold ? 'threshold-lowered' : 'threshold-raised';
}

/** Whether the holder is that candidate, and its share was given to the key it has now. */
const isHeldBy = (holder: Candidate, candidate: Candidate): boolean =>
  holder.actorId === candidate.actorId && holder.encryptionKey === candidate.encryptionKey;

/** The holders of a key that can deal their share on. */
export const dealersOf = (
  { sharing }: SharedKey,
  candidates: readonly Candidate[],
): SharingRow['holders'] =>
  sharing.holders.filter((holder) => candidates.some((candidate) => isHeldBy(holder, candidate)));
