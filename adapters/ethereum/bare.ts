import { type EvmSink, emptyCodeKey, encodeAccount, slotKey, toMinimalBytes } from '@concordat/evm';
import { toLatin1 } from '@concordat/std';
import { type BareRun, type ObservedTransaction, runBareTransactions } from './bare-run.ts';
import { parseConfig } from './config.ts';
import { type EngineName, engines } from './engines.ts';
import type { Engine } from './executor.ts';
import { forkOf } from './fork.ts';
import { hexBytes } from './hex.ts';
import { replayChainName } from './import.ts';
import { type MainnetBlock, mainnetBlock, mainnetCode } from './mainnet.ts';
import { replayContext } from './replay.ts';
import { accountKey, memoryTables, slotName } from './state-source.ts';
import { type DecodedTransaction, decodeTransaction } from './transaction.ts';

/** What one process does with the transactions alone. */
export interface BareFigures {
  readonly transactions: number;
  readonly gasUsed: number;
  /** Blocks whose gas differs from the real header's; 0 unless something is wrong. */
  readonly wrongBlocks: number;
  /** Execution only; milliseconds. */
  readonly executeMs: number;
  /** Decoding and sender recovery; milliseconds. */
  readonly decodeMs: number;
}

/**
 * Executes real blocks in this process on plain maps: no ledger, no tables, no encryption. The
 * figure that a network's throughput is put beside.
 */
export async function executeBare(options: {
  readonly blocks: readonly number[];
  readonly engine: EngineName;
  /** Hears of each transaction; nothing stays cached between them then. */
  readonly observe?: (transaction: ObservedTransaction) => void;
}): Promise<BareFigures> {
  let [transactions, gasUsed, wrongBlocks, executeMs, decodeMs] = [0, 0, 0, 0, 0];
  for (const number of options.blocks) {
    const block = mainnetBlock(number);
    const start = performance.now();
    const decoded = decodeAll(block);
    decodeMs += performance.now() - start;
    const run = await executeBlock(block, decoded, engines[options.engine], options.observe);
    transactions += decoded.length;
    gasUsed += run.gasUsed;
    executeMs += run.ms;
    if (run.gasUsed !== Number(block.header.gasUsed)) wrongBlocks++;
  }
  return { transactions, gasUsed, wrongBlocks, executeMs, decodeMs };
}

function decodeAll(block: MainnetBlock): DecodedTransaction[] {
  const { rules } = forkOf(block.hardfork, 1n);
  return block.transactions.map(({ raw }) =>
    decodeTransaction(hexBytes(raw), {
      chainId: 1n,
      highestType: 4,
      blobs: true,
      lowS: rules.homestead,
      maxBytes: 1024 * 1024,
    }),
  );
}

async function executeBlock(
  block: MainnetBlock,
  transactions: readonly DecodedTransaction[],
  engine: Engine,
  observe?: (transaction: ObservedTransaction) => void,
): Promise<BareRun> {
  const tables = memoryTables();
  loadPreState(block, tables);
  const { hash, header, blockHashes, hardfork } = block;
  const name = replayChainName(block.number);
  const { chains } = parseConfig({
    chains: [{ name, chainId: 1, hardfork, replay: { hash, header, blockHashes } }],
  });
  const replay = chains[0]?.replay as NonNullable<(typeof chains)[0]['replay']>;
  const fork = forkOf(hardfork, 1n);
  const context = replayContext(replay, fork);
  const executor = engine.executor(fork);
  executor.attach(tables);
  return runBareTransactions(transactions, {
    executor,
    tables,
    block: context,
    ...(observe === undefined ? {} : { observe }),
  });
}

function loadPreState(block: MainnetBlock, sink: EvmSink): void {
  for (const [address, account] of Object.entries(block.preState)) {
    const key = accountKey(hexBytes(address));
    const slots = Object.entries(account.storage ?? {});
    const codeKey =
      account.codeHash === undefined ? emptyCodeKey : toLatin1(hexBytes(account.codeHash));
    if (account.codeHash !== undefined) sink.putCode(codeKey, mainnetCode(account.codeHash));
    const record = {
      exists: true,
      nonce: BigInt(account.nonce),
      balance: BigInt(account.balance),
      codeKey,
      incarnation: 0,
      hasStorage: slots.length > 0,
    };
    sink.putAccount(key, encodeAccount(record));
    for (const [slot, value] of slots) {
      sink.putSlot(slotKey(key, 0, slotName(BigInt(slot))), toMinimalBytes(BigInt(value)));
    }
  }
}
