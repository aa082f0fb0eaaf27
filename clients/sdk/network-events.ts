import { setTimeout as sleep } from 'node:timers/promises';
import type { EventLine } from '@concordat/api';
import type { GovernanceEvent } from '@concordat/governance';
import { parseTransactionId } from '@concordat/std';
import type { AdminReader } from './admin-reader.ts';
import { isTransient, SdkError } from './errors.ts';
import { jittered } from './retrying.ts';

/** What a network tells of itself, or that another node goes on telling. */
export type NetworkEvent =
  | EventLine<GovernanceEvent>
  /** The node that told went away: what was changed until now was perhaps not told. */
  | { readonly resumed: true };

/** A stream that ends before this was none: the next one is not asked for at once, milliseconds. */
const shortStreamMs = 1_000;

/**
 * The events of a network, at one node after the other: none twice, and each change of node told,
 * since a node tells only what is committed while one listens.
 * @param reach a node that serves; throws when there is none
 * @throws SdkError what `reach` throws
 */
export async function* followEvents(
  reach: () => Promise<AdminReader>,
  signal: AbortSignal | undefined,
): AsyncGenerator<NetworkEvent> {
  const seen = new SeenEvents();
  for (let isFirst = true; !signal?.aborted; isFirst = false) {
    const node = await reach();
    const beganMs = performance.now();
    try {
      if (!isFirst) yield { resumed: true };
      seen.restart();
      for await (const line of node.events(signal)) if (seen.isNew(line)) yield line;
    } catch (error) {
      if (signal?.aborted) return;
      if (!isTransient(error) && !isNonsense(error)) throw error;
    }
    if (performance.now() - beganMs < shortStreamMs) await sleep(jittered(shortStreamMs));
  }
}

const isNonsense = (error: unknown): boolean =>
  error instanceof SdkError && error.code === 'UNEXPECTED_ANSWER';

/** How far one has heard: a node that is behind tells again what another one told. */
class SeenEvents {
  #seqno = 0;
  /** Events of that transaction that were heard, and those of it that this node told. */
  #heard = 0;
  #told = 0;

  /** Another node begins to tell. */
  restart(): void {
    this.#told = 0;
  }

  isNew({ transactionId }: EventLine): boolean {
    const seqno = parseTransactionId(transactionId)?.seqno ?? 0;
    if (seqno < this.#seqno) return false;
    if (seqno > this.#seqno) {
      this.#seqno = seqno;
      this.#heard = 0;
      this.#told = 0;
    }
    this.#told += 1;
    if (this.#told <= this.#heard) return false;
    this.#heard = this.#told;
    return true;
  }
}
