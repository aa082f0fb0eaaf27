import { setImmediate as nextTurn } from 'node:timers/promises';
import { sha256 } from '@concordat/crypto';
import { CodedError, type NodeId, toHeight, toHex } from '@concordat/std';
import {
  decodeBlocks,
  decodeBlocksRequest,
  encodeBlocks,
  encodeBlocksRequest,
} from './archive-messages.ts';
import { ManagerError } from './errors.ts';
import { claims } from './ledger-replay.ts';
import type { PeerChannel } from './ports.ts';
import { type PublicLedger, type PublicReading, requireCommitted } from './public-replay.ts';
import { isLonger } from './roll-call.ts';

/** Bytes of blocks in one answer, unless one block alone is larger. */
const maxAnswerBytes = 1024 * 1024;
/** Blocks in one answer. */
const maxAnswerBlocks = 4_096;
const askTimeoutMs = 20_000;
/** Nodes that wait for shares ask again and again. */
const restMs = 1_000;

/** What the public part of a resumed ledger is shown and extended with. */
export interface ResumedLedgerParts {
  readonly own: PublicLedger;
  readonly channel: Pick<PeerChannel, 'request'>;
  /** Blocks as the host has them, at least the first. */
  readonly read: (from: number, to: number, maxBytes: number) => Promise<Uint8Array[]>;
  /** Reads the host's blocks up to the last one known to be final. */
  readonly begin: () => Promise<PublicReading>;
  /** Told of a longer ledger than the one at hand, before shares are given by it. */
  readonly learn: (ledger: PublicLedger) => Promise<void>;
  readonly tell: (event: string, fields: Record<string, unknown>) => void;
  readonly nowMs: () => number;
}

/**
 * What is public of the ledger of a node that resumes, by which it gives decryption shares. One that
 * stopped before others did has nothing to say of the epochs begun since, so from a node that asks for
 * such a share it reads on in that one's ledger: block by block, each signed by a node that the ledger so
 * far lists and has the evidence of. What it reads so decides what shares it gives, and nothing else.
 */
export class ResumedLedger {
  /** The ledger on this node's host. */
  readonly own: PublicLedger;
  readonly #parts: ResumedLedgerParts;
  readonly #answering = new Set<NodeId>();
  /** What each trusted node was given shares for last: a digest of its question. */
  readonly #given = new Map<NodeId, string>();
  #shown: PublicLedger;
  #ahead: PublicReading | undefined;
  #underWay = false;
  #againMs = 0;

  constructor(parts: ResumedLedgerParts) {
    this.#parts = parts;
    this.own = parts.own;
    this.#shown = parts.own;
  }

  /** The longest ledger at hand. */
  get shown(): PublicLedger {
    return this.#shown;
  }

  /**
   * Lets a trusted node be given shares; when it asks beyond the ledger at hand, reads on in its own. So
   * it does when it asks again for what it was given: part of it may be beyond, or the shares are of a
   * sharing that another one took the place of.
   * @throws ManagerError NODE_NOT_ADMITTED, and whatever giving them throws
   */
  async shares(
    peer: NodeId,
    body: Uint8Array,
    give: () => Promise<Uint8Array>,
  ): Promise<Uint8Array> {
    requireCommitted(this.#shown, peer);
    try {
      const answer = await give();
      const question = toHex(sha256(body));
      if (this.#given.get(peer) === question) void this.readOn(peer);
      this.#given.set(peer, question);
      return answer;
    } catch (error) {
      const isBeyond = error instanceof CodedError && error.code === 'EPOCH_NOT_COMMITTED';
      if (isBeyond) void this.readOn(peer);
      throw error;
    }
  }

  /**
   * Blocks of this node's ledger, for a trusted one that resumes as well; none after its end.
   * @throws ManagerError NODE_NOT_ADMITTED, OVERLOADED, CHANNEL_FAILED, HOST_FAULT
   */
  async blocks(peer: NodeId, body: Uint8Array): Promise<Uint8Array> {
    requireCommitted(this.#shown, peer);
    const { from, to, maxBytes } = decodeBlocksRequest(body);
    const last = Math.min(to, this.own.end.height, from + maxAnswerBlocks - 1);
    if (from < 1 || last < from) return encodeBlocks([]);
    if (this.#answering.has(peer)) {
      throw new ManagerError('OVERLOADED', 'that node was not answered yet');
    }
    this.#answering.add(peer);
    try {
      const most = Math.min(maxBytes, maxAnswerBytes);
      return encodeBlocks(await this.#parts.read(from, last, most));
    } finally {
      this.#answering.delete(peer);
    }
  }

  /** Reads on in the ledger of a node; one at a time, and nothing comes of it when that one is no longer. */
  async readOn(peer: NodeId): Promise<void> {
    const { tell, nowMs } = this.#parts;
    if (this.#underWay || nowMs() < this.#againMs) return;
    this.#underWay = true;
    try {
      await this.#read(peer);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      // It may be of another history, or its blocks are: the next attempt begins anew.
      this.#ahead = undefined;
      const { code, message: why } = error;
      tell('resume.not-read-on', { level: 'warn', peer, code, why });
    } finally {
      this.#underWay = false;
      this.#againMs = nowMs() + restMs;
    }
  }

  async #read(peer: NodeId): Promise<void> {
    const { begin, learn, tell } = this.#parts;
    this.#ahead ??= await begin();
    const reading = this.#ahead;
    for (;;) {
      const from = reading.result.end.height + 1;
      const blocks = await this.#blocksOf(peer, from);
      if (blocks.length === 0) break;
      for (const [at, block] of blocks.entries()) {
        const height = toHeight(from + at);
        claims(height, () => reading.block(block, height));
        await nextTurn();
      }
    }
    const ledger = reading.result;
    if (!isLonger(ledger.end, this.#shown.end)) return;
    await learn(ledger);
    this.#shown = ledger;
    tell('resume.read-on', { peer, ...ledger.end });
  }

  async #blocksOf(peer: NodeId, from: number): Promise<Uint8Array[]> {
    const to = from + maxAnswerBlocks - 1;
    const asked = encodeBlocksRequest({ from, to, maxBytes: maxAnswerBytes });
    const { channel } = this.#parts;
    const blocks = decodeBlocks(await channel.request(peer, 'public-blocks', asked, askTimeoutMs));
    if (blocks.length <= maxAnswerBlocks) return blocks;
    throw new ManagerError('CHANNEL_FAILED', 'the other node gave more blocks than were asked for');
  }
}
