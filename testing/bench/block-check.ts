import { mainnetBlock } from '@concordat/ethereum';
import type { ApplicationClient } from '@concordat/sdk';
import { blockPath } from './workloads/mainnet-set.ts';

/** How a block that the network executed compares with the real one. */
export interface BlockCheck {
  readonly number: number;
  readonly hardfork: string;
  readonly transactions: number;
  readonly gasUsed: number;
  readonly gasMatches: boolean;
  readonly bloomMatches: boolean;
  /** Undefined before Byzantium, whose receipts hold state roots that no witness can give. */
  readonly receiptsMatch: boolean | undefined;
}

/** Forks whose receipts hold a state root instead of a status (before EIP-658). */
const stateRootForks: ReadonlySet<string> = new Set([
  'chainstart',
  'homestead',
  'dao',
  'tangerineWhistle',
  'spuriousDragon',
]);

/** A block as `eth_getBlockByNumber` answers it, as far as it is compared. */
export interface ExecutedBlock {
  readonly gasUsed: string;
  readonly logsBloom: string;
  readonly receiptsRoot: string;
  readonly transactions: readonly string[];
}

/** Asks the network for its block of a replay chain and compares it with the real header. */
export async function checkBlock(
  client: ApplicationClient,
  number: number,
  copy = 1,
): Promise<BlockCheck> {
  const { header, hardfork, transactions } = mainnetBlock(number);
  const at = `0x${number.toString(16)}`;
  const block = (await client.jsonRpc(
    'eth_getBlockByNumber',
    [at, false],
    blockPath(number, copy),
  )) as ExecutedBlock | null;
  return compareBlock({ number, hardfork, header, transactions: transactions.length }, block);
}

/** Compares what was executed with a real header; a block that is not there matches nothing. */
export function compareBlock(
  real: {
    readonly number: number;
    readonly hardfork: string;
    readonly header: Readonly<Record<string, string>>;
    readonly transactions: number;
  },
  executed: ExecutedBlock | null,
): BlockCheck {
  const { number, hardfork, header, transactions } = real;
  const same = (a: string | undefined, b: string | undefined): boolean =>
    a !== undefined && b !== undefined && BigInt(a) === BigInt(b);
  return {
    number,
    hardfork,
    transactions: executed?.transactions.length ?? 0,
    gasUsed: Number(executed?.gasUsed ?? 0),
    gasMatches:
      same(executed?.gasUsed, header.gasUsed) && executed?.transactions.length === transactions,
    bloomMatches: same(executed?.logsBloom, header.logsBloom),
    receiptsMatch: stateRootForks.has(hardfork)
      ? undefined
      : same(executed?.receiptsRoot, header.receiptTrie),
  };
}

/** Whether nothing differs. */
export const isMatch = ({ gasMatches, bloomMatches, receiptsMatch }: BlockCheck): boolean =>
  gasMatches && bloomMatches && receiptsMatch !== false;
