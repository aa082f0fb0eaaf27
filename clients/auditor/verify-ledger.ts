import { setImmediate as nextTurn } from 'node:timers/promises';
import type { VerifiedBlock } from '@concordat/ledger';
import type { EpochKeys } from './epoch-keys.ts';
import type { Damage } from './ledger-damage.ts';
import { blocksPerTurn, LedgerReading } from './ledger-reading.ts';
import { type LedgerCount, Tally } from './tally.ts';

/** Which ledger to verify, and against what. */
export interface LedgerVerification {
  /** Directory with the chunk files of a node, running or not, or a copy of it. */
  readonly directory: string;
  /** PEM of the network certificate: what makes it the ledger of this network. */
  readonly networkCertificate: string;
  /** Keys of the epochs that may be read; blocks of others are verified in all that is public. */
  readonly epochKeys?: EpochKeys;
  /** `view.seqno` of a transaction known from elsewhere, for example a receipt. */
  readonly expectedTransaction?: string;
  /** Called with each block as soon as it holds. */
  readonly onBlock?: (block: VerifiedBlock, file: string) => void;
}

/** What was verified, up to the first damage. */
export interface LedgerReport extends LedgerCount {
  /** No damage was found. */
  readonly ok: boolean;
  /** Hex, 32 bytes; absent when the genesis block was refused. */
  readonly networkId?: string;
  readonly networkName?: string;
  /** Bytes after the last whole block of a chunk still being written; no damage. */
  readonly tornBytes: number;
  readonly damage?: Damage;
}

/**
 * Verifies a ledger offline: that its blocks are one unbroken history from the genesis of the
 * pinned network, each signed by a node this network endorsed, and, with the key of their epoch, that
 * what is sealed in them is what was signed. It cannot tell that nothing was cut off at the end: name
 * an expected transaction for that. The newest blocks of a running node may not be committed.
 * Whether what the blocks say was decided lawfully is for {@link auditLedger}.
 * @throws AuditorError LEDGER_UNREADABLE, INVALID_NETWORK_CERTIFICATE, WRONG_NETWORK,
 *   INVALID_PARAMETER (the expected transaction is no id)
 */
export async function verifyLedger(options: LedgerVerification): Promise<LedgerReport> {
  const reading = new LedgerReading(options);
  const { files, replay } = reading;
  const tally = new Tally(options.expectedTransaction);
  let damage: Damage | undefined;
  try {
    for (const block of reading.blocks((leader) => replay.nodeKey(leader))) {
      const { header, publicWrites } = block;
      if (header.source === 0) replay.accept(header.height, publicWrites);
      tally.add(block);
      options.onBlock?.(block, files.file as string);
      if (header.height % blocksPerTurn === 0) await nextTurn();
    }
    tally.finish(files.height);
  } catch (error) {
    damage = reading.damageOf(error);
  }
  const network = replay.network;
  return {
    ok: damage === undefined,
    ...(network && { networkId: network.networkId, networkName: network.constitution.name }),
    ...tally.report(),
    tornBytes: files.tornBytes,
    ...(damage && { damage }),
  };
}
