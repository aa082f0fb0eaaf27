import type { ReadView, TransactionSet } from '@concordat/kv';
import type { Epoch, NodeId } from '@concordat/std';
import { decodeRow, readRows, tables, writeRow } from './tables.ts';

/**
 * Who may have the session keys of which epochs, or was given decryption shares for them: every
 * granting is a transaction of the ledger (paper: Encrypting Persistent State; Audit).
 */
export interface KeyGrant {
  /** From the first epoch to the last, both included. */
  readonly epochs: readonly [from: number, to: number];
  /** An epoch began, a node joined, a member gave shares to an auditor, or a network is recovered. */
  readonly reason: 'begun' | 'joined' | 'audit' | 'recovery';
  /** Node ids; of an audit the requester the shares are bound to, `auditor:<name>:<key>`. */
  readonly to: readonly string[];
  /** Of an audit: the member that gave. */
  readonly by?: string;
  /** Of an audit: id of the member's message, kept with all messages of governance. */
  readonly message?: string;
  /** Of an audit: when, in seconds since the Unix epoch. */
  readonly atSeconds?: number;
}

/** A sequence number as a key that sorts by value: 16 decimal digits. */
const grantKey = (sequence: number): string => String(sequence).padStart(16, '0');

/** Adds a grant to the record, under the next sequence number. */
export function recordKeyGrant(set: TransactionSet, grant: KeyGrant): void {
  let sequence = 1;
  for (const [key] of set.table(tables.keyGrants.table).range({ reverse: true, limit: 1 })) {
    sequence = Number(key) + 1;
  }
  writeRow(set, tables.keyGrants, grantKey(sequence), grant);
}

/** Every grant, in the order they were made. */
export function* keyGrants(view: ReadView): Generator<KeyGrant> {
  for (const [, grant] of readRows(view, tables.keyGrants)) yield grant;
}

/** Whether a member's order to give was recorded; newest first, because it was a moment ago. */
export function isGivingRecorded(view: ReadView, messageId: string): boolean {
  for (const [, bytes] of view.table(tables.keyGrants.table).range({ reverse: true })) {
    if (!Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(messageId)) continue;
    if (decodeRow(tables.keyGrants, bytes).message === messageId) return true;
  }
  return false;
}

/**
 * Whether a grant covers this epoch for this node. Grants are never taken back: whether the node is
 * still one of the list is to be asked beside it. Newest first, because what is asked for mostly is
 * the newest epoch, or by a node that joined last.
 */
export function isNodeGranted(view: ReadView, nodeId: NodeId, epoch: Epoch): boolean {
  for (const [, bytes] of view.table(tables.keyGrants.table).range({ reverse: true })) {
    // A row of many nodes costs more to parse than to search.
    if (!Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(nodeId)) continue;
    const { epochs, reason, to } = decodeRow(tables.keyGrants, bytes);
    if (reason !== 'begun' && reason !== 'joined') continue;
    if (epochs[0] <= epoch && epoch <= epochs[1] && to.includes(nodeId)) return true;
  }
  return false;
}
