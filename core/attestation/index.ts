export {
  type Admission,
  type AdmissionRefusal,
  type ApprovedCode,
  type ApprovedTee,
  checkAgainst,
  type Expectation,
} from './check-against.ts';
export { AttestationError, type AttestationErrorCode } from './errors.ts';
export { decodeEvidence, type Evidence, encodeEvidence, maxEvidenceBytes } from './evidence.ts';
export {
  decodeEvidenceRecord,
  type EvidenceRecord,
  type EvidenceRecordRefusal,
  encodeEvidenceRecord,
  maxEvidenceRecordBytes,
  verifyRecordedEvidence,
} from './evidence-record.ts';
export {
  type EnclaveRole,
  type ImageDescription,
  measurementOf,
  measurementText,
} from './measurement.ts';
export { type ReportedIdentity, reportData } from './report-data.ts';
export {
  type AttestationRefusal,
  isRefusal,
  type PlatformVerifier,
  type Verdict,
  verifyEvidence,
} from './verify-evidence.ts';
export {
  createVirtualEvidence,
  virtualPlatform,
  virtualSignedBytes,
  virtualVerifier,
} from './virtual-platform.ts';
