import type { ReadView, TransactionSet } from '@concordat/kv';
import type { ActorId } from '@concordat/std';
import type { GovernanceEffect } from './effects.ts';
import { GovernanceError } from './errors.ts';
import { Field } from './field.ts';
import { dealersOf, sharedKeys } from './key-due.ts';
import { type Candidate, holdersWithNode, memberHolders } from './key-holders.ts';
import type { HolderRegistration } from './key-rows.ts';
import { recordedSharings } from './key-sharings.ts';
import type { GovernanceMessage } from './message.ts';
import { readRow, tables, writeRow } from './tables.ts';

/** That a member wants its holder key replaced: its nodes register another one. */
export interface HolderRotation {
  /** Number of the registration that is to be replaced. */
  readonly number: number;
  /** Id of the member's message, kept with all messages of governance. */
  readonly message: string;
  /** Seconds since the Unix epoch, as the leader's clock had it. */
  readonly atSeconds: number;
}

/**
 * Records that a member's holder key is to be replaced by one that its nodes draw. What was dealt to the
 * old one is dealt anew to the other by a resharing, in which this member deals nothing: so the others
 * that have a node must suffice for every shared key that is not out of reach already. A new holder key
 * ends the ceremony that is open, so a key that came of an order has to be dealt a share before the next:
 * whoever orders again and again would keep the others from ever finishing one.
 * @throws GovernanceError MALFORMED_MESSAGE; NOT_A_HOLDER; ROTATION_UNFINISHED; HOLDER_NEEDED with the
 *   numbers of the `keys` that would be out of reach
 */
export function recordHolderRotation(
  set: TransactionSet,
  { payload, signer, messageId }: GovernanceMessage,
  atSeconds: number,
): readonly GovernanceEffect[] {
  new Field(payload, '', 'MALFORMED_MESSAGE').only([]);
  const registered = readRow(set, tables.holders, signer);
  if (!registered) {
    const why = 'the signer has no holder key registered';
    throw new GovernanceError('NOT_A_HOLDER', why, { actorId: signer });
  }
  requireUsed(set, signer, registered);
  const others = dealersBeside(set, signer);
  const all = memberHolders(set);
  const keys = sharedKeys(set)
    .filter(
      (shared) =>
        dealersOf(shared, all).length >= shared.sharing.threshold &&
        dealersOf(shared, others).length < shared.sharing.threshold,
    )
    .map(({ key }) => key.number);
  if (keys.length > 0) {
    const why = `without its share too few members could deal key ${keys.join(', ')} anew`;
    throw new GovernanceError('HOLDER_NEEDED', why, { actorId: signer, keys });
  }
  const row = { number: registered.number, message: messageId, atSeconds };
  writeRow(set, tables.rotations, signer, row);
  return [{ kind: 'holder-rotation-asked', actorId: signer }];
}

/** @throws GovernanceError ROTATION_UNFINISHED */
function requireUsed(
  view: ReadView,
  actorId: ActorId,
  { number, encryptionKey }: Pick<HolderRegistration, 'number' | 'encryptionKey'>,
): void {
  const last = readRow(view, tables.rotations, actorId);
  if (last === undefined || last.number >= number) return;
  for (const { row } of recordedSharings(view)) {
    const own = row.holders.find((holder) => holder.actorId === actorId);
    if (own?.encryptionKey === encryptionKey) return;
  }
  const why = 'the key that came of the last order was dealt no share yet';
  throw new GovernanceError('ROTATION_UNFINISHED', why, { actorId, number });
}

/** The number of a member's registration that is to be replaced; undefined when none is. */
export function rotationAsked(view: ReadView, actorId: string): number | undefined {
  const asked = readRow(view, tables.rotations, actorId)?.number;
  return asked !== undefined && asked === readRow(view, tables.holders, actorId)?.number
    ? asked
    : undefined;
}

/** Members that can deal with the holder key they have, beside one of them. */
const dealersBeside = (view: ReadView, actorId: string): Candidate[] =>
  holdersWithNode(view).filter((holder) => {
    return holder.actorId !== actorId && rotationAsked(view, holder.actorId) === undefined;
  });
