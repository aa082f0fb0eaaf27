import { auditorRequester } from '@concordat/keys';
import type { ReadView, TransactionSet } from '@concordat/kv';
import { type ActorId, type Epoch, fromUtf8 } from '@concordat/std';
import {
  type AuditGrant,
  auditGrantProperties,
  isAuditGranted,
  readAuditGrant,
} from './audit-grant.ts';
import type { GovernanceEffect } from './effects.ts';
import { GovernanceError } from './errors.ts';
import { Field } from './field.ts';
import { sharedKeys } from './key-due.ts';
import { recordKeyGrant } from './key-grants.ts';
import type { GovernanceMessage } from './message.ts';

/**
 * Reads what a member asks its own node to give: to whom, and shares for which epochs.
 * @throws GovernanceError MALFORMED_MESSAGE
 */
export const readGiving = (payload: unknown): AuditGrant =>
  readAuditGrant(new Field(payload, '', 'MALFORMED_MESSAGE').only(auditGrantProperties));

/**
 * Records that a member gives an auditor its decryption shares; this comes first, and only what is
 * recorded is given. The grant the members voted must cover it at this very moment.
 * @throws GovernanceError MALFORMED_MESSAGE, AUDIT_NOT_GRANTED with details.epoch, NOT_A_HOLDER
 */
export function recordGiving(
  set: TransactionSet,
  { payload, signer, messageId }: GovernanceMessage,
  atSeconds: number,
): readonly GovernanceEffect[] {
  const { auditor, encryptionKey, epochs } = readGiving(payload);
  const closed = epochs.find((epoch) => {
    return !isAuditGranted(set, { auditor, encryptionKey, epoch: epoch as Epoch });
  });
  if (closed !== undefined) {
    const why = `no grant in force lets auditor ${auditor} with this key read epoch ${closed}`;
    throw new GovernanceError('AUDIT_NOT_GRANTED', why, { auditor, epoch: closed });
  }
  requireShareholder(set, signer);
  const to = [fromUtf8(auditorRequester({ name: auditor, encryptionKey }))];
  for (const range of rangesOf(epochs)) {
    const who = { by: signer, message: messageId, atSeconds };
    recordKeyGrant(set, { epochs: range, reason: 'audit', to, ...who });
  }
  return [{ kind: 'shares-given', auditor }];
}

function requireShareholder(view: ReadView, actorId: ActorId): void {
  const holds = sharedKeys(view).some(({ sharing }) =>
    sharing.holders.some((holder) => holder.actorId === actorId),
  );
  if (holds) return;
  throw new GovernanceError('NOT_A_HOLDER', 'the signer holds no share of any key', { actorId });
}

/** Ascending numbers as ranges, both ends included. */
function rangesOf(numbers: readonly number[]): [number, number][] {
  const ranges: [number, number][] = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    if (last?.[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges;
}
