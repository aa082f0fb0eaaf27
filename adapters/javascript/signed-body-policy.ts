import {
  CryptoError,
  coseHeaders,
  type DecodedCose,
  decodeCose,
  verifyCose,
} from '@concordat/crypto';
import { viewOf } from '@concordat/std';
import { certifiedIdentity, type PolicyVerdict, type Presented } from './policies.ts';
import type { Trust } from './trust.ts';

/** Bytes of a signed body. */
const maxBytes = 8 * 1024 * 1024;

/**
 * The policies `user_cose_sign1` and `member_cose_sign1`: the body is a COSE_Sign1 message (RFC
 * 9052) with its payload inside, signed by the key of an actor's certificate, whose id is the `kid`.
 * Whoever sends it, the signer is the caller; that it is sent twice is for the application to see.
 */
export function judgeSignedBody(
  policy: 'user_cose_sign1' | 'member_cose_sign1',
  { body, timeMs }: Presented,
  trust: Trust,
): PolicyVerdict {
  let message: DecodedCose;
  try {
    message = decodeCose(body, { maxBytes });
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    return { ok: false, code: 'SIGNED_BODY_MALFORMED', message: error.message };
  }
  const kid = message.protectedHeaders.get(coseHeaders.kid);
  const id = kid instanceof Uint8Array ? viewOf(kid).toString('latin1') : '';
  const signer = trust.signer(id, timeMs);
  if (signer === undefined) {
    return {
      ok: false,
      code: 'SIGNER_UNKNOWN',
      message: 'its kid is the fingerprint of no certificate of an actor',
    };
  }
  const kind = policy === 'user_cose_sign1' ? 'participant' : 'member';
  if (!signer.actor.kinds.includes(kind)) {
    return { ok: false, code: 'ACTOR_KIND_MISSING', message: `its signer is no ${kind}` };
  }
  const { notBeforeMs, notAfterMs, spki } = signer.certificate;
  if (timeMs > notAfterMs) {
    const why = 'the certificate of its signer has expired';
    return { ok: false, code: 'SIGNER_CERTIFICATE_EXPIRED', message: why };
  }
  if (timeMs < notBeforeMs) {
    const why = 'the certificate of its signer is not valid yet';
    return { ok: false, code: 'SIGNER_CERTIFICATE_NOT_YET_VALID', message: why };
  }
  if (!verifyCose(message, spki)) {
    const why = 'the key of its kid did not sign it (ES256)';
    return { ok: false, code: 'BODY_SIGNATURE_INVALID', message: why };
  }
  const from = message.payload.byteOffset - body.byteOffset;
  const content = { from, to: from + message.payload.length };
  const caller = { ...certifiedIdentity(policy, signer.actor), cose: { content } };
  return { ok: true, caller, subject: JSON.stringify(['signer', signer.actor.actorId]) };
}
