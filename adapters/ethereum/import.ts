import { createHash } from 'node:crypto';
import { hexBytes } from './hex.ts';
import { encodeImport, type ImportedAccount, type ImportedChain } from './import-format.ts';
import { type MainnetBlock, mainnetBlock, mainnetCode } from './mainnet.ts';

/** Everything a network needs to replay real blocks: one chain a block. */
export interface MainnetReplay {
  /** `constitution.adapters.ethereum`, as JSON. */
  readonly config: {
    readonly chains: readonly Readonly<Record<string, unknown>>[];
    readonly genesisDataSha256: string;
  };
  readonly genesisData: Uint8Array;
  /** Transactions in block order, each with the chain to send it to. */
  readonly transactions: readonly {
    readonly chain: string;
    readonly raw: Uint8Array;
    /** 0x and 64 hex digits. */
    readonly hash: string;
  }[];
}

/** Name of the chain that replays a block; further copies of it are counted from 2. */
export const replayChainName = (number: number, copy = 1): string =>
  copy === 1 ? `mainnet-${number}` : `mainnet-${number}-${copy}`;

/** A block to replay, and on how many chains of its own: its transactions fit a chain once. */
export interface ReplayedBlock {
  readonly number: number;
  readonly copies: number;
}

/** Makes configuration, genesis data and transactions of a replay. Reads `data/mainnet`. */
export function mainnetReplay(wanted: readonly (number | ReplayedBlock)[]): MainnetReplay {
  const replayed = wanted.flatMap((one) => {
    const { number, copies } = typeof one === 'number' ? { number: one, copies: 1 } : one;
    const block = mainnetBlock(number);
    return Array.from({ length: copies }, (_, at) => ({
      block,
      name: replayChainName(number, at + 1),
    }));
  });
  const codes: Uint8Array[] = [];
  const codeIndex = new Map<string, number>();
  const indexOf = (codeHash: string): number => {
    let index = codeIndex.get(codeHash);
    if (index === undefined) {
      index = codes.push(mainnetCode(codeHash)) - 1;
      codeIndex.set(codeHash, index);
    }
    return index;
  };
  const chains = replayed.map(({ block, name }) => ({
    name,
    accounts: accountsOf(block, indexOf),
  }));
  const genesisData = encodeImport(codes, chains);
  return {
    config: {
      chains: replayed.map(({ block, name }) => chainConfig(block, name)),
      genesisDataSha256: createHash('sha256').update(genesisData).digest('hex'),
    },
    genesisData,
    transactions: replayed.flatMap(({ block, name }) =>
      block.transactions.map(({ raw, hash }) => ({ chain: name, raw: hexBytes(raw), hash })),
    ),
  };
}

function accountsOf(
  block: MainnetBlock,
  indexOf: (codeHash: string) => number,
): readonly ImportedAccount[] {
  return Object.entries(block.preState).map(([address, account]) => ({
    address: hexBytes(address),
    nonce: BigInt(account.nonce),
    balance: BigInt(account.balance),
    ...(account.codeHash === undefined ? {} : { code: indexOf(account.codeHash) }),
    storage: Object.entries(account.storage ?? {}).map(
      ([slot, value]) => [BigInt(slot), BigInt(value)] as const,
    ),
  }));
}

function chainConfig(block: MainnetBlock, name: string): Readonly<Record<string, unknown>> {
  const { hash, hardfork, header, blockHashes } = block;
  return {
    name,
    chainId: 1,
    hardfork,
    zeroFee: false,
    // Real blocks hold transactions above today's pool limit.
    maxTransactionBytes: 1024 * 1024,
    replay: { hash, header, blockHashes },
  };
}

export type { ImportedAccount, ImportedChain };
