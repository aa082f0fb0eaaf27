import { equalBytes } from '@concordat/std';
import type { EnclaveRole } from './measurement.ts';
import type { Verdict } from './verify-evidence.ts';

/** What a code manifest's entry must say here. */
export interface ApprovedCode {
  /** 64 lowercase hex digits. */
  readonly measurement: string;
  readonly role: EnclaveRole;
}

/** What a TEE manifest's entry must say here. */
export interface ApprovedTee {
  readonly platform: string;
}

/** What the network wants of a verdict (paper, Network Constitution). */
export interface Expectation<Code extends ApprovedCode, Tee extends ApprovedTee> {
  readonly codeManifest: readonly Code[];
  readonly teeManifest: readonly Tee[];
  /** The role the enclave is to play. */
  readonly role: EnclaveRole;
  /** The report data its key, network and ledger make; not compared when undefined. */
  readonly reportData?: Uint8Array | undefined;
  /** The admitted machine's key, hex; not compared when undefined. */
  readonly platformKey?: string | undefined;
}

/** Why a verdict does not admit an enclave. */
export type AdmissionRefusal =
  | 'UNLISTED_TEE'
  | 'DEBUG'
  | 'UNLISTED_MEASUREMENT'
  | 'WRONG_ROLE'
  | 'WRONG_PLATFORM_KEY'
  | 'WRONG_REPORT_DATA';

/** The manifest entries that admit the enclave, or why none does. */
export type Admission<Code extends ApprovedCode, Tee extends ApprovedTee> =
  | { readonly ok: true; readonly codeEntry: Code; readonly teeEntry: Tee }
  | { readonly ok: false; readonly code: AdmissionRefusal; readonly message: string };

/**
 * Judges what evidence proved against what the constitution allows: TEE listed, no debugging, code
 * listed for this role, and, where given, the very machine and the very key.
 */
export function checkAgainst<Code extends ApprovedCode, Tee extends ApprovedTee>(
  verdict: Verdict,
  expected: Expectation<Code, Tee>,
): Admission<Code, Tee> {
  const { platform, measurement } = verdict;
  const refuse = (code: AdmissionRefusal, message: string): Admission<Code, Tee> => ({
    ok: false,
    code,
    message,
  });
  const teeEntry = expected.teeManifest.find((entry) => entry.platform === platform);
  if (teeEntry === undefined) {
    return refuse('UNLISTED_TEE', `platform ${platform} is not in the TEE manifest`);
  }
  if (verdict.debug) return refuse('DEBUG', 'the enclave can be debugged');
  const listed = expected.codeManifest.filter((entry) => entry.measurement === measurement);
  if (listed.length === 0) {
    return refuse('UNLISTED_MEASUREMENT', `code ${measurement} is not in the code manifest`);
  }
  const codeEntry = listed.find(({ role }) => role === expected.role);
  if (codeEntry === undefined) {
    return refuse('WRONG_ROLE', `code ${measurement} is not approved as ${expected.role}`);
  }
  const { platformKey, reportData } = expected;
  if (platformKey !== undefined && platformKey !== verdict.platformKey) {
    return refuse('WRONG_PLATFORM_KEY', 'another machine vouches than the one admitted');
  }
  if (reportData !== undefined && !equalBytes(reportData, verdict.reportData)) {
    return refuse('WRONG_REPORT_DATA', 'evidence is bound to another key, network or ledger');
  }
  return { ok: true, codeEntry, teeEntry };
}
