import {
  type CeremonyTerms,
  ceremonyIdOf,
  type Dealer,
  dealersNeeded,
  type Receiver,
  type ThresholdKey,
  toElement,
} from '@concordat/keys';
import type { ReadView, TransactionSet } from '@concordat/kv';
import { fromHex, type Seqno, toDigest } from '@concordat/std';
import { isMember } from './constitution.ts';
import { GovernanceError } from './errors.ts';
import { type DueCeremony, dealersOf, keyNeeds, sharedKeys } from './key-due.ts';
import type { Candidate } from './key-holders.ts';
import { type CeremonyRow, termsFromJson, termsToJson, thresholdKeyOf } from './key-rows.ts';
import { defaultPolicy } from './policies.ts';
import { networkInfo } from './state.ts';
import { decodeRow, readRow, readRows, sequenceKey, tables, writeRow } from './tables.ts';

/** The newest ceremony; undefined when there was none. */
export function newestCeremony(view: ReadView): CeremonyRow | undefined {
  for (const [, bytes] of view.table(tables.ceremonies.table).range({ reverse: true, limit: 1 })) {
    return decodeRow(tables.ceremonies, bytes);
  }
  return undefined;
}

/** The ceremony of a number. */
export const ceremonyOf = (view: ReadView, number: number): CeremonyRow | undefined =>
  readRow(view, tables.ceremonies, sequenceKey(number));

/** The ceremony that is open; undefined when none is. There is never more than one. */
export function openCeremonyOf(view: ReadView): CeremonyRow | undefined {
  const newest = newestCeremony(view);
  return newest?.state === 'open' ? newest : undefined;
}

/** What session keys are encrypted to: the newest key and the number of its sharing's ceremony. */
export function currentSharedKey(
  view: ReadView,
): { readonly number: number; readonly sharing: number; readonly key: ThresholdKey } | undefined {
  const [newest] = sharedKeys(view);
  if (!newest) return undefined;
  const { number, sharing } = newest.key;
  return { number, sharing, key: thresholdKeyOf(newest.sharing) };
}

/**
 * Opens the ceremony that is due, with terms that follow from the state alone.
 * @param at.seqno position of this transaction: no two ceremonies share it
 * @throws GovernanceError KEY_CEREMONY_OPEN, KEY_CEREMONY_NOT_DUE
 */
export function openCeremony(set: TransactionSet, at: { readonly seqno: Seqno }): CeremonyRow {
  const before = newestCeremony(set);
  if (before?.state === 'open') {
    const why = `key ceremony ${before.number} is open`;
    throw new GovernanceError('KEY_CEREMONY_OPEN', why, { number: before.number });
  }
  const { due } = keyNeeds(set);
  if (!due) {
    const why = 'every key is shared among those who are there as it should be';
    throw new GovernanceError('KEY_CEREMONY_NOT_DUE', why);
  }
  const last = before?.state === 'failed' ? before : undefined;
  const terms = termsOf(due, { networkId: networkInfo(set).networkId, ...at, last });
  const name = 'keyCeremonyTransactions';
  const window = (readRow(set, tables.policies, name) ?? defaultPolicy(name)) as number;
  const dealBy = at.seqno + window;
  const checkBy = dealBy + window;
  const row: CeremonyRow = {
    number: (before?.number ?? 0) + 1,
    purpose: due.purpose,
    reason: due.reason,
    key: due.key,
    ...(due.reshared && { from: due.reshared.key.sharing }),
    attempt: (last?.attempt ?? 0) + 1,
    terms: termsToJson(terms),
    dealBy,
    checkBy,
    progress: { dealt: [], atFault: [], confirmed: [], dealBy, checkBy },
    unjust: [],
    events: 0,
    state: 'open',
  };
  // Refused here, and not in the first dealing, should the state not make terms.
  ceremonyIdOf(termsFromJson(row.terms));
  writeRow(set, tables.ceremonies, sequenceKey(row.number), row);
  return row;
}

function termsOf(
  due: DueCeremony,
  given: {
    readonly networkId: string;
    readonly seqno: Seqno;
    readonly last: CeremonyRow | undefined;
  },
): CeremonyTerms {
  const { reshared, receivers: candidates, threshold } = due;
  const { networkId, seqno, last } = given;
  const receivers = indexed(candidates);
  const base = { networkId, openedAt: seqno, threshold, receivers };
  const cheats = new Set(last?.progress.atFault.map((dealer) => actorOf(last, dealer)));
  if (!reshared) {
    const dealers = receivers.map(({ index, actor }) => ({ index, actor }));
    return { ...base, dealers: withoutCheats(dealers, cheats, threshold) };
  }
  const dealers: Dealer[] = dealersOf(reshared, candidates).map((holder) => ({
    index: holder.index,
    actor: holder.actorId,
    verificationKey: toElement(fromHex(holder.verificationKey) as Uint8Array),
  }));
  const reshares = {
    keyId: toDigest(fromHex(reshared.key.keyId) as Uint8Array),
    threshold: reshared.sharing.threshold,
  };
  return {
    ...base,
    dealers: withoutCheats(dealers, cheats, dealersNeeded({ ...base, dealers, reshares })),
    reshares,
  };
}

/** Holders by actor id, from index 1: a share is told from another's by its sharing and index. */
const indexed = (candidates: readonly Candidate[]): Receiver[] =>
  candidates.map(({ actorId, encryptionKey }, place) => ({
    index: place + 1,
    actor: actorId,
    encryptionKey: toElement(fromHex(encryptionKey) as Uint8Array),
  }));

const actorOf = ({ terms }: CeremonyRow, dealer: number): string | undefined =>
  terms.dealers.find(({ index }) => index === dealer)?.actor;

/** Whoever was found out in the attempt before does not deal in this one, if there are enough others. */
function withoutCheats(
  dealers: readonly Dealer[],
  cheats: ReadonlySet<string | undefined>,
  needed: number,
): readonly Dealer[] {
  const honest = dealers.filter(({ actor }) => !cheats.has(actor));
  return honest.length >= needed ? honest : dealers;
}

/**
 * Whether somebody who is to receive or deal is no longer a member, or has another holder key now: such
 * a ceremony ends without a key.
 */
export function isOvertaken(view: ReadView, { terms }: CeremonyRow): boolean {
  const keys = new Map<string, string>();
  for (const [actorId, { encryptionKey }] of readRows(view, tables.holders)) {
    const actor = readRow(view, tables.actors, actorId);
    if (actor && isMember(actor)) keys.set(actorId, encryptionKey);
  }
  const isGone = terms.receivers.some(({ actor, encryptionKey }) => {
    return keys.get(actor) !== encryptionKey;
  });
  return isGone || terms.dealers.some(({ actor }) => !keys.has(actor));
}
