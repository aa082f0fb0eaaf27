import { sha256Hex, sha256Latin1, sha256OfText } from '@concordat/crypto';
import { formatTransactionId } from '@concordat/std';
import type { TransactionRecord } from './block-form.ts';
import { type BlockHeader, headerLeafBytes, writeU64 } from './header.ts';
import { type Branch, combine, foldLeaves } from './merkle.ts';
import { blockNonce, type SessionKey } from './session-key.ts';

// Digests on the hot path are binary strings of 32 characters: a one-shot hash with a string
// result costs a third of one with a Buffer result.

/** The claims digest of a transaction without claims. */
export const noClaims = '\0'.repeat(32);

/** What one transaction's leaf is the hash of. Digests are binary strings. */
export interface LeafComponents {
  readonly writeSetDigest: string;
  /** `ce:V.S:<64 hex>`. */
  readonly commitEvidence: string;
  readonly claimsDigest: string;
}

/** Its last third holds the digest of claims of the leaf before, mostly that of none. */
const leafInput = Buffer.alloc(96);
let leafClaims = noClaims;
const evidenceInput = Buffer.alloc(40);
const headerInput = Buffer.alloc(headerLeafBytes + 32);
const bothWrites = Buffer.alloc(65, 1);
let privateInput = Buffer.alloc(4096);

/**
 * Leaf of the block's own header: SHA-256(header without the block root ‖ SHA-256(public segment)).
 * So the signature covers all that is public, and whoever has no key can check that it does.
 */
export function headerLeaf(head: Buffer, publicSegment: Uint8Array): string {
  headerInput.set(head.subarray(0, headerLeafBytes));
  headerInput.write(sha256Latin1(publicSegment), headerLeafBytes, 32, 'latin1');
  return sha256Latin1(headerInput);
}

/** Root over the leaves of a block's transactions. The array is used up. */
export const transactionsRoot = (leaves: string[]): string =>
  leaves.length === 1 ? (leaves[0] as string) : foldLeaves(leaves).digest;

/** The block root with its two children, from what anyone can read of a block. */
export function blockBranch(head: Buffer, publicSegment: Uint8Array, root: string): Branch {
  const left = headerLeaf(head, publicSegment);
  return { digest: combine(left, root), left, right: root };
}

/** Hash that the next block names as `previous`: SHA-256 of all header bytes. */
export const headerHashOf = (head: Buffer): string => sha256Latin1(head);

/**
 * The leaf CCF's receipts are about:
 * SHA-256(write_set_digest ‖ SHA-256(commit_evidence) ‖ claims_digest).
 */
export function transactionLeaf(components: LeafComponents): string {
  leafInput.write(components.writeSetDigest, 0, 32, 'latin1');
  leafInput.write(sha256OfText(components.commitEvidence), 32, 32, 'latin1');
  if (components.claimsDigest !== leafClaims) {
    leafClaims = components.claimsDigest;
    leafInput.write(leafClaims, 64, 32, 'latin1');
  }
  return sha256Latin1(leafInput);
}

/**
 * SHA-256(0x00 ‖ private) of a transaction without public writes, else
 * SHA-256(0x01 ‖ SHA-256(public) ‖ SHA-256(private)), so that either part can be shown alone.
 */
export function writeSetDigest({ publicWrites, privateWrites }: TransactionRecord): string {
  if (publicWrites.length > 0) {
    bothWrites.write(sha256Latin1(publicWrites), 1, 32, 'latin1');
    bothWrites.write(sha256Latin1(privateWrites), 33, 32, 'latin1');
    return sha256Latin1(bothWrites);
  }
  const length = privateWrites.length + 1;
  if (length > privateInput.length) privateInput = Buffer.alloc(length * 2);
  privateInput[0] = 0;
  privateInput.set(privateWrites, 1);
  return sha256Latin1(privateInput.subarray(0, length));
}

/** Makes the leaf components of one block's transactions. */
export class LeafSource {
  readonly #header: Pick<BlockHeader, 'view' | 'firstSeqno'>;
  readonly #nonce: Uint8Array;

  constructor(header: Pick<BlockHeader, 'view' | 'height' | 'firstSeqno'>, sessionKey: SessionKey) {
    this.#header = header;
    this.#nonce = blockNonce(sessionKey, header.view, header.height);
  }

  /** Components of the transaction at this index of the block. */
  components(index: number, record: TransactionRecord): LeafComponents {
    const { claimsDigest } = record;
    return {
      writeSetDigest: writeSetDigest(record),
      commitEvidence: this.#evidence(this.#header.firstSeqno + index),
      claimsDigest:
        claimsDigest === undefined
          ? noClaims
          : Buffer.from(claimsDigest.buffer, claimsDigest.byteOffset, 32).toString('latin1'),
    };
  }

  /** Leaves of the block's transactions, in order. */
  leaves(transactions: readonly TransactionRecord[]): string[] {
    const leaves: string[] = [];
    for (let i = 0; i < transactions.length; i++) {
      leaves.push(transactionLeaf(this.components(i, transactions[i] as TransactionRecord)));
    }
    return leaves;
  }

  #evidence(seqno: number): string {
    evidenceInput.set(this.#nonce);
    writeU64(evidenceInput, 32, seqno);
    return `ce:${formatTransactionId(this.#header.view, seqno)}:${sha256Hex(evidenceInput)}`;
  }
}
