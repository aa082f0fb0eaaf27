import type { ProvenBlock } from '@concordat/ledger';
import { CodedError, type NodeId } from '@concordat/std';
import {
  type BlocksRequest,
  decodeBlocks,
  encodeBlocksRequest,
  encodePageRequest,
} from './archive-messages.ts';
import { ManagerError } from './errors.ts';
import type { NodeContext } from './node-context.ts';
import type { RefusalCounts } from './refusal-counts.ts';

const timeoutMs = 20_000;

/** The past as other nodes have it, for what this one does not hold. */
export class Archive {
  readonly #node: NodeContext;
  readonly #refusals: Pick<RefusalCounts, 'add'>;
  #turn = 0;

  constructor(node: NodeContext, refusals: Pick<RefusalCounts, 'add'>) {
    this.#node = node;
    this.#refusals = refusals;
  }

  /** Nodes that can be asked now, another one first each time. */
  peers(): NodeId[] {
    const { administration, identity, channel } = this.#node;
    if (!administration.isCommitted) return [];
    const peers = administration.committedConstitution.nodes
      .filter(({ nodeId, status }) => status === 'trusted' && nodeId !== identity.nodeId)
      .map(({ nodeId }) => nodeId)
      .filter((nodeId) => channel.connected(nodeId));
    this.#turn += 1;
    const first = peers.length === 0 ? 0 : this.#turn % peers.length;
    return [...peers.slice(first), ...peers.slice(0, first)];
  }

  /**
   * Consecutive blocks as another node gives them, at least one: not checked.
   * @throws CodedError of the other node; ManagerError CHANNEL_FAILED, PEER_TIMEOUT
   */
  async blocksOf(peer: NodeId, request: BlocksRequest): Promise<Uint8Array[]> {
    const { channel } = this.#node;
    const body = await channel.request(peer, 'blocks', encodeBlocksRequest(request), timeoutMs);
    const blocks = decodeBlocks(body);
    if (blocks.length > 0 && blocks.length <= request.to - request.from + 1) return blocks;
    throw new ManagerError('CHANNEL_FAILED', 'the other node gave another number of blocks');
  }

  /** A page of the history as other nodes give it, one after the other: not checked. */
  async *pages(page: number): AsyncGenerator<Uint8Array> {
    for (const peer of this.peers()) {
      const bytes = await this.#node.channel
        .request(peer, 'page', encodePageRequest(page), timeoutMs)
        .catch(noneOf);
      if (bytes) yield bytes;
    }
  }

  /**
   * A block this node does not hold, as another node gives it: opened and proved.
   * @throws ManagerError BLOCK_NOT_HELD when no other node gives the block, SESSION_KEY_MISSING
   */
  async proven(height: number): Promise<ProvenBlock> {
    for (const peer of this.peers()) {
      const request = { from: height, to: height, maxBytes: 1 };
      const [block] = (await this.blocksOf(peer, request).catch(noneOf)) ?? [];
      if (!block) continue;
      try {
        return await this.#node.stored.prove(block, height);
      } catch (error) {
        if (!(error instanceof ManagerError) || error.code !== 'LEDGER_CORRUPT') throw error;
        this.refused(peer, error);
      }
    }
    throw new ManagerError(
      'BLOCK_NOT_HELD',
      `block ${height} is not held here yet, and no other node could be asked for it`,
      { height },
    );
  }

  /** Another node gave a block that is not the one of this history. */
  refused(peer: NodeId, { code, message, details }: ManagerError): void {
    this.#refusals.add('block', String(details.reason ?? code));
    const fields = { level: 'warn', peer, code, why: message, ...details };
    this.#node.control.log('archive.block-refused', fields);
  }
}

/** Whoever does not answer is passed over. */
function noneOf(error: unknown): undefined {
  if (!(error instanceof CodedError)) throw error;
}
