import type { ReadView } from '@concordat/kv';
import type { Epoch } from '@concordat/std';
import type { Field } from './field.ts';
import { readRow, tables, textKey } from './tables.ts';

/** What the members let an auditor read: session keys of these epochs, by decryption shares. */
export interface AuditGrant {
  /** Unique among grants, 1-64 printable characters. */
  readonly auditor: string;
  /** 65-byte uncompressed P-256 point, hex: decryption shares are sealed to it. */
  readonly encryptionKey: string;
  /** Ascending, distinct, at least one, at most {@link maxGrantedEpochs}; also of epochs to come. */
  readonly epochs: readonly number[];
}

/** Epochs one grant names. */
export const maxGrantedEpochs = 1_000;

/** The properties a grant_audit action gives. */
export const auditGrantProperties = ['auditor', 'encryptionKey', 'epochs'] as const;

/** Reads a grant. @throws GovernanceError of the field's code */
export function readAuditGrant(field: Field): AuditGrant {
  const list = field.at('epochs').list(maxGrantedEpochs);
  if (list.length === 0) field.at('epochs').fail('must name at least one epoch');
  let last = 0;
  const epochs = list.map((item) => {
    const epoch = item.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
    if (epoch <= last) item.fail('must be above the one before it');
    last = epoch;
    return epoch;
  });
  return {
    auditor: field.at('auditor').name(),
    encryptionKey: field.at('encryptionKey').point(),
    epochs,
  };
}

/** The grant of an auditor, as voted; undefined when there is none, or none any more. */
export const auditGrantOf = (view: ReadView, auditor: string): AuditGrant | undefined =>
  readRow(view, tables.auditGrants, textKey(auditor));

/**
 * Whether a decryption share for this epoch may be given to who has this encryption key under that
 * auditor's name: asked at the moment of giving, since grants can be revoked.
 */
export function isAuditGranted(
  view: ReadView,
  asked: { readonly auditor: string; readonly encryptionKey: string; readonly epoch: Epoch },
): boolean {
  const grant = auditGrantOf(view, asked.auditor);
  return grant?.encryptionKey === asked.encryptionKey && grant.epochs.includes(asked.epoch);
}
