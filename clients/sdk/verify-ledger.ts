import { setImmediate as nextTurn } from 'node:timers/promises';
import { CryptoError, type EncryptionKey, fromPem } from '@concordat/crypto';
import { LedgerError, type VerifiedBlock, verifyChain } from '@concordat/ledger';
import { type CodedError, formatTransactionId, parseTransactionId, toHex } from '@concordat/std';
import { SdkError } from './errors.ts';
import { type Damage, LedgerDamage } from './ledger-damage.ts';
import { LedgerFiles } from './ledger-files.ts';
import { LedgerReplay } from './ledger-replay.ts';

/** Which ledger to verify, and against what. */
export interface LedgerVerification {
  /** Directory with the chunk files of a node, running or not, or a copy of it. */
  readonly directory: string;
  /** PEM of the network certificate: what makes it the ledger of this network. */
  readonly networkCertificate: string;
  /**
   * Private encryption key of a key holder of the constitution. Without it the contents of blocks
   * stay closed: chain and signatures are verified, not the leaves.
   */
  readonly keyHolderKey?: EncryptionKey;
  /** `view.seqno` of a transaction known from elsewhere, for example a receipt. */
  readonly expectedTransaction?: string;
  /** Called with each block as soon as it holds. */
  readonly onBlock?: (block: VerifiedBlock, file: string) => void;
}

/** One end of a ledger. */
export interface LedgerEnd {
  readonly height: number;
  /** `view.seqno`: of its first transaction at the beginning, of its last one at the end. */
  readonly transactionId: string;
  /** Milliseconds since the Unix epoch, as the leader's clock had it. */
  readonly timeMs: number;
  /** Root of the history up to this block, hex. */
  readonly historyRoot: string;
}

/** The blocks of one epoch. */
export interface EpochReport {
  readonly epoch: number;
  readonly blocks: number;
  /** Whether its session key was at hand, so that contents were verified too. */
  readonly contents: boolean;
}

/** What was verified, up to the first damage. */
export interface LedgerReport {
  /** No damage was found. */
  readonly ok: boolean;
  /** Hex, 32 bytes; absent when the genesis block was refused. */
  readonly networkId?: string;
  readonly networkName?: string;
  readonly blocks: number;
  readonly transactions: number;
  readonly first?: LedgerEnd;
  readonly last?: LedgerEnd;
  readonly epochs: readonly EpochReport[];
  /** Bytes after the last whole block of a chunk still being written; no damage. */
  readonly tornBytes: number;
  readonly damage?: Damage;
}

/** Verification yields to other work after so many blocks. */
const blocksPerTurn = 64;

/**
 * Verifies a ledger offline: that its blocks are one unbroken history from the genesis of the
 * pinned network, each signed by a node this network endorsed, and, with a key holder's key, that
 * every transaction in them is what was signed. Without it the last block's header is vouched for
 * by nothing but its root, since no block that follows names it. It cannot tell that nothing was cut off at the end:
 * name an expected transaction for that. The newest blocks of a running node may not be committed.
 * @throws SdkError LEDGER_UNREADABLE, INVALID_NETWORK_CERTIFICATE, NOT_A_KEY_HOLDER,
 *   INVALID_PARAMETER (the expected transaction is no id)
 */
export async function verifyLedger(options: LedgerVerification): Promise<LedgerReport> {
  const files = new LedgerFiles(options.directory);
  const replay = new LedgerReplay(readPinned(options.networkCertificate), options.keyHolderKey);
  const tally = new Tally(options.expectedTransaction);
  let damage: Damage | undefined;
  try {
    for (const block of verifyChain(foreseen(files, replay), {
      nodeKey: (leader) => replay.nodeKey(leader),
      sessionKey: (epoch) => replay.sessionKey(epoch, files.height),
    })) {
      const { header, publicWrites } = block;
      if (header.source === 0) replay.accept(header.height, publicWrites);
      tally.add(block);
      options.onBlock?.(block, files.file as string);
      if (header.height % blocksPerTurn === 0) await nextTurn();
    }
    tally.finish(files.height);
  } catch (error) {
    damage = damageOf(error, files);
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

function* foreseen(files: LedgerFiles, replay: LedgerReplay): Generator<Uint8Array> {
  for (const block of files) {
    replay.foresee(block);
    yield block;
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
  throw new SdkError('INVALID_NETWORK_CERTIFICATE', why);
}

function damageOf(error: unknown, files: LedgerFiles): Damage {
  if (!(error instanceof LedgerDamage) && !(error instanceof LedgerError)) throw error;
  const { code, message, details } = error as CodedError<Damage['code']>;
  const height = typeof details.height === 'number' ? details.height : files.height;
  return { height, code, message, ...(files.file !== undefined && { file: files.file }) };
}

/** Counts what was verified. */
class Tally {
  #blocks = 0;
  #transactions = 0;
  #first: LedgerEnd | undefined;
  #last: VerifiedBlock | undefined;
  readonly #epochs = new Map<number, { blocks: number; contents: boolean }>();
  readonly #expected: { readonly view: number; readonly seqno: number } | undefined;

  constructor(expectedTransaction: string | undefined) {
    if (expectedTransaction === undefined) return;
    this.#expected = parseTransactionId(expectedTransaction);
    if (this.#expected) return;
    throw new SdkError('INVALID_PARAMETER', 'the expected transaction is no view.seqno');
  }

  add(block: VerifiedBlock): void {
    const { header } = block;
    this.#blocks += 1;
    this.#transactions += header.count;
    this.#first ??= endOf(block, header.firstSeqno);
    this.#last = block;
    const epoch = this.#epochs.get(header.epoch) ?? { blocks: 0, contents: true };
    this.#epochs.set(header.epoch, {
      blocks: epoch.blocks + 1,
      contents: epoch.contents && block.covered === 'contents',
    });
    const index = (this.#expected?.seqno ?? 0) - header.firstSeqno;
    if (index < 0 || index >= header.count || header.view === this.#expected?.view) return;
    const why = `seqno ${this.#expected?.seqno} is of view ${header.view}, another history's`;
    throw new LedgerDamage('OTHER_HISTORY', header.height, why);
  }

  finish(height: number): void {
    const end = this.#last ? lastSeqno(this.#last) : 0;
    if (this.#expected === undefined || this.#expected.seqno <= end) return;
    const why = `the ledger ends at seqno ${end}, before ${this.#expected.seqno}`;
    throw new LedgerDamage('ENDS_EARLY', height + 1, why);
  }

  report() {
    return {
      blocks: this.#blocks,
      transactions: this.#transactions,
      ...(this.#first && { first: this.#first }),
      ...(this.#last && { last: endOf(this.#last, lastSeqno(this.#last)) }),
      epochs: Array.from(this.#epochs, ([epoch, counts]) => ({ epoch, ...counts })),
    };
  }
}

const lastSeqno = ({ header }: VerifiedBlock): number => header.firstSeqno + header.count - 1;

const endOf = ({ header, historyRoot }: VerifiedBlock, seqno: number): LedgerEnd => ({
  height: header.height,
  transactionId: formatTransactionId(header.view, seqno),
  timeMs: header.timeMs,
  historyRoot: toHex(historyRoot),
});
