import type { AppliedTransaction } from './executor.ts';
import type { Fork } from './fork.ts';

/** Gas of the transactions of a block, as far as it has come. */
export interface GasSums {
  /** What they paid for, refunds taken off: the cumulative gas of receipts. */
  readonly paid: number;
  /** Regular gas that the block counts; before Amsterdam what was paid for. */
  readonly regular: number;
  /** State gas that the block counts (EIP-8037). */
  readonly state: number;
}

/** Sums before the first transaction. */
export const noGas: GasSums = { paid: 0, regular: 0, state: 0 };

/** The sums after one more transaction. */
export function withGasOf(
  { paid, regular, state }: GasSums,
  { gasUsed, blockGas }: Pick<AppliedTransaction, 'gasUsed' | 'blockGas'>,
): GasSums {
  const counted = blockGas ?? { regular: gasUsed, state: 0 };
  return {
    paid: paid + gasUsed,
    regular: regular + counted.regular,
    state: state + counted.state,
  };
}

/** The gas used of a header: that of the kind of which there is more (EIP-8037). */
export const blockGasUsed = ({ regular, state }: GasSums): number => Math.max(regular, state);

/**
 * Whether a transaction with this gas limit still fits into a block: since Amsterdam each kind of
 * gas must have the room that the transaction may need of it (EIP-8037).
 */
export function fitsBlock(
  { regular, state }: GasSums,
  gasLimit: bigint,
  { block, fork }: { readonly block: { readonly gasLimit: number }; readonly fork: Fork },
): boolean {
  const { maxRegularGas } = fork.prices;
  const most = gasLimit < maxRegularGas ? gasLimit : maxRegularGas;
  return most <= block.gasLimit - regular && gasLimit <= block.gasLimit - state;
}
