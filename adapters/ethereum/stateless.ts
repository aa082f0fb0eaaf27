import { type BlockEnvironment, checkTransaction } from '@concordat/evm';
import { translated } from './errors.ts';
import type { SignedTransaction } from './executor.ts';
import type { Fork } from './fork.ts';

/**
 * What can be refused without state: type, prices, limits, sizes.
 * @throws EthereumError GAS_LIMIT_TOO_HIGH, INITCODE_TOO_LARGE, INTRINSIC_GAS_TOO_LOW, FEE_TOO_LOW,
 *   TIP_ABOVE_FEE_CAP, NONCE_TOO_HIGH, TRANSACTION_TYPE_NOT_SUPPORTED, INVALID_BLOBS, UNDECODABLE
 */
export function checkStateless(
  { fields, from }: SignedTransaction,
  fork: Fork,
  block: Pick<BlockEnvironment, 'gasLimit' | 'baseFee' | 'blobBaseFee'>,
): void {
  // Only their number matters here; who signed them is found out when they are executed.
  const authorizationList = fields.authorizationList.map((entry) => ({
    ...entry,
    authority: undefined,
  }));
  try {
    checkTransaction({ ...fields, from, authorizationList }, fork, block);
  } catch (error) {
    throw translated(error);
  }
}
