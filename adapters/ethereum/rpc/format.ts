import type {
  AccessListEntry,
  AuthorizationView,
  BlockView,
  HeaderView,
  LogView,
  ReceiptView,
  TransactionView,
} from '../chain-reader.ts';
import { toData, toQuantity } from './hex.ts';

/** A JSON object of the execution APIs. */
export type JsonObject = Record<string, unknown>;

/** A header's members, as blocks and `newHeads` show them. */
function headerToJson(header: HeaderView, hash: Uint8Array): JsonObject {
  const json: JsonObject = {
    number: toQuantity(header.number),
    hash: toData(hash),
    parentHash: toData(header.parentHash),
    sha3Uncles: toData(header.unclesHash),
    miner: toData(header.coinbase),
    stateRoot: toData(header.stateRoot),
    transactionsRoot: toData(header.transactionsRoot),
    receiptsRoot: toData(header.receiptsRoot),
    logsBloom: toData(header.logsBloom),
    difficulty: toQuantity(header.difficulty),
    gasLimit: toQuantity(header.gasLimit),
    gasUsed: toQuantity(header.gasUsed),
    timestamp: toQuantity(header.timestamp),
    extraData: toData(header.extraData),
    mixHash: toData(header.mixHash),
    nonce: toData(header.nonce),
  };
  addLaterFields(json, header);
  return json;
}

/** What London, Shanghai, Cancun, Prague and Amsterdam added, where the block has it. */
function addLaterFields(json: JsonObject, header: HeaderView): void {
  if (header.baseFeePerGas !== undefined) json.baseFeePerGas = toQuantity(header.baseFeePerGas);
  if (header.withdrawalsRoot) json.withdrawalsRoot = toData(header.withdrawalsRoot);
  if (header.blobGasUsed !== undefined) json.blobGasUsed = toQuantity(header.blobGasUsed);
  if (header.excessBlobGas !== undefined) json.excessBlobGas = toQuantity(header.excessBlobGas);
  if (header.parentBeaconBlockRoot) {
    json.parentBeaconBlockRoot = toData(header.parentBeaconBlockRoot);
  }
  if (header.requestsHash) json.requestsHash = toData(header.requestsHash);
  if (header.blockAccessListHash) json.blockAccessListHash = toData(header.blockAccessListHash);
  if (header.slotNumber !== undefined) json.slotNumber = toQuantity(header.slotNumber);
}

const headTexts = new WeakMap<BlockView, string>();

/** The JSON text of a `newHeads` event, built once however many listen. */
export function headToText(block: BlockView): string {
  const known = headTexts.get(block);
  if (known !== undefined) return known;
  const text = JSON.stringify(headerToJson(block.header, block.hash));
  headTexts.set(block, text);
  return text;
}

/** A block with the given transactions: their hashes, or their JSON. */
export function blockToJson(block: BlockView, transactions: readonly unknown[]): JsonObject {
  const json = headerToJson(block.header, block.hash);
  json.size = toQuantity(block.size);
  json.transactions = transactions;
  json.uncles = [];
  if (block.header.withdrawalsRoot) json.withdrawals = [];
  return json;
}

/** A committed transaction. */
export function transactionToJson(view: TransactionView): JsonObject {
  const { fields } = view;
  const json: JsonObject = {
    blockHash: toData(view.blockHash),
    blockNumber: toQuantity(view.blockNumber),
    from: toData(view.from),
    gas: toQuantity(fields.gasLimit),
    gasPrice: toQuantity(view.effectiveGasPrice),
    hash: toData(view.hash),
    input: toData(fields.data),
    nonce: toQuantity(fields.nonce),
    to: fields.to ? toData(fields.to) : null,
    transactionIndex: toQuantity(view.index),
    value: toQuantity(fields.value),
    type: toQuantity(fields.type),
    v: toQuantity(fields.v),
    r: toQuantity(fields.r),
    s: toQuantity(fields.s),
  };
  if (fields.chainId !== undefined) json.chainId = toQuantity(fields.chainId);
  if (fields.type >= 1) {
    json.accessList = accessListToJson(fields.accessList);
    json.yParity = toQuantity(fields.yParity);
  }
  if (fields.type >= 2) {
    json.maxFeePerGas = toQuantity(fields.maxFeePerGas);
    json.maxPriorityFeePerGas = toQuantity(fields.maxPriorityFeePerGas);
  }
  if (fields.type === 3) {
    json.maxFeePerBlobGas = toQuantity(fields.maxFeePerBlobGas);
    json.blobVersionedHashes = fields.blobVersionedHashes.map(toData);
  }
  if (fields.type === 4) json.authorizationList = fields.authorizationList.map(authorization);
  return json;
}

/** An EIP-2930 access list. */
export const accessListToJson = (entries: readonly AccessListEntry[]): JsonObject[] =>
  entries.map((entry) => ({
    address: toData(entry.address),
    storageKeys: entry.storageKeys.map(toData),
  }));

const authorization = (view: AuthorizationView): JsonObject => ({
  chainId: toQuantity(view.chainId),
  address: toData(view.address),
  nonce: toQuantity(view.nonce),
  yParity: toQuantity(view.yParity),
  r: toQuantity(view.r),
  s: toQuantity(view.s),
});

/** One log; `removed` is never true, for a committed block is never undone. */
export const logToJson = (log: LogView): JsonObject => ({
  address: toData(log.address),
  topics: log.topics.map(toData),
  data: toData(log.data),
  blockNumber: toQuantity(log.blockNumber),
  transactionHash: toData(log.transactionHash),
  transactionIndex: toQuantity(log.transactionIndex),
  blockHash: toData(log.blockHash),
  logIndex: toQuantity(log.logIndex),
  removed: false,
});

const logTexts = new WeakMap<LogView, string>();

/** The JSON text of a log, built once however many listen. */
export function logToText(log: LogView): string {
  const known = logTexts.get(log);
  if (known !== undefined) return known;
  const text = JSON.stringify(logToJson(log));
  logTexts.set(log, text);
  return text;
}

/** The receipt of a committed transaction. */
export const receiptToJson = (receipt: ReceiptView): JsonObject => ({
  blockHash: toData(receipt.blockHash),
  blockNumber: toQuantity(receipt.blockNumber),
  contractAddress: receipt.contractAddress ? toData(receipt.contractAddress) : null,
  cumulativeGasUsed: toQuantity(receipt.cumulativeGasUsed),
  effectiveGasPrice: toQuantity(receipt.effectiveGasPrice),
  from: toData(receipt.from),
  gasUsed: toQuantity(receipt.gasUsed),
  logs: receipt.logs.map(logToJson),
  logsBloom: toData(receipt.logsBloom),
  status: toQuantity(receipt.status),
  to: receipt.to ? toData(receipt.to) : null,
  transactionHash: toData(receipt.transactionHash),
  transactionIndex: toQuantity(receipt.transactionIndex),
  type: toQuantity(receipt.type),
});
