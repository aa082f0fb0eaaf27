import { type EngineName, mainnetIndex, mainnetReplay, replayChainName } from '@concordat/ethereum';
import { type SendRequest, sendRequests } from '../json-rpc-load.ts';

/** First block number that is not of the white paper's time. */
const paperTimeEnd = 7_000_000;
/** A block of the 2016 denial-of-service attack: 9 transactions, very heavy. */
export const denialOfServiceBlock = 2_462_997;
/** Real transactions sent first, so that code runs compiled as in a node that has been up a while. */
const warmUpTransactions = 2_500;

/** Real blocks, each a chain of its own on one network. */
export interface MainnetSet {
  /** `constitution.adapters.ethereum` */
  readonly config: unknown;
  readonly genesisData: Uint8Array;
  /** The blocks measured, in order. */
  readonly blocks: readonly number[];
  /** One lane a block; a lane's requests go one after another. */
  readonly lanes: readonly (readonly SendRequest[])[];
  /** Blocks of another time, sent before the measurement. */
  readonly warmUpBlocks: readonly number[];
  readonly warmUpLanes: readonly (readonly SendRequest[])[];
}

/** Blocks of the white paper's time: 21 with 2,077 transactions. */
export const paperBlocks = (): readonly number[] =>
  mainnetIndex()
    .map(({ number }) => number)
    .filter((number) => number < paperTimeEnd);

/** Every block there is. */
export const allBlocks = (): readonly number[] => mainnetIndex().map(({ number }) => number);

/** Blocks that are not among the measured ones, about so many transactions. */
export function warmUpBlocksFor(measured: readonly number[]): readonly number[] {
  let transactions = 0;
  const blocks: number[] = [];
  for (const { number, txs } of mainnetIndex().toReversed()) {
    if (measured.includes(number) || transactions >= warmUpTransactions) continue;
    blocks.push(number);
    transactions += txs;
  }
  return blocks;
}

/** Makes chains and requests for some blocks. */
export function mainnetSet(
  blocks: readonly number[],
  {
    warmUpBlocks = [],
    perRequest = 100,
    engine = 'own',
  }: {
    readonly warmUpBlocks?: readonly number[];
    readonly perRequest?: number;
    readonly engine?: EngineName;
  } = {},
): MainnetSet {
  const { config, genesisData, transactions } = mainnetReplay([...blocks, ...warmUpBlocks]);
  const byChain = new Map<string, Uint8Array[]>();
  for (const { chain, raw } of transactions) {
    const raws = byChain.get(chain);
    if (raws) raws.push(raw);
    else byChain.set(chain, [raw]);
  }
  const laneOf = (number: number): readonly SendRequest[] => {
    const chain = replayChainName(number);
    return sendRequests(`/eth/${chain}`, byChain.get(chain) ?? [], perRequest);
  };
  return {
    config: { ...config, chains: config.chains.map((chain) => ({ ...chain, engine })) },
    genesisData,
    blocks,
    lanes: blocks.map(laneOf),
    warmUpBlocks,
    warmUpLanes: warmUpBlocks.map(laneOf),
  };
}

/** Path of a block's chain. */
export const blockPath = (number: number): string => `/eth/${replayChainName(number)}`;
