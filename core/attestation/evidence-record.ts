import {
  BinaryReader,
  BinaryWriter,
  DecodeError,
  equalBytes,
  fromHex,
  toHex,
} from '@concordat/std';
import { malformed, maxEvidenceBytes } from './evidence.ts';
import { reportData } from './report-data.ts';
import {
  type AttestationRefusal,
  isRefusal,
  type PlatformVerifier,
  type Verdict,
  verifyEvidence,
} from './verify-evidence.ts';

/**
 * Evidence as the ledger keeps it: with the challenge it answered and the instant it was judged at,
 * so that anyone comes to the same verdict years later.
 */
export interface EvidenceRecord {
  /** The evidence, as the node showed it; the collateral it needs is in it. */
  readonly evidence: Uint8Array;
  /** The network that asked, 64 lowercase hex digits. */
  readonly networkId: string;
  /** History root the asking node named, 32 bytes; zeros while there was no ledger. */
  readonly ledgerRoot: Uint8Array;
  /** Epoch the asking node named; 0 while there was none. */
  readonly epoch: number;
  /** When it was judged, ms since the Unix epoch. */
  readonly verifiedAtMs: number;
}

const formatVersion = 1;
/** Bytes of a record around its evidence. */
const frameBytes = 1 + 32 + 32 + 8 + 8 + 4;
/** Largest record, bytes. */
export const maxEvidenceRecordBytes = frameBytes + maxEvidenceBytes;

/**
 * u8 version (1) ‖ network id (32) ‖ ledger root (32) ‖ u64 epoch ‖ u64 instant ‖ bytes evidence
 * (`docs/format/evidence.md`).
 */
export function encodeEvidenceRecord(record: EvidenceRecord): Uint8Array {
  const { evidence, networkId, ledgerRoot, epoch, verifiedAtMs } = record;
  const writer = new BinaryWriter().u8(formatVersion).raw(fromHex(networkId) as Uint8Array);
  return writer.raw(ledgerRoot).u64(epoch).u64(verifiedAtMs).bytes(evidence).take();
}

/**
 * Reads what {@link encodeEvidenceRecord} wrote; proves nothing.
 * @throws AttestationError MALFORMED
 */
export function decodeEvidenceRecord(bytes: Uint8Array): EvidenceRecord {
  if (bytes.length > maxEvidenceRecordBytes) throw malformed(`a record of ${bytes.length} bytes`);
  const reader = new BinaryReader(bytes);
  try {
    const version = reader.u8();
    if (version !== formatVersion) throw malformed(`evidence record of version ${version}`);
    const record = {
      networkId: toHex(reader.raw(32)),
      ledgerRoot: reader.raw(32),
      epoch: reader.u64(),
      verifiedAtMs: reader.u64(),
      evidence: reader.bytes(maxEvidenceBytes),
    };
    reader.end();
    return record;
  } catch (error) {
    if (error instanceof DecodeError) throw malformed(error.message);
    throw error;
  }
}

/** Why recorded evidence does not speak for a node. */
export interface EvidenceRecordRefusal {
  readonly code: AttestationRefusal['code'] | 'WRONG_REPORT_DATA';
  readonly message: string;
}

/**
 * Judges recorded evidence anew, at the instant it was judged then: that its platform vouches for
 * it, and that it answers the recorded challenge with this node's key.
 * @param node its public key as DER SPKI, and the platforms known here
 */
export function verifyRecordedEvidence(
  record: EvidenceRecord,
  node: { readonly publicKeySpki: Uint8Array; readonly verifiers: readonly PlatformVerifier[] },
): Verdict | EvidenceRecordRefusal {
  const { evidence, networkId, ledgerRoot, epoch, verifiedAtMs } = record;
  const { publicKeySpki, verifiers } = node;
  const result = verifyEvidence(evidence, { atMs: verifiedAtMs, verifiers });
  if (isRefusal(result)) return result;
  const expected = reportData({ domain: 'node', networkId, publicKeySpki, ledgerRoot, epoch });
  if (equalBytes(expected, result.reportData)) return result;
  const message = 'the evidence is bound to another key, network, ledger or epoch than recorded';
  return { code: 'WRONG_REPORT_DATA', message };
}
