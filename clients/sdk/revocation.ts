import { CryptoError, issueRevocationList, parseCertificate, serialText } from '@concordat/crypto';
import type { ProposedAction } from '@concordat/governance';
import { fromHex, toBase64, toHex } from '@concordat/std';
import { SdkError } from './errors.ts';
import type { Identity } from './identity.ts';

/** What an organisation takes back. */
export interface RevocationOptions {
  /** Serial numbers, hex of either case, of all certificates that are revoked. */
  readonly serials: readonly string[];
  /** Greater than that of the list before; default seconds since 1970. */
  readonly number?: bigint;
  /** Days until the next list is due; default 30. */
  readonly validDays?: number;
}

const dayMs = 86_400_000;

/**
 * The revocation list of an organisation that issues its staff's certificates itself, DER. It replaces
 * the one before: it names everyone who is revoked.
 * @throws SdkError INVALID_IDENTITY; what a key that is elsewhere throws
 */
export function issueOrganisationRevocations(
  organisation: Identity,
  { serials, number, validDays = 30 }: RevocationOptions,
): Uint8Array {
  const { signer, certificateDer } = organisation;
  if (!signer) throw invalid('the issuing organisation has no P-256 key');
  const nowMs = Date.now();
  try {
    return issueRevocationList({
      issuer: { certificateDer, key: signer },
      number: number ?? BigInt(Math.floor(nowMs / 1000)),
      thisUpdateMs: nowMs,
      nextUpdateMs: nowMs + validDays * dayMs,
      revoked: serials.map((serial) => ({ serial: magnitudeOf(serial), atMs: nowMs })),
    });
  } catch (error) {
    if (error instanceof CryptoError) throw invalid(error.message);
    throw error;
  }
}

/** Serial number of a certificate (DER), as revocation lists have it: lowercase hex. */
export const serialOf = (certificateDer: Uint8Array): string =>
  serialText(parseCertificate(certificateDer).serial);

function magnitudeOf(serial: string): string {
  const bytes = fromHex(serial.replaceAll(':', ''));
  if (!bytes?.length) throw invalid(`${serial} is no serial number in hex`);
  const start = bytes.findIndex((byte) => byte !== 0);
  return toHex(start < 0 ? bytes.subarray(-1) : bytes.subarray(start));
}

/** The action that puts a revocation list (DER) of an actor in force. */
export const revocationAction = (actorId: string, list: Uint8Array): ProposedAction => ({
  name: 'set_revocation_list',
  args: { actorId, list: toBase64(list) },
});

const invalid = (why: string): SdkError => new SdkError('INVALID_IDENTITY', why);
