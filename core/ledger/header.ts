import {
  assert,
  type Digest,
  type Epoch,
  fromHex,
  type Height,
  type NodeId,
  type Seqno,
  toHex,
  type View,
  viewOf,
} from '@concordat/std';
import { LedgerError } from './errors.ts';

/** What a block says of itself. Its bytes are in docs/format/block.md. */
export interface BlockHeader {
  readonly version: 1;
  /** View of the leader that sealed it, 1 to 2^40-1. */
  readonly view: View;
  /** Position in the ledger, 1 to 2^48-1. */
  readonly height: Height;
  /** Seqno of its first transaction; transaction i has `firstSeqno + i`. */
  readonly firstSeqno: Seqno;
  /** Number of transactions, at least 1. */
  readonly count: number;
  /** Epoch of the session key that seals its private segment. */
  readonly epoch: Epoch;
  /** The leader's clock when it sealed the block, ms since the Unix epoch. Not proof of time. */
  readonly timeMs: number;
  /** Node that sealed and signed it. */
  readonly leader: NodeId;
  /** Who executed the transactions: 0 = governance in the manager, k = worker k; below 2^16. */
  readonly source: number;
  /** Bits of {@link blockFlags}. */
  readonly flags: number;
  /** {@link headerHash} of the block before; 32 zero bytes at height 1. */
  readonly previous: Digest;
  /** SHA-256 of the header's own leaf, which covers the public segment, and the transactions' root. */
  readonly blockRoot: Digest;
}

/**
 * Bits of a header's `flags`; all others are zero. A block that opens the view of a resumed network
 * has `resumption`: its contents are sealed under a key of its own, see `keyOfBlock`.
 */
export const blockFlags = { reconfiguration: 1, resumption: 2 } as const;

/** Bytes of an encoded header. */
export const headerBytes = 145;
/** Bytes of the header that its own leaf covers beside the public segment: all but the block root. */
export const headerLeafBytes = headerBytes - 32;

/** First view that the nonce of a block has no room for. */
export const viewLimit = 2 ** 40;
/** First height that the nonce of a block has no room for. */
export const heightLimit = 2 ** 48;

const at = {
  version: 0,
  flags: 1,
  source: 3,
  count: 5,
  view: 9,
  height: 17,
  firstSeqno: 25,
  epoch: 33,
  timeMs: 41,
  leader: 49,
  previous: 81,
  blockRoot: 113,
} as const;

const knownFlags = blockFlags.reconfiguration | blockFlags.resumption;

/** Writes all of the header but its block root to the start of a buffer. */
export function writeHeader(into: Buffer, header: Omit<BlockHeader, 'blockRoot'>): void {
  const leader = fromHex(header.leader);
  assert(leader?.length === 32, 'leader is not a node id');
  assert(header.view >= 1 && header.view < viewLimit, `view out of range: ${header.view}`);
  assert(header.height >= 1 && header.height < heightLimit, 'height out of range');
  assert(header.firstSeqno >= 1 && header.epoch >= 1, 'seqno or epoch out of range');
  assert(Number.isSafeInteger(header.timeMs) && header.timeMs >= 0, 'time out of range');
  assert((header.flags & ~knownFlags) === 0, `unknown flags ${header.flags}`);
  into[at.version] = header.version;
  into.writeUInt16BE(header.flags, at.flags);
  into.writeUInt16BE(header.source, at.source);
  into.writeUInt32BE(header.count, at.count);
  writeU64(into, at.view, header.view);
  writeU64(into, at.height, header.height);
  writeU64(into, at.firstSeqno, header.firstSeqno);
  writeU64(into, at.epoch, header.epoch);
  writeU64(into, at.timeMs, header.timeMs);
  into.set(leader, at.leader);
  into.set(header.previous, at.previous);
}

/** Writes the block root, which is known last. */
export function writeBlockRoot(into: Buffer, blockRoot: Digest): void {
  into.set(blockRoot, at.blockRoot);
}

/**
 * The header of a block's bytes; whatever follows it is not looked at. It proves nothing.
 * @throws LedgerError MALFORMED
 */
export function decodeHeader(block: Uint8Array): BlockHeader {
  if (block.length < headerBytes) {
    throw new LedgerError('MALFORMED', `a block of ${block.length} bytes has no whole header`);
  }
  const bytes = viewOf(block);
  const version = bytes[at.version];
  if (version !== 1) {
    throw new LedgerError('MALFORMED', `block version ${version} is not known here`, { version });
  }
  const height = readU64(bytes, at.height, 1, heightLimit) as Height;
  const flags = bytes.readUInt16BE(at.flags);
  if ((flags & ~knownFlags) !== 0) {
    throw new LedgerError('MALFORMED', `unknown flags ${flags}`, { height });
  }
  const count = bytes.readUInt32BE(at.count);
  if (count === 0) throw new LedgerError('MALFORMED', 'a block without transactions', { height });
  const firstSeqno = readU64(bytes, at.firstSeqno, 1, 2 ** 53 - count) as Seqno;
  return {
    version,
    view: readU64(bytes, at.view, 1, viewLimit) as View,
    height,
    firstSeqno,
    count,
    epoch: readU64(bytes, at.epoch, 1, 2 ** 53) as Epoch,
    timeMs: readU64(bytes, at.timeMs, 0, 2 ** 53),
    leader: toHex(bytes.subarray(at.leader, at.leader + 32)) as NodeId,
    source: bytes.readUInt16BE(at.source),
    flags,
    previous: digestAt(bytes, at.previous),
    blockRoot: digestAt(bytes, at.blockRoot),
  };
}

const digestAt = (bytes: Buffer, from: number): Digest =>
  bytes.subarray(from, from + 32) as Uint8Array as Digest;

/** Writes eight bytes, big-endian, of a safe non-negative integer. */
export function writeU64(into: Buffer, position: number, value: number): void {
  into.writeUInt32BE(Math.floor(value / 0x1_0000_0000), position);
  into.writeUInt32BE(value % 0x1_0000_0000, position + 4);
}

function readU64(bytes: Buffer, position: number, least: number, limit: number): number {
  const high = bytes.readUInt32BE(position);
  const value = high * 0x1_0000_0000 + bytes.readUInt32BE(position + 4);
  if (high > 0x1f_ffff || value < least || value >= limit) {
    throw new LedgerError('MALFORMED', `header field at ${position} is out of range`);
  }
  return value;
}
