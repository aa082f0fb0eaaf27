import { setImmediate as nextTurn } from 'node:timers/promises';
import { currentEpoch, networkInfo, newestEpoch } from '@concordat/governance';
import {
  type ChainEnd,
  ChainPlace,
  LedgerError,
  LedgerIndex,
  type PublicPart,
  type VerifiedBlock,
} from '@concordat/ledger';
import {
  CodedError,
  type Epoch,
  emptyBytes,
  equalBytes,
  type Height,
  type NodeId,
  toHeight,
  toHex,
} from '@concordat/std';
import { Administration } from './administration.ts';
import { ManagerError } from './errors.ts';
import { isAttested } from './evidence-table.ts';
import { requireGenesis } from './genesis-check.ts';
import { claims, storedBlocks } from './ledger-replay.ts';
import type { NodeContext } from './node-context.ts';
import type { Progress } from './record-keeper.ts';
import type { LogPosition } from './roll-call.ts';
import { restorePublic, summaryOf } from './snapshot-restore.ts';
import { corrupt } from './stored-blocks.ts';
import { holds, type StoredSnapshot, snapshotCorrupt } from './stored-snapshot.ts';

/** Blocks verified in one turn: about five milliseconds. */
const blocksPerTurn = 64;

/** What a ledger says to a node that has no session key, every word of it signed. */
export interface PublicLedger {
  /** Public tables only, up to the last block on the host. */
  readonly administration: Administration;
  /** Where it ends. */
  readonly end: LogPosition;
  /** Blocks up to here are known to be final. */
  readonly committed: Height;
  /** Epochs whose session keys open the blocks and the snapshot they follow; ascending. */
  readonly epochs: readonly Epoch[];
}

/** What of a ledger is replayed. */
export interface PublicReplay {
  readonly upTo: number;
  /** How far it was final when that was last remembered. */
  readonly progress: Progress;
  /** The snapshot whose height it goes on from. */
  readonly base?: StoredSnapshot | undefined;
}

/**
 * Replays what is public of the ledger on the host, without any session key: node list, constitution,
 * who holds shares, whom epochs are granted to. Nothing of the host is believed: each block has to be
 * signed by a node that the ledger so far lists and has the evidence of, and to stand in one history
 * with the block that this node remembers as final. One block is in memory at a time.
 * @throws ManagerError LEDGER_CORRUPT with height and reason, SNAPSHOT_CORRUPT, HOST_FAULT
 */
export async function replayPublic(node: NodeContext, replay: PublicReplay): Promise<PublicLedger> {
  return (await readPublic(node, replay)).result;
}

/**
 * As {@link replayPublic}, to be gone on with.
 * @throws ManagerError LEDGER_CORRUPT with height and reason, SNAPSHOT_CORRUPT, HOST_FAULT
 */
export async function readPublic(node: NodeContext, replay: PublicReplay): Promise<PublicReading> {
  const { upTo, progress, base } = replay;
  const reading = new PublicReading(node, progress);
  if (base) await reading.beginFrom(base);
  const part = { from: (base?.manifest.height ?? 0) + 1, upTo };
  for await (const { block, height } of storedBlocks(node, part)) {
    claims(height, () => reading.block(block, height));
    if (height % blocksPerTurn === 0) await nextTurn();
  }
  return reading;
}

/** The state of one such replay. */
export class PublicReading {
  readonly #node: NodeContext;
  readonly #progress: Progress;
  readonly #state = new Administration();
  readonly #epochs = new Set<Epoch>();
  #place = new ChainPlace();
  #committed = 0;
  #end: LogPosition = { view: 0, height: 0 };

  constructor(node: NodeContext, progress: Progress) {
    this.#node = node;
    this.#progress = progress;
  }

  /** What is read so far; its administration goes on with the reading. */
  get result(): PublicLedger {
    return {
      administration: this.#state,
      end: this.#end,
      committed: toHeight(this.#committed),
      epochs: [...this.#epochs].sort((a, b) => a - b),
    };
  }

  /**
   * Begins with the public part of a snapshot, which its record names by digest.
   * @throws ManagerError SNAPSHOT_CORRUPT, HOST_FAULT
   */
  async beginFrom(stored: StoredSnapshot): Promise<void> {
    const { height, epoch, historyRoot } = stored.manifest;
    const summary = await summaryOf(stored);
    this.#place = new ChainPlace(holds(height, () => chainEndOf(stored, summary)));
    try {
      await restorePublic(this.#state, stored);
      const { networkId } = networkInfo(this.#state.committedState);
      if (networkId !== this.#node.network.id) {
        throw snapshotCorrupt(height, 'WRONG_NETWORK', 'its state is of another network');
      }
    } catch (error) {
      if (error instanceof ManagerError) throw error;
      if (error instanceof CodedError) throw snapshotCorrupt(height, error.code, error.message);
      throw snapshotCorrupt(height, 'MALFORMED', 'its public state is not what a node writes');
    }
    this.#committed = height;
    this.#end = { view: stored.manifest.view, height };
    this.#epochs.add(epoch);
    this.#requireRemembered(height, historyRoot);
  }

  /**
   * Takes up the next block. After a refusal this is to be used no more.
   * @throws CodedError of what is wrong with it
   */
  block(block: Uint8Array, height: Height): void {
    const verified = this.#place.next(block, {
      nodeKey: (leader, part) => {
        if (height === 1) this.#genesis(part);
        return this.#leaderKey(leader);
      },
    });
    this.#requireRemembered(height, verified.historyRoot);
    this.#finalBy(verified);
    this.#epochs.add(verified.header.epoch);
    const { header, publicWrites } = verified;
    this.#end = { view: header.view, height };
    if (header.source === 0 && height > 1) this.#apply({ header, publicWrites });
    // The founder alone made the first one final, before anybody joined.
    if (height <= Math.max(1, this.#progress.committed)) this.#commit(height);
  }

  #genesis(part: PublicPart): void {
    this.#apply(part);
    requireGenesis(this.#state, this.#node.network);
  }

  #apply({ header, publicWrites }: PublicPart): void {
    const transactions = publicWrites.map((writes) => {
      return { publicWrites: writes, privateWrites: emptyBytes };
    });
    this.#state.apply(header.height, transactions);
  }

  #commit(height: number): void {
    this.#committed = Math.max(this.#committed, height);
    this.#state.commit(toHeight(height));
  }

  /**
   * The key of a node that the ledger has the evidence of: a key that was only voted in might be
   * anybody's, and has led nothing.
   */
  #leaderKey(leader: NodeId): Uint8Array | undefined {
    return isAttested(this.#state.head, leader) ? this.#state.nodeKey(leader) : undefined;
  }

  /**
   * An epoch seals nothing before the block that began it is final: whoever signed this block knew
   * that, even where the record of this node had not got so far.
   */
  #finalBy({ header: { height, epoch } }: VerifiedBlock): void {
    const newest = currentEpoch(this.#state.head);
    if (epoch > newest) throw corrupt(height, `epoch ${epoch} has not begun`, 'UNKNOWN_EPOCH');
    if (epoch < newest) return;
    const begun = newestEpoch(this.#state.head)?.height ?? 0;
    if (begun < height && begun > this.#committed) this.#commit(begun);
  }

  /** @throws ManagerError LEDGER_CORRUPT with reason OTHER_HISTORY */
  #requireRemembered(height: number, root: Uint8Array): void {
    const { committed, historyRoot } = this.#progress;
    if (height !== committed || historyRoot === undefined || toHex(root) === historyRoot) return;
    throw corrupt(height, 'another block was final here', 'OTHER_HISTORY');
  }
}

/** @throws LedgerError MALFORMED, WRONG_ROOT */
function chainEndOf({ manifest }: StoredSnapshot, summary: Uint8Array): ChainEnd {
  const index = LedgerIndex.fromSummary(summary);
  const isOfIt =
    index.lastHeight === manifest.height &&
    index.nextSeqno === manifest.nextSeqno &&
    equalBytes(index.history.root(), manifest.historyRoot);
  if (!isOfIt) throw new LedgerError('WRONG_ROOT', 'the summary is of another history');
  const { headerHash, nextSeqno, view } = manifest;
  return { history: index.history, headerHash, nextSeqno, view };
}

/**
 * Checks that the part of the ledger which is known to be final trusts a node. By the part above it
 * epochs are granted that may have begun: their keys seal nothing unless they have.
 * @throws ManagerError NODE_NOT_ADMITTED
 */
export function requireCommitted({ administration }: PublicLedger, peer: NodeId): void {
  const { nodes } = administration.committedConstitution;
  if (nodes.some(({ nodeId, status }) => nodeId === peer && status === 'trusted')) return;
  throw new ManagerError('NODE_NOT_ADMITTED', 'shares are for trusted nodes of the list');
}
