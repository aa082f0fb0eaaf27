import { type BlockEnvironment, type EvmSink, emptyCodeKey, encodeAccount } from '@concordat/evm';
import { type BareRunOptions, type ObservedTransaction, runBareTransactions } from './bare-run.ts';
import { type AllocatedAccount, parseConfig } from './config.ts';
import { type EngineName, engines } from './engines.ts';
import { forkOf } from './fork.ts';
import { accountKey, memoryTables } from './state-source.ts';
import { decodeTransaction } from './transaction.ts';

/** What one process does with a list of transactions. */
export interface BareTransactionFigures {
  readonly transactions: number;
  /** Executed with status 0. */
  readonly failed: number;
  /** Decoding and sender recovery; milliseconds. */
  readonly decodeMs: number;
  /** Execution only; milliseconds. */
  readonly executeMs: number;
}

/**
 * Decodes and executes transactions in this process on plain maps: no ledger, no network. `chain`
 * is one chain of the adapter's configuration, whose allocation holds no code; `before` is executed
 * first and not counted. What a network's throughput is put beside.
 * @throws EthereumError what a chain refuses
 */
export async function executeBareTransactions(options: {
  readonly chain: unknown;
  readonly before: readonly Uint8Array[];
  readonly transactions: readonly Uint8Array[];
  readonly engine: EngineName;
  /** See {@link BareRunOptions}. */
  readonly observe?: (transaction: ObservedTransaction) => void;
}): Promise<BareTransactionFigures> {
  const [chain] = parseConfig({ chains: [options.chain] }).chains;
  if (chain === undefined) return { transactions: 0, failed: 0, decodeMs: 0, executeMs: 0 };
  const fork = forkOf(chain.hardfork, chain.chainId);
  const tables = memoryTables();
  for (const account of chain.alloc) putAccount(tables, account);
  const executor = engines[options.engine].executor(fork);
  executor.attach(tables);
  const rules = {
    chainId: chain.chainId,
    highestType: 4,
    blobs: false,
    lowS: true,
    maxBytes: chain.maxTransactionBytes,
  };
  const block = blockOf(chain);
  const run = async (raws: readonly Uint8Array[], observed: Pick<BareRunOptions, 'observe'>) => {
    const start = performance.now();
    const decoded = raws.map((raw) => decodeTransaction(raw, rules));
    const decodeMs = performance.now() - start;
    const ran = await runBareTransactions(decoded, { executor, tables, block, ...observed });
    return { decodeMs, executeMs: ran.ms, failed: ran.failed };
  };
  const before = await run(options.before, {});
  const { observe } = options;
  const figures = await run(options.transactions, observe === undefined ? {} : { observe });
  const failed = before.failed + figures.failed;
  return { transactions: options.transactions.length, ...figures, failed };
}

function putAccount(sink: EvmSink, { address, nonce, balance }: AllocatedAccount): void {
  const record = {
    exists: true,
    nonce,
    balance,
    codeKey: emptyCodeKey,
    incarnation: 0,
    hasStorage: false,
  };
  sink.putAccount(accountKey(address), encodeAccount(record));
}

const blockOf = (chain: {
  readonly coinbase: Uint8Array;
  readonly gasLimit: number;
}): BlockEnvironment => ({
  number: 1,
  timestamp: 1_700_000_000,
  coinbase: chain.coinbase,
  gasLimit: chain.gasLimit,
  difficulty: 0n,
  prevRandao: 0n,
  baseFee: 0n,
  blobBaseFee: 1n,
  blockHash: () => 0n,
});
