import type { ProvenBlock } from '@concordat/ledger';
import type { NodeContext } from './node-context.ts';
import { provenBlock } from './proven-block.ts';

/** What a block takes beyond this is waiting, milliseconds. */
const longestRestMs = 50;

/**
 * Opens blocks of the past one after another, resting after each as long as it took: whatever is asked,
 * the present has half of this enclave's time, and few blocks are in memory at a time.
 */
export class PastTurns {
  /** Resolves when the next block may be opened. */
  #turn: Promise<void> = Promise.resolve();

  /** A block, in its turn. @throws ManagerError as {@link provenBlock} */
  async block(
    node: Pick<NodeContext, 'stored' | 'held' | 'archive'>,
    height: number,
  ): Promise<ProvenBlock> {
    const { promise, resolve: next } = Promise.withResolvers<void>();
    const before = this.#turn;
    this.#turn = promise;
    await before;
    const sinceMs = performance.now();
    // Nobody waits for what waits for the host, for other nodes or for shares.
    const patience = setTimeout(next, longestRestMs);
    try {
      return await provenBlock(node, height);
    } finally {
      clearTimeout(patience);
      setTimeout(next, Math.min(performance.now() - sinceMs, longestRestMs));
    }
  }
}
