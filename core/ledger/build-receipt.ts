import { fromPem, spkiOf, verifySignature } from '@concordat/crypto';
import { assert, equalBytes, type Seqno, toBase64 } from '@concordat/std';
import { splitBlock } from './block-form.ts';
import type { HistoryTree } from './history-tree.ts';
import { childrenBytes, followProof, hexOf, proveLeaf } from './merkle.ts';
import { leaderKey, openParts, publicBranch, refuse, type SessionKeyLookup } from './open.ts';
import type { ReceiptJson } from './receipt.ts';

/** What a receipt is made from. */
export interface ReceiptRequest {
  /** The block with the transaction, from wherever: it is checked against the history. */
  readonly block: Uint8Array;
  readonly seqno: Seqno;
  readonly sessionKey: SessionKeyLookup;
  /** A trusted history that includes the block. */
  readonly history: HistoryTree;
  /** PEM of the certificate that the network issued to the block's leader. */
  readonly nodeCertificatePem: string;
  /** PEM certificates from the present network identity back to the one that issued it. */
  readonly serviceEndorsements?: readonly string[];
}

/**
 * The receipt of one transaction. The path ends in the root that the block's own leader signed, so
 * every committed transaction has one at once. A receipt that is returned verifies.
 * @throws LedgerError MALFORMED, NO_SUCH_TRANSACTION, UNKNOWN_EPOCH, AUTHENTICATION_FAILED,
 *   WRONG_ROOT (not the block of this history), UNKNOWN_LEADER (another node's certificate),
 *   BAD_SIGNATURE, PAGE_NEEDED (the block is an old one: load the page and ask again)
 */
export function buildReceipt(request: ReceiptRequest): ReceiptJson {
  const { seqno, history, nodeCertificatePem, serviceEndorsements } = request;
  const parts = splitBlock(request.block);
  const { header } = parts;
  const index = seqno - header.firstSeqno;
  if (index < 0 || index >= header.count) {
    throw refuse('NO_SUCH_TRANSACTION', header, `seqno ${seqno} is in another block`);
  }
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
  const record = transactions[index];
  assert(record !== undefined, 'an opened block holds what it counts');
  const components = source.components(index, record);
  const leaves = source.leaves(transactions);
  const leaf = leaves[index] as string;
  // The block's own signature was made when it was the newest: its size is its height.
  const proof = [
    ...proveLeaf(leaves, index),
    { left: hexOf(left) },
    ...history.proof(header.height - 1, header.height),
  ];

  const spki = leaderKey(header, () => spkiOf(fromPem(nodeCertificatePem)[0] as Uint8Array));
  const branch = followProof(leaf, proof);
  assert(branch !== undefined, 'a block has its header and at least one transaction');
  if (!verifySignature(spki, childrenBytes(branch), parts.signature)) {
    throw refuse('BAD_SIGNATURE', header, 'the leader did not sign this history');
  }
  return {
    cert: nodeCertificatePem,
    leaf_components: {
      write_set_digest: hexOf(components.writeSetDigest),
      commit_evidence: components.commitEvidence,
      claims_digest: hexOf(components.claimsDigest),
    },
    node_id: header.leader,
    proof,
    signature: toBase64(parts.signature),
    ...(serviceEndorsements === undefined ? {} : { service_endorsements: serviceEndorsements }),
  };
}
