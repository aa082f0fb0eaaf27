import type { EncryptionKey } from '@concordat/crypto';
import {
  type AuditShare,
  auditorRequester,
  type DecryptionShare,
  decodeAuditShares,
  KeysError,
  openAuditShares,
} from '@concordat/keys';
import { type ActorId, type Epoch, fromUtf8, toHex } from '@concordat/std';
import { AuditorError } from './errors.ts';
import { type Combination, combineOffline } from './offline-combine.ts';
import type { OfflineProgress } from './offline-reading.ts';
import { holderAt, type KeyRecord } from './offline-record.ts';
import type { HolderShares } from './offline-shares.ts';

/** A file of shares as an actor handed it over. */
export interface GivenShares {
  /** What errors call it. */
  readonly name: string;
  readonly text: string;
}

/** What came of an auditor's collection. */
export interface AuditCollection extends Combination {
  /** Closed epochs whose shares are of different sharings: the keys were dealt anew in between. */
  readonly dealtAnew: readonly number[];
}

type Gathered = Omit<HolderShares, 'shares'> & { readonly shares: Map<Epoch, DecryptionShare> };

/**
 * Puts session keys together from the files that actors gave an auditor: each is opened with the
 * auditor's key, each share checked against the sharing the ledger records and against the auditor it
 * was made for. Of epochs that nobody gave shares of, nothing is said.
 * @throws AuditorError WRONG_NETWORK, OTHER_REQUESTER, UNKNOWN_SHARING; KeysError MALFORMED,
 *   SHARES_NOT_OPENED, INVALID_ELEMENT, DUPLICATE_SHARE: an actor's share of an epoch is there twice
 */
export async function collectAuditShares(
  record: KeyRecord,
  given: readonly GivenShares[],
  how: {
    /** The auditor's private key. */
    readonly key: EncryptionKey;
    readonly onProgress?: (progress: OfflineProgress) => void;
  },
): Promise<AuditCollection> {
  const encryptionKey = toHex(how.key.publicKey);
  const gathered = new Map<string, Gathered>();
  let auditor: string | undefined;
  for (const { name, text } of given) {
    const file = decodeAuditShares(text);
    if (file.networkId !== record.networkId) {
      const why = `${name} is of network ${file.networkId}, not of the ledger's`;
      throw new AuditorError('WRONG_NETWORK', why, { networkId: file.networkId });
    }
    auditor ??= file.auditor;
    if (file.encryptionKey !== encryptionKey || file.auditor !== auditor) {
      const why = `${name} is for auditor ${file.auditor} with key ${file.encryptionKey}`;
      throw new AuditorError('OTHER_REQUESTER', why, { auditor: file.auditor });
    }
    for (const share of openAuditShares(file, how.key)) {
      gather(record, gathered, { actor: file.actor, share, name });
    }
  }
  const { onProgress } = how;
  const requester = fromUtf8(auditorRequester({ name: auditor ?? '', encryptionKey }));
  const combination = await combineOffline(record, [...gathered.values()], {
    requester,
    ...(onProgress && { onProgress }),
  });
  /** Sharings of which there are shares, by epoch. */
  const asked = new Map<number, Set<number>>();
  for (const { shares, sharing } of gathered.values()) {
    for (const epoch of shares.keys()) {
      asked.set(epoch, (asked.get(epoch) ?? new Set()).add(sharing.number));
    }
  }
  const epochs = combination.epochs.filter(({ epoch }) => asked.has(epoch));
  const closed = epochs.filter(({ used }) => !used).map(({ epoch }) => epoch);
  const dealtAnew = closed.filter((epoch) => (asked.get(epoch)?.size ?? 0) > 1);
  return { ...combination, epochs, dealtAnew };
}

function gather(
  { sharings, nameOf }: KeyRecord,
  gathered: Map<string, Gathered>,
  from: { readonly actor: string; readonly share: AuditShare; readonly name: string },
): void {
  const { actor, name } = from;
  const { epoch, key, sharing: number, share } = from.share;
  const sharing = sharings.find((one) => one.number === number && one.keyNumber === key);
  if (!sharing) {
    const why = `${name} has a share of sharing ${number} of key ${key}, which this ledger does not know: it may end before it`;
    throw new AuditorError('UNKNOWN_SHARING', why, { sharing: number, key });
  }
  const { index } = share;
  if (holderAt(sharing, index) !== actor) {
    const why = `${name} has a share of holder ${index} of sharing ${number}, who is not ${nameOf(actor)}`;
    throw new AuditorError('UNKNOWN_SHARING', why, { sharing: number, index });
  }
  const place = `${number}/${index}`;
  const holder = gathered.get(place) ?? {
    actorId: actor as ActorId,
    index,
    sharing,
    shares: new Map<Epoch, DecryptionShare>(),
  };
  gathered.set(place, holder);
  if (holder.shares.has(epoch)) {
    const why = `the share of ${nameOf(actor)} for epoch ${epoch} is there twice`;
    throw new KeysError('DUPLICATE_SHARE', why, { index, epoch });
  }
  holder.shares.set(epoch, share);
}
