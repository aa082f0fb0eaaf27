import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  decodeHeader,
  type HistoryTree,
  neededPage,
  type ProvenBlock,
  proveBlock,
} from '@concordat/ledger';
import { CodedError, type Epoch, type NodeId } from '@concordat/std';
import { ManagerError } from './errors.ts';

/** Where stored blocks come from: the host, which may have changed them. */
export interface BlockSource {
  read(from: number, to: number, maxBytes: number): Promise<Uint8Array[]>;
}

/** What a stored block is checked against. */
export interface StoredBlockKeys {
  history(): HistoryTree;
  /** Asks something of the history that may need pages which are not in memory. */
  answer<Answer>(ask: () => Answer): Promise<Answer>;
  sessionKey(epoch: Epoch): { readonly epoch: Epoch; readonly key: Uint8Array } | undefined;
  /** Gets the key of an epoch that is not at hand any more. @throws ManagerError KEY_SHARES_MISSING */
  acquireKey(epoch: Epoch): Promise<void>;
  /** PEM of the certificate the network issued to a node of the list. */
  nodeCertificate(node: NodeId): string | undefined;
}

/** Checking keeps others waiting at most about this long at a time. */
const checkedBlocksPerTurn = 4;

/**
 * Blocks of this node's history as the host gives them back, checked against the history in memory:
 * a flipped, swapped or missing block is found here, before anyone else has to do with it.
 */
export class StoredBlocks {
  readonly #source: BlockSource;
  readonly #keys: StoredBlockKeys;
  readonly #onDamage: (error: ManagerError) => ManagerError;

  /** @param onDamage told of damaged blocks of the host; answers what the reader is told */
  constructor(
    source: BlockSource,
    keys: StoredBlockKeys,
    onDamage: (error: ManagerError) => ManagerError = (error) => error,
  ) {
    this.#source = source;
    this.#keys = keys;
    this.#onDamage = onDamage;
  }

  /**
   * Blocks in order, as many as fit; at least the first.
   * @throws ManagerError LEDGER_CORRUPT with height and reason, HOST_FAULT, SESSION_KEY_MISSING,
   *   BLOCK_NOT_HELD when a page of the history cannot be had, or a block is damaged and fetched again
   */
  async read(from: number, to: number, maxBytes: number): Promise<Uint8Array[]> {
    const blocks = await this.unchecked(from, to, maxBytes);
    for (let at = 0; at < blocks.length; at++) {
      await this.#proveOwn(blocks[at] as Uint8Array, from + at);
      if (at % checkedBlocksPerTurn === checkedBlocksPerTurn - 1) await nextTurn();
    }
    return blocks;
  }

  /**
   * Blocks in order as the host has them, at least the first: not checked.
   * @throws ManagerError BLOCK_NOT_HELD, LEDGER_CORRUPT, HOST_FAULT
   */
  async unchecked(from: number, to: number, maxBytes: number): Promise<Uint8Array[]> {
    try {
      const blocks = await this.#source.read(from, to, maxBytes);
      if (blocks.length > 0) return blocks;
      throw corrupt(from, 'the host no longer has the block', 'MISSING');
    } catch (error) {
      throw this.#told(error);
    }
  }

  /**
   * A block as the host has it, opened and proved: its transactions and their receipts.
   * @throws ManagerError BLOCK_NOT_HELD when the block was moved elsewhere or is being fetched again;
   *   LEDGER_CORRUPT, HOST_FAULT, SESSION_KEY_MISSING
   */
  async proven(height: number): Promise<ProvenBlock> {
    const [block] = await this.unchecked(height, height, 1);
    return this.#proveOwn(block as Uint8Array, height);
  }

  async #proveOwn(block: Uint8Array, height: number): Promise<ProvenBlock> {
    try {
      return await this.prove(block, height);
    } catch (error) {
      throw this.#told(error);
    }
  }

  #told(error: unknown): unknown {
    const isDamage = error instanceof ManagerError && error.code === 'LEDGER_CORRUPT';
    return isDamage ? this.#onDamage(error) : error;
  }

  /**
   * Opens a block from wherever, and checks that it is the one at this height: the whole block, its
   * place in the history and its leader's signature.
   * @throws ManagerError LEDGER_CORRUPT, KEY_SHARES_MISSING, SESSION_KEY_MISSING, BLOCK_NOT_HELD
   */
  async prove(block: Uint8Array, height: number): Promise<ProvenBlock> {
    const prove = () => this.#keys.answer(() => this.#prove(block, height));
    try {
      return await prove();
    } catch (error) {
      const isKeyGone = error instanceof ManagerError && error.code === 'SESSION_KEY_MISSING';
      if (!isKeyGone) throw error;
      await this.#keys.acquireKey(error.details.epoch as Epoch);
      return prove();
    }
  }

  #prove(block: Uint8Array, height: number): ProvenBlock {
    try {
      const header = decodeHeader(block);
      if (header.height !== height) {
        throw corrupt(height, `the host gave block ${header.height} in its place`, 'WRONG_HEIGHT');
      }
      return proveBlock({
        block,
        history: this.#keys.history(),
        sessionKey: (epoch) => this.#sessionKey(epoch),
        nodeCertificatePem: this.#certificate(header.leader, height),
      });
    } catch (error) {
      throw neededPage(error) === undefined ? damaged(error, height) : error;
    }
  }

  #sessionKey(epoch: Epoch) {
    const key = this.#keys.sessionKey(epoch);
    if (key) return key;
    throw new ManagerError('SESSION_KEY_MISSING', `no session key for epoch ${epoch}`, { epoch });
  }

  #certificate(leader: NodeId, height: number): string {
    const certificate = this.#keys.nodeCertificate(leader);
    if (certificate) return certificate;
    throw corrupt(height, 'the block names a leader that never was one', 'UNKNOWN_LEADER');
  }
}

/** The error for anything wrong with the block at a height, naming height and reason. */
export function damaged(error: unknown, height: number): unknown {
  if (!(error instanceof CodedError) || error instanceof ManagerError) return error;
  return corrupt(height, error.message.replace(/^block \d+: /, ''), error.code);
}

/** @returns ManagerError LEDGER_CORRUPT */
export const corrupt = (height: number, why: string, reason: string): ManagerError =>
  new ManagerError('LEDGER_CORRUPT', `block ${height}: ${why}`, { height, reason });
