export {
  type Buckets,
  bucketsBetween,
  median,
  percentile,
  percentileOfBuckets,
  perSecond,
  ratio,
  type Spread,
  spreadOf,
} from './arithmetic.ts';
export {
  BenchNetwork,
  type BenchNetworkOptions,
  type NetworkFigures,
  type WorkerStats,
  workerStats,
} from './bench-network.ts';
export { type BlockCheck, compareBlock, isMatch } from './block-check.ts';
export {
  type LoadFigures,
  type PostBody,
  runLoad,
  type SendRequest,
  sendRequests,
} from './json-rpc-load.ts';
export { type MainnetFigures, runMainnet } from './mainnet-run.ts';
export { cpuMicrosOf, figuresOf, type ProcessFigures, peakBytesOf } from './process-figures.ts';
export { allBlocks, mainnetSet, paperBlocks } from './workloads/mainnet-set.ts';
