import { createHash } from 'node:crypto';
import {
  emptyCodeKey,
  encodeAccount,
  historyAddress,
  slotKey,
  toMinimalBytes,
} from '@concordat/evm';
import { emptyBytes, toHex, toLatin1 } from '@concordat/std';
import { AdapterError, type BatchEnvironment, type BatchSet } from '@concordat/worker-enclave';
import type { ChainConfig, EthereumConfig } from './config.ts';
import { keccak256 } from './crypto.ts';
import { EthereumError } from './errors.ts';
import { forkOf } from './fork.ts';
import { historyCode } from './history-contract.ts';
import { type ImportedAccount, ImportReader } from './import-format.ts';
import { OpenBlock, writeBlock } from './open-block.ts';
import { encodeHead } from './records.ts';
import { accountKey, openTables, slotName } from './state-source.ts';
import { tableNames } from './tables.ts';

/**
 * Writes the initial state of every chain: its allocation, its part of the genesis data, and block
 * 0 of a normal chain. One leaf a chain, one for the codes.
 * @throws AdapterError INVALID_GENESIS
 */
export function* writeGenesis(
  config: EthereumConfig,
  open: () => BatchSet,
  data: Uint8Array | undefined,
  env: BatchEnvironment,
): Generator<void> {
  const given = data ?? emptyBytes;
  checkDigest(config, given);
  try {
    if (given.length > 0) yield* writeImport(config, open, given);
    for (const chain of config.chains) {
      writeAccounts(open(), chain, allocated(chain));
      if (chain.replay === undefined) {
        writeHistoryContract(open(), chain);
        writeFirstBlock(open(), chain, env);
      }
      yield;
    }
  } catch (error) {
    if (!(error instanceof EthereumError)) throw error;
    throw new AdapterError('INVALID_GENESIS', error.message, error.details);
  }
}

function checkDigest({ genesisDataSha256 }: EthereumConfig, data: Uint8Array): void {
  if (genesisDataSha256 === undefined && data.length === 0) return;
  const digest = createHash('sha256').update(data).digest('hex');
  if (digest === genesisDataSha256) return;
  throw new AdapterError('INVALID_GENESIS', 'the genesis data is not what the constitution names', {
    expected: genesisDataSha256 ?? 'none',
    actual: data.length === 0 ? 'none' : digest,
  });
}

function* writeImport(
  config: EthereumConfig,
  open: () => BatchSet,
  data: Uint8Array,
): Generator<void> {
  const reader = new ImportReader(data);
  const byName = new Map(config.chains.map((chain) => [chain.name, chain]));
  const codeKeys = reader.codes.map((code) => toLatin1(keccak256(code)));
  for (const [i, code] of reader.codes.entries()) {
    const table = open().table(tableNames.code);
    if (!table.has(codeKeys[i] as string)) table.set(codeKeys[i] as string, code);
  }
  yield;
  for (const { name, accounts } of reader.chains()) {
    const chain = byName.get(name);
    if (chain === undefined) {
      throw new EthereumError('WRONG_GENESIS_DATA', `no chain is called ${name}`, {
        known: byName.size,
      });
    }
    writeAccounts(open(), chain, withCodeKeys(accounts, codeKeys));
    yield;
  }
}

type NamedAccount = Omit<ImportedAccount, 'code'> & { readonly codeKey: string };

function* withCodeKeys(
  accounts: Iterable<ImportedAccount>,
  codeKeys: readonly string[],
): Generator<NamedAccount> {
  for (const { code, ...account } of accounts) {
    yield { ...account, codeKey: code === undefined ? emptyCodeKey : (codeKeys[code] as string) };
  }
}

function* allocated(chain: ChainConfig): Generator<NamedAccount & { code?: Uint8Array }> {
  for (const { code, ...account } of chain.alloc) {
    if (code.length === 0) yield { ...account, codeKey: emptyCodeKey };
    else yield { ...account, codeKey: toLatin1(keccak256(code)), code };
  }
}

function writeAccounts(
  set: BatchSet,
  chain: ChainConfig,
  accounts: Iterable<NamedAccount & { code?: Uint8Array }>,
): void {
  const sink = openTables(set, chain.space);
  for (const { address, nonce, balance, codeKey, code, storage } of accounts) {
    const key = accountKey(address);
    const written = storage.filter(([, value]) => value !== 0n);
    if (code !== undefined) sink.putCode(codeKey, code);
    const hasStorage = written.length > 0;
    const record = { exists: true, nonce, balance, codeKey, incarnation: 0, hasStorage };
    sink.putAccount(key, encodeAccount(record));
    for (const [slot, value] of written) {
      sink.putSlot(slotKey(key, 0, slotName(slot)), toMinimalBytes(value));
    }
  }
}

/** EIP-2935 has it deployed before the fork; whoever allocates the address has it otherwise. */
function writeHistoryContract(set: BatchSet, chain: ChainConfig): void {
  if (!forkOf(chain.hardfork, chain.chainId).rules.prague) return;
  const tables = openTables(set, chain.space);
  const key = accountKey(historyAddress);
  if (tables.account(key) !== undefined) return;
  const codeKey = toLatin1(keccak256(historyCode));
  tables.putCode(codeKey, historyCode);
  const fields = { exists: true, nonce: 1n, balance: 0n, incarnation: 0, hasStorage: false };
  tables.putAccount(key, encodeAccount({ ...fields, codeKey }));
}

function writeFirstBlock(set: BatchSet, chain: ChainConfig, env: BatchEnvironment): void {
  const fork = forkOf(chain.hardfork, chain.chainId);
  const context = {
    number: 0,
    timestamp: Math.floor(env.timeMs / 1000),
    coinbase: chain.coinbase,
    gasLimit: chain.gasLimit,
    difficulty: 0n,
    prevRandao: BigInt(`0x${toHex(env.random(32))}`),
    baseFee: fork.rules.london ? chain.baseFee : 0n,
    blobBaseFee: 0n,
    blockHash: () => 0n,
  };
  const block = new OpenBlock(fork, context, { parentHash: new Uint8Array(32) });
  const sealed = block.seal();
  writeBlock(set, chain.space, sealed);
  set.table(tableNames.heads).set(chain.space, encodeHead(block.head(sealed.hash)));
}
