import type { LedgerAdapter } from '@concordat/worker-enclave';
import { EthereumAdapter } from './adapter.ts';
import type { EthereumTransaction } from './batch-execution.ts';
import type { SubmittedTransaction } from './chain-reader.ts';
import { createRpcEndpoints } from './rpc/index.ts';

export {
  EthereumAdapter,
  type EthereumAdapterOptions,
} from './adapter.ts';
export { type BareFigures, executeBare } from './bare.ts';
export type { ObservedTransaction } from './bare-run.ts';
export { type BareTransactionFigures, executeBareTransactions } from './bare-transactions.ts';
export type { EthereumTransaction } from './batch-execution.ts';
export type {
  AccessListEntry,
  AccountView,
  BlockReference,
  BlockView,
  CallOutcome,
  CallRequest,
  ChainReader,
  ChainView,
  EndpointFactory,
  HeadListener,
  LogFilter,
  LogView,
  ReceiptView,
  ReplayFigures,
  ReplayProgress,
  StateOverrides,
  SubmittedTransaction,
  TransactionFields,
  TransactionView,
} from './chain-reader.ts';
export { encodeSubmission } from './chain-view.ts';
export {
  type ChainConfig,
  defaultGasLimit,
  defaultHardfork,
  type EthereumConfig,
  parseConfig,
  type ReadPolicy,
} from './config.ts';
export { createdAddress } from './created-address.ts';
export { addressOfKey, keccak256, signDigest } from './crypto.ts';
export type { EngineName } from './engines.ts';
export { EthereumError, type EthereumErrorCode } from './errors.ts';
export { type MainnetReplay, mainnetReplay, replayChainName } from './import.ts';
export {
  encodeImport,
  type ImportedAccount,
  type ImportedChain,
  ImportReader,
} from './import-format.ts';
export { type MainnetBlock, mainnetBlock, mainnetCode, mainnetIndex } from './mainnet.ts';
export {
  type DecodedTransaction,
  decodeTransaction,
  signedAuthorization,
  signedTransaction,
} from './transaction.ts';

/** The adapter as a worker mounts it: JSON-RPC over HTTP and WebSocket. */
export function createEthereumAdapter(): LedgerAdapter<EthereumTransaction, SubmittedTransaction> {
  return new EthereumAdapter({ endpoints: createRpcEndpoints });
}
