import type { NodeId } from '@concordat/std';
import { decodeBlocksRequest, decodePageRequest, encodeBlocks } from './archive-messages.ts';
import { ManagerError } from './errors.ts';
import type { NodeContext } from './node-context.ts';

/** Questions about the past that are answered at once: the present goes first. */
const maxOpen = { ofOnePeer: 2, inAll: 8 } as const;
/** Bytes of blocks in one answer, unless one block alone is larger. */
const maxAnswerBytes = 1024 * 1024;

/** What this node tells others of the past: blocks and pages as its host has them. They check them. */
export class ArchiveDesk {
  readonly #node: NodeContext;
  readonly #open = new Map<NodeId, number>();
  #openInAll = 0;

  constructor(node: NodeContext) {
    this.#node = node;
  }

  /**
   * Blocks another node asks for.
   * @throws ManagerError BLOCK_NOT_HELD, OVERLOADED, CHANNEL_FAILED, HOST_FAULT, LEDGER_CORRUPT
   */
  blocks(peer: NodeId, body: Uint8Array): Promise<Uint8Array> {
    const { from, to, maxBytes } = decodeBlocksRequest(body);
    return this.#answer(peer, async () => {
      const { log, held, stored } = this.#node;
      const last = Math.min(to, log.committedHeight, held.wholeFrom(from));
      if (from < 1 || last < from) throw notHeld(`block ${from}`);
      return encodeBlocks(await stored.unchecked(from, last, Math.min(maxBytes, maxAnswerBytes)));
    });
  }

  /**
   * A page of the history another node asks for.
   * @throws ManagerError BLOCK_NOT_HELD, OVERLOADED, CHANNEL_FAILED, HOST_FAULT
   */
  page(peer: NodeId, body: Uint8Array): Promise<Uint8Array> {
    const page = decodePageRequest(body);
    return this.#answer(peer, async () => {
      const bytes = await this.#node.control.getPage(page);
      if (bytes) return bytes;
      throw notHeld(`page ${page} of the history`);
    });
  }

  async #answer(peer: NodeId, answer: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const open = this.#open.get(peer) ?? 0;
    if (open >= maxOpen.ofOnePeer || this.#openInAll >= maxOpen.inAll) {
      throw new ManagerError('OVERLOADED', 'too many questions about the past are open');
    }
    this.#open.set(peer, open + 1);
    this.#openInAll += 1;
    try {
      return await answer();
    } finally {
      this.#openInAll -= 1;
      const left = (this.#open.get(peer) as number) - 1;
      if (left > 0) this.#open.set(peer, left);
      else this.#open.delete(peer);
    }
  }
}

const notHeld = (what: string): ManagerError =>
  new ManagerError('BLOCK_NOT_HELD', `${what} is not held here`);
