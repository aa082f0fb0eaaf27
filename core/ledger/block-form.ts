import { aeadTagBytes } from '@concordat/crypto';
import { BinaryReader, DecodeError, viewOf } from '@concordat/std';
import { LedgerError } from './errors.ts';
import { type BlockHeader, decodeHeader, headerBytes } from './header.ts';
import { SegmentReader, varintBytes, writeVarint } from './varint.ts';

/** What one transaction changed, as the ledger keeps it. */
export interface TransactionRecord {
  /** Canonical write set of `public:` tables; empty when there is none. */
  readonly publicWrites: Uint8Array;
  /** Canonical write set of all other tables; empty when there is none. */
  readonly privateWrites: Uint8Array;
  /** Digest the application attests to in the receipt; absent = 32 zero bytes. */
  readonly claimsDigest?: Uint8Array;
}

/** The parts of a block's bytes, as views into them. */
export interface BlockParts {
  readonly header: BlockHeader;
  /** The header's bytes. */
  readonly head: Buffer;
  /** Root over the transactions' leaves, 32 bytes; with the header's leaf it makes the block root. */
  readonly transactionsRoot: Buffer;
  /** Header, transactions' root and public segment with its length: what the AEAD authenticates beside its plaintext. */
  readonly additionalData: Buffer;
  readonly publicSegment: Buffer;
  /** Ciphertext ‖ 16-byte tag. */
  readonly sealedSegment: Buffer;
  /** DER ECDSA signature. */
  readonly signature: Buffer;
}

/**
 * Takes a block apart. It checks form and proves nothing.
 * @throws LedgerError MALFORMED
 */
export function splitBlock(block: Uint8Array): BlockParts {
  const header = decodeHeader(block);
  const { height } = header;
  const reader = new BinaryReader(block);
  try {
    const head = reader.raw(headerBytes);
    const transactionsRoot = viewOf(reader.raw(32));
    const publicSegment = reader.bytes();
    const authenticatedBytes = reader.position;
    const sealedSegment = reader.bytes();
    const signature = reader.raw(reader.u8());
    reader.end();
    // Each transaction takes at least one byte of the private segment: a count cannot make a
    // reader work or allocate more than the bytes it came with.
    if (header.count > sealedSegment.length - aeadTagBytes) {
      throw new LedgerError('MALFORMED', 'a block counts more than it holds', { height });
    }
    const additionalData = viewOf(block).subarray(0, authenticatedBytes);
    return {
      header,
      head,
      transactionsRoot,
      additionalData,
      publicSegment,
      sealedSegment,
      signature,
    };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new LedgerError('MALFORMED', `a block ${error.message}`, { height });
  }
}

/** Bytes of the public segment: none when no transaction has public writes. */
export function publicSegmentBytes(transactions: readonly TransactionRecord[]): number {
  let bytes = 0;
  let any = false;
  for (const { publicWrites } of transactions) {
    bytes += varintBytes(publicWrites.length) + publicWrites.length;
    any ||= publicWrites.length > 0;
  }
  return any ? bytes : 0;
}

/** Writes the public segment: each transaction's length and bytes. */
export function writePublicSegment(
  into: Buffer,
  start: number,
  transactions: readonly TransactionRecord[],
): void {
  let at = start;
  for (const { publicWrites } of transactions) {
    at = writeVarint(into, at, publicWrites.length);
    into.set(publicWrites, at);
    at += publicWrites.length;
  }
}

/**
 * Public writes of each transaction, views into the segment.
 * @throws LedgerError MALFORMED
 */
export function readPublicSegment(segment: Buffer, header: BlockHeader): Uint8Array[] {
  const { count, height } = header;
  const writes: Uint8Array[] = [];
  if (segment.length === 0) {
    const none = segment.subarray(0, 0);
    for (let i = 0; i < count; i++) writes.push(none);
    return writes;
  }
  const reader = new SegmentReader(segment, height);
  let any = false;
  for (let i = 0; i < count; i++) {
    const bytes = reader.raw(reader.varint());
    any ||= bytes.length > 0;
    writes.push(bytes);
  }
  reader.end();
  if (!any) throw new LedgerError('MALFORMED', 'a public segment without writes', { height });
  return writes;
}

/** Bytes of the private segment before it is sealed. */
export function privateSegmentBytes(transactions: readonly TransactionRecord[]): number {
  let bytes = 0;
  for (const record of transactions) {
    const claims = hasClaims(record);
    bytes += varintBytes(record.privateWrites.length * 2 + (claims ? 1 : 0));
    bytes += (claims ? 32 : 0) + record.privateWrites.length;
  }
  return bytes;
}

/** Writes the private segment: length and claims bit, claims digest, bytes of each transaction. */
export function writePrivateSegment(
  into: Buffer,
  transactions: readonly TransactionRecord[],
): void {
  let at = 0;
  for (const record of transactions) {
    const { privateWrites } = record;
    if (hasClaims(record)) {
      at = writeVarint(into, at, privateWrites.length * 2 + 1);
      into.set(record.claimsDigest as Uint8Array, at);
      at += 32;
    } else {
      at = writeVarint(into, at, privateWrites.length * 2);
    }
    into.set(privateWrites, at);
    at += privateWrites.length;
  }
}

/**
 * Joins the private segment with the public writes to transactions, views into both.
 * @throws LedgerError MALFORMED
 */
export function readPrivateSegment(
  segment: Buffer,
  publicWrites: readonly Uint8Array[],
  { height }: BlockHeader,
): TransactionRecord[] {
  const reader = new SegmentReader(segment, height);
  const transactions: TransactionRecord[] = [];
  for (const writes of publicWrites) {
    const field = reader.varint();
    if ((field & 1) === 0) {
      transactions.push({ publicWrites: writes, privateWrites: reader.raw(field >>> 1) });
      continue;
    }
    const claimsDigest = reader.raw(32);
    if (isZero(claimsDigest))
      throw new LedgerError('MALFORMED', 'zero claims written out', { height });
    const privateWrites = reader.raw(field >>> 1);
    transactions.push({ publicWrites: writes, privateWrites, claimsDigest });
  }
  reader.end();
  return transactions;
}

/** Whether a transaction has claims: zero claims and none are the same. */
export const hasClaims = ({ claimsDigest }: TransactionRecord): boolean =>
  claimsDigest !== undefined && !isZero(claimsDigest);

const isZero = (digest: Uint8Array): boolean => digest.every((byte) => byte === 0);
