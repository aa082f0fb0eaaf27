import { setImmediate as nextTurn } from 'node:timers/promises';
import { combineDecryptionShares, KeysError } from '@concordat/keys';
import type { SessionKey } from '@concordat/ledger';
import { type ActorId, type Epoch, toEpoch, utf8 } from '@concordat/std';
import type { EpochKeys } from './epoch-keys.ts';
import type { OfflineProgress } from './offline-reading.ts';
import type { KeyRecord, KeySharing, SealedEpoch } from './offline-record.ts';
import { epochsPerTurn, type HolderShares } from './offline-shares.ts';

/** What became of one epoch. */
export interface EpochOutcome {
  readonly epoch: number;
  /** Number of the key its session key is encrypted to; absent when the ledger has no such row. */
  readonly key?: number;
  /** Number of the sharing whose shares were used, or of the one that is nearest to enough. */
  readonly sharing?: number;
  /** Names of the actors whose shares were used; absent when the epoch stays closed. */
  readonly used?: readonly string[];
  /** What is missing: so many more, each of another of these actors. */
  readonly missing?: { readonly more: number; readonly of: readonly string[] };
  /** Names of actors that gave a share which does not hold: bad, or made from another ledger. */
  readonly refused?: readonly string[];
  /** Nobody can open it: the ledger has no valid ciphertext of its key. */
  readonly failure?: 'NO_CIPHERTEXT';
}

/** What came of combining. */
export interface Combination {
  /** Keys of the epochs that open. Secret. */
  readonly keys: EpochKeys;
  /** Of every epoch of the ledger, in order. */
  readonly epochs: readonly EpochOutcome[];
}

/**
 * Puts together session keys from decryption shares: for every epoch, of whatever sharing of its key
 * enough different holders gave one. Each share is verified; one that does not hold is left out and
 * named. Nobody's share of the key is needed for it, and the key's secret never comes about.
 * @param given the same holder's shares of one sharing at most once
 * @param how.requester what the shares are bound to
 * @throws KeysError DUPLICATE_SHARE: one holder of a sharing is there twice
 */
export async function combineOffline(
  record: KeyRecord,
  given: readonly HolderShares[],
  how: {
    readonly requester: string;
    readonly onProgress?: (progress: OfflineProgress) => void;
  },
): Promise<Combination> {
  requireDifferentHolders(record, given);
  const { networkId, newestEpoch } = record;
  const sealed = Map.groupBy(record.epochs, ({ epoch }) => epoch);
  const keys: SessionKey[] = [];
  const epochs: EpochOutcome[] = [];
  for (let number = 1; number <= newestEpoch; number++) {
    const epoch = toEpoch(number);
    const { outcome, key } = combineEpoch(record, sealed.get(epoch) ?? [], {
      ...how,
      epoch,
      given,
    });
    epochs.push(outcome);
    if (key) keys.push({ epoch, key });
    if (number % epochsPerTurn !== 0 && number < newestEpoch) continue;
    how.onProgress?.({ stage: 'combining', done: number, total: newestEpoch, transactions: 0 });
    await nextTurn();
  }
  return { keys: { networkId, keys }, epochs };
}

function requireDifferentHolders(record: KeyRecord, given: readonly HolderShares[]): void {
  const seen = new Set<string>();
  for (const { actorId, index, sharing } of given) {
    const place = `${sharing.number}/${index}`;
    if (seen.has(place)) {
      const why = `${record.nameOf(actorId)} is there twice with its share of sharing ${sharing.number}`;
      throw new KeysError('DUPLICATE_SHARE', why, { index });
    }
    seen.add(place);
  }
}

interface Attempt {
  readonly epoch: Epoch;
  readonly given: readonly HolderShares[];
  readonly requester: string;
}

/** Tries every ciphertext of the epoch, and every sharing of its key that anybody gave shares of. */
function combineEpoch(
  record: KeyRecord,
  sealed: readonly SealedEpoch[],
  attempt: Attempt,
): { readonly outcome: EpochOutcome; readonly key?: Uint8Array } {
  const { epoch } = attempt;
  const refused = new Set<ActorId>();
  const named = (ids: Iterable<ActorId>): string[] => Array.from(ids, record.nameOf).sort();
  let nearest: Nearest | undefined;
  for (const one of sealed) {
    for (const sharing of sharingsOf(record, one)) {
      const found = trySharing(one, sharing, attempt);
      for (const actorId of found.refused) refused.add(actorId);
      const { key, used } = found;
      if (!key) {
        if (!nearest || found.more < nearest.found.more) nearest = { sharing, found };
        continue;
      }
      const outcome: EpochOutcome = {
        epoch,
        key: one.keyNumber,
        sharing: sharing.number,
        used: named(used),
        ...(refused.size > 0 && { refused: named(refused) }),
      };
      return { outcome, key };
    }
  }
  if (!nearest) return { outcome: { epoch, failure: 'NO_CIPHERTEXT' } };
  const { sharing, found } = nearest;
  const others = sharing.holders.filter(({ actorId }) => !found.used.includes(actorId));
  return {
    outcome: {
      epoch,
      key: sharing.keyNumber,
      sharing: sharing.number,
      missing: { more: found.more, of: named(others.map(({ actorId }) => actorId)) },
      ...(refused.size > 0 && { refused: named(refused) }),
    },
  };
}

interface Nearest {
  readonly sharing: KeySharing;
  readonly found: Found;
}

/** The sharings of a ciphertext's key, newest first: its holders are likeliest to be at hand. */
const sharingsOf = ({ sharings }: KeyRecord, { keyNumber }: SealedEpoch): readonly KeySharing[] =>
  sharings.filter((sharing) => sharing.keyNumber === keyNumber).reverse();

interface Found {
  readonly key?: Uint8Array;
  /** Whose shares were combined, or are waiting for others'. */
  readonly used: readonly ActorId[];
  readonly refused: readonly ActorId[];
  /** How many more it takes. */
  readonly more: number;
}

function trySharing(
  { ciphertext, label }: SealedEpoch,
  sharing: KeySharing,
  { epoch, given, requester }: Attempt,
): Found {
  const { threshold } = sharing.key;
  const request = { ciphertext, label, requester: utf8(requester) };
  const against = { threshold, verificationKey: sharing.verificationKey };
  const refused: ActorId[] = [];
  let offers = given.flatMap((holder) => {
    const share = holder.sharing === sharing ? holder.shares.get(epoch) : undefined;
    return share ? [{ actorId: holder.actorId, share }] : [];
  });
  while (offers.length >= threshold) {
    const tried = offers.slice(0, threshold);
    try {
      const shares = tried.map(({ share }) => share);
      const key = combineDecryptionShares(request, shares, against);
      return { key, used: tried.map(({ actorId }) => actorId), refused, more: 0 };
    } catch (error) {
      if (!(error instanceof KeysError)) throw error;
      // Nobody with an honest copy makes a share for a ciphertext that is not valid.
      const isOpenable = error.code === 'INVALID_SHARE';
      const bad = tried.filter(({ share }) => !isOpenable || share.index === error.details.index);
      refused.push(...bad.map(({ actorId }) => actorId));
      offers = offers.filter((offer) => !bad.includes(offer));
    }
  }
  const used = offers.map(({ actorId }) => actorId);
  return { used, refused, more: threshold - offers.length };
}
