import { addLogsToBloom, encodeReceipt } from '../../../ethereum/block.ts';
import { hexBytes } from '../../../ethereum/hex.ts';
import { type MainnetBlock, mainnetCode } from '../../../ethereum/mainnet.ts';
import { orderedTrieRoot } from '../../../ethereum/ordered-trie.ts';
import { replayContext } from '../../../ethereum/replay.ts';
import { type DecodedTransaction, decodeTransaction } from '../../../ethereum/transaction.ts';
import {
  accountOf,
  type BlockEnvironment,
  createEvm,
  type EvmSink,
  emptyCodeKey,
  forkOf,
  MemoryHost,
  revisions,
  toMinimalBytes,
} from '../../index.ts';

const latin1 = (hex: string): string => Buffer.from(hexBytes(hex)).toString('latin1');

/** What a block reads, as the engine's host gives it. */
export function hostOf({ preState }: MainnetBlock): MemoryHost {
  const host = new MemoryHost();
  for (const [address, account] of Object.entries(preState)) {
    const key = latin1(address);
    const slots = Object.entries(account.storage ?? {});
    const codeKey = account.codeHash === undefined ? emptyCodeKey : latin1(account.codeHash);
    if (account.codeHash !== undefined) host.putCode(codeKey, mainnetCode(account.codeHash));
    const { nonce, balance } = account;
    host.putAccount(
      key,
      accountOf({
        nonce: BigInt(nonce),
        balance: BigInt(balance),
        codeKey,
        hasStorage: slots.length > 0,
      }),
    );
    for (const [slot, value] of slots) {
      const name = BigInt(slot).toString(16).padStart(64, '0');
      if (BigInt(value) !== 0n) {
        host.putSlot(key + latin1(`0x${name}`), toMinimalBytes(BigInt(value)));
      }
    }
  }
  return host;
}

/** What the transactions of a block see of it. */
export function environmentOf({ header, blockHashes, hardfork }: MainnetBlock): BlockEnvironment {
  const hashes = Object.entries(blockHashes).map(
    ([number, hash]) => [Number(number), BigInt(hash)] as const,
  );
  return replayContext({ header, blockHashes: new Map(hashes) }, forkOf(hardfork));
}

/** A block's transactions with their senders. */
export const transactionsOf = ({ transactions, hardfork }: MainnetBlock): DecodedTransaction[] =>
  transactions.map(({ raw }) =>
    decodeTransaction(hexBytes(raw), {
      chainId: 1n,
      highestType: 4,
      blobs: true,
      lowS: forkOf(hardfork).revision >= revisions.homestead,
      maxBytes: 1024 * 1024,
    }),
  );

/** What a block came to, to be put beside its real header. */
export interface BlockResult {
  readonly gasUsed: number;
  /** 0x and hex digits. */
  readonly logsBloom: string;
  /** 0x and hex digits; says what the header says from Byzantium on. */
  readonly receiptsRoot: string;
}

/** Executes a block's transactions by the engine of this room. */
export function executeMainnetBlock(block: MainnetBlock): BlockResult {
  const host = hostOf(block);
  const environment = environmentOf(block);
  const evm = createEvm({ fork: block.hardfork, chainId: 1n, host });
  const blockBloom = new Uint8Array(256);
  const receipts: Uint8Array[] = [];
  const sink: EvmSink = host;
  let gasUsed = 0;
  for (const { fields, from } of transactionsOf(block)) {
    const { status, logs, ...applied } = evm.execute(
      { ...fields, from, authorizationList: [] },
      environment,
    );
    evm.finish(sink);
    gasUsed += applied.gasUsed;
    addLogsToBloom(blockBloom, logs);
    receipts.push(encodeReceipt({ type: fields.type, status, cumulativeGasUsed: gasUsed, logs }));
  }
  const hex = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`;
  return { gasUsed, logsBloom: hex(blockBloom), receiptsRoot: hex(orderedTrieRoot(receipts)) };
}
