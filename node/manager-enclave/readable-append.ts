import type { Append, Entry, Message } from '@concordat/consensus';
import { beginsEpoch } from '@concordat/governance';
import { decodeWriteSet } from '@concordat/kv';
import { type BlockHeader, decodeHeader, openPublicPart } from '@concordat/ledger';
import { CodedError, type Epoch } from '@concordat/std';

/** What a node knows of blocks that have not been opened. */
export interface Readability {
  /** Whether this entry is in the log already. */
  holds(entry: Entry): boolean;
  /** Whether the key of this block's epoch is at hand. */
  canOpen(epoch: Epoch, block: Uint8Array): boolean;
}

/** The part of a message that can be stepped now. */
export interface ReadablePart {
  readonly message: Message;
  /** The first entry that was left out; undefined when the message is whole. */
  readonly next?: Entry;
  /** The epoch whose key is missing; undefined when the next entry has to wait for the one before it. */
  readonly lacks?: Epoch;
}

/**
 * Cuts an append before the first block that this node cannot open: what consensus has accepted is
 * to be opened, and a block that is not at hand yet is no damage. It also ends with a block that
 * begins an epoch, because which key that epoch has is known once that block is opened. What is left
 * is an append as the leader might have sent it; without entries, a heartbeat.
 */
export function readablePart(message: Message, known: Readability): ReadablePart {
  const append = appendIn(message);
  if (!append) return { message };
  const { entries } = append;
  let hasBegun = false;
  for (const [at, entry] of entries.entries()) {
    if (known.holds(entry)) continue;
    const header = headerOf(entry.payload);
    // Whatever is wrong with it is told by those who open it.
    if (!header) continue;
    if (hasBegun) return { message: cut(message, at), next: entry };
    if (!known.canOpen(header.epoch, entry.payload)) {
      return { message: cut(message, at), next: entry, lacks: header.epoch };
    }
    hasBegun = header.source === 0 && announcesEpoch(entry.payload);
  }
  return { message };
}

function appendIn(message: Message): Append | undefined {
  if (message.type === 'append') return message;
  return message.type === 'relay' ? message.append : undefined;
}

function cut(message: Message, at: number): Message {
  if (message.type === 'append') return { ...message, entries: message.entries.slice(0, at) };
  if (message.type !== 'relay') return message;
  const { append } = message;
  return { ...message, append: { ...append, entries: append.entries.slice(0, at) } };
}

function headerOf(block: Uint8Array): BlockHeader | undefined {
  return tried(() => decodeHeader(block));
}

const announcesEpoch = (block: Uint8Array): boolean =>
  tried(() =>
    openPublicPart(block).publicWrites.some((writes) => {
      if (writes.length === 0) return false;
      for (const { table } of decodeWriteSet(writes)) if (beginsEpoch(table)) return true;
      return false;
    }),
  ) ?? false;

function tried<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof CodedError) return undefined;
    throw error;
  }
}
