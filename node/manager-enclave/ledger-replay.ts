import type { Configuration, PlacedConfiguration } from '@concordat/consensus';
import { CodedError, type Height, toHeight } from '@concordat/std';
import { configurationOf, configurationUnder } from './configuration-record.ts';
import { pause } from './enclave-sources.ts';
import { ManagerError } from './errors.ts';
import { requireGenesis } from './genesis-check.ts';
import type { NodeContext } from './node-context.ts';
import { deploymentsOf } from './program-projection.ts';
import { corrupt, damaged } from './stored-blocks.ts';

const readBytes = 8 * 1024 * 1024;
/** The worker takes replayed blocks at its own pace. */
const maxWaitingBytes = 64 * 1024 * 1024;

/** What consensus must know of a ledger that was read back. */
export interface Replayed {
  readonly configuration: Configuration;
  readonly configurationHeight: Height;
  readonly earlier: readonly PlacedConfiguration[];
}

/** Which part of a ledger is read back; both heights inclusive. */
export interface LedgerPart {
  /** Default 1. */
  readonly from?: number;
  readonly upTo: number;
}

/**
 * Blocks of a ledger as the host gives them, one after the other.
 * @throws ManagerError LEDGER_CORRUPT when one is missing, HOST_FAULT
 */
export async function* storedBlocks(
  { control }: NodeContext,
  { from: first = 1, upTo }: LedgerPart,
): AsyncGenerator<{ block: Uint8Array; height: Height }> {
  for (let from = first; from <= upTo; ) {
    const blocks = await control.read(from, upTo, readBytes);
    if (blocks.length === 0) throw corrupt(from, 'the host does not have it', 'MISSING');
    for (const block of blocks) {
      yield { block, height: toHeight(from) };
      from += 1;
    }
  }
}

/** What to replay, and how. */
export interface Replay {
  readonly upTo: number;
  /** Blocks above stay speculative. */
  readonly committed: number;
  /** What the state at hand is of, when it is not the first block that comes next. */
  readonly base?: { readonly height: number; readonly configuration: PlacedConfiguration };
}

/**
 * Opens every block, checks it, and brings both states forward. It waits for session keys that are
 * missing for as long as it takes to gather them.
 * @throws ManagerError LEDGER_CORRUPT with height and reason
 */
export async function replayLedger(
  node: NodeContext,
  { upTo, committed, base }: Replay,
): Promise<Replayed> {
  const { log, administration, feed, pages, epochs } = node;
  const configurations: PlacedConfiguration[] = base ? [base.configuration] : [];
  const part = { from: (base?.height ?? 0) + 1, upTo };
  let sinceRest = 0;
  for await (const { block, height } of storedBlocks(node, part)) {
    await keyFor(node, block, height);
    const configuration = holds(height, () => openOne(node, block, height));
    if (configuration) configurations.push({ height, configuration });
    if (height <= committed) {
      log.commit(height);
      administration.commit(height);
      feed.committed(height, height);
      pages.keepCompleted();
    }
    sinceRest += block.length;
    if (sinceRest > readBytes) {
      sinceRest = 0;
      await feedTaken(node);
    }
  }
  epochs.stateChanged();
  const newest = configurations.at(-1);
  const given = () =>
    administration.exists ? configurationUnder(administration.constitution) : { voters: [] };
  return {
    configuration: newest?.configuration ?? given(),
    configurationHeight: newest?.height ?? toHeight(0),
    earlier: configurations.slice(0, -1).filter(stillActive(configurations, committed)),
  };
}

/** Configurations that may still be active: the last committed one and everything after it. */
const stillActive = (all: readonly { height: Height }[], committed: number) => {
  const base = all.findLast(({ height }) => height <= committed)?.height ?? 0;
  return ({ height }: { height: Height }): boolean => height >= base;
};

function openOne(node: NodeContext, block: Uint8Array, height: Height): Configuration | undefined {
  const { log, administration, feed, network } = node;
  const opened = log.open(block);
  feed.opened(opened);
  if (opened.header.source > 0) return undefined;
  administration.apply(height, opened.transactions);
  if (height === 1) requireGenesis(administration, network);
  for (const block of deploymentsOf(opened, administration.head, node.start.workers)) {
    feed.opened(block);
  }
  if ((opened.header.flags & 1) === 0) return undefined;
  return configurationOf(opened.transactions.map(({ publicWrites }) => publicWrites));
}

/** Waits for the key of a block's epoch; a block that is not what it should be is refused when opened. */
async function keyFor({ epochs }: NodeContext, block: Uint8Array, height: Height): Promise<void> {
  try {
    await epochs.readyFor(block);
  } catch (error) {
    if (!(error instanceof CodedError) || error instanceof ManagerError) throw error;
    throw damaged(error, height);
  }
}

/** Runs what reads the block at a height; whatever is wrong with it names the height. */
function holds<Result>(height: Height, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof CodedError) && !(error instanceof SyntaxError)) throw error;
    throw error instanceof SyntaxError
      ? corrupt(height, 'it is not what a node writes', 'MALFORMED')
      : damaged(error, height);
  }
}

/**
 * As {@link holds}, for a block nobody has verified yet. Those who read it trust what a node
 * wrote, so whatever they stumble over is the block's fault.
 */
export function claims<Result>(height: Height, read: () => Result): Result {
  return holds(height, () => {
    try {
      return read();
    } catch (error) {
      if (error instanceof CodedError) throw error;
      throw corrupt(height, 'it is not what a node writes', 'MALFORMED');
    }
  });
}

async function feedTaken({ feed }: NodeContext): Promise<void> {
  const waiting = (): number => [...feed.links].reduce((sum, link) => sum + link.waitingBytes, 0);
  while (waiting() > maxWaitingBytes) await pause(5);
}
