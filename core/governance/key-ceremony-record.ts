import {
  Ceremony,
  type CeremonyPhase,
  type CeremonyTerms,
  type Dealing,
  decodeComplaint,
  decodeConfirmation,
  decodeDealing,
  type Judgement,
  KeysError,
} from '@concordat/keys';
import type { ReadView, TransactionSet } from '@concordat/kv';
import { assert, emptyBytes, fromHex, type Seqno, toDigest, toHex, toSeqno } from '@concordat/std';
import { GovernanceError } from './errors.ts';
import { isOvertaken, openCeremonyOf } from './key-ceremony.ts';
import { type CeremonyEvent, type CeremonyRow, termsFromJson, thresholdKeyOf } from './key-rows.ts';
import { readRow, sequenceKey, tables, writeRow } from './tables.ts';

/** Where a transaction of a ceremony stands. */
export interface CeremonyTurn {
  /** Position of this transaction. */
  readonly seqno: Seqno;
}

/** Key of a ceremony's event, from 1. */
export const eventKey = (ceremony: number, event: number): string =>
  `${sequenceKey(ceremony)}:${sequenceKey(event)}`;

/**
 * Records a dealing of the open ceremony.
 * @param bytes as docs/format/threshold-keys.md has it; whoever sends it, its author signed it
 * @returns the phase after it
 * @throws GovernanceError NO_KEY_CEREMONY; KeysError MALFORMED, INVALID_ELEMENT, CEREMONY_PHASE,
 *   DUPLICATE_DEALING, INVALID_DEALING. A refusal leaves no trace.
 */
export function recordDealing(
  set: TransactionSet,
  bytes: Uint8Array,
  turn: CeremonyTurn,
): CeremonyPhase {
  const { row, ceremony } = requireOpen(set);
  ceremony.deal(decodeDealing(bytes), turn.seqno);
  record(set, { row, ceremony }, { kind: 'dealing', bytes, ...turn });
  return ceremony.phase(turn.seqno);
}

/**
 * Records a complaint and what everybody makes of it; an unjust one too, once, so that all can see
 * who complained for nothing.
 * @throws GovernanceError NO_KEY_CEREMONY; KeysError MALFORMED, INVALID_ELEMENT, CEREMONY_PHASE,
 *   INVALID_COMPLAINT. A refusal leaves no trace.
 */
export function recordComplaint(
  set: TransactionSet,
  bytes: Uint8Array,
  turn: CeremonyTurn,
): Judgement {
  const { row, ceremony } = requireOpen(set);
  const complaint = decodeComplaint(bytes);
  const { accuser, dealer } = complaint;
  if (row.unjust.some(([by, about]) => by === accuser && about === dealer)) {
    const why = `the complaint of ${accuser} about ${dealer} was judged already`;
    throw new KeysError('INVALID_COMPLAINT', why, { accuser, dealer });
  }
  const judgement = ceremony.complain(complaint, turn.seqno);
  const heard: CeremonyRow =
    judgement === 'accuser' ? { ...row, unjust: [...row.unjust, [accuser, dealer]] } : row;
  record(set, { row: heard, ceremony }, { kind: 'complaint', bytes, ...turn });
  return judgement;
}

/**
 * Records that a receiver holds its share.
 * @returns the phase after it
 * @throws GovernanceError NO_KEY_CEREMONY; KeysError MALFORMED, CEREMONY_PHASE, INVALID_CONFIRMATION. A
 *   refusal leaves no trace.
 */
export function recordConfirmation(
  set: TransactionSet,
  bytes: Uint8Array,
  turn: CeremonyTurn,
): CeremonyPhase {
  const { row, ceremony } = requireOpen(set);
  const confirmation = decodeConfirmation(bytes);
  if (row.progress.confirmed.includes(confirmation.receiver)) return ceremony.phase(turn.seqno);
  ceremony.confirm(confirmation, turn.seqno);
  record(set, { row, ceremony }, { kind: 'confirmation', bytes, ...turn });
  return ceremony.phase(turn.seqno);
}

/**
 * Records that the leader waited long enough for those who are silent, and ends the phase at hand.
 * @returns the phase after it
 * @throws GovernanceError NO_KEY_CEREMONY; KeysError CEREMONY_PHASE. A refusal leaves no trace.
 */
export function recordDeadline(set: TransactionSet, turn: CeremonyTurn): CeremonyPhase {
  const { row, ceremony } = requireOpen(set);
  ceremony.endPhase(turn.seqno);
  record(set, { row, ceremony }, { kind: 'deadline', bytes: emptyBytes, ...turn });
  return ceremony.phase(turn.seqno);
}

/** A ceremony as the tables have it: dealings are read when they are asked for. */
export function resumeCeremony(view: ReadView, row: CeremonyRow): Ceremony {
  const terms: CeremonyTerms = termsFromJson(row.terms);
  const { dealt, atFault, confirmed, dealBy, checkBy } = row.progress;
  const from = row.from && readRow(view, tables.sharings, sequenceKey(row.from));
  return new Ceremony(
    terms,
    { dealBy: toSeqno(row.dealBy), checkBy: toSeqno(row.checkBy) },
    {
      ...(from && { reshared: thresholdKeyOf(from) }),
      resumed: {
        progress: {
          dealt: dealt.map(({ dealer, digest }) => {
            return { dealer, digest: toDigest(fromHex(digest) ?? emptyBytes) };
          }),
          atFault,
          confirmed,
          dealBy: toSeqno(dealBy),
          checkBy: toSeqno(checkBy),
        },
        dealingOf: (dealer) => dealingOf(view, row, dealer),
      },
    },
  );
}

function dealingOf(view: ReadView, row: CeremonyRow, dealer: number): Dealing {
  const place = row.progress.dealt.find((one) => one.dealer === dealer);
  const event = place && readRow(view, tables.ceremonyEvents, eventKey(row.number, place.event));
  assert(event !== undefined, 'a dealing vanished');
  return decodeDealing(fromHex(event.bytes) ?? emptyBytes);
}

function requireOpen(view: ReadView): { row: CeremonyRow; ceremony: Ceremony } {
  const row = openCeremonyOf(view);
  if (!row) throw new GovernanceError('NO_KEY_CEREMONY', 'no key ceremony is open');
  if (isOvertaken(view, row)) {
    const why = `those who take part in key ceremony ${row.number} have changed: close it`;
    throw new GovernanceError('NO_KEY_CEREMONY', why, { number: row.number });
  }
  return { row, ceremony: resumeCeremony(view, row) };
}

function record(
  set: TransactionSet,
  { row, ceremony }: { row: CeremonyRow; ceremony: Ceremony },
  happened: { kind: CeremonyEvent['kind']; bytes: Uint8Array; seqno: Seqno },
): void {
  const { kind, bytes, seqno } = happened;
  const event = row.events + 1;
  const { progress } = ceremony;
  const known = new Map(row.progress.dealt.map((one) => [one.dealer, one.event]));
  const next: CeremonyRow = {
    ...row,
    progress: {
      dealt: progress.dealt.map(({ dealer, digest }) => {
        return { dealer, digest: toHex(digest), event: known.get(dealer) ?? event };
      }),
      atFault: progress.atFault,
      confirmed: progress.confirmed,
      dealBy: progress.dealBy,
      checkBy: progress.checkBy,
    },
    events: event,
  };
  writeRow(set, tables.ceremonyEvents, eventKey(row.number, event), {
    kind,
    seqno,
    bytes: toHex(bytes),
  });
  writeRow(set, tables.ceremonies, sequenceKey(row.number), next);
}
