import {
  type Constitution,
  keyNeeds,
  openCeremonyOf,
  resumeCeremony,
  sharedKeys,
} from '@concordat/governance';
import type { ReadView } from '@concordat/kv';
import type { Seqno } from '@concordat/std';
import { missingFor } from './ceremony-lead.ts';

/** The shared keys as an operator reads of them: public facts, names in place of identities. */
export interface KeyStatus {
  /** Number of the key that session keys are encrypted to. */
  readonly key: number;
  /** So many shares of it read a session key. */
  readonly threshold: number;
  /** Members that hold one. */
  readonly holders: readonly string[];
  /** Fewer hold shares than the policy asks for: until more join, it takes all of them. */
  readonly asked?: number;
  /** Older keys that too few of today's holders have a share of. */
  readonly outOfReach?: readonly number[];
  /** The ceremony that is open, and who has not dealt, or not confirmed, yet. */
  readonly ceremony?: {
    readonly number: number;
    readonly purpose: 'fresh' | 'reshare';
    readonly reason: string;
    readonly key: number;
    readonly attempt: number;
    readonly phase: string;
    readonly waitsFor: readonly string[];
  };
  /** A ceremony that is to be held, and whose nodes must come up before. */
  readonly due?: {
    readonly purpose: 'fresh' | 'reshare';
    readonly reason: string;
    readonly key: number;
    readonly waitsFor: readonly string[];
  };
}

/**
 * What is known of the shared keys.
 * @param at.seqno of the next transaction
 * @param at.isUp whether a node of the actor is connected, as far as this node sees
 */
export function keyStatusOf(
  view: ReadView,
  { actors }: Pick<Constitution, 'actors'>,
  at: { readonly seqno: Seqno; readonly isUp: (actorId: string) => boolean },
): KeyStatus | undefined {
  const [newest] = sharedKeys(view);
  if (!newest) return undefined;
  const names = new Map<string, string>(actors.map(({ actorId, name }) => [actorId, name]));
  const nameOf = (actorId: string): string => names.get(actorId) ?? actorId;
  const { due, short, outOfReach } = keyNeeds(view);
  const ceremony = openCeremonyStatus(view, at.seqno, nameOf);
  return {
    key: newest.key.number,
    threshold: newest.sharing.threshold,
    holders: newest.sharing.holders.map(({ actorId }) => nameOf(actorId)),
    ...(short && { asked: short.asked }),
    ...(outOfReach.length > 0 && { outOfReach }),
    ...(ceremony && { ceremony }),
    ...(due &&
      !ceremony && {
        due: {
          purpose: due.purpose,
          reason: due.reason,
          key: due.key,
          waitsFor: missingFor(due, at.isUp).map(nameOf),
        },
      }),
  };
}

function openCeremonyStatus(view: ReadView, seqno: Seqno, nameOf: (actorId: string) => string) {
  const row = openCeremonyOf(view);
  if (!row) return undefined;
  const { number, purpose, reason, key, attempt, progress } = row;
  const { dealers, receivers } = row.terms;
  const phase = resumeCeremony(view, row).phase(seqno);
  const dealt = new Set(progress.dealt.map(({ dealer }) => dealer));
  const waitsFor =
    phase === 'dealing'
      ? dealers.filter(({ index }) => !dealt.has(index))
      : receivers.filter(({ index }) => !progress.confirmed.includes(index));
  return {
    number,
    purpose,
    reason,
    key,
    attempt,
    phase,
    waitsFor: waitsFor.map(({ actor }) => nameOf(actor)),
  };
}
