import type { RecordedTransaction } from '@concordat/api';
import { decodeWriteSet, type Write } from '@concordat/kv';
import { BinaryReader, fromLatin1 } from '@concordat/std';
import { AdapterError, type BatchEnvironment, type BatchSet } from '@concordat/worker-enclave';
import type { Chain } from './chain.ts';
import type { GivenBlock } from './chain-batch.ts';
import { EthereumError } from './errors.ts';
import { decodeBlock, decodeHeader, decodeTransactionRecord } from './records.ts';
import { tableNames } from './tables.ts';

/** A recorded transaction: what was asked for, and which block of which chain it is in. */
interface Asked {
  readonly chain: Chain;
  readonly raw: Uint8Array;
  readonly given: GivenBlock;
}

/** Bytes of the block number and the index behind a chain's space in a transaction's key. */
const placeBytes = 12;
/** Bytes of the block number behind a chain's space in a block's key. */
const numberBytes = 8;

/**
 * Executes the first batch of recorded transactions anew. From the records come the raw transactions, and
 * of each block its number, its time and its random value, which its leader chose; all else follows.
 * @returns transactions of the batch, its closing one included; 0 when no request made the first;
 *   undefined when the batch does not end with these
 * @throws AdapterError NOT_EXECUTABLE
 */
export async function reexecuteBatch(
  set: BatchSet,
  recorded: readonly RecordedTransaction[],
  chains: readonly Chain[],
): Promise<number | undefined> {
  const asked = readAsked(recorded, chains);
  if (asked === undefined || asked.length === 0) return asked?.length;
  for (const [leaf, { chain, raw, given }] of asked.entries()) {
    try {
      await chain.execute(chain.decode(raw), { set, env: noEnvironment, leaf, given });
    } catch (error) {
      if (!(error instanceof EthereumError)) throw error;
      chain.abandon(error);
      throw notExecutable(leaf, `the recorded transaction is refused: ${error.message}`);
    }
  }
  for (const chain of chains) chain.seal(set);
  return asked.length + 1;
}

/** What was asked for up to the transaction that closes the batch, which has no request. */
function readAsked(
  recorded: readonly RecordedTransaction[],
  chains: readonly Chain[],
): Asked[] | undefined {
  const requests: Write[] = [];
  for (const [leaf, { privateWrites }] of recorded.entries()) {
    const writes = privateWrites.length === 0 ? [] : [...decodeWriteSet(privateWrites)];
    const [first, ...others] = writes.filter(({ table }) => table === tableNames.transactions);
    if (others.length > 0) throw notExecutable(leaf, 'it records several transactions');
    if (first !== undefined) {
      requests.push(first);
      continue;
    }
    const blocks = tolerant(leaf, () => readBlocks(writes));
    return requests.map((request, at) =>
      tolerant(at, () => readTransaction(request, { chains, blocks, leaf: at })),
    );
  }
  return undefined;
}

function readBlocks(writes: readonly Write[]): Map<string, GivenBlock> {
  const blocks = new Map<string, GivenBlock>();
  for (const { table, key, value } of writes) {
    if (table === tableNames.blocks && value !== undefined) blocks.set(key, readBlock(key, value));
  }
  return blocks;
}

function readBlock(key: string, record: Uint8Array): GivenBlock {
  const { timestamp, mixHash } = decodeHeader(decodeBlock(record).header);
  const prevRandao = BigInt(`0x${Buffer.from(mixHash).toString('hex')}`);
  return { number: numberOf(key.slice(-numberBytes)), timestamp, prevRandao };
}

function readTransaction({ key, value }: Write, { chains, blocks, leaf }: RecordedPlace): Asked {
  if (value === undefined) throw notExecutable(leaf, 'it takes a transaction out of the chain');
  const space = key.slice(0, -placeBytes);
  const chain = chains.find(({ config }) => config.space === space);
  if (chain === undefined) throw notExecutable(leaf, 'it is of a chain that is not configured');
  const { raw } = decodeTransactionRecord(value);
  const at = key.slice(0, space.length + numberBytes);
  const replayed = { number: 0, timestamp: 0, prevRandao: 0n };
  const given = chain.replayed === undefined ? blocks.get(at) : replayed;
  if (given === undefined) throw notExecutable(leaf, 'its Ethereum block is not in the batch');
  return { chain, raw, given };
}

interface RecordedPlace {
  readonly chains: readonly Chain[];
  readonly blocks: ReadonlyMap<string, GivenBlock>;
  readonly leaf: number;
}

const numberOf = (key: string): number => new BinaryReader(fromLatin1(key)).u64();

/** Records that do not read are the ledger's fault. */
function tolerant<Result>(leaf: number, body: () => Result): Result {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof EthereumError)) throw error;
    throw notExecutable(leaf, `a record does not read: ${error.message}`);
  }
}

const notExecutable = (transaction: number, why: string): AdapterError =>
  new AdapterError('NOT_EXECUTABLE', why, { transaction });

/** Nothing is drawn and no clock is read: what a leader chose is given. */
const noEnvironment: BatchEnvironment = {
  timeMs: 0,
  view: 0,
  nodeId: '0'.repeat(64),
  random: () => {
    throw new Error('executing anew draws no random bytes');
  },
};
