import type { ReadView, TransactionSet } from '@concordat/kv';
import type { ActorId } from '@concordat/std';
import { GovernanceError } from './errors.ts';
import { deleteRow, readRow, tables, writeRow } from './tables.ts';

/** Messages remembered for each signer. */
export const recentMessages = 256;
/** A message may be this old when it is submitted, seconds. */
export const maxMessageAgeSeconds = 86_400;
/** A message may claim to be created this far ahead of the network's clock, seconds. */
export const maxMessageLeadSeconds = 300;

/** What replay protection looks at. */
export interface MessageIdentity {
  readonly signer: ActorId;
  /** Seconds since the Unix epoch, as signed. */
  readonly createdAtSeconds: number;
  /**
   * Hex SHA-256 of the bytes the signature covers. Never of the signature: anyone can turn a
   * valid ECDSA signature into a second valid one.
   */
  readonly signedDigest: string;
  /** Id of the message: hex SHA-256 of all its bytes. */
  readonly messageId: string;
}

/**
 * Accepts each signed message once. Every signer has a window of its latest messages and a floor:
 * what leaves the window raises the floor, and nothing at or below the floor is accepted, so a
 * message cannot come back whatever the (untrusted) clock says. Windows are per signer: flooding
 * one's own does not touch the others'.
 * @throws GovernanceError REPLAY with details.messageId, CREATED_TOO_LONG_AGO, CREATED_IN_FUTURE
 */
export function acceptOnce(
  set: TransactionSet,
  message: MessageIdentity,
  nowSeconds: number,
): void {
  const { signer, createdAtSeconds, signedDigest, messageId } = message;
  const key = `${signer}:${secondsKey(createdAtSeconds)}:${signedDigest}`;
  const known = readRow(set, tables.recent, key);
  if (known !== undefined) {
    throw new GovernanceError('REPLAY', 'that message was submitted before', { messageId: known });
  }
  const floor = readRow(set, tables.floors, signer) ?? -1;
  if (createdAtSeconds <= floor || createdAtSeconds < nowSeconds - maxMessageAgeSeconds) {
    throw new GovernanceError(
      'CREATED_TOO_LONG_AGO',
      'the message is older than the messages remembered against replay: sign it anew',
      { createdAtSeconds, nowSeconds },
    );
  }
  if (createdAtSeconds > nowSeconds + maxMessageLeadSeconds) {
    throw new GovernanceError('CREATED_IN_FUTURE', "the message is ahead of the network's clock", {
      createdAtSeconds,
      nowSeconds,
    });
  }
  writeRow(set, tables.recent, key, messageId);
  shrinkWindow(set, signer);
}

const secondsKey = (seconds: number): string => String(seconds).padStart(12, '0');
const secondsOfKey = (key: string): number => Number(key.slice(65, 77));

/** Drops the oldest beyond the window, with all of the same second, and raises the floor. */
function shrinkWindow(set: TransactionSet, signer: ActorId): void {
  const keys = windowKeys(set, signer);
  const oldest = keys[0];
  if (oldest === undefined || keys.length <= recentMessages) return;
  const floor = secondsOfKey(oldest);
  for (const key of keys) if (secondsOfKey(key) === floor) deleteRow(set, tables.recent, key);
  writeRow(set, tables.floors, signer, floor);
}

function windowKeys(set: TransactionSet, signer: ActorId): string[] {
  const range = set.table(tables.recent.table).range({ prefix: `${signer}:` });
  return Array.from(range, ([key]) => key);
}

/**
 * When a message that was accepted was signed, seconds since the Unix epoch as it says; undefined
 * once it is remembered no longer.
 */
export function createdAtOf(
  view: ReadView,
  signer: ActorId,
  messageId: string,
): number | undefined {
  const range = view.table(tables.recent.table).range({ prefix: `${signer}:` });
  for (const [key] of range) {
    if (readRow(view, tables.recent, key) === messageId) return secondsOfKey(key);
  }
  return undefined;
}

/** Empties a removed actor's window; its floor stays, should the actor come back. */
export function forgetSigner(set: TransactionSet, signer: ActorId): void {
  const keys = windowKeys(set, signer);
  const newest = keys.at(-1);
  if (newest === undefined) return;
  for (const key of keys) deleteRow(set, tables.recent, key);
  writeRow(set, tables.floors, signer, secondsOfKey(newest));
}
