import {
  decodeMessage,
  type EpochReason,
  type GovernanceEffect,
  GovernanceError,
  type GovernanceMessage,
  identifyMessage,
  type KeyGrant,
  type Proposal,
  proposedApplications,
  type RecoveryConsent,
  submitMessage,
} from '@concordat/governance';
import type { TransactionSet } from '@concordat/kv';
import { fromUtf8 } from '@concordat/std';
import type { Findings } from './findings.ts';
import { type RecordedWrites, tableNames } from './framework-tables.ts';
import type { AdministrativeBlock, Deed } from './rehearsal.ts';

/** Seconds that the execution of a message and the sealing of its block may be apart. */
export const maxClockDifferenceSeconds = 10;

/** Executes the signed messages that a block recorded; undefined when governance refuses one. */
export function rehearseMessages(
  set: TransactionSet,
  { recorded, header }: AdministrativeBlock,
  findings: Findings,
): Deed | undefined {
  const effects: GovernanceEffect[] = [];
  for (const [sequence, bytes] of recorded.rows(tableNames.messages)) {
    const said = `the message of sequence ${Number(sequence)}`;
    if (!bytes) {
      findings.defect('governance', 'UNDECIDED_CHANGE', { message: `${said} was deleted` });
      return undefined;
    }
    try {
      const message = identifyMessage(set, decodeMessage(bytes));
      const nowSeconds = executedAt(message, recorded) ?? Math.floor(header.timeMs / 1000);
      requireRightTime(said, nowSeconds, { header, findings });
      const program = programWith(message, recorded);
      const context = { nowSeconds, ...(program && { program }) };
      effects.push(...submitMessage(set, bytes, context).effects);
      findings.examined('governance', `${message.type}s`);
    } catch (error) {
      if (!(error instanceof GovernanceError)) throw error;
      const { code: cause, message: why } = error;
      findings.defect('governance', 'MESSAGE_REFUSED', { message: `${said}: ${why}`, cause });
      return undefined;
    }
  }
  return { kind: 'messages', epochFor: [...new Set(effects.flatMap(epochFor))] };
}

/** What was executed says a time: that of its block within seconds. */
export function requireRightTime(
  what: string,
  seconds: number,
  { header, findings }: Pick<AdministrativeBlock, 'header'> & { readonly findings: Findings },
): void {
  if (Math.abs(seconds - header.timeMs / 1000) <= maxClockDifferenceSeconds) return;
  const times = `at ${isoOf(seconds * 1000)}, its block is of ${isoOf(header.timeMs)}`;
  findings.defect('governance', 'WRONG_TIME', { message: `${what} was executed ${times}` });
}

/** The program that came with a proposal: the block has it, unless it was in the ledger before. */
function programWith(
  { type, payload }: GovernanceMessage,
  recorded: RecordedWrites,
): Uint8Array | undefined {
  if (type !== 'proposal') return undefined;
  for (const { digest } of proposedApplications(payload)) {
    const program = recorded.get(tableNames.programs, digest);
    if (program) return program;
  }
  return undefined;
}

/** An instant as people and machines read it; the bare number when it is none. */
export const isoOf = (ms: number): string =>
  Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms);

/** Every change of actors, the removal of a node, and a vote for it end an epoch (M12, M17). */
function epochFor({ kind }: GovernanceEffect): EpochReason[] {
  if (kind === 'epoch-asked') return ['vote'];
  return actorChanges.has(kind) ? ['actors'] : [];
}

const actorChanges: ReadonlySet<string> = new Set([
  'actor-added',
  'actor-removed',
  'actor-kind-changed',
  'node-removed',
] satisfies GovernanceEffect['kind'][]);

/** When a member's consent to a recovery was executed, as its record has it. */
function consentedAt(signer: string, recorded: RecordedWrites): number | undefined {
  const row = recorded.get(tableNames.recoveryConsents, signer);
  const consent = row && (JSON.parse(fromUtf8(row)) as RecoveryConsent);
  return Number.isSafeInteger(consent?.atSeconds) ? consent?.atSeconds : undefined;
}

/** When a member gave shares to an auditor, or was given copies of its own, as that record has it. */
function givenAt(
  messageId: string,
  rows: ReadonlyMap<string, Uint8Array | undefined>,
): number | undefined {
  for (const [, row] of rows) {
    const given = row && (JSON.parse(fromUtf8(row)) as Pick<KeyGrant, 'message' | 'atSeconds'>);
    if (given?.message !== messageId) continue;
    return Number.isSafeInteger(given.atSeconds) ? given.atSeconds : undefined;
  }
  return undefined;
}

/** When a message was executed, as what it wrote has it. */
function executedAt(message: GovernanceMessage, recorded: RecordedWrites): number | undefined {
  const { type, signer, messageId } = message;
  if (type === 'recovery-consent') return consentedAt(signer, recorded);
  if (type === 'giving') return givenAt(messageId, recorded.rows(tableNames.keyGrants));
  if (type === 'key-export') return givenAt(messageId, recorded.rows(tableNames.keyExports));
  if (type === 'holder-rotation') return givenAt(messageId, recorded.rows(tableNames.rotations));
  if (type === 'acknowledgement') {
    return givenAt(messageId, recorded.rows(tableNames.acknowledgements));
  }
  const id = type === 'proposal' ? messageId : message.proposalId;
  const row = recorded.get(tableNames.proposals, id);
  const proposal = row && (JSON.parse(fromUtf8(row)) as Proposal);
  if (!proposal) return undefined;
  const at = {
    proposal: () => proposal.openedAtSeconds,
    vote: () => proposal.votes.find(({ actorId }) => actorId === signer)?.atSeconds,
    withdrawal: () => proposal.closedAtSeconds,
  };
  const seconds = at[type]();
  return Number.isSafeInteger(seconds) ? seconds : undefined;
}
