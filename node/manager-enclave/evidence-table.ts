import { type EvidenceRecord, encodeEvidenceRecord } from '@concordat/attestation';
import type { ReadView, TableDeclaration, TransactionSet } from '@concordat/kv';
import type { NodeId } from '@concordat/std';

const table = 'public:concordat.evidence';

/** Key: node id; value: its evidence record. Public, so that an auditor can judge it anew. */
export const evidenceTables: readonly TableDeclaration[] = [{ name: table, kind: 'hash' }];

/** Records what a node that joins has shown, in the transaction by which it joins. */
export function recordEvidence(set: TransactionSet, nodeId: NodeId, record: EvidenceRecord): void {
  set.table(table).set(nodeId, encodeEvidenceRecord(record));
}

/** Whether a state has a node's evidence: its key was made by an attested enclave, which keeps it. */
export const isAttested = (view: ReadView, nodeId: NodeId): boolean =>
  view.table(table).has(nodeId);
