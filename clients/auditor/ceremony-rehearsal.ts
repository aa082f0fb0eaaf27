import {
  type CeremonyEvent,
  type CeremonyRow,
  closeCeremony,
  type HolderRegistration,
  newestCeremony,
  openCeremony,
  openCeremonyOf,
  readConstitution,
  recordComplaint,
  recordConfirmation,
  recordDeadline,
  recordDealing,
  registerHolder,
  rerunCeremony,
  resumeCeremony,
} from '@concordat/governance';
import type { ReadView, TransactionSet } from '@concordat/kv';
import type { BlockHeader } from '@concordat/ledger';
import { CodedError, emptyBytes, fromHex, fromUtf8, type Seqno } from '@concordat/std';
import { tableNames } from './framework-tables.ts';
import type { AdministrativeBlock, RehearsalContext } from './rehearsal.ts';

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
  { findings, phases }: Pick<RehearsalContext, 'findings' | 'phases'>,
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
      phases.reached(phaseOf(set, seqno), header);
      for (const [place, event] of inOrder(recorded.rows(tableNames.ceremonyEvents))) {
        if (!event || !place.startsWith(`${key}:`)) continue;
        const happened = JSON.parse(fromUtf8(event)) as CeremonyEvent;
        if (happened.kind === 'deadline') requirePatience(set, header, { findings, phases });
        step(`${happened.kind}s`, () => record(set, happened, seqno));
        phases.reached(phaseOf(set, seqno), header);
      }
      if (after.state === 'open') continue;
      step('closings', () => {
        const purpose = newestCeremony(set)?.purpose;
        const outcome = closeCeremony(set, { seqno });
        rerunCeremony(set, after.number);
        if (outcome.state === 'done' && purpose === 'fresh') freshKey = true;
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

/** Clocks are read in other places than where blocks get their times. */
const toleranceMs = 1_000;

/** What a leader waits in: another one once a dealer was found out, as that clears what was confirmed. */
function phaseOf(view: ReadView, seqno: Seqno): string {
  const row = openCeremonyOf(view);
  if (!row) return '';
  const { number, progress } = row;
  return `${number} ${resumeCeremony(view, row).phase(seqno)} ${progress.atFault.length}`;
}

/** A leader gives the silent as long as the policy of the time says. */
function requirePatience(
  view: ReadView,
  header: BlockHeader,
  { findings, phases }: Pick<RehearsalContext, 'findings' | 'phases'>,
): void {
  const { keyCeremonyDuration } = readConstitution(view).policies;
  const waitedMs = phases.waitedMs(header);
  const told = `the leader ended a phase that waited for the silent, after ${waitedMs} ms`;
  findings.observe('ceremony-deadline', told);
  if (waitedMs >= keyCeremonyDuration * 1000 - toleranceMs) return;
  const message = `a phase of a key ceremony was ended after ${waitedMs} ms, and keyCeremonyDuration is ${keyCeremonyDuration} s`;
  findings.defect('keys', 'DEADLINE_TOO_EARLY', { message });
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
