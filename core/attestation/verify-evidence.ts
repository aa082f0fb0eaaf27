import type { Digest } from '@concordat/std';
import { AttestationError } from './errors.ts';
import { decodeEvidence } from './evidence.ts';

/** What verified evidence proves. */
export interface Verdict {
  readonly platform: string;
  /** Measurement of the code, 64 lowercase hex digits. */
  readonly measurement: string;
  /** What the enclave bound into the evidence, 32 bytes. */
  readonly reportData: Digest;
  /** Version of the platform's trusted computing base, in the platform's own notation. */
  readonly tcb: string;
  /** Whether the platform lets its owner look into the enclave. */
  readonly debug: boolean;
  /** SHA-256 of the DER SPKI of the key that vouches for this machine, 64 lowercase hex digits. */
  readonly platformKey: string;
}

/** Why evidence proves nothing. */
export interface AttestationRefusal {
  readonly code: 'MALFORMED' | 'UNKNOWN_PLATFORM' | 'BAD_SIGNATURE' | 'INVALID_KEY';
  readonly message: string;
}

/** Verifies the evidence of one platform. */
export interface PlatformVerifier {
  readonly platform: string;
  /**
   * Judges the platform's own bytes.
   * @param atMs the instant to judge at, ms since the Unix epoch: same bytes, same instant, same
   *   verdict, years later too
   * @throws AttestationError MALFORMED
   */
  verify(body: Uint8Array, atMs: number): Verdict | AttestationRefusal;
}

/** Whether a verification ended in a refusal. */
export const isRefusal = (result: Verdict | AttestationRefusal): result is AttestationRefusal =>
  'code' in result;

/**
 * Evidence to verdict: what the platform proves, not yet whether the network wants it
 * (`checkAgainst`). Foreign bytes never make it throw.
 */
export function verifyEvidence(
  bytes: Uint8Array,
  context: { readonly atMs: number; readonly verifiers: readonly PlatformVerifier[] },
): Verdict | AttestationRefusal {
  try {
    const evidence = decodeEvidence(bytes);
    const verifier = context.verifiers.find(({ platform }) => platform === evidence.platform);
    if (verifier !== undefined) return verifier.verify(evidence.bytes, context.atMs);
    return { code: 'UNKNOWN_PLATFORM', message: `no verifier for ${evidence.platform}` };
  } catch (error) {
    if (!(error instanceof AttestationError)) throw error;
    return { code: 'MALFORMED', message: error.message };
  }
}
