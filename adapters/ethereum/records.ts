import { type EvmLog, toBigInt, toMinimalBytes } from '@concordat/evm';
import { BinaryReader, BinaryWriter, DecodeError } from '@concordat/std';
import { bloomBytes } from './block.ts';
import type { GasSums } from './block-gas.ts';
import type { HeaderView } from './chain-reader.ts';
import { EthereumError } from './errors.ts';
import { RlpCursor } from './rlp.ts';

const writer = new BinaryWriter(4_096);

/** What a chain's next block builds on. */
export interface HeadRecord {
  /** -1 before the first block of a chain added after genesis. */
  readonly number: number;
  readonly hash: Uint8Array;
  readonly timestamp: number;
  /** Of the header. */
  readonly gasUsed: number;
  /** What of it goes on in a replay's block; since Amsterdam, where it is more than one number. */
  readonly gas?: GasSums;
  readonly gasLimit: number;
  readonly baseFee: bigint;
  /** Transactions and logs in the block; a replay's only block goes on from them. */
  readonly transactions: number;
  readonly logs: number;
  /** 256 bytes. */
  readonly bloom: Uint8Array;
}

/** Bytes of a head record. */
export function encodeHead(head: HeadRecord): Uint8Array {
  const { gas } = head;
  writer
    .u64(head.number + 1)
    .raw(head.hash)
    .u64(head.timestamp)
    .u64(head.gasUsed)
    .u64(head.gasLimit)
    .bytes(toMinimalBytes(head.baseFee))
    .u32(head.transactions)
    .u32(head.logs)
    .raw(head.bloom);
  if (gas !== undefined) writer.u64(gas.paid).u64(gas.regular).u64(gas.state);
  return writer.take();
}

/** Runs a reader to its end. @throws EthereumError MALFORMED */
function readAll<Value>(bytes: Uint8Array, read: (reader: BinaryReader) => Value): Value {
  try {
    const reader = new BinaryReader(bytes);
    const value = read(reader);
    reader.end();
    return value;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new EthereumError('MALFORMED', error.message);
  }
}

/** Reads {@link encodeHead}. @throws EthereumError MALFORMED */
export function decodeHead(bytes: Uint8Array): HeadRecord {
  return readAll(bytes, (reader) => {
    const head = readHead(reader);
    if (reader.remaining === 0) return head;
    const gas = { paid: reader.u64(), regular: reader.u64(), state: reader.u64() };
    return { ...head, gas };
  });
}

function readHead(reader: BinaryReader): HeadRecord {
  return {
    number: reader.u64() - 1,
    hash: reader.raw(32),
    timestamp: reader.u64(),
    gasUsed: reader.u64(),
    gasLimit: reader.u64(),
    baseFee: toBigInt(reader.bytes(32)),
    transactions: reader.u32(),
    logs: reader.u32(),
    bloom: reader.raw(bloomBytes),
  };
}

/** A sealed block as stored. */
export interface BlockRecord {
  /** RLP. */
  readonly header: Uint8Array;
  readonly hash: Uint8Array;
  readonly size: number;
  readonly transactionHashes: readonly Uint8Array[];
}

/** Bytes of a block record. */
export function encodeBlock(block: BlockRecord): Uint8Array {
  writer.raw(block.hash).u32(block.size).bytes(block.header).u32(block.transactionHashes.length);
  for (const hash of block.transactionHashes) writer.raw(hash);
  return writer.take();
}

/** Reads {@link encodeBlock}. @throws EthereumError MALFORMED */
export function decodeBlock(bytes: Uint8Array): BlockRecord {
  return readAll(bytes, (reader) => {
    const hash = reader.raw(32);
    const size = reader.u32();
    const header = reader.bytes();
    const count = reader.u32();
    const transactionHashes: Uint8Array[] = [];
    for (let i = 0; i < count; i++) transactionHashes.push(reader.raw(32));
    return { header, hash, size, transactionHashes };
  });
}

/** Block hash of a block record, without reading the rest. */
export const hashOfBlockRecord = (bytes: Uint8Array): Uint8Array => bytes.subarray(0, 32);

/** Where the bloom begins: all header fields before it, and the list's head, have fixed sizes. */
const bloomAt = 32 + 4 + 4 + 3 + 5 * 33 + 21 + 3;

/** Log filter of a block record, without reading the rest. */
export const bloomOfBlockRecord = (bytes: Uint8Array): Uint8Array =>
  bytes.subarray(bloomAt, bloomAt + bloomBytes);

/** Reads an RLP header. @throws EthereumError UNDECODABLE */
export function decodeHeader(rlp: Uint8Array): HeaderView {
  const list = RlpCursor.open(rlp);
  const hash = (): Uint8Array => list.fixed(32, 'hash');
  const number = (): number => Number(list.integer(8, 'number'));
  const header: HeaderView = {
    parentHash: hash(),
    unclesHash: hash(),
    coinbase: list.fixed(20, 'coinbase'),
    stateRoot: hash(),
    transactionsRoot: hash(),
    receiptsRoot: hash(),
    logsBloom: list.fixed(bloomBytes, 'bloom'),
    difficulty: list.integer(32, 'difficulty'),
    number: number(),
    gasLimit: number(),
    gasUsed: number(),
    timestamp: number(),
    extraData: list.bytes(),
    mixHash: hash(),
    nonce: list.fixed(8, 'nonce'),
    ...(list.done ? {} : { baseFeePerGas: list.integer(32, 'base fee') }),
    ...(list.done ? {} : { withdrawalsRoot: hash() }),
    ...(list.done ? {} : { blobGasUsed: list.integer(8, 'blob gas') }),
    ...(list.done ? {} : { excessBlobGas: list.integer(8, 'excess blob gas') }),
    ...(list.done ? {} : { parentBeaconBlockRoot: hash() }),
    ...(list.done ? {} : { requestsHash: hash() }),
    ...(list.done ? {} : { blockAccessListHash: hash() }),
    ...(list.done ? {} : { slotNumber: list.integer(8, 'slot number') }),
  };
  list.end('a header');
  return header;
}

/** A transaction with its receipt, as stored. */
export interface TransactionRecord {
  readonly hash: Uint8Array;
  readonly from: Uint8Array;
  readonly status: 0 | 1;
  readonly gasUsed: number;
  readonly cumulativeGasUsed: number;
  readonly effectiveGasPrice: bigint;
  readonly contractAddress?: Uint8Array | undefined;
  /** Position of its first log in the block. */
  readonly firstLog: number;
  readonly logs: readonly EvmLog[];
  readonly raw: Uint8Array;
}

/** Bytes of a transaction record. */
export function encodeTransactionRecord(record: TransactionRecord): Uint8Array {
  const { contractAddress, logs } = record;
  writer
    .raw(record.hash)
    .raw(record.from)
    .u8(record.status | (contractAddress === undefined ? 0 : 2))
    .u64(record.gasUsed)
    .u64(record.cumulativeGasUsed)
    .bytes(toMinimalBytes(record.effectiveGasPrice));
  if (contractAddress !== undefined) writer.raw(contractAddress);
  writer.u32(record.firstLog).u32(logs.length);
  for (const log of logs) {
    writer.raw(log.address).u8(log.topics.length);
    for (const topic of log.topics) writer.raw(topic);
    writer.bytes(log.data);
  }
  return writer.bytes(record.raw).take();
}

/** Reads {@link encodeTransactionRecord}. @throws EthereumError MALFORMED */
export function decodeTransactionRecord(bytes: Uint8Array): TransactionRecord {
  return readAll(bytes, (reader) => {
    const hash = reader.raw(32);
    const from = reader.raw(20);
    const flags = reader.u8();
    const gasUsed = reader.u64();
    const cumulativeGasUsed = reader.u64();
    const effectiveGasPrice = toBigInt(reader.bytes(32));
    const contractAddress = (flags & 2) === 0 ? undefined : reader.raw(20);
    const firstLog = reader.u32();
    const count = reader.u32();
    const logs: EvmLog[] = [];
    for (let i = 0; i < count; i++) {
      const address = reader.raw(20);
      const topics = Array.from({ length: reader.u8() }, () => reader.raw(32));
      logs.push({ address, topics, data: reader.bytes() });
    }
    return {
      hash,
      from,
      status: (flags & 1) as 0 | 1,
      gasUsed,
      cumulativeGasUsed,
      effectiveGasPrice,
      ...(contractAddress === undefined ? {} : { contractAddress }),
      firstLog,
      logs,
      raw: reader.bytes(),
    };
  });
}

/** Where a transaction hash points. */
export interface TransactionPlace {
  /** Of the block. */
  readonly number: number;
  /** In the block. */
  readonly index: number;
  /** In the batch, which may hold several chains' transactions: its leaf of the ledger block. */
  readonly leaf: number;
}

/** u64 number ‖ u32 index ‖ u32 leaf. */
export const encodePlace = ({ number, index, leaf }: TransactionPlace): Uint8Array =>
  writer.u64(number).u32(index).u32(leaf).take();

/** Reads {@link encodePlace}. @throws EthereumError MALFORMED */
export function decodePlace(bytes: Uint8Array): TransactionPlace {
  return readAll(bytes, (reader) => ({
    number: reader.u64(),
    index: reader.u32(),
    leaf: reader.u32(),
  }));
}

/** u64 number: where a block hash points. */
export const encodeNumber = (number: number): Uint8Array => writer.u64(number).take();

/** Reads {@link encodeNumber}. @throws EthereumError MALFORMED */
export const decodeNumber = (bytes: Uint8Array): number => readAll(bytes, (reader) => reader.u64());
