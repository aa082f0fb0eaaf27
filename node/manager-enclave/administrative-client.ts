import { certificateFingerprint, parseCertificate } from '@concordat/crypto';
import { type Constitution, certificatesOf, isInUse } from '@concordat/governance';
import { type ClientVerdict, judgeCertificate } from './client-identity.ts';

/** How long such a connection holds: by then there may be a certificate that is valid. */
const graceMs = 60_000;

/**
 * What becomes of a connection to the administrative port, given what its certificate says. Where not
 * one certificate of the membership list is within its validity any more, nobody could deliver the
 * votes that bring in new ones: then those of members open it nevertheless, for a minute at a time.
 * Their keys are what governance goes by in any case. Staff certificates stay refused.
 */
export function judgeAdministrativeClient(
  judged: ClientVerdict,
  leafDer: Uint8Array | undefined,
  { constitution, atMs }: { readonly constitution: Constitution; readonly atMs: number },
): ClientVerdict {
  if (judged.ok || judged.code !== 'CLIENT_CERTIFICATE_EXPIRED' || !leafDer) return judged;
  const inUse = constitution.actors.flatMap(certificatesOf).filter((one) => isInUse(one, atMs));
  const validities = inUse.map(({ der }) => parseCertificate(der).notAfterMs);
  if (validities.some((notAfterMs) => atMs <= notAfterMs)) return judged;
  const fingerprint = certificateFingerprint(leafDer);
  const at = inUse.findIndex((one) => one.fingerprint === fingerprint);
  const lastMs = validities[at];
  if (lastMs === undefined) return judged;
  const then = judgeCertificate(constitution, { leafDer, intermediates: [], atMs: lastMs });
  if (!then.ok || !then.identity.isMember) return judged;
  return { ok: true, identity: { ...then.identity, untilMs: atMs + graceMs } };
}
