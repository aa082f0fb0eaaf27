import {
  checkAgainst,
  decodeEvidenceRecord,
  type EvidenceRecord,
  type Verdict,
  verifyRecordedEvidence,
} from '@concordat/attestation';
import {
  type Constitution,
  currentEpoch,
  type NodeEntry,
  readConstitution,
} from '@concordat/governance';
import type { TransactionSet } from '@concordat/kv';
import { CodedError, fromHex } from '@concordat/std';
import type { DefectCode, Findings } from './findings.ts';
import { tableNames } from './framework-tables.ts';
import { isoOf, maxClockDifferenceSeconds } from './message-rehearsal.ts';
import type { AdministrativeBlock, RehearsalContext } from './rehearsal.ts';

/** A node whose evidence is judged. */
export interface Witness {
  readonly block: AdministrativeBlock;
  readonly entry: NodeEntry;
}

/**
 * Judges the evidence that a block recorded of a node, at the instant it was judged then: genuine,
 * bound to the node's key, of its time, proving what the node list says, and allowed by the
 * manifests of its height (paper: Bootstrapping a VN). Undefined when it proves nothing.
 */
export function judgeEvidence(
  set: TransactionSet,
  witness: Witness,
  context: RehearsalContext,
): Verdict | undefined {
  const { block, entry } = witness;
  const { findings, verifiers } = context;
  const bytes = block.recorded.get(tableNames.evidence, entry.nodeId);
  const defect = (code: DefectCode, why: string, cause?: string): undefined => {
    const message = `evidence of node ${entry.nodeId}: ${why}`;
    findings.defect('evidence', code, cause === undefined ? { message } : { message, cause });
  };
  if (!bytes) return defect('EVIDENCE_MISSING', 'it is in the network, and none was recorded');
  let record: EvidenceRecord;
  try {
    record = decodeEvidenceRecord(bytes);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    return defect('EVIDENCE_REFUSED', error.message, error.code);
  }
  findings.examined('evidence', 'records');
  const publicKeySpki = fromHex(entry.publicKey) ?? new Uint8Array();
  const result = verifyRecordedEvidence(record, { publicKeySpki, verifiers });
  if ('code' in result) return defect('EVIDENCE_REFUSED', result.message, result.code);
  requireItsTime(set, { witness, record }, context);
  const { platform, measurement, platformKey } = result;
  const said = [entry.platform, entry.measurement, entry.platformKey];
  if ([platform, measurement, platformKey].some((proved, at) => proved !== said[at])) {
    defect(
      'EVIDENCE_OF_ANOTHER_VERDICT',
      'it proves other code, or another machine, than is listed',
    );
  }
  requireListed(result, readConstitution(set), findings);
  return result;
}

function requireListed(verdict: Verdict, constitution: Constitution, findings: Findings): void {
  const { codeManifest, teeManifest } = constitution;
  const checked = checkAgainst(verdict, { codeManifest, teeManifest, role: 'manager' });
  if (checked.ok) return;
  const { code: cause, message } = checked;
  findings.defect('evidence', 'EVIDENCE_UNLISTED', { message, cause });
}

/** It answers a challenge of this network, made shortly before the node joined. */
function requireItsTime(
  set: TransactionSet,
  { witness, record }: { readonly witness: Witness; readonly record: EvidenceRecord },
  { replay, findings, heightOfRoot }: RehearsalContext,
): void {
  const { header } = witness.block;
  const { networkId, epoch, ledgerRoot, verifiedAtMs } = record;
  const defect = (why: string): void => {
    const message = `evidence of node ${witness.entry.nodeId} ${why}`;
    findings.defect('evidence', 'EVIDENCE_NOT_OF_ITS_TIME', { message });
  };
  const isGenesis = header.height === 1;
  if (networkId !== replay.network?.networkId) defect('answers another network');
  if (isGenesis ? epoch !== 0 : epoch < 1 || epoch > currentEpoch(set)) {
    defect(`answers in epoch ${epoch}`);
  }
  if (verifiedAtMs > header.timeMs + maxClockDifferenceSeconds * 1000) {
    defect(`was judged at ${isoOf(verifiedAtMs)}, after its block of ${isoOf(header.timeMs)}`);
  }
  const isZero = ledgerRoot.every((byte) => byte === 0);
  if (isGenesis !== isZero) defect('names no ledger, or one before there was one');
  if (isGenesis || isZero || heightOfRoot(ledgerRoot) !== undefined) return;
  const message = `evidence of node ${witness.entry.nodeId} names a history root that is not among the recent ones`;
  findings.observe('evidence-root-unknown', message);
}
