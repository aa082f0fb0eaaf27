import { setImmediate as nextTurn } from 'node:timers/promises';
import { fromPem } from '@concordat/crypto';
import {
  type Constitution,
  constitutionDigest,
  endorsedNodeKey,
  type FormerNetwork,
  getNode,
  hasApplications,
  hasGenesis,
  networkIdOf,
  networkInfo,
  parseConstitution,
  readConstitution,
} from '@concordat/governance';
import { type ReadView, Store } from '@concordat/kv';
import {
  ChainPlace,
  openPublicPart,
  type SessionKeyLookup,
  type VerifiedBlock,
} from '@concordat/ledger';
import {
  CodedError,
  emptyBytes,
  equalBytes,
  formatTransactionId,
  type Height,
  type NodeId,
  toHeight,
  toHex,
  toSeqno,
} from '@concordat/std';
import { administrativeTables } from './administration.ts';
import type { ControlLink } from './control-link.ts';
import { ManagerError } from './errors.ts';
import { deploymentsIn, type WorkerAdapters } from './program-projection.ts';
import { corrupt, damaged } from './stored-blocks.ts';

const readBytes = 4 * 1024 * 1024;
/** Verifying keeps others waiting at most about this long at a time. */
const blocksPerTurn = 32;

/** What the public part of a former network's ledger says, all of it verified. */
export interface Survey {
  readonly former: FormerNetwork;
  /** The constitution after the last block. */
  readonly constitution: Constitution;
  /** The administrative state after the last block, without its private tables. */
  readonly state: ReadView;
  /** Sources of its application blocks. */
  readonly sources: ReadonlySet<number>;
}

/** What is taken over of a block. */
export type FormerBlock = Pick<VerifiedBlock, 'header' | 'transactions'>;

/** Told after every piece that was read: blocks done, of how many. */
export type Progress = (done: number, of: number) => void;

/**
 * The ledger of a network whose nodes are lost, as the host has it. Nothing the host says is taken
 * for true: what is in the ledger is what nodes signed whom the pinned network certificate endorsed.
 * That nothing followed its last block it cannot prove; nobody can.
 */
export class FormerLedger {
  readonly #control: Pick<ControlLink, 'readFormer'>;
  readonly #lastHeight: number;
  readonly #certificate: Uint8Array;
  readonly #workers: WorkerAdapters;
  readonly #endorsed = new Map<string, Uint8Array | undefined>();

  /**
   * @param at.lastHeight what the host says it has
   * @param at.networkCertificate PEM, pinned by the operator
   * @param at.workers which worker here runs what the former network's adapters ran
   * @throws ManagerError INVALID_START
   */
  constructor(
    control: Pick<ControlLink, 'readFormer'>,
    at: {
      readonly lastHeight: number;
      readonly networkCertificate: string;
      readonly workers?: WorkerAdapters;
    },
  ) {
    this.#control = control;
    this.#lastHeight = at.lastHeight;
    const [certificate] = fromPem(at.networkCertificate);
    if (!certificate) {
      throw new ManagerError('INVALID_START', 'the former network has no certificate to be pinned');
    }
    this.#certificate = certificate;
    this.#workers = at.workers ?? [];
  }

  /**
   * Verifies chain, signatures and all that is public, and learns the constitution.
   * @throws ManagerError LEDGER_CORRUPT with height and reason, HOST_FAULT
   */
  async survey(progress: Progress): Promise<Survey> {
    const state = new Store(administrativeTables);
    const chain = new ChainPlace();
    const sources = new Set<number>();
    let last: VerifiedBlock | undefined;
    for await (const { block, height } of this.#blocks(progress)) {
      last = holds(height, () => {
        if (height === 1) this.#begin(state, block);
        const nodeKey = (leader: NodeId) => this.#nodeKey(state.committed(), leader);
        const verified = chain.next(block, { nodeKey });
        const { source } = verified.header;
        if (source > 0) sources.add(source);
        else if (height > 1) take(state, verified.publicWrites);
        return verified;
      });
    }
    if (!last) throw corrupt(1, 'the ledger is empty', 'MISSING');
    const constitution = holds(last.header.height, () =>
      parseConstitution(readConstitution(state.committed())),
    );
    const view = state.committed();
    return { former: formerNetwork(view, constitution, last), constitution, state: view, sources };
  }

  /**
   * Every application block, opened and checked once more: the host may give others than before. The
   * programs that votes put in force come as blocks of their adapters' workers.
   * @throws ManagerError LEDGER_CORRUPT with height and reason, HOST_FAULT
   */
  async *contents(
    { state, former }: Survey,
    sessionKey: SessionKeyLookup,
    progress: Progress,
  ): AsyncGenerator<FormerBlock> {
    const chain = new ChainPlace();
    const programs = new FormerPrograms(state, this.#workers);
    const nodeKey = (leader: NodeId) => this.#nodeKey(state, leader);
    let root = emptyBytes;
    for await (const { block, height } of this.#blocks(progress)) {
      const verified = holds(height, () => chain.next(block, { nodeKey, sessionKey }));
      root = verified.historyRoot;
      if (verified.header.source === 0) {
        yield* programs.after(verified);
        continue;
      }
      if (!verified.transactions) throw corrupt(height, 'its epoch has no key', 'UNKNOWN_EPOCH');
      yield verified;
    }
    if (toHex(root) === former.historyRoot) return;
    const why = 'the host gave another ledger than the one that was verified';
    throw corrupt(former.lastHeight, why, 'WRONG_ROOT');
  }

  async *#blocks(progress: Progress): AsyncGenerator<{ block: Uint8Array; height: Height }> {
    for (let from = 1; from <= this.#lastHeight; ) {
      const blocks = await this.#read(from);
      for (const [at, block] of blocks.entries()) {
        yield { block, height: toHeight(from + at) };
        if (at % blocksPerTurn === blocksPerTurn - 1) await nextTurn();
      }
      from += blocks.length;
      progress(from - 1, this.#lastHeight);
    }
  }

  async #read(from: number): Promise<Uint8Array[]> {
    let why =
      'the host does not have it; bring it back, from an archive or the ledger of another node: every block from the first on is needed, and no snapshot stands for them';
    try {
      const blocks = await this.#control.readFormer(from, this.#lastHeight, readBytes);
      if (blocks.length > 0) return blocks;
    } catch (error) {
      const isGone = error instanceof ManagerError && error.code === 'BLOCK_NOT_HELD';
      // What is wrong with a chunk file is wrong with a block in it.
      const isDamaged = error instanceof ManagerError && /^LEDGER_DAMAGED:/.test(error.message);
      if (!isGone && !isDamaged) throw error;
      if (isDamaged) why = error.message.replace(/^LEDGER_DAMAGED: /, '');
    }
    throw corrupt(from, why, 'MISSING');
  }

  /** The first block says which network this is; its own verification follows. */
  #begin(state: Store, block: Uint8Array): void {
    try {
      take(state, openPublicPart(block).publicWrites);
    } catch (error) {
      if (error instanceof CodedError) throw error;
      throw corrupt(1, 'it is not what a node writes', 'MALFORMED');
    }
    const view = state.committed();
    if (!hasGenesis(view)) throw corrupt(1, 'it is no genesis block', 'WRONG_NETWORK');
    const { networkCertificate, networkId } = networkInfo(view);
    const [named] = fromPem(networkCertificate);
    const isPinned = named !== undefined && equalBytes(named, this.#certificate);
    if (isPinned && networkIdOf(readConstitution(view), named) === networkId) return;
    throw corrupt(1, 'it begins another network than the pinned one', 'WRONG_NETWORK');
  }

  /** Whoever was trusted once may have led, if the network endorsed it: its certificate is pinned. */
  #nodeKey(state: ReadView, leader: NodeId): Uint8Array | undefined {
    const entry = getNode(state, leader);
    if (entry?.status !== 'trusted' && entry?.status !== 'retired') return undefined;
    const name = `${leader}/${entry.certificate}`;
    if (!this.#endorsed.has(name)) {
      this.#endorsed.set(name, endorsedNodeKey(entry, this.#certificate));
    }
    return this.#endorsed.get(name);
  }
}

/** Follows which programs were in force. A network that never voted on one costs nothing. */
class FormerPrograms {
  readonly #workers: WorkerAdapters;
  readonly #state: Store | undefined;

  constructor(last: ReadView, workers: WorkerAdapters) {
    this.#workers = workers;
    this.#state = hasApplications(last) ? new Store(administrativeTables) : undefined;
  }

  /** What the workers took up of an administrative block. */
  after({ header, publicWrites }: VerifiedBlock): FormerBlock[] {
    if (!this.#state) return [];
    take(this.#state, publicWrites);
    const view = this.#state.committed();
    return deploymentsIn({ header, publicWrites }, view, this.#workers).map((block) => ({
      header: { ...header, source: block.header.source },
      transactions: [...block.transactions],
    }));
  }
}

function take(state: Store, publicWrites: readonly Uint8Array[]): void {
  const writeSets = publicWrites.map((writes) => {
    return { publicWrites: writes, privateWrites: emptyBytes };
  });
  state.applyCommitted(writeSets);
}

function formerNetwork(
  state: ReadView,
  constitution: Constitution,
  { header, historyRoot }: VerifiedBlock,
): FormerNetwork {
  const { networkId, networkCertificate } = networkInfo(state);
  const { view, firstSeqno, count, height, timeMs } = header;
  return {
    networkId,
    networkCertificate,
    lastHeight: height,
    lastTransaction: formatTransactionId(view, toSeqno(firstSeqno + count - 1)),
    lastTimeMs: timeMs,
    historyRoot: toHex(historyRoot),
    constitutionDigest: constitutionDigest(constitution),
  };
}

/** Runs what reads a block; whatever is wrong with it names the height. */
function holds<Result>(height: Height, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (error instanceof CodedError) throw damaged(error, height);
    if (!(error instanceof SyntaxError) && !(error instanceof TypeError)) throw error;
    throw corrupt(height, 'it is not what a node writes', 'MALFORMED');
  }
}
