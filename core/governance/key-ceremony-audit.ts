import {
  Ceremony,
  decodeComplaint,
  decodeConfirmation,
  decodeDealing,
  finishSteps,
  KeysError,
  type ThresholdKey,
  verificationKeysOf,
} from '@concordat/keys';
import type { ReadView } from '@concordat/kv';
import { emptyBytes, fromHex, toHex, toSeqno } from '@concordat/std';
import { canonicalJson } from './canonical-json.ts';
import { GovernanceError } from './errors.ts';
import { sharingOf } from './key-ceremony-close.ts';
import { eventKey } from './key-ceremony-record.ts';
import { type CeremonyRow, termsFromJson, thresholdKeyOf } from './key-rows.ts';
import { readRow, sequenceKey, tables } from './tables.ts';

/**
 * Runs a recorded ceremony again from its terms and events alone, every proof checked anew, and
 * compares what comes out with the record: progress, outcome, key and verification keys. Needs the
 * public tables and nothing else, so anybody can do it.
 * @returns the key; undefined when the ceremony is open or failed
 * @throws GovernanceError KEY_CEREMONY_RECORD with details.number: the record does not hold
 */
export function rerunCeremony(view: ReadView, number: number): ThresholdKey | undefined {
  try {
    const row = readRow(view, tables.ceremonies, sequenceKey(number));
    if (!row) throw wrong(number, 'there is none of that number');
    const ceremony = replayed(view, row);
    requireSameProgress(row, ceremony);
    return outcome(view, row, ceremony);
  } catch (error) {
    if (error instanceof GovernanceError) throw error;
    if (error instanceof KeysError) throw wrong(number, `${error.code}: ${error.message}`);
    // Rows of a ledger that somebody forged have any form at all.
    throw wrong(number, 'its record has no such form');
  }
}

const wrong = (number: number, why: string): GovernanceError =>
  new GovernanceError('KEY_CEREMONY_RECORD', `key ceremony ${number}: ${why}`, { number });

function replayed(view: ReadView, row: CeremonyRow): Ceremony {
  const { number } = row;
  const from = row.from && readRow(view, tables.sharings, sequenceKey(row.from));
  if (row.from && !from) throw wrong(number, 'the sharing it deals on is not recorded');
  const ceremony = new Ceremony(
    termsFromJson(row.terms),
    { dealBy: toSeqno(row.dealBy), checkBy: toSeqno(row.checkBy) },
    from ? { reshared: thresholdKeyOf(from) } : {},
  );
  const unjust: [number, number][] = [];
  let last = row.terms.openedAt;
  for (let event = 1; event <= row.events; event++) {
    const happened = readRow(view, tables.ceremonyEvents, eventKey(number, event));
    if (!happened) throw wrong(number, `event ${event} is missing`);
    if (happened.seqno < last) throw wrong(number, `event ${event} is out of order`);
    last = happened.seqno;
    const seqno = toSeqno(happened.seqno);
    const bytes = fromHex(happened.bytes) ?? emptyBytes;
    if (happened.kind === 'dealing') ceremony.deal(decodeDealing(bytes), seqno);
    else if (happened.kind === 'complaint') {
      const complaint = decodeComplaint(bytes);
      const judgement = ceremony.complain(complaint, seqno);
      if (judgement === 'accuser') unjust.push([complaint.accuser, complaint.dealer]);
    } else if (happened.kind === 'deadline') ceremony.endPhase(seqno);
    else ceremony.confirm(decodeConfirmation(bytes), seqno);
  }
  if (canonicalJson(unjust) !== canonicalJson(row.unjust)) {
    throw wrong(number, 'its complaints were judged otherwise');
  }
  return ceremony;
}

/** Whether it had to end so; who was a member then, only the ledger up to there can tell. */
function requireFailure(row: CeremonyRow, ceremony: Ceremony): void {
  if (row.failure === 'OVERTAKEN') return;
  const closedAt = toSeqno(row.closedAt ?? 0);
  if (ceremony.phase(closedAt) === 'failed') return;
  try {
    ceremony.key(closedAt);
  } catch (error) {
    if (error instanceof KeysError && error.code === row.failure) return;
    throw error;
  }
  throw wrong(row.number, 'it was closed as failed, and makes a key');
}

function requireSameProgress(row: CeremonyRow, { progress }: Ceremony): void {
  const again = {
    ...progress,
    dealt: progress.dealt.map(({ dealer, digest }) => ({ dealer, digest: toHex(digest) })),
  };
  const recorded = {
    ...row.progress,
    dealt: row.progress.dealt.map(({ dealer, digest }) => ({ dealer, digest })),
  };
  if (canonicalJson(again) === canonicalJson(recorded)) return;
  throw wrong(row.number, 'its events do not come to the progress recorded');
}

function outcome(view: ReadView, row: CeremonyRow, ceremony: Ceremony): ThresholdKey | undefined {
  const sharing = readRow(view, tables.sharings, sequenceKey(row.number));
  if (row.state !== 'done') {
    if (sharing) throw wrong(row.number, 'it gave no key, and one is recorded');
    if (row.state === 'failed') requireFailure(row, ceremony);
    return undefined;
  }
  if (!sharing) throw wrong(row.number, 'its key is not recorded');
  const key = ceremony.key(toSeqno(row.closedAt ?? 0));
  const verificationKeys = finishSteps(verificationKeysOf(key));
  if (canonicalJson(sharingOf(row, { key, verificationKeys })) !== canonicalJson(sharing)) {
    throw wrong(row.number, 'another key is recorded than its dealings make');
  }
  return key;
}
