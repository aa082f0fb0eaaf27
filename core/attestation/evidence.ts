import { BinaryReader, BinaryWriter, DecodeError } from '@concordat/std';
import { AttestationError } from './errors.ts';

/** What a platform says about one enclave, still to be verified. */
export interface Evidence {
  /** Name of the platform, as in the TEE manifest: `virtual`, `sev-snp`, ... */
  readonly platform: string;
  /** The platform's own bytes. */
  readonly bytes: Uint8Array;
}

const formatVersion = 1;
const maxPlatformBytes = 32;
/** Largest evidence accepted, bytes: certificates and collateral of every known platform fit. */
export const maxEvidenceBytes = 65_536;

/** u8 version (1) ‖ text platform ‖ bytes body (`docs/format/evidence.md`). */
export const encodeEvidence = (evidence: Evidence): Uint8Array =>
  new BinaryWriter().u8(formatVersion).text(evidence.platform).bytes(evidence.bytes).take();

/**
 * Reads what {@link encodeEvidence} wrote; proves nothing.
 * @throws AttestationError MALFORMED
 */
export function decodeEvidence(bytes: Uint8Array): Evidence {
  return readStrictly(bytes, (reader) => {
    const version = reader.u8();
    if (version !== formatVersion) throw malformed(`evidence of format version ${version}`);
    const platform = reader.text(maxPlatformBytes);
    if (!/^[a-z][a-z0-9-]*$/.test(platform)) throw malformed('platform name');
    return { platform, bytes: reader.bytes(maxEvidenceBytes) };
  });
}

/**
 * Runs a decoder over the whole input.
 * @throws AttestationError MALFORMED
 */
export function readStrictly<T>(bytes: Uint8Array, decode: (reader: BinaryReader) => T): T {
  if (bytes.length > maxEvidenceBytes) throw malformed(`evidence of ${bytes.length} bytes`);
  const reader = new BinaryReader(bytes);
  try {
    const decoded = decode(reader);
    reader.end();
    return decoded;
  } catch (error) {
    if (error instanceof DecodeError) throw malformed(error.message);
    throw error;
  }
}

/** An error about bytes that do not have the declared form. */
export const malformed = (why: string): AttestationError => new AttestationError('MALFORMED', why);
