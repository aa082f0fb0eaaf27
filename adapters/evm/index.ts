// Whoever compiles another room alone needs what this one stands on.
/// <reference path="./webassembly.d.ts" />
/// <reference path="./mcl-module.d.ts" />
/// <reference path="./secp256k1.d.ts" />
export { type BlobDemand, blobBaseFee, fitsBlobs, nextExcessBlobGas } from './blob-fees.ts';
export type { BlockEnvironment } from './block-environment.ts';
export {
  type BlockParents,
  beaconRootsAddress,
  callsAtBlockStart,
  historyAddress,
  startBlock,
} from './block-start.ts';
export type { CallRequest, CallResult } from './call.ts';
export { EvmError, type EvmErrorCode, type TransactionRefusal } from './errors.ts';
export {
  type AccountState,
  type Applied,
  createEvm,
  type Evm,
  type EvmOptions,
  type SystemCall,
} from './evm.ts';
export {
  type BlobSchedule,
  type Fork,
  forkNames,
  forkOf,
  isForkName,
  revisions,
  type TransactionPrices,
} from './fork.ts';
export type { EvmHost, EvmSink } from './host.ts';
export { keccak256 } from './keccak.ts';
export { type AccountFields, accountOf, MemoryHost, recordIn } from './memory-host.ts';
export type { Precompile } from './precompile.ts';
export { precompilesOf } from './precompiles.ts';
export { greatestWord, toBigInt, toMinimalBytes, toWord } from './quantities.ts';
export {
  type AccountRecord,
  decodeAccount,
  emptyCodeHash,
  emptyCodeKey,
  encodeAccount,
  slotKey,
} from './records.ts';
export type { BlockGas, EvmLog, Outcome } from './result.ts';
export {
  type AccessListEntry,
  checkTransaction,
  type EvmTransaction,
  effectivePrice,
  type IntrinsicFields,
  type IntrinsicGas,
  intrinsicGas,
  type RecoveredAuthorization,
  tipPerGas,
  upfrontCost,
} from './transaction.ts';
