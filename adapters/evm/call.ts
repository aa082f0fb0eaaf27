import { emptyBytes } from '@concordat/std';
import type { BlockEnvironment } from './block-environment.ts';
import { EvmError } from './errors.ts';
import { type EngineInput, inputFlags } from './exchange.ts';
import type { Fork } from './fork.ts';
import { greatestWord } from './quantities.ts';
import type { Outcome } from './result.ts';
import { type AccessListEntry, areListsWhole, intrinsicGas } from './transaction.ts';

/** A message that nobody signed: its result is read and its changes are thrown away. */
export interface CallRequest {
  /** 20 bytes; zero when absent. */
  readonly from?: Uint8Array;
  /** 20 bytes; absent for a creation with `data` as init code. */
  readonly to?: Uint8Array;
  /** At most the block's gas limit, which is also the default. */
  readonly gas?: number;
  /** Wei per gas; 0 when absent: then nothing is paid and the base fee reads as 0. */
  readonly gasPrice?: bigint;
  readonly value?: bigint;
  readonly data?: Uint8Array;
  /** In place of the sender's own. */
  readonly nonce?: bigint;
  readonly accessList?: readonly AccessListEntry[];
  /** Blob hashes that BLOBHASH reads, 32 bytes each. */
  readonly blobVersionedHashes?: readonly Uint8Array[];
  /** Whether the accounts and slots it meets are wanted. */
  readonly recordAccesses?: boolean;
}

/** What a call gave. */
export interface CallResult extends Outcome {
  /** Address a creation would get. */
  readonly contractAddress?: Uint8Array;
  /** In the order first met; only when `recordAccesses` was set. */
  readonly accessed?: readonly AccessListEntry[];
}

const zeroAddress = new Uint8Array(20);

/**
 * The engine's input for a call. Senders with code and any nonce are let through.
 * @throws EvmError INVALID_CALL, INTRINSIC_GAS_TOO_LOW, FEE_TOO_LOW
 */
export function callInput(
  request: CallRequest,
  fork: Fork,
  block: BlockEnvironment,
  nonceOf: (address: Uint8Array) => bigint,
): EngineInput {
  const { to, data = emptyBytes, value = 0n, accessList = [], gasPrice = 0n } = request;
  const from = request.from ?? zeroAddress;
  const most = Math.min(Number(block.gasLimit), Number.MAX_SAFE_INTEGER);
  const gasLimit = Math.min(request.gas ?? most, most);
  checkCall(request, gasLimit);
  const gas = intrinsicGas({ data, to, from, value, accessList, authorizationList: [] }, fork);
  if (gasLimit < Math.max(gas.intrinsic, gas.floor)) {
    throw new EvmError('INTRINSIC_GAS_TOO_LOW', `gas ${gasLimit} is below ${gas.intrinsic}`);
  }
  if (gasPrice !== 0n && gasPrice < block.baseFee) {
    const offered = `offers ${gasPrice} wei a gas, base fee is ${block.baseFee}`;
    throw new EvmError('FEE_TOO_LOW', offered);
  }
  const upfront = BigInt(gasLimit) * gasPrice + value;
  return {
    flags:
      inputFlags.unchecked |
      inputFlags.unpaid |
      (to === undefined ? inputFlags.creation : 0) |
      (request.recordAccesses === true ? inputFlags.recorded : 0),
    nonce: request.nonce ?? nonceOf(from),
    gasLimit,
    intrinsic: gas.intrinsic,
    floor: gas.floor,
    blobGas: 0,
    price: gasPrice,
    value,
    upfront: upfront > greatestWord ? greatestWord : upfront,
    blobFee: 0n,
    tip: 0n,
    from,
    to,
    data,
    blobHashes: request.blobVersionedHashes ?? [],
    accessList,
    authorizations: [],
  };
}

/** @throws EvmError INVALID_CALL */
function checkCall(request: CallRequest, gas: number): void {
  const { from, to, value = 0n, gasPrice = 0n, nonce = 0n } = request;
  const { accessList = [], blobVersionedHashes = [] } = request;
  if (!areListsWhole({ accessList, blobVersionedHashes, authorizationList: [] })) {
    throw new EvmError('INVALID_CALL', 'a list holds an address or hash of another length');
  }
  const isAddress = (bytes: Uint8Array | undefined): boolean =>
    bytes === undefined || bytes.length === 20;
  if (!isAddress(from) || !isAddress(to)) {
    throw new EvmError('INVALID_CALL', 'an address has 20 bytes');
  }
  if (!Number.isSafeInteger(gas) || gas < 0) {
    throw new EvmError('INVALID_CALL', 'gas must be a non-negative integer');
  }
  if (value < 0n || value > greatestWord || gasPrice < 0n || gasPrice > greatestWord) {
    throw new EvmError('INVALID_CALL', 'value and gas price are numbers of 256 bits');
  }
  if (nonce < 0n || nonce >= 0xffff_ffff_ffff_ffffn) {
    throw new EvmError('INVALID_CALL', 'a nonce is below 2^64 - 1');
  }
}
