import type { Height, NodeId } from '@concordat/std';
import type { PeerProgress } from './consensus.ts';
import type { Sending } from './snapshot-send.ts';

/**
 * What a leader knows and owes of one peer. While *probing* it has one append out and looks for
 * the last position both logs share; while *replicating* it pipelines appends optimistically.
 */
export class Progress implements PeerProgress {
  /** Durable agreement; never falls within a view. */
  match = 0 as Height;
  /** Agreement in the peer's memory, as far as it last said; never below `match`. */
  received = 0 as Height;
  committed = 0 as Height;
  active = true;
  /** Height of the next entry to send. */
  next: Height;
  probing = true;
  /** The probe is out and unanswered. */
  probeSent = false;
  /** A read of older entries is with the driver. */
  fetching = false;
  /** Tick before which a failed read is not tried again. */
  fetchFrom = 0;
  /** Send something in the next effects even when there is no entry for it. */
  heartbeatDue = true;
  /** Commit height last told. */
  toldCommitted = 0 as Height;
  /** Latest round of reads echoed. */
  round = 0;
  /** Tick at which the peer was last heard. */
  heardAt: number;
  /** Round with which a retiring peer was told that it may go; 0 = not yet. */
  retireRound = 0;
  /** The snapshot on its way to the peer; meanwhile it gets no entries. */
  install: Sending | undefined;
  /** Tick before which no snapshot is tried again. */
  installFrom = 0;
  /** The peer through which the last append went, when it did not go directly. */
  via: NodeId | undefined;
  /** Tick before which nothing goes through this peer to others, nor through others to it. */
  relayFrom = 0;
  /** Tails of the appends in flight, oldest first, from `#inflightHead`. */
  #inflight: Height[] = [];
  #inflightHead = 0;

  constructor(next: Height, now: number) {
    this.next = next;
    this.heardAt = now;
  }

  /** Appends sent and not yet acknowledged. */
  get inflight(): number {
    return this.#inflight.length - this.#inflightHead;
  }

  /** An append up to `tail` went out. A probe is sent again from the same place until answered. */
  sent(tail: Height): void {
    if (this.probing) {
      this.probeSent = true;
      return;
    }
    this.next = (tail + 1) as Height;
    this.#inflight.push(tail);
  }

  /** The peer agrees up to `received`, durably up to `match`. */
  acknowledged(match: Height, received: Height): void {
    if (match > this.match) this.match = match;
    if (received > this.received) this.received = received;
    this.#release();
    if (this.probing && this.received + 1 >= this.next) {
      this.probing = false;
      this.probeSent = false;
    }
    if (this.next <= this.received) this.next = (this.received + 1) as Height;
  }

  /**
   * The peer does not hold the position before an append. Goes back to `next` (never below what
   * is agreed) and probes. A late NACK of an append sent before the present probe is ignored:
   * answers whether this one counted. What a peer had in memory only it may have lost, if it was
   * started again from its disk: then it says `received` lower than before. A NACK that merely comes
   * late does as well, and costs entries that are sent twice.
   */
  rejected(previousHeight: Height, next: Height, received: Height): boolean {
    if (received < this.received) this.received = Math.max(this.match, received) as Height;
    if (previousHeight <= this.received) return false;
    if (this.probing && previousHeight !== this.next - 1) return false;
    this.next = Math.max(this.received + 1, Math.min(next, previousHeight)) as Height;
    this.#probe();
    return true;
  }

  /** The peer has what the snapshot covers, up to `height`: the search for agreement goes on there. */
  installed(height: Height): void {
    this.install = undefined;
    if (this.next <= height) this.next = (height + 1) as Height;
    this.#probe();
  }

  #probe(): void {
    this.probing = true;
    this.probeSent = false;
    this.fetching = false;
    this.#inflight = [];
    this.#inflightHead = 0;
  }

  #release(): void {
    const inflight = this.#inflight;
    let head = this.#inflightHead;
    while (head < inflight.length && (inflight[head] as Height) <= this.match) head += 1;
    if (head === inflight.length) {
      inflight.length = 0;
      head = 0;
    } else if (head >= 64) {
      this.#inflight = inflight.slice(head);
      head = 0;
    }
    this.#inflightHead = head;
  }
}
