import { setTimeout as sleep } from 'node:timers/promises';
import type { EventLine } from '@concordat/api';
import type { GovernanceEvent } from '@concordat/governance';
import { parseTransactionId } from '@concordat/std';
import type { AdminReader } from './admin-reader.ts';
import { isTransient, SdkError } from './errors.ts';
import { jittered } from './retrying.ts';

/** Which events are wanted. */
export interface EventsWanted {
  /** Those of transactions after this seqno, 0 for all there ever were; by default from now on. */
  readonly since?: number;
  readonly signal?: AbortSignal;
}

/** A stream that ends before this was none: the next one is not asked for at once, milliseconds. */
const shortStreamMs = 1_000;

/**
 * The events of a network, at one node after the other: none is missed, and none comes twice.
 * @param reach a node that serves; throws when there is none
 * @throws SdkError what `reach` throws
 */
export async function* followEvents(
  reach: () => Promise<AdminReader>,
  { since, signal }: EventsWanted,
): AsyncGenerator<EventLine<GovernanceEvent>> {
  let heard: HeardEvents | undefined;
  while (!signal?.aborted) {
    const node = await reach();
    const beganMs = performance.now();
    try {
      heard ??= new HeardEvents(since ?? (await committedSeqno(node)));
      heard.restart();
      const wanted = { since: heard.since, ...(signal && { signal }) };
      for await (const line of node.events(wanted)) if (heard.isNew(line)) yield line;
    } catch (error) {
      if (signal?.aborted) return;
      if (!isTransient(error) && !isNonsense(error)) throw error;
    }
    if (performance.now() - beganMs < shortStreamMs) await sleep(jittered(shortStreamMs));
  }
}

const isNonsense = (error: unknown): boolean =>
  error instanceof SdkError && error.code === 'UNEXPECTED_ANSWER';

const committedSeqno = async (node: AdminReader): Promise<number> =>
  parseTransactionId((await node.commit()).transaction_id)?.seqno ?? 0;

/** How far one has heard. A transaction may have several events, of which a stream that broke told some. */
class HeardEvents {
  #seqno: number;
  /** Events of that transaction that were heard, and those of it that this node told. */
  #count = 0;
  #told = 0;

  constructor(since: number) {
    this.#seqno = since;
  }

  /** What is to be told again: all of the last transaction, unless nothing of it was heard. */
  get since(): number {
    return this.#count > 0 ? this.#seqno - 1 : this.#seqno;
  }

  /** Another node begins to tell. */
  restart(): void {
    this.#told = 0;
  }

  isNew({ transactionId }: EventLine): boolean {
    const seqno = parseTransactionId(transactionId)?.seqno ?? 0;
    if (seqno < this.#seqno || (seqno === this.#seqno && this.#count === 0)) return false;
    if (seqno > this.#seqno) {
      this.#seqno = seqno;
      this.#count = 0;
      this.#told = 0;
    }
    this.#told += 1;
    if (this.#told <= this.#count) return false;
    this.#count = this.#told;
    return true;
  }
}
