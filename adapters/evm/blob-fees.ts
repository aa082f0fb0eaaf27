import { type Fork, revisions } from './fork.ts';

const leastBlobBaseFee = 1n;
/** What executing a blob's proof costs beside it, in blob gas a base fee (EIP-7918). */
const blobBaseCost = 8_192n;

/** factor * e^(numerator / denominator), by Taylor's series in whole numbers (EIP-4844). */
function fakeExponential(factor: bigint, numerator: bigint, denominator: bigint): bigint {
  let output = 0n;
  let term = factor * denominator;
  for (let i = 1n; term > 0n; i++) {
    output += term;
    term = (term * numerator) / (denominator * i);
  }
  return output / denominator;
}

/** Wei per blob gas in a block of such excess blob gas; 0 before Cancun (EIP-4844, 7691, 7892). */
export function blobBaseFee(fork: Fork, excessBlobGas: bigint): bigint {
  const { blobs } = fork;
  if (blobs === undefined) return 0n;
  return fakeExponential(leastBlobBaseFee, excessBlobGas, BigInt(blobs.updateFraction));
}

/** What the next block's excess depends on. */
export interface BlobDemand {
  /** Of the block before. */
  readonly excessBlobGas: bigint;
  /** Used in the block before. */
  readonly blobGasUsed: bigint;
  /** Base fee per gas of the block before. */
  readonly baseFee: bigint;
}

/** Excess blob gas of the block that follows (EIP-4844; EIP-7918 since Osaka). */
export function nextExcessBlobGas(fork: Fork, parent: BlobDemand): bigint {
  const { blobs, prices } = fork;
  if (blobs === undefined) return 0n;
  const target = BigInt(blobs.target * prices.blobGas);
  const sum = parent.excessBlobGas + parent.blobGasUsed;
  if (sum < target) return 0n;
  if (fork.revision >= revisions.osaka) {
    // Where blobs cost less than proving them does, demand counts only in part.
    const price = blobBaseFee(fork, parent.excessBlobGas) * BigInt(prices.blobGas);
    if (blobBaseCost * parent.baseFee > price) {
      const unused = BigInt(blobs.max - blobs.target);
      return parent.excessBlobGas + (parent.blobGasUsed * unused) / BigInt(blobs.max);
    }
  }
  return sum - target;
}

/** Whether a block may carry so many blobs in all. */
export const fitsBlobs = (fork: Fork, blobs: number): boolean => blobs <= (fork.blobs?.max ?? 0);
