import { gzipSync } from 'node:zlib';
import { type MainnetBlock, mainnetCode } from '@concordat/ethereum';

/** Anvil's names of the forks of the white paper's time, by the library's. */
const forks: Readonly<Record<string, string>> = {
  chainstart: 'frontier',
  homestead: 'homestead',
  dao: 'dao',
  tangerineWhistle: 'tangerine',
  spuriousDragon: 'spuriousdragon',
  byzantium: 'byzantium',
};

/** Anvil's name of a fork. @throws Error for a fork later than Byzantium */
export function anvilFork(hardfork: string): string {
  const name = Object.hasOwn(forks, hardfork) ? forks[hardfork] : undefined;
  if (name === undefined) throw new Error(`no name of ${hardfork} for Anvil is known`);
  return name;
}

/**
 * Gas limit of Anvil's block: twice the real one. whatever `--hardfork` names, Anvil 1.7.1 prices
 * SSTORE and more by the newest fork's table (2,900 gas for 5,000), and within the real limit would
 * leave the last transactions of some blocks out.
 */
export const anvilGasLimit = (block: MainnetBlock): number => 2 * Number(block.header.gasLimit);

/** Arguments for a world in which a block is mined next, when asked, in the order of sending. */
export const anvilArguments = (block: MainnetBlock): readonly string[] => [
  ...['--chain-id', '1', '--accounts', '1', '--hardfork', anvilFork(block.hardfork)],
  ...['--number', `${block.number - 1}`, '--timestamp', `${Number(block.header.timestamp) - 1}`],
  ...['--gas-limit', `${anvilGasLimit(block)}`, '--base-fee', '0', '--gas-price', '0'],
  ...['--no-mining', '--order', 'fifo', '--prune-history', '--silent'],
  '--disable-min-priority-fee',
  '--disable-default-create2-deployer',
  '--no-request-size-limit',
];

/** An account as `anvil_loadState` takes it. */
interface AnvilAccount {
  readonly nonce: number;
  readonly balance: string;
  /** 0x and hex digits; `0x` without code. */
  readonly code: string;
  /** Slots and values of 32 bytes each, 0x and 64 hex digits. */
  readonly storage: Readonly<Record<string, string>>;
}

/** A world as `anvil_loadState` takes it (Anvil 1.7). */
export interface AnvilState {
  readonly block: Readonly<Record<string, unknown>>;
  readonly accounts: Readonly<Record<string, AnvilAccount>>;
  readonly best_block_number: number;
  readonly blocks: readonly never[];
  readonly transactions: readonly never[];
  readonly historical_states: null;
}

/**
 * The world before a block, with the block's own coinbase and difficulty, which Anvil keeps for the
 * block it mines next. It has no way to take hashes of earlier blocks.
 * @throws EthereumError MALFORMED when a contract's code is not among the data
 */
export function anvilState(block: MainnetBlock): AnvilState {
  const { number, header, preState } = block;
  const accounts = Object.entries(preState).map(
    ([address, { nonce, balance, codeHash, storage = {} }]): [string, AnvilAccount] => [
      address,
      {
        nonce: Number(nonce),
        balance: quantity(balance),
        code: codeHash === undefined ? '0x' : hexOf(mainnetCode(codeHash)),
        storage: Object.fromEntries(
          Object.entries(storage).map(([slot, value]) => [word(slot), word(value)]),
        ),
      },
    ],
  );
  return {
    block: {
      number: quantity(number - 1),
      beneficiary: header.coinbase,
      timestamp: quantity(Number(header.timestamp) - 1),
      gas_limit: anvilGasLimit(block),
      basefee: 0,
      difficulty: quantity(header.difficulty as string),
      prevrandao: word('0x0'),
      blob_excess_gas_and_price: null,
    },
    accounts: Object.fromEntries(accounts),
    best_block_number: number - 1,
    blocks: [],
    transactions: [],
    historical_states: null,
  };
}

/** Parameter of `anvil_loadState`: the state as compressed JSON, 0x and hex digits. */
export const anvilStateParameter = (state: AnvilState): string =>
  hexOf(gzipSync(JSON.stringify(state)));

const hexOf = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`;
const quantity = (value: number | string): string => `0x${BigInt(value).toString(16)}`;
const word = (value: string): string => `0x${BigInt(value).toString(16).padStart(64, '0')}`;
