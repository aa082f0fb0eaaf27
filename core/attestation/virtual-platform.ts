import { isSigningPublicKey, type SigningKey, sha256, verifySignature } from '@concordat/crypto';
import {
  assert,
  BinaryWriter,
  concatBytes,
  fromHex,
  isHex64,
  toDigest,
  toHex,
  utf8,
} from '@concordat/std';
import { encodeEvidence, malformed, readStrictly } from './evidence.ts';
import type { PlatformVerifier } from './verify-evidence.ts';

// The software platform: the host measures the image it starts and signs the measurement with a
// key of its own. It proves which machine vouches and that nothing changed on the way; against that
// machine's owner it proves nothing, which is why the TEE manifest ranks it weakest.

/** Name of the software platform in evidence and TEE manifest. */
export const virtualPlatform = 'virtual';

const bodyVersion = 1;
const domain = utf8('concordat virtual evidence v1\0');
const maxKeyBytes = 128;
const maxSignatureBytes = 128;

/** The bytes a virtual platform signs: domain ‖ measurement (32) ‖ report data (32). */
export const virtualSignedBytes = (measurement: Uint8Array, report: Uint8Array): Uint8Array =>
  concatBytes(domain, measurement, report);

/**
 * Makes evidence of the software platform.
 * @param claim.measurement 64 lowercase hex digits
 * @param claim.reportData 32 bytes
 * @param claim.platformKey the machine's key
 * @returns encoded evidence
 */
export function createVirtualEvidence(claim: {
  readonly measurement: string;
  readonly reportData: Uint8Array;
  readonly platformKey: SigningKey;
}): Uint8Array {
  const { reportData, platformKey } = claim;
  assert(isHex64(claim.measurement), 'measurement is not 64 lowercase hex digits');
  assert(reportData.length === 32, `report data of ${reportData.length} bytes`);
  const measurement = fromHex(claim.measurement) as Uint8Array;
  const body = new BinaryWriter()
    .u8(bodyVersion)
    .raw(measurement)
    .raw(reportData)
    .bytes(platformKey.publicKeySpki)
    .bytes(platformKey.sign(virtualSignedBytes(measurement, reportData)));
  return encodeEvidence({ platform: virtualPlatform, bytes: body.take() });
}

/**
 * Verifier of the software platform. Body: u8 1 ‖ measurement (32) ‖ report data (32) ‖ bytes SPKI
 * ‖ bytes DER signature. The key vouches for itself: compare `platformKey` with the one the network
 * admitted.
 */
export const virtualVerifier: PlatformVerifier = {
  platform: virtualPlatform,
  verify(body) {
    const claim = readStrictly(body, (reader) => {
      const version = reader.u8();
      if (version !== bodyVersion) throw malformed(`virtual evidence of version ${version}`);
      return {
        measurement: reader.raw(32),
        reportData: reader.raw(32),
        spki: reader.bytes(maxKeyBytes),
        signature: reader.bytes(maxSignatureBytes),
      };
    });
    const { measurement, reportData, spki, signature } = claim;
    if (!isSigningPublicKey(spki)) {
      return { code: 'INVALID_KEY', message: 'the platform key is not a P-256 key' };
    }
    if (!verifySignature(spki, virtualSignedBytes(measurement, reportData), signature)) {
      return { code: 'BAD_SIGNATURE', message: 'the platform key did not sign this evidence' };
    }
    return {
      platform: virtualPlatform,
      measurement: toHex(measurement),
      reportData: toDigest(Uint8Array.from(reportData)),
      tcb: `virtual-${bodyVersion}`,
      debug: false,
      platformKey: toHex(sha256(spki)),
    };
  },
};
