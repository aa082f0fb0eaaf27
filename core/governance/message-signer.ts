import { spkiOf, verifyCose } from '@concordat/crypto';
import type { ReadView } from '@concordat/kv';
import {
  actorIdOfFingerprint,
  actorOfFingerprint,
  certificatesOf,
  isInUse,
} from './actor-certificates.ts';
import { type Actor, isMember } from './constitution.ts';
import { GovernanceError } from './errors.ts';
import type { DecodedMessage, GovernanceMessage } from './message.ts';

/**
 * A message with the actor that its `kid` names, the signature not verified: the one that has the
 * certificate, or had it. Of a stranger's, the fingerprint stands for it.
 */
export const identifyMessage = (view: ReadView, message: DecodedMessage): GovernanceMessage => ({
  ...message,
  signer: actorIdOfFingerprint(view, message.kid),
});

/**
 * Requires that a member signed a message with the key of the certificate that `kid` names, and that
 * the member may still use it. Whether the certificate is within its own validity is not asked: the
 * membership list is what trusts its key, and a consortium whose certificates have all run out must
 * still be able to vote in new ones.
 * @throws GovernanceError UNKNOWN_ACTOR, CERTIFICATE_RETIRED, BAD_SIGNATURE, NOT_A_MEMBER
 */
export function requireSignedByMember(
  view: ReadView,
  message: DecodedMessage,
  nowSeconds: number,
): void {
  const { kid } = message;
  const actor = actorOfFingerprint(view, kid);
  if (!actor) {
    throw new GovernanceError('UNKNOWN_ACTOR', 'the signer is not in the membership list', {
      actorId: kid,
    });
  }
  const { actorId } = actor;
  if (!verifyCose(message.cose, keyInUse(actor, kid, nowSeconds))) {
    throw new GovernanceError('BAD_SIGNATURE', "the signature is not that of the signer's key", {
      actorId,
    });
  }
  if (!isMember(actor)) {
    throw new GovernanceError('NOT_A_MEMBER', 'participants neither propose nor vote', { actorId });
  }
}

function keyInUse(actor: Actor, fingerprint: string, nowSeconds: number): Uint8Array {
  const found = certificatesOf(actor).find((one) => one.fingerprint === fingerprint);
  if (found !== undefined && isInUse(found, nowSeconds * 1000)) return spkiOf(found.der);
  throw new GovernanceError(
    'CERTIFICATE_RETIRED',
    `${actor.name} no longer uses that certificate: sign with its newer one`,
    { actorId: actor.actorId, fingerprint },
  );
}
