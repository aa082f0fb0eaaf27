import { equalBytes } from '@concordat/std';
import type { BlockEnvironment } from './block-environment.ts';
import { EvmError } from './errors.ts';
import { type Fork, revisions, type TransactionPrices } from './fork.ts';
import { greatestWord } from './quantities.ts';

/** An address and slots that are warm from the start (EIP-2930). */
export interface AccessListEntry {
  /** 20 bytes. */
  readonly address: Uint8Array;
  /** 32 bytes each. */
  readonly storageKeys: readonly Uint8Array[];
}

/** One delegation of a type 4 transaction (EIP-7702), its signer recovered. */
export interface RecoveredAuthorization {
  /** 0 for any chain. */
  readonly chainId: bigint;
  /** Whose code is to run, 20 bytes; zero takes a delegation away. */
  readonly address: Uint8Array;
  readonly nonce: bigint;
  /** Who signed, 20 bytes; undefined when the signature is not valid. */
  readonly authority: Uint8Array | undefined;
}

/** A transaction as the engine needs it: decoded, its sender recovered. */
export interface EvmTransaction {
  /** 20 bytes. */
  readonly from: Uint8Array;
  readonly type: 0 | 1 | 2 | 3 | 4;
  /** Below 2^64 - 1. */
  readonly nonce: bigint;
  /** Gas price of types 0 and 1. */
  readonly maxFeePerGas: bigint;
  /** Gas price of types 0 and 1. */
  readonly maxPriorityFeePerGas: bigint;
  readonly gasLimit: bigint;
  /** 20 bytes; absent for a creation. */
  readonly to?: Uint8Array | undefined;
  readonly value: bigint;
  /** Call data, or init code of a creation. */
  readonly data: Uint8Array;
  readonly accessList: readonly AccessListEntry[];
  readonly authorizationList: readonly RecoveredAuthorization[];
  /** 32 bytes each. */
  readonly blobVersionedHashes: readonly Uint8Array[];
  /** 0 but for type 3. */
  readonly maxFeePerBlobGas: bigint;
}

/** Gas a transaction pays before anything runs, and the least it pays in the end. */
export interface IntrinsicGas {
  readonly intrinsic: number;
  /** 0 before Prague. */
  readonly floor: number;
}

/** What {@link intrinsicGas} depends on. */
export interface IntrinsicFields {
  readonly data: Uint8Array;
  readonly to?: Uint8Array | undefined;
  readonly accessList: readonly AccessListEntry[];
  readonly authorizationList: readonly unknown[];
  /** Who sends it; matters since Amsterdam. */
  readonly from: Uint8Array;
  /** Matters since Amsterdam. */
  readonly value: bigint;
}

/** Intrinsic and floor gas (EIP-2, 2028, 2780, 2930, 3860, 7623, 7702, 7976, 7981, 8038). */
export function intrinsicGas(fields: IntrinsicFields, fork: Fork): IntrinsicGas {
  const { prices } = fork;
  const { data } = fields;
  const { length } = data;
  let zeros = 0;
  for (let i = 0; i < length; i++) if (data[i] === 0) zeros++;
  const others = length - zeros;
  let base = prices.transaction + recipientGas(fields, prices);
  let intrinsic = base + zeros * prices.dataZero + others * prices.dataNonZero;
  if (fields.to === undefined) {
    intrinsic += prices.creation + prices.initCodeWord * Math.ceil(length / 32);
  }
  let tokens = zeros * prices.zeroTokens + 4 * others;
  for (const { storageKeys } of fields.accessList) {
    const listed = prices.accessListTokens * (20 + 32 * storageKeys.length);
    tokens += listed;
    intrinsic += prices.accessListAddress + storageKeys.length * prices.accessListSlot;
    intrinsic += prices.floorToken * listed;
  }
  intrinsic += fields.authorizationList.length * prices.emptyAuthorization;
  if (fork.revision >= revisions.amsterdam && fields.to === undefined) base += prices.creation;
  const floor = prices.floorToken === 0 ? 0 : base + prices.floorToken * tokens;
  return { intrinsic, floor };
}

/** EIP-2780. */
function recipientGas({ to, from, value }: IntrinsicFields, prices: TransactionPrices): number {
  if (prices.recipient === 0 || to === undefined || equalBytes(from, to)) return 0;
  return value > 0n ? prices.recipient + prices.recipientValue : prices.recipient;
}

const lastNonce = 0xffff_ffff_ffff_ffffn;

/**
 * What can be refused without state: type, prices, limits, sizes.
 * @throws EvmError TRANSACTION_TYPE_NOT_SUPPORTED, UNDECODABLE, INVALID_BLOBS, GAS_LIMIT_TOO_HIGH,
 *   INITCODE_TOO_LARGE, INTRINSIC_GAS_TOO_LOW, FEE_TOO_LOW, TIP_ABOVE_FEE_CAP, NONCE_TOO_HIGH
 */
export function checkTransaction(
  transaction: EvmTransaction,
  fork: Fork,
  block: Pick<BlockEnvironment, 'gasLimit' | 'baseFee' | 'blobBaseFee'>,
): IntrinsicGas {
  const { prices } = fork;
  checkShape(transaction, fork);
  const { maxTransactionGas } = prices;
  const limit = maxTransactionGas < block.gasLimit ? maxTransactionGas : block.gasLimit;
  const { gasLimit } = transaction;
  if (gasLimit > limit) {
    throw new EvmError('GAS_LIMIT_TOO_HIGH', `gas limit ${gasLimit} is above ${limit}`);
  }
  if (transaction.to === undefined && transaction.data.length > prices.maxInitCodeBytes) {
    throw new EvmError('INITCODE_TOO_LARGE', `init code of ${transaction.data.length} bytes`);
  }
  const gas = intrinsicGas(transaction, fork);
  const least = Math.max(gas.intrinsic, gas.floor);
  if (gasLimit < least) {
    throw new EvmError(
      'INTRINSIC_GAS_TOO_LOW',
      `gas limit ${gasLimit} is below the ${least} this transaction costs at least`,
    );
  }
  if (least > prices.maxRegularGas) {
    throw new EvmError('GAS_LIMIT_TOO_HIGH', `costs ${least} before it runs`);
  }
  checkFees(transaction, block);
  if (transaction.nonce >= lastNonce) {
    throw new EvmError('NONCE_TOO_HIGH', 'the nonce has no successor (EIP-2681)');
  }
  return gas;
}

/** @throws EvmError TIP_ABOVE_FEE_CAP, FEE_TOO_LOW */
function checkFees(
  transaction: EvmTransaction,
  block: Pick<BlockEnvironment, 'baseFee' | 'blobBaseFee'>,
): void {
  const { maxFeePerGas } = transaction;
  if (transaction.maxPriorityFeePerGas > maxFeePerGas) {
    throw new EvmError('TIP_ABOVE_FEE_CAP', 'the priority fee exceeds the fee cap');
  }
  if (maxFeePerGas < block.baseFee) {
    throw new EvmError(
      'FEE_TOO_LOW',
      `offers ${maxFeePerGas} wei a gas, the base fee is ${block.baseFee}`,
    );
  }
  if (transaction.type === 3 && transaction.maxFeePerBlobGas < block.blobBaseFee) {
    throw new EvmError('FEE_TOO_LOW', 'the blob fee cap is below the blob base fee');
  }
}

/** @throws EvmError TRANSACTION_TYPE_NOT_SUPPORTED, UNDECODABLE, INVALID_BLOBS */
function checkShape(transaction: EvmTransaction, fork: Fork): void {
  const { type, to, from } = transaction;
  if (type > fork.highestType) {
    throw new EvmError(
      'TRANSACTION_TYPE_NOT_SUPPORTED',
      `type ${type} is not active in ${fork.name}`,
    );
  }
  if (from.length !== 20 || (to !== undefined && to.length !== 20)) {
    throw new EvmError('UNDECODABLE', 'an address has 20 bytes');
  }
  const { value, maxFeePerGas, maxPriorityFeePerGas, maxFeePerBlobGas } = transaction;
  if (
    !isWord(value) ||
    !isWord(maxFeePerGas) ||
    maxPriorityFeePerGas < 0n ||
    !isWord(maxFeePerBlobGas) ||
    transaction.nonce < 0n
  ) {
    throw new EvmError('UNDECODABLE', 'a field is no number of 256 bits');
  }
  if (!areListsWhole(transaction)) {
    throw new EvmError('UNDECODABLE', 'a list holds an address or hash of another length');
  }
  if (type < 3) return;
  if (to === undefined) {
    throw new EvmError('UNDECODABLE', `a transaction of type ${type} creates no contract`);
  }
  if (type === 3) checkBlobs(transaction.blobVersionedHashes, fork);
  if (type === 4 && transaction.authorizationList.length === 0) {
    throw new EvmError('UNDECODABLE', 'a type 4 transaction without authorizations');
  }
}

/** Whether every address in the lists has 20 bytes, every slot and hash 32. */
export function areListsWhole(
  lists: Pick<EvmTransaction, 'accessList' | 'authorizationList' | 'blobVersionedHashes'>,
): boolean {
  for (const { address, storageKeys } of lists.accessList) {
    if (address.length !== 20) return false;
    for (const key of storageKeys) if (key.length !== 32) return false;
  }
  for (const { address, authority } of lists.authorizationList) {
    if (address.length !== 20 || (authority !== undefined && authority.length !== 20)) return false;
  }
  for (const hash of lists.blobVersionedHashes) if (hash.length !== 32) return false;
  return true;
}

const isWord = (value: bigint): boolean => value >= 0n && value <= greatestWord;

/** EIP-4844 and 7594. @throws EvmError UNDECODABLE, INVALID_BLOBS */
function checkBlobs(hashes: readonly Uint8Array[], { blobs }: Fork): void {
  if (hashes.length === 0) throw new EvmError('UNDECODABLE', 'a blob transaction without blobs');
  const most = blobs?.maxPerTransaction ?? 0;
  if (hashes.length > most) {
    throw new EvmError('INVALID_BLOBS', `${hashes.length} blobs, at most ${most} are allowed`);
  }
  if (hashes.some((hash) => hash[0] !== 1)) {
    throw new EvmError('INVALID_BLOBS', 'a blob hash is not of version 1');
  }
}

/** What is paid per gas: the base fee plus the priority fee, within the cap (EIP-1559). */
export function effectivePrice(
  transaction: Pick<EvmTransaction, 'type' | 'maxFeePerGas' | 'maxPriorityFeePerGas'>,
  baseFee: bigint,
): bigint {
  const { maxFeePerGas } = transaction;
  if (transaction.type < 2) return maxFeePerGas;
  const offered = baseFee + transaction.maxPriorityFeePerGas;
  return offered > maxFeePerGas ? maxFeePerGas : offered;
}

/** What the block's beneficiary gets per gas. */
export const tipPerGas = (fork: Fork, price: bigint, baseFee: bigint): bigint =>
  fork.revision >= revisions.london ? price - baseFee : price;

/** Wei that the sender must hold for a transaction to start; at most 2^256 - 1. */
export function upfrontCost(
  transaction: Pick<
    EvmTransaction,
    'gasLimit' | 'maxFeePerGas' | 'value' | 'blobVersionedHashes' | 'maxFeePerBlobGas'
  >,
  fork: Fork,
): bigint {
  const { gasLimit, maxFeePerGas, value, blobVersionedHashes } = transaction;
  let cost = gasLimit * maxFeePerGas + value;
  if (blobVersionedHashes.length > 0) {
    const blobGas = BigInt(blobVersionedHashes.length * fork.prices.blobGas);
    cost += blobGas * transaction.maxFeePerBlobGas;
  }
  return cost > greatestWord ? greatestWord : cost;
}
