import type { Height, NodeId, View } from '@concordat/std';
import type { Entry, SnapshotPosition } from './consensus.ts';
import type { Effects, Outgoing } from './effects.ts';
import type { Message } from './message.ts';

type Items<List> = List extends readonly (infer Item)[] ? Item : never;

/** What is seldom owed at all: no list is made for it until it is. */
const nothing: readonly never[] = Object.freeze([]);

/** Collects what is owed to the outside until the driver takes it. */
export class Outbox {
  #hardState: Effects['hardState'];
  #truncateAfter: Height | undefined;
  #append: Entry[] = [];
  #messages: Outgoing[] = [];
  #afterHardState: Outgoing[] = [];
  #committed: Height | undefined;
  #committedByAll: Height | undefined;
  #fetch: Items<Effects['fetch']>[] | undefined;
  #chunkFetch: Items<Effects['chunkFetch']>[] | undefined;
  #chunkReceived: Items<Effects['chunkReceived']>[] | undefined;
  #receptionDropped = false;
  #restore: SnapshotPosition | undefined;
  #reads: Items<Effects['reads']>[] | undefined;
  #failedReads: string[] | undefined;
  #changed = false;
  #owed = false;

  hardState(view: View, votedFor: NodeId | undefined): void {
    this.#hardState = votedFor === undefined ? { view } : { view, votedFor };
    this.#owed = true;
  }

  append(entry: Entry): void {
    this.#append.push(entry);
    this.#owed = true;
  }

  /** Entries above `after` are gone: those not handed out yet are simply not handed out. */
  truncate(after: Height): void {
    const append = this.#append;
    while (append.length > 0 && (append[append.length - 1] as Entry).height > after) append.pop();
    if (append.length > 0) return;
    if (this.#truncateAfter === undefined || after < this.#truncateAfter) {
      this.#truncateAfter = after;
    }
    this.#owed = true;
  }

  send(to: NodeId, message: Message): void {
    this.#messages.push({ to, message });
    this.#owed = true;
  }

  sendAfterHardState(to: NodeId, message: Message): void {
    this.#afterHardState.push({ to, message });
    this.#owed = true;
  }

  committed(height: Height): void {
    this.#committed = height;
    this.#owed = true;
  }

  committedByAll(height: Height): void {
    this.#committedByAll = height;
    this.#owed = true;
  }

  fetch(peer: NodeId, from: Height, maxBytes: number): void {
    this.#fetch ??= [];
    this.#fetch.push({ peer, from, maxBytes });
    this.#owed = true;
  }

  chunkFetch(peer: NodeId, digest: string, index: number): void {
    this.#chunkFetch ??= [];
    this.#chunkFetch.push({ peer, digest, index });
    this.#owed = true;
  }

  chunkReceived(position: SnapshotPosition, index: number, bytes: Uint8Array): void {
    this.#chunkReceived ??= [];
    this.#chunkReceived.push({ position, index, bytes });
    this.#owed = true;
  }

  /** Chunks not handed out yet are simply not handed out. */
  receptionDropped(): void {
    this.#chunkReceived = undefined;
    this.#receptionDropped = true;
    this.#owed = true;
  }

  restore(position: SnapshotPosition): void {
    this.#restore = position;
    this.#owed = true;
  }

  read(requestId: string, height: Height): void {
    this.#reads ??= [];
    this.#reads.push({ requestId, height });
    this.#owed = true;
  }

  failRead(requestId: string): void {
    this.#failedReads ??= [];
    this.#failedReads.push(requestId);
    this.#owed = true;
  }

  changed(): void {
    this.#changed = true;
    this.#owed = true;
  }

  take(): Effects | undefined {
    if (!this.#owed) return undefined;
    // Made in one shape and then added to: this runs several times for each block.
    const effects: { -readonly [Name in keyof Effects]: Effects[Name] } = {
      append: this.#append,
      messages: this.#messages,
      afterHardState: this.#afterHardState,
      fetch: this.#fetch ?? nothing,
      chunkFetch: this.#chunkFetch ?? nothing,
      receptionDropped: this.#receptionDropped,
      chunkReceived: this.#chunkReceived ?? nothing,
      reads: this.#reads ?? nothing,
      failedReads: this.#failedReads ?? nothing,
      changed: this.#changed,
    };
    if (this.#hardState) effects.hardState = this.#hardState;
    if (this.#truncateAfter !== undefined) effects.truncateAfter = this.#truncateAfter;
    if (this.#committed !== undefined) effects.committed = this.#committed;
    if (this.#committedByAll !== undefined) effects.committedByAll = this.#committedByAll;
    if (this.#restore) effects.restore = this.#restore;
    this.#reset();
    return effects;
  }

  #reset(): void {
    this.#hardState = undefined;
    this.#truncateAfter = undefined;
    this.#append = [];
    this.#messages = [];
    this.#afterHardState = [];
    this.#committed = undefined;
    this.#committedByAll = undefined;
    this.#fetch = undefined;
    this.#chunkFetch = undefined;
    this.#chunkReceived = undefined;
    this.#receptionDropped = false;
    this.#restore = undefined;
    this.#reads = undefined;
    this.#failedReads = undefined;
    this.#changed = false;
    this.#owed = false;
  }
}
