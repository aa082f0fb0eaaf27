import type { ReadView, TransactionSet } from '@concordat/kv';
import type { ActorId } from '@concordat/std';
import type { GovernanceEffect } from './effects.ts';
import { GovernanceError } from './errors.ts';
import { Field } from './field.ts';
import { sharedKeys } from './key-due.ts';
import type { SharingRow } from './key-rows.ts';
import { keyThresholdUnder } from './key-threshold.ts';
import type { GovernanceMessage } from './message.ts';
import { defaultPolicy, type KeyThresholdPolicy } from './policies.ts';
import { recoveredFrom } from './recovery.ts';
import { memberIds } from './state.ts';
import { readRow, readRows, sequenceKey, tables, writeRow } from './tables.ts';

/** That an actor was given a recovery copy of its share, and which; the newest time stands. */
export interface KeyExport {
  readonly actorId: ActorId;
  /** Number of the shared key. */
  readonly key: number;
  /** Number of the ceremony that dealt the share. */
  readonly sharing: number;
  /** Where the share lies: the holder's index in that sharing. */
  readonly index: number;
  /** 65-byte uncompressed P-256 point, hex: what the copy was sealed to when it left the enclave. */
  readonly publicKey: string;
  /** Id of the member's message that asked for it, kept with all messages of governance. */
  readonly message: string;
  /** Seconds since the Unix epoch, as the leader's clock had it. */
  readonly atSeconds: number;
  /** How often it was given, from 1. */
  readonly times: number;
}

/** What a member asks its own node for. */
export interface KeyExportRequest {
  /** 65-byte uncompressed P-256 point, hex: what the copies are to be sealed to. */
  readonly publicKey: string;
  /** Also copies that were given before, as the first may be lost. */
  readonly again: boolean;
}

const exportKey = (sharing: number, actorId: string): string =>
  `${sequenceKey(sharing)}:${actorId}`;

/**
 * Reads what a member asks for.
 * @throws GovernanceError MALFORMED_MESSAGE
 */
export function readKeyExportRequest(payload: unknown): KeyExportRequest {
  const field = new Field(payload, '', 'MALFORMED_MESSAGE').only(['publicKey', 'again']);
  return { publicKey: field.at('publicKey').point(), again: field.at('again').boolean() };
}

/**
 * Records that a member is given copies of its shares: of the newest sharing of every key it holds a
 * share of, each once unless it asks again. The record comes first, and only what is recorded is given.
 * @throws GovernanceError MALFORMED_MESSAGE; NOT_A_HOLDER; KEY_EXPORTED when all were given before;
 *   KEY_NOT_SHARED
 */
export function recordKeyExport(
  set: TransactionSet,
  { payload, signer, messageId }: GovernanceMessage,
  atSeconds: number,
): readonly GovernanceEffect[] {
  const { publicKey, again } = readKeyExportRequest(payload);
  let held = 0;
  let alone = 0;
  const given: number[] = [];
  for (const { key, sharing } of sharedKeys(set)) {
    const holder = sharing.holders.find(({ actorId }) => actorId === signer);
    if (!holder) continue;
    held += 1;
    if (readsAlone(set, sharing)) {
      alone += 1;
      continue;
    }
    const before = readRow(set, tables.keyExports, exportKey(key.sharing, signer));
    if (before && !again) continue;
    writeRow(set, tables.keyExports, exportKey(key.sharing, signer), {
      actorId: signer,
      key: key.number,
      sharing: key.sharing,
      index: holder.index,
      publicKey,
      message: messageId,
      atSeconds,
      times: (before?.times ?? 0) + 1,
    });
    given.push(key.number);
  }
  if (held === 0) {
    const why = 'the signer holds no share of any key';
    throw new GovernanceError('NOT_A_HOLDER', why, { actorId: signer });
  }
  if (given.length === 0 && alone > 0) {
    const why =
      'its share alone reads what was recovered: copies are given once others hold shares';
    throw new GovernanceError('KEY_NOT_SHARED', why, { actorId: signer });
  }
  if (given.length === 0) {
    const why = 'copies of all the shares the signer holds were given before';
    throw new GovernanceError('KEY_EXPORTED', why, { actorId: signer });
  }
  return [{ kind: 'key-exported', actorId: signer, keys: given }];
}

/**
 * Whether one share reads the state of a recovered network, against what its members agreed on: its
 * first node is alone at first, and what several members let its enclave read must not leave it in the
 * hands of one.
 */
function readsAlone(set: TransactionSet, { threshold }: SharingRow): boolean {
  if (threshold > 1 || !recoveredFrom(set)) return false;
  const policy = readRow(set, tables.policies, 'keyThreshold') ?? defaultPolicy('keyThreshold');
  return keyThresholdUnder(policy as KeyThresholdPolicy, memberIds(set).size) > 1;
}

/** Every copy that was given, by sharing, then by actor. */
export function* keyExports(view: ReadView): Generator<KeyExport> {
  for (const [, row] of readRows(view, tables.keyExports)) yield row;
}

/** The copies that one message was given. */
export const keyExportsOf = (view: ReadView, messageId: string): readonly KeyExport[] =>
  [...keyExports(view)].filter(({ message }) => message === messageId);
