import {
  type CeremonyTerms,
  ceremonyIdOf,
  type Element,
  finishSteps,
  KeysError,
  type Steps,
  type ThresholdKey,
  verificationKeysOf,
} from '@concordat/keys';
import type { ReadView, TransactionSet } from '@concordat/kv';
import { type ActorId, type Seqno, toHex } from '@concordat/std';
import { canonicalJson } from './canonical-json.ts';
import { GovernanceError } from './errors.ts';
import { isOvertaken, openCeremonyOf } from './key-ceremony.ts';
import { resumeCeremony } from './key-ceremony-record.ts';
import {
  type CeremonyRow,
  formOf,
  type KeyRow,
  type ShareHolder,
  type SharingRow,
  termsFromJson,
} from './key-rows.ts';
import { sequenceKey, tables, writeRow } from './tables.ts';

/** What a ceremony came to. */
export type CeremonyOutcome =
  | { readonly state: 'done'; readonly key: KeyRow }
  | { readonly state: 'failed'; readonly failure: string };

/** The key of a ceremony that is done, made ahead of the transaction that closes it. */
export interface PreparedKey {
  /** What it was made from. */
  readonly made: string;
  readonly result: KeyWithHolders | { readonly failure: string };
}

interface KeyWithHolders {
  readonly key: ThresholdKey;
  readonly verificationKeys: ReadonlyMap<number, Element>;
}

/**
 * Makes the key of the open ceremony in steps, so that with many holders closing it costs nothing. Each
 * node does so for itself once the ceremony is done; a node that did not does it while closing.
 * @throws GovernanceError NO_KEY_CEREMONY; KeysError CEREMONY_PHASE when it is not done
 */
export function* preparedKeySteps(view: ReadView, seqno: Seqno): Steps<PreparedKey> {
  const row = openCeremonyOf(view);
  if (!row) throw new GovernanceError('NO_KEY_CEREMONY', 'no key ceremony is open');
  try {
    const key = yield* resumeCeremony(view, row).keySteps(seqno);
    const verificationKeys = yield* verificationKeysOf(key);
    return { made: sourceOf(row), result: { key, verificationKeys } };
  } catch (error) {
    // Dealings that cancel each other out make no key, and that is the outcome.
    if (!(error instanceof KeysError) || error.code === 'CEREMONY_PHASE') throw error;
    return { made: sourceOf(row), result: { failure: error.code } };
  }
}

/** What a key follows from: terms, dealings, and who was found out. */
const sourceOf = ({ terms, progress: { dealt, atFault } }: CeremonyRow): string =>
  canonicalJson({ terms, dealt, atFault });

/**
 * Closes the open ceremony: the key is recorded, or its failure, after which the next attempt is due.
 * Fails also when those who take part in it have changed.
 * @param turn.prepared this node's own; one that does not fit is made anew
 * @throws GovernanceError NO_KEY_CEREMONY, KEY_CEREMONY_OPEN while it goes on
 */
export function closeCeremony(
  set: TransactionSet,
  turn: { readonly seqno: Seqno; readonly prepared?: PreparedKey },
): CeremonyOutcome {
  const row = openCeremonyOf(set);
  if (!row) throw new GovernanceError('NO_KEY_CEREMONY', 'no key ceremony is open');
  const { seqno, prepared } = turn;
  if (isOvertaken(set, row)) return fail(set, row, { failure: 'OVERTAKEN', seqno });
  const phase = resumeCeremony(set, row).phase(seqno);
  if (phase === 'failed') return fail(set, row, { failure: 'TOO_FEW_DEALINGS', seqno });
  if (phase !== 'done') {
    const why = `key ceremony ${row.number} is ${phase}`;
    throw new GovernanceError('KEY_CEREMONY_OPEN', why, { number: row.number, phase });
  }
  const isPrepared = prepared?.made === sourceOf(row);
  const { result } = isPrepared ? prepared : finishSteps(preparedKeySteps(set, seqno));
  if ('failure' in result) return fail(set, row, { failure: result.failure, seqno });
  const key: KeyRow = { number: row.key, keyId: toHex(result.key.id), sharing: row.number };
  writeRow(set, tables.sharings, sequenceKey(row.number), sharingOf(row, result));
  writeRow(set, tables.keys, sequenceKey(row.key), key);
  writeRow(set, tables.ceremonies, sequenceKey(row.number), {
    ...row,
    state: 'done',
    closedAt: seqno,
  });
  return { state: 'done', key };
}

function fail(
  set: TransactionSet,
  row: CeremonyRow,
  { failure, seqno }: { readonly failure: string; readonly seqno: Seqno },
): CeremonyOutcome {
  writeRow(set, tables.ceremonies, sequenceKey(row.number), {
    ...row,
    state: 'failed',
    closedAt: seqno,
    failure,
  });
  return { state: 'failed', failure };
}

/** The record of a sharing. */
export function sharingOf(row: CeremonyRow, { key, verificationKeys }: KeyWithHolders): SharingRow {
  const terms: CeremonyTerms = termsFromJson(row.terms);
  const holders = terms.receivers
    .map(
      ({ index, actor, encryptionKey }): ShareHolder => ({
        index,
        actorId: actor as ActorId,
        encryptionKey: toHex(encryptionKey),
        verificationKey: toHex(verificationKeys.get(index) as Element),
      }),
    )
    .sort((a, b) => a.index - b.index);
  return {
    key: row.key,
    ceremonyId: toHex(ceremonyIdOf(terms)),
    threshold: key.threshold,
    form: formOf(key),
    holders,
  };
}
