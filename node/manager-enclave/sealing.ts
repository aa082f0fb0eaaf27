import type { Configuration, Consensus } from '@concordat/consensus';
import { blockFlags, type SessionKey, type TransactionRecord } from '@concordat/ledger';
import { assert } from '@concordat/std';
import type { BlockLog } from './block-log.ts';
import type { LedgerEvents, Placed } from './ledger-duties.ts';

/**
 * Write-set bytes of one block, so that its message fits the frames of the node channel (64 MiB):
 * a block that could not travel would stop the network.
 */
const maxPlacedBytes = 56 * 1024 * 1024;

/** What a block is sealed with beside its transactions. */
export interface PlacementOptions {
  /** Absent when the block is no reconfiguration. */
  readonly configuration?: Configuration;
  /** Default: the key new blocks are sealed with. */
  readonly sessionKey?: SessionKey;
  /** It opens the view of a resumed network, and begins the epoch that seals all that follows. */
  readonly resumption?: true;
  /** More blocks may come in this turn: all go on together at its end. */
  readonly withOthers?: true;
}

/** Seals transactions into blocks on the leader and hands them to consensus. */
export class Sealing {
  readonly #consensus: Consensus;
  readonly #log: BlockLog;
  readonly #events: Pick<LedgerEvents, 'nowMs' | 'sessionKeyIfHeld' | 'reopens'>;
  #lastTimeMs = 0;
  #blocksSealed = 0;

  constructor(parts: {
    readonly consensus: Consensus;
    readonly log: BlockLog;
    readonly events: Pick<LedgerEvents, 'nowMs' | 'sessionKeyIfHeld' | 'reopens'>;
  }) {
    this.#consensus = parts.consensus;
    this.#log = parts.log;
    this.#events = parts.events;
  }

  /** Blocks sealed since this node started. */
  get blocksSealed(): number {
    return this.#blocksSealed;
  }

  /** Seals the next block and proposes it. */
  place(
    source: number,
    transactions: readonly TransactionRecord[],
    { configuration, sessionKey, resumption }: PlacementOptions,
  ): Placed {
    // Asked before sealing: one position of one view is sealed once, or its nonce would repeat.
    const code = this.#consensus.proposalRefusal(configuration);
    if (code !== undefined) return { ok: false, code };
    if (!resumption && this.#events.reopens()) return { ok: false, code: 'NOT_LEADER' };
    if (bytesOf(transactions) > maxPlacedBytes) return { ok: false, code: 'PAYLOAD_TOO_LARGE' };
    const key = sessionKey ?? this.#events.sessionKeyIfHeld();
    if (!key) return { ok: false, code: 'SESSION_KEY_MISSING' };
    const { view } = this.#consensus.status;
    this.#lastTimeMs = Math.max(this.#lastTimeMs, this.#events.nowMs());
    const sealed = this.#log.seal({
      view,
      timeMs: this.#lastTimeMs,
      source,
      flags:
        (configuration ? blockFlags.reconfiguration : 0) | (resumption ? blockFlags.resumption : 0),
      transactions,
      sessionKey: key,
    });
    const proposed = this.#consensus.propose(sealed.bytes, configuration);
    assert(
      proposed.ok && proposed.height === sealed.header.height,
      'log and consensus agree on the next position',
    );
    this.#blocksSealed += 1;
    const { height, firstSeqno, timeMs } = sealed.header;

    return { ok: true, view, height, firstSeqno, timeMs };
  }
}

function bytesOf(transactions: readonly TransactionRecord[]): number {
  let bytes = 0;
  for (const { publicWrites, privateWrites } of transactions) {
    bytes += publicWrites.length + privateWrites.length + 16;
  }
  return bytes;
}
