import { type EngineName, mainnetIndex, mainnetReplay, replayChainName } from '@concordat/ethereum';
import { type SendRequest, sendRequests } from '../json-rpc-load.ts';

/** First block number that is not of the white paper's time. */
const paperTimeEnd = 7_000_000;
/** A block of the 2016 denial-of-service attack: 9 transactions, very heavy. */
export const denialOfServiceBlock = 2_462_997;
/** Real transactions sent first, so that code runs compiled as in a node that has been up a while. */
const warmUpTransactions = 2_500;

/** Real blocks to be sent once, each a chain of its own on one network. */
export interface MainnetBlocks {
  readonly blocks: readonly number[];
  /** Which of the chains of each block, from 1. */
  readonly copy: number;
  /** One lane a block; a lane's requests go one after another. */
  readonly lanes: readonly (readonly SendRequest[])[];
}

/** What a network that replays real blocks starts with, and what is sent to it. */
export interface MainnetSet {
  /** `constitution.adapters.ethereum` */
  readonly config: unknown;
  readonly genesisData: Uint8Array;
  /** The blocks measured, as often as they can be sent. */
  readonly copies: readonly MainnetBlocks[];
  /** Blocks of another time, sent before the measurement. */
  readonly warmUp: MainnetBlocks;
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
    copies = 1,
    perRequest = 100,
    engine = 'own',
  }: {
    readonly warmUpBlocks?: readonly number[];
    readonly copies?: number;
    readonly perRequest?: number;
    readonly engine?: EngineName;
  } = {},
): MainnetSet {
  const { config, genesisData, transactions } = mainnetReplay([
    ...warmUpBlocks.map((number) => ({ number, copies: 1 })),
    ...blocks.map((number) => ({ number, copies })),
  ]);
  const byChain = new Map<string, Uint8Array[]>();
  for (const { chain, raw } of transactions) {
    const raws = byChain.get(chain);
    if (raws) raws.push(raw);
    else byChain.set(chain, [raw]);
  }
  const sent = (numbers: readonly number[], copy: number): MainnetBlocks => ({
    blocks: numbers,
    copy,
    lanes: numbers.map((number) => {
      const raws = byChain.get(replayChainName(number, copy)) ?? [];
      return sendRequests(blockPath(number, copy), raws, perRequest);
    }),
  });
  return {
    config: { ...config, chains: config.chains.map((chain) => ({ ...chain, engine })) },
    genesisData,
    copies: Array.from({ length: copies }, (_, at) => sent(blocks, at + 1)),
    warmUp: sent(warmUpBlocks, 1),
  };
}

/** Path of a block's chain. */
export const blockPath = (number: number, copy = 1): string =>
  `/eth/${replayChainName(number, copy)}`;
