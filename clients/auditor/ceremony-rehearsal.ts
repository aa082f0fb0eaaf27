import {
  type CeremonyEvent,
  type CeremonyRow,
  closeCeremony,
  type HolderRegistration,
  openCeremony,
  recordComplaint,
  recordConfirmation,
  recordDeadline,
  recordDealing,
  registerHolder,
  rerunCeremony,
} from '@concordat/governance';
import type { TransactionSet } from '@concordat/kv';
import { CodedError, emptyBytes, fromHex, fromUtf8, type Seqno } from '@concordat/std';
import type { Findings } from './findings.ts';
import { tableNames } from './framework-tables.ts';
import type { AdministrativeBlock } from './rehearsal.ts';

/** What came of the key ceremonies' steps in a block. */
export interface CeremonySteps {
  /** Whether there was any step. */
  readonly any: boolean;
  /** A key that did not exist before is shared now: an epoch must begin under it. */
  readonly freshKey: boolean;
}

/**
 * Takes the steps of key ceremonies that a block records once more, each with all its proofs:
 * registrations of holder keys, the opening, dealings, complaints, confirmations and the closing
 * (paper: Encrypting Persistent State). What they come to is compared with the record afterwards,
 * byte for byte. Undefined when the rules refuse a step.
 */
export function rehearseCeremonies(
  set: TransactionSet,
  { recorded, header }: AdministrativeBlock,
  findings: Findings,
): CeremonySteps | undefined {
  const seqno = header.firstSeqno;
  let steps = 0;
  let freshKey = false;
  const step = (what: string, take: () => unknown): void => {
    take();
    steps += 1;
    findings.examined('keys', what);
  };
  try {
    for (const [, row] of recorded.rows(tableNames.holders)) {
      if (!row) continue;
      const registration = JSON.parse(fromUtf8(row)) as HolderRegistration;
      step('registrations', () => registerHolder(set, registration));
    }
    for (const [key, row] of inOrder(recorded.rows(tableNames.ceremonies))) {
      if (!row) continue;
      const after = JSON.parse(fromUtf8(row)) as CeremonyRow;
      const known = set.table(tableNames.ceremonies).has(key);
      if (!known) step('openings', () => openCeremony(set, { seqno }));
      for (const [place, event] of inOrder(recorded.rows(tableNames.ceremonyEvents))) {
        if (!event || !place.startsWith(`${key}:`)) continue;
        const happened = JSON.parse(fromUtf8(event)) as CeremonyEvent;
        step(`${happened.kind}s`, () => record(set, happened, seqno));
      }
      if (after.state === 'open') continue;
      step('closings', () => {
        const outcome = closeCeremony(set, { seqno });
        rerunCeremony(set, after.number);
        if (outcome.state === 'done' && after.purpose === 'fresh') freshKey = true;
      });
    }
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    const { code: cause, message } = error;
    findings.defect('keys', 'CEREMONY_REFUSED', { message, cause: String(cause) });
    return undefined;
  }
  return { any: steps > 0, freshKey };
}

const inOrder = <Value>(rows: ReadonlyMap<string, Value>): [string, Value][] =>
  [...rows].sort(([a], [b]) => (a < b ? -1 : 1));

function record(set: TransactionSet, { kind, bytes }: CeremonyEvent, seqno: Seqno): unknown {
  const message = fromHex(bytes) ?? emptyBytes;
  if (kind === 'dealing') return recordDealing(set, message, { seqno });
  if (kind === 'complaint') return recordComplaint(set, message, { seqno });
  if (kind === 'deadline') return recordDeadline(set, { seqno });
  return recordConfirmation(set, message, { seqno });
}
