import type { TransactionFields } from './chain-reader.ts';
import { EthereumError } from './errors.ts';
import type { BlockContext } from './executor.ts';
import type { Fork } from './fork.ts';

/**
 * Gas a transaction pays before anything runs, and the least it pays in the end (EIP-2, 2028, 2930,
 * 3860, 7623, 7702).
 */
export function intrinsicGas(
  fields: Pick<TransactionFields, 'data' | 'to' | 'accessList' | 'authorizationList'>,
  fork: Fork,
): { readonly intrinsic: number; readonly floor: number } {
  const { gas: price } = fork;
  const { data } = fields;
  let zeros = 0;
  for (let i = 0; i < data.length; i++) if (data[i] === 0) zeros++;
  const others = data.length - zeros;
  let intrinsic = price.transaction + zeros * price.dataZero + others * price.dataNonZero;
  if (fields.to === undefined) {
    intrinsic += price.creation + price.initCodeWord * Math.ceil(data.length / 32);
  }
  for (const entry of fields.accessList) {
    intrinsic += price.accessListAddress + entry.storageKeys.length * price.accessListSlot;
  }
  intrinsic += fields.authorizationList.length * price.emptyAuthorization;
  const floor =
    price.floorToken === 0 ? 0 : price.transaction + price.floorToken * (zeros + 4 * others);
  return { intrinsic, floor };
}

/**
 * What can be refused without state: prices, limits, sizes.
 * @throws EthereumError GAS_LIMIT_TOO_HIGH, INITCODE_TOO_LARGE, INTRINSIC_GAS_TOO_LOW, FEE_TOO_LOW,
 *   TIP_ABOVE_FEE_CAP, NONCE_TOO_HIGH
 */
export function checkStateless(
  fields: TransactionFields,
  fork: Fork,
  block: Pick<BlockContext, 'gasLimit' | 'baseFee' | 'blobBaseFee'>,
): void {
  const { gas: price } = fork;
  const limit = Math.min(block.gasLimit, price.maxTransactionGas);
  if (fields.gasLimit > limit) {
    throw new EthereumError('GAS_LIMIT_TOO_HIGH', `gas limit ${fields.gasLimit} is above ${limit}`);
  }
  if (fields.to === undefined && fields.data.length > price.maxInitCodeBytes) {
    throw new EthereumError('INITCODE_TOO_LARGE', `init code of ${fields.data.length} bytes`);
  }
  const { intrinsic, floor } = intrinsicGas(fields, fork);
  const least = Math.max(intrinsic, floor);
  if (Number(fields.gasLimit) < least) {
    throw new EthereumError(
      'INTRINSIC_GAS_TOO_LOW',
      `gas limit ${fields.gasLimit} is below the ${least} this transaction costs at least`,
    );
  }
  if (fields.maxPriorityFeePerGas > fields.maxFeePerGas) {
    throw new EthereumError('TIP_ABOVE_FEE_CAP', 'the priority fee exceeds the fee cap');
  }
  if (fields.maxFeePerGas < block.baseFee) {
    throw new EthereumError(
      'FEE_TOO_LOW',
      `offers ${fields.maxFeePerGas} wei a gas, the base fee is ${block.baseFee}`,
    );
  }
  if (fields.type === 3 && fields.maxFeePerBlobGas < block.blobBaseFee) {
    throw new EthereumError('FEE_TOO_LOW', 'the blob fee cap is below the blob base fee');
  }
  if (fields.nonce >= 0xffff_ffff_ffff_ffffn) {
    throw new EthereumError('NONCE_TOO_HIGH', 'the nonce has no successor (EIP-2681)');
  }
}

/** Wei that the sender must hold for a transaction to start. */
export function upfrontCost(fields: TransactionFields, fork: Fork): bigint {
  const blobs = BigInt(fields.blobVersionedHashes.length * fork.gas.blobGas);
  return fields.gasLimit * fields.maxFeePerGas + fields.value + blobs * fields.maxFeePerBlobGas;
}

/** What is paid per gas: the base fee plus the priority fee, within the cap (EIP-1559). */
export function effectivePrice(fields: TransactionFields, baseFee: bigint): bigint {
  if (fields.type < 2) return fields.maxFeePerGas;
  const offered = baseFee + fields.maxPriorityFeePerGas;
  if (offered > fields.maxFeePerGas) return fields.maxFeePerGas;
  return offered;
}
