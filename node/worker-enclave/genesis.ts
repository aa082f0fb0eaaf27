import type { BatchEnvironment, BatchSet } from './adapter.ts';
import type { Pipeline } from './pipeline.ts';
import { OpenBatch, type TransactionWrites } from './scoped-state.ts';
import type { SpeculativeChain } from './speculative-chain.ts';
import type { Lane } from './submission.ts';

/** What making the genesis state needs. */
export interface GenesisOptions {
  readonly chain: SpeculativeChain;
  readonly numbers: Pick<Pipeline, 'takeBatchNumber'>;
  /** Write-set bytes after which a block is cut. */
  readonly blockBytes: number;
  readonly env: BatchEnvironment;
  readonly send: (batch: number, writes: readonly TransactionWrites[]) => void;
}

/**
 * Lets an adapter write its initial state, in as many blocks as its size asks for. The blocks wait
 * on the chain for their heights like any other batch.
 * @throws AdapterError INVALID_GENESIS
 */
export function makeGenesis(
  lane: Lane,
  data: Uint8Array | undefined,
  options: GenesisOptions,
): void {
  if (lane.adapter.genesis === undefined) return;
  let block: OpenBatch | undefined;
  const open = (): BatchSet => {
    block ??= new OpenBatch(options.chain.begin(), lane.tableNames);
    return block;
  };
  try {
    for (const _ of lane.adapter.genesis(open, data, options.env)) {
      block?.endIfWritten();
      if (block === undefined || block.bytes < options.blockBytes) continue;
      cut(block, options);
      block = undefined;
    }
    block?.endIfWritten();
  } catch (error) {
    block?.abort();
    throw error;
  }
  if (block === undefined) return;
  if (block.writes.length > 0) cut(block, options);
  else block.abort();
}

function cut(block: OpenBatch, { chain, numbers, env, send }: GenesisOptions): void {
  block.finish();
  const flight = chain.executed(
    {
      batch: numbers.takeBatchNumber(),
      submissions: [],
      outcomes: [],
      count: block.writes.length,
      timeMs: env.timeMs,
      height: 0,
      view: env.view,
      firstSeqno: 0,
    },
    block,
  );
  send(flight.batch, block.writes);
}
