import type { ReadView, TransactionSet } from '@concordat/kv';
import type { ActorId } from '@concordat/std';
import { constitutionTerms } from './constitution-terms.ts';
import type { GovernanceEffect } from './effects.ts';
import { GovernanceError } from './errors.ts';
import { Field } from './field.ts';
import type { GovernanceMessage } from './message.ts';
import { readConstitution } from './state.ts';
import { readRow, tables, writeRow } from './tables.ts';

/** That a member has read the rules it lives under, and says so with its signature. */
export interface Acknowledgement {
  /** Hex, 32 bytes: {@link constitutionTerms} of the constitution that was in force. */
  readonly terms: string;
  /** Id of the member's message, kept with all messages of governance. */
  readonly message: string;
  /** Seconds since the Unix epoch, as the leader's clock had it. */
  readonly atSeconds: number;
}

/**
 * Records a member's acknowledgement of the constitution in force: nobody acknowledges rules that are
 * not, or that changed since it looked. The newest of each member is kept as a row, all as messages.
 * @throws GovernanceError MALFORMED_MESSAGE; CONSTITUTION_NOT_IN_FORCE with the `terms` that are
 */
export function recordAcknowledgement(
  set: TransactionSet,
  { payload, signer, messageId }: GovernanceMessage,
  atSeconds: number,
): readonly GovernanceEffect[] {
  const given = new Field(payload, '', 'MALFORMED_MESSAGE').only(['terms']).at('terms').hex(32);
  const terms = constitutionTerms(readConstitution(set));
  if (given !== terms) {
    const why = `the terms of the constitution in force are ${terms}`;
    throw new GovernanceError('CONSTITUTION_NOT_IN_FORCE', why, { terms });
  }
  writeRow(set, tables.acknowledgements, signer, { terms, message: messageId, atSeconds });
  return [{ kind: 'constitution-acknowledged', actorId: signer }];
}

/** What a member acknowledged last; undefined when it never did. */
export const acknowledgementOf = (view: ReadView, actorId: ActorId): Acknowledgement | undefined =>
  readRow(view, tables.acknowledgements, actorId);
