import { aeadOpen, CryptoError, nodeIdOf, verifySignature } from '@concordat/crypto';
import {
  assert,
  type Digest,
  type Epoch,
  equalBytes,
  type NodeId,
  toLatin1,
  viewOf,
} from '@concordat/std';
import {
  type BlockParts,
  readPrivateSegment,
  readPublicSegment,
  splitBlock,
  type TransactionRecord,
} from './block-form.ts';
import { digestOf } from './digest.ts';
import { LedgerError, type LedgerErrorCode } from './errors.ts';
import type { BlockHeader } from './header.ts';
import type { HistoryTree } from './history-tree.ts';
import { blockBranch, headerHashOf, LeafSource, transactionsRoot } from './leaf.ts';
import { type Branch, childrenBytes } from './merkle.ts';
import {
  keyOfBlock,
  nonceDomains,
  type SessionKey,
  sealingKeyOf,
  sealingNonce,
} from './session-key.ts';

/** Where a session key comes from; undefined when this node does not hold that epoch's. */
export type SessionKeyLookup = (epoch: Epoch) => SessionKey | undefined;

/** What the next block must fit. */
export interface OpenRequest {
  readonly sessionKey: SessionKeyLookup;
  /** Ends before this block; gets the block's root appended when everything holds. */
  readonly history: HistoryTree;
  /** Header hash of the block before; 32 zero bytes at height 1. */
  readonly previous: Digest;
  readonly expectedHeight: number;
  readonly expectedFirstSeqno: number;
  /** View of the block before; 0 at height 1. */
  readonly previousView: number;
  /** DER SPKI of a node that may lead; undefined when it may not. */
  readonly nodeKey: (leader: NodeId) => Uint8Array | undefined;
}

/** A block whose every byte was checked. */
export interface OpenedBlock {
  readonly header: BlockHeader;
  /** What the next block names as `previous`. */
  readonly headerHash: Digest;
  /** Root of the history with this block, as the leader signed it. */
  readonly historyRoot: Digest;
  /** Views into the block's bytes and into its opened segment. */
  readonly transactions: readonly TransactionRecord[];
  /** DER ECDSA signature over the history root. */
  readonly signature: Uint8Array;
}

/** What anyone can read of a block. */
export interface PublicPart {
  readonly header: BlockHeader;
  /** One a transaction, empty where it has none; views into the block. */
  readonly publicWrites: readonly Uint8Array[];
}

/**
 * Checks that a block is the next one and opens it: form, place in the chain, leader, AEAD, every
 * leaf, and the leader's signature over the history. The history is unchanged when it is refused.
 * @throws LedgerError MALFORMED, WRONG_HEIGHT, WRONG_SEQNO, WRONG_VIEW, BROKEN_CHAIN,
 *   UNKNOWN_LEADER, UNKNOWN_EPOCH, AUTHENTICATION_FAILED, WRONG_ROOT, BAD_SIGNATURE
 */
export function openBlock(block: Uint8Array, request: OpenRequest): OpenedBlock {
  const { history } = request;
  assert(history.size === request.expectedHeight - 1, 'history does not end before this block');
  const parts = splitBlock(block);
  const { header, head, signature } = parts;
  checkPlace(header, request);
  const spki = leaderKey(header, request.nodeKey);
  const sessionKey = request.sessionKey(header.epoch);
  if (sessionKey === undefined) {
    throw refuse('UNKNOWN_EPOCH', header, `no session key of epoch ${header.epoch}`);
  }
  const { transactions } = openParts(parts, sessionKey);
  const branch = publicBranch(parts);
  const mark = history.mark();
  history.append(header.blockRoot);
  const signed = history.rootBranch() ?? branch;
  if (!verifySignature(spki, childrenBytes(signed), signature)) {
    history.restore(mark);
    throw refuse('BAD_SIGNATURE', header, 'the leader did not sign this history');
  }
  return {
    header,
    headerHash: digestOf(headerHashOf(head)),
    historyRoot: digestOf(signed.digest),
    transactions,
    signature,
  };
}

/**
 * Header and public writes, without any key. It checks form and proves nothing: for finding the
 * keys that proof needs.
 * @throws LedgerError MALFORMED
 */
export function openPublicPart(block: Uint8Array): PublicPart {
  const { header, publicSegment } = splitBlock(block);
  return { header, publicWrites: readPublicSegment(publicSegment, header) };
}

/**
 * Checks height, chain, seqno and view.
 * @throws LedgerError WRONG_HEIGHT, WRONG_SEQNO, WRONG_VIEW, BROKEN_CHAIN
 */
export function checkPlace(
  header: BlockHeader,
  expected: Pick<
    OpenRequest,
    'expectedHeight' | 'expectedFirstSeqno' | 'previous' | 'previousView'
  >,
): void {
  const { expectedHeight, expectedFirstSeqno, previousView } = expected;
  if (header.height !== expectedHeight) {
    throw refuse('WRONG_HEIGHT', header, `height ${header.height} where ${expectedHeight} is next`);
  }
  if (!equalBytes(header.previous, expected.previous)) {
    throw refuse('BROKEN_CHAIN', header, 'the block follows another block than the one before it');
  }
  if (header.firstSeqno !== expectedFirstSeqno) {
    const { firstSeqno } = header;
    throw refuse('WRONG_SEQNO', header, `seqno ${firstSeqno} where ${expectedFirstSeqno} is next`);
  }
  if (header.view < previousView) {
    throw refuse('WRONG_VIEW', header, `view ${header.view} after view ${previousView}`);
  }
}

/**
 * The key of a block's leader, checked to be the one its identity is the hash of.
 * @throws LedgerError UNKNOWN_LEADER
 */
export function leaderKey(
  header: BlockHeader,
  nodeKey: (leader: NodeId) => Uint8Array | undefined,
): Uint8Array {
  const spki = nodeKey(header.leader);
  if (spki === undefined || nodeIdOf(spki) !== header.leader) {
    throw refuse('UNKNOWN_LEADER', header, `node ${header.leader} may not lead here`);
  }
  return spki;
}

/**
 * Checks, without any key, that the stated block root covers the header and the public segment.
 * @returns the block root and its children
 * @throws LedgerError WRONG_ROOT
 */
export function publicBranch(parts: BlockParts): Branch {
  const { header, head, publicSegment } = parts;
  const branch = blockBranch(head, publicSegment, toLatin1(parts.transactionsRoot));
  if (equalBytes(digestOf(branch.digest), header.blockRoot)) return branch;
  throw refuse('WRONG_ROOT', header, 'header and public writes do not have the stated block root');
}

/**
 * Opens the private segment and checks that the transactions have the stated root.
 * @throws LedgerError AUTHENTICATION_FAILED, MALFORMED, WRONG_ROOT
 */
export function openParts(
  parts: BlockParts,
  sessionKey: SessionKey,
): { transactions: TransactionRecord[]; leaves: LeafSource } {
  const { header } = parts;
  const nonce = sealingNonce(header.height, header.view, nonceDomains.block);
  const blockKey = keyOfBlock(sessionKey, header, parts.publicSegment);
  const plaintext = unseal(parts, sealingKeyOf(blockKey), nonce);
  const publicWrites = readPublicSegment(parts.publicSegment, header);
  const transactions = readPrivateSegment(viewOf(plaintext), publicWrites, header);
  const leaves = new LeafSource(header, blockKey);
  const root = transactionsRoot(leaves.leaves(transactions));
  if (root !== toLatin1(parts.transactionsRoot)) {
    throw refuse('WRONG_ROOT', header, 'the transactions do not have the stated root');
  }
  return { transactions, leaves };
}

/**
 * Whether a session key opens a block's private segment. It proves nothing else of the block, and is
 * for finding out whether a key that somebody sent is the right one.
 */
export function opensBlock(block: Uint8Array, sessionKey: SessionKey): boolean {
  try {
    openParts(splitBlock(block), sessionKey);
    return true;
  } catch (error) {
    if (error instanceof LedgerError) return false;
    throw error;
  }
}

function unseal(parts: BlockParts, key: Uint8Array, nonce: Uint8Array): Uint8Array {
  try {
    return aeadOpen(key, nonce, parts.additionalData, parts.sealedSegment);
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    throw refuse('AUTHENTICATION_FAILED', parts.header, 'the private segment does not open');
  }
}

/** A refusal of a block that names its height. */
export const refuse = (code: LedgerErrorCode, header: BlockHeader, why: string): LedgerError =>
  new LedgerError(code, `block ${header.height}: ${why}`, { height: header.height });
