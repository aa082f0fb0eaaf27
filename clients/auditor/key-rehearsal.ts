import type { Constitution } from '@concordat/governance';
import { wrappedKeyBytes } from '@concordat/keys';
import type { TransactionSet } from '@concordat/kv';
import { fromUtf8, utf8 } from '@concordat/std';
import type { Findings } from './findings.ts';
import {
  currentEpoch,
  parseWrapKey,
  type RecordedWrites,
  tableNames,
  wrapKey,
} from './framework-tables.ts';
import type { Deed } from './rehearsal.ts';

/** What keys are judged by. */
export interface KeyQuestion {
  readonly recorded: RecordedWrites;
  readonly deed: Deed;
  /** The constitution with the block's deed done. */
  readonly after: Constitution;
}

/**
 * Judges what a block records of session keys, and takes it over into the rehearsal: an epoch ends
 * with every change of actors, and keys go to those the constitution of the time names and to
 * nobody else (paper: Encrypting Persistent State). What a wrap holds only its recipient can tell.
 */
export function rehearseKeys(set: TransactionSet, asked: KeyQuestion, findings: Findings): void {
  const { recorded, deed, after } = asked;
  const before = currentEpoch(set);
  const begun = epochBegun(asked, before, findings);
  if (begun !== undefined) set.table(tableNames.epoch).set('current', utf8(String(begun)));
  const recipients = begun === undefined ? [] : recipientsUnder(after);
  const due = new Set(recipients.map((name) => wrapKey(begun as number, name)));
  const joiner = deed.kind === 'join' ? deed.joined : undefined;
  if (joiner) due.add(wrapKey(before, joiner));
  for (const [key, wrapped] of recorded.rows(tableNames.sessionKeys)) {
    const wrap = parseWrapKey(key);
    // A newcomer reads what was before it: it gets the keys of earlier epochs too.
    const earlier = joiner !== undefined && wrap?.recipient === joiner && wrap.epoch <= before;
    if (!(earlier || due.has(key)) || wrapped?.length !== wrappedKeyBytes) {
      const what = wrapped ? 'a session key is given' : 'a wrapped session key is deleted';
      const message = `${what} under ${JSON.stringify(key.slice(0, 100))}, which nothing allows`;
      findings.defect('keys', 'WRAP_NOT_ALLOWED', { message });
    }
    if (wrapped) set.table(tableNames.sessionKeys).set(key, wrapped);
    due.delete(key);
    findings.examined('keys', 'wraps');
  }
  for (const key of due) {
    const message = `the session key ${JSON.stringify(key)} is not recorded`;
    findings.defect('keys', 'WRAP_MISSING', { message });
  }
}

/** Who receives session keys: nodes that run, and the key holders. */
export const recipientsUnder = ({ nodes, keyHolders }: Constitution): string[] => [
  ...nodes
    .filter(({ status }) => status === 'learning' || status === 'trusted')
    .map(({ nodeId }) => nodeId as string),
  ...keyHolders.map(({ name }) => name),
];

/** The epoch that a block begins; undefined when it begins none. */
function epochBegun(
  { recorded, deed }: KeyQuestion,
  before: number,
  findings: Findings,
): number | undefined {
  const written = recorded.rows(tableNames.epoch);
  if (written.size === 0) {
    if (!deed.startsEpoch) return undefined;
    const message = `actors or nodes changed, and epoch ${before} goes on`;
    findings.defect('keys', 'EPOCH_MISSING', { message });
    return undefined;
  }
  const value = recorded.get(tableNames.epoch, 'current');
  const epoch = value && fromUtf8(value);
  if (written.size === 1 && epoch === String(before + 1)) {
    findings.examined('keys', 'epochs');
    if (!deed.startsEpoch) findings.observe('epoch-on-demand', `epoch ${epoch} begins`);
    return before + 1;
  }
  const message = `after epoch ${before} the ledger names ${JSON.stringify(epoch)}`;
  findings.defect('keys', 'WRONG_EPOCH', { message });
  return undefined;
}
