import { fromPem, spkiOf, verifySignature } from '@concordat/crypto';
import { assert, equalBytes, type Seqno, toBase64 } from '@concordat/std';
import { splitBlock, type TransactionRecord } from './block-form.ts';
import type { BlockHeader } from './header.ts';
import type { HistoryTree } from './history-tree.ts';
import { childrenBytes, followProof, hexOf, proveLeaf, treeLevels } from './merkle.ts';
import { leaderKey, openParts, publicBranch, refuse, type SessionKeyLookup } from './open.ts';
import type { ReceiptJson } from './receipt.ts';

/** What a block is opened and checked with. */
export interface BlockProofRequest {
  /** From wherever: it is checked against the history. */
  readonly block: Uint8Array;
  readonly sessionKey: SessionKeyLookup;
  /** A trusted history that includes the block. */
  readonly history: HistoryTree;
  /** PEM of the certificate that the network issued to the block's leader. */
  readonly nodeCertificatePem: string;
  /** PEM certificates from the present network identity back to the one that issued it. */
  readonly serviceEndorsements?: readonly string[];
}

/** What a receipt is made from: the block with the transaction. */
export interface ReceiptRequest extends BlockProofRequest {
  readonly seqno: Seqno;
}

/** A block that is proved to be of a history: what it holds, and receipts of it. */
export interface ProvenBlock {
  readonly header: BlockHeader;
  /** Transaction i has the seqno `header.firstSeqno + i`. */
  readonly transactions: readonly TransactionRecord[];
  /**
   * The receipt of one of its transactions. The path ends in the root that the block's own leader
   * signed, so every committed transaction has one at once. A receipt that is returned verifies.
   * @throws LedgerError NO_SUCH_TRANSACTION
   */
  receipt(seqno: Seqno): ReceiptJson;
}

/**
 * Opens a block and checks that it is the one of a trusted history, its leader's signature included.
 * @throws LedgerError MALFORMED, UNKNOWN_EPOCH, AUTHENTICATION_FAILED, WRONG_ROOT (not the block of
 *   this history), UNKNOWN_LEADER (another node's certificate), BAD_SIGNATURE, PAGE_NEEDED (the
 *   block is an old one: load the page and ask again)
 */
export function proveBlock(request: BlockProofRequest): ProvenBlock {
  const { history, nodeCertificatePem, serviceEndorsements } = request;
  const parts = splitBlock(request.block);
  const { header } = parts;
  if (
    header.height > history.size ||
    !equalBytes(history.leaf(header.height - 1), header.blockRoot)
  ) {
    throw refuse('WRONG_ROOT', header, 'the block is not of this history');
  }
  const sessionKey = request.sessionKey(header.epoch);
  if (sessionKey === undefined) {
    throw refuse('UNKNOWN_EPOCH', header, `no session key of epoch ${header.epoch}`);
  }
  const { transactions, leaves: source } = openParts(parts, sessionKey);
  const { left } = publicBranch(parts);
  const leaves = source.leaves(transactions);
  const levels = treeLevels(leaves);
  // The block's own signature was made when it was the newest: its size is its height.
  const above = [{ left: hexOf(left) }, ...history.proof(header.height - 1, header.height)];

  const spki = leaderKey(header, () => spkiOf(fromPem(nodeCertificatePem)[0] as Uint8Array));
  const branch = followProof(leaves[0] as string, [...proveLeaf(levels, 0), ...above]);
  assert(branch !== undefined, 'a block has its header and at least one transaction');
  if (!verifySignature(spki, childrenBytes(branch), parts.signature)) {
    throw refuse('BAD_SIGNATURE', header, 'the leader did not sign this history');
  }
  const signature = toBase64(parts.signature);
  const receipt = (seqno: Seqno): ReceiptJson => {
    const index = seqno - header.firstSeqno;
    const record = transactions[index];
    if (record === undefined) {
      throw refuse('NO_SUCH_TRANSACTION', header, `seqno ${seqno} is in another block`);
    }
    const components = source.components(index, record);
    return {
      cert: nodeCertificatePem,
      leaf_components: {
        write_set_digest: hexOf(components.writeSetDigest),
        commit_evidence: components.commitEvidence,
        claims_digest: hexOf(components.claimsDigest),
      },
      node_id: header.leader,
      proof: [...proveLeaf(levels, index), ...above],
      signature,
      ...(serviceEndorsements === undefined ? {} : { service_endorsements: serviceEndorsements }),
    };
  };
  return { header, transactions, receipt };
}

/**
 * The receipt of one transaction.
 * @throws LedgerError as {@link proveBlock}, NO_SUCH_TRANSACTION
 */
export const buildReceipt = ({ seqno, ...block }: ReceiptRequest): ReceiptJson =>
  proveBlock(block).receipt(seqno);
