import { aeadSeal } from '@concordat/crypto';
import {
  assert,
  type Digest,
  type Epoch,
  type Height,
  type NodeId,
  type Seqno,
  type View,
} from '@concordat/std';
import {
  privateSegmentBytes,
  publicSegmentBytes,
  type TransactionRecord,
  writePrivateSegment,
  writePublicSegment,
} from './block-form.ts';
import { digestOf } from './digest.ts';
import { type BlockHeader, headerBytes, writeBlockRoot, writeHeader } from './header.ts';
import type { HistoryTree } from './history-tree.ts';
import { blockBranch, headerHashOf, LeafSource, transactionsRoot } from './leaf.ts';
import { childrenBytes } from './merkle.ts';
import {
  keyOfBlock,
  nonceDomains,
  type SessionKey,
  sealingKeyOf,
  sealingNonce,
} from './session-key.ts';

/** What the leader seals. */
export interface SealRequest {
  readonly view: View;
  /** One above the history's size. */
  readonly height: Height;
  readonly firstSeqno: Seqno;
  readonly epoch: Epoch;
  readonly timeMs: number;
  readonly leader: NodeId;
  /** 0 = governance, k = worker k. */
  readonly source: number;
  /** None by default. */
  readonly flags?: number;
  /** Header hash of the block before; 32 zero bytes at height 1. */
  readonly previous: Digest;
  /** At least one. */
  readonly transactions: readonly TransactionRecord[];
  /** Key of `epoch`. */
  readonly sessionKey: SessionKey;
  /** Gets the block's root appended. */
  readonly history: HistoryTree;
  /** The leader's node key: DER ECDSA P-256 over SHA-256 of the bytes. */
  readonly sign: (bytes: Uint8Array) => Uint8Array;
}

/** A block as it goes to the log. */
export interface SealedBlock {
  readonly bytes: Buffer;
  readonly header: BlockHeader;
  /** What the next block names as `previous`. */
  readonly headerHash: Digest;
  /** Root of the history with this block: what the signature covers. */
  readonly historyRoot: Digest;
}

/** Where the public segment begins: after the header and the transactions' root. */
const frontBytes = headerBytes + 32;
/** Largest segment, bytes: lengths are u32 and node buffers stay well below 2 GiB. */
const maxSegmentBytes = 2 ** 30;

/**
 * Seals transactions into the next block: leaves, block root, one AEAD over the private segment,
 * one signature over the history root (docs/format/block.md).
 */
export function sealBlock(request: SealRequest): SealedBlock {
  const { view, height, transactions, sessionKey, history } = request;
  assert(transactions.length > 0, 'a block has at least one transaction');
  assert(sessionKey.epoch === request.epoch, 'session key of another epoch');
  assert(history.size === height - 1, 'history does not end before this block');
  claimNonce(history, view, height);

  const publicBytes = publicSegmentBytes(transactions);
  const plaintext = Buffer.allocUnsafe(privateSegmentBytes(transactions));
  assert(publicBytes < maxSegmentBytes && plaintext.length < maxSegmentBytes, 'block too large');
  const front = Buffer.allocUnsafe(frontBytes + 4 + publicBytes);
  const unrooted = headerOf(request);
  writeHeader(front, unrooted);
  front.writeUInt32BE(publicBytes, frontBytes);
  if (publicBytes > 0) writePublicSegment(front, frontBytes + 4, transactions);
  const publicSegment = front.subarray(frontBytes + 4);

  const blockKey = keyOfBlock(sessionKey, unrooted, publicSegment);
  const root = transactionsRoot(new LeafSource(unrooted, blockKey).leaves(transactions));
  front.write(root, headerBytes, 32, 'latin1');
  const block = blockBranch(front, publicSegment, root);
  const blockRoot = digestOf(block.digest);
  writeBlockRoot(front, blockRoot);
  writePrivateSegment(plaintext, transactions);
  const nonce = sealingNonce(height, view, nonceDomains.block);
  const sealed = aeadSeal(sealingKeyOf(blockKey), nonce, front, plaintext);

  history.append(blockRoot);
  const signed = history.rootBranch() ?? block;
  const signature = request.sign(childrenBytes(signed));
  return {
    bytes: joinBlock(front, sealed, signature),
    header: { ...unrooted, blockRoot },
    headerHash: digestOf(headerHashOf(front.subarray(0, headerBytes))),
    historyRoot: digestOf(signed.digest),
  };
}

function headerOf(request: SealRequest): Omit<BlockHeader, 'blockRoot'> {
  return {
    version: 1,
    view: request.view,
    height: request.height,
    firstSeqno: request.firstSeqno,
    count: request.transactions.length,
    epoch: request.epoch,
    timeMs: request.timeMs,
    leader: request.leader,
    source: request.source,
    flags: request.flags ?? 0,
    previous: request.previous,
  };
}

function joinBlock(front: Buffer, sealed: Uint8Array, signature: Uint8Array): Buffer {
  const sealedAt = front.length + 4;
  const signatureAt = sealedAt + sealed.length;
  const bytes = Buffer.allocUnsafeSlow(signatureAt + 1 + signature.length);
  bytes.set(front);
  bytes.writeUInt32BE(sealed.length, front.length);
  bytes.set(sealed, sealedAt);
  bytes[signatureAt] = signature.length;
  bytes.set(signature, signatureAt + 1);
  return bytes;
}

/** View and height last sealed over each history, which is one node's. */
const lastSealed = new WeakMap<HistoryTree, { readonly view: number; readonly height: number }>();

/**
 * The last line of defence of nonces: whatever its caller believes, a node seals each pair of view
 * and height once. Heights rise within a view, and after a rollback the view has risen.
 */
function claimNonce(history: HistoryTree, view: number, height: number): void {
  const last = lastSealed.get(history);
  const rises =
    last === undefined || view > last.view || (view === last.view && height > last.height);
  assert(rises, `a second block of view ${view} at height ${height}: its nonce would repeat`);
  lastSealed.set(history, { view, height });
}
