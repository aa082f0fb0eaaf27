import { CryptoError, fromPem } from '@concordat/crypto';
import { LedgerError, type VerifiedBlock, verifyChain } from '@concordat/ledger';
import type { CodedError, NodeId } from '@concordat/std';
import type { EpochKeys } from './epoch-keys.ts';
import { AuditorError } from './errors.ts';
import { type Damage, LedgerDamage } from './ledger-damage.ts';
import { LedgerFiles } from './ledger-files.ts';
import { LedgerReplay } from './ledger-replay.ts';

/** Whoever reads a ledger lets other work go on after so many blocks. */
export const blocksPerTurn = 64;

/** Reads a ledger directory from its first block, verifying chain, signatures and leaves. */
export class LedgerReading {
  readonly files: LedgerFiles;
  readonly replay: LedgerReplay;
  /** DER. */
  readonly networkCertificate: Uint8Array;

  /** @throws AuditorError LEDGER_UNREADABLE, INVALID_NETWORK_CERTIFICATE */
  constructor(options: {
    readonly directory: string;
    readonly networkCertificate: string;
    readonly epochKeys?: EpochKeys;
  }) {
    this.files = new LedgerFiles(options.directory);
    this.networkCertificate = readPinned(options.networkCertificate);
    this.replay = new LedgerReplay(this.networkCertificate, options.epochKeys);
  }

  /**
   * Each block as soon as it holds. Whoever reads gives administrative ones to the replay.
   * @throws LedgerError, LedgerDamage at the first block that does not
   */
  blocks(nodeKey: (leader: NodeId) => Uint8Array | undefined): Iterable<VerifiedBlock> {
    return verifyChain(this.#foreseen(), {
      nodeKey,
      sessionKey: (epoch) => this.replay.sessionKey(epoch),
    });
  }

  *#foreseen(): Generator<Uint8Array> {
    for (const block of this.files) {
      this.replay.foresee(block);
      yield block;
    }
  }

  /** What an error thrown by {@link blocks} says of the ledger; any other is thrown on. */
  damageOf(error: unknown): Damage {
    if (!(error instanceof LedgerDamage) && !(error instanceof LedgerError)) throw error;
    const { code, message, details } = error as CodedError<Damage['code']>;
    const { file, height: reached } = this.files;
    const height = typeof details.height === 'number' ? details.height : reached;
    return { height, code, message, ...(file !== undefined && { file }) };
  }
}

function readPinned(pem: string): Uint8Array {
  try {
    const ders = fromPem(pem);
    if (ders.length === 1) return ders[0] as Uint8Array;
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
  }
  const why = 'a network certificate is exactly one PEM certificate';
  throw new AuditorError('INVALID_NETWORK_CERTIFICATE', why);
}
