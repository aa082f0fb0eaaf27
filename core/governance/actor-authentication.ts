import { actorIdOf, verifyCertificateChain } from '@concordat/crypto';
import { actorCertificate } from './actor.ts';
import type { Actor, Constitution } from './constitution.ts';

/** Why a certificate is nobody's: codes of the catalogue in core/api. */
export type AuthenticationRefusal =
  | 'UNKNOWN_ACTOR'
  | 'CLIENT_CERTIFICATE_EXPIRED'
  | 'CLIENT_CERTIFICATE_NOT_YET_VALID'
  | 'CLIENT_CERTIFICATE_INVALID';

/** What a client presented. */
export interface PresentedCertificate {
  /** DER. */
  readonly leafDer: Uint8Array;
  /** DER, in any order. */
  readonly intermediates: readonly Uint8Array[];
  /** The instant it must be valid at, ms since the Unix epoch. */
  readonly atMs: number;
}

/** The actor and the chain from the presented certificate up, as DER; or why there is none. */
export type Authentication =
  | { readonly ok: true; readonly actor: Actor; readonly chain: readonly Uint8Array[] }
  | { readonly ok: false; readonly code: AuthenticationRefusal };

/** Of a certificate that is presented, bytes: as long as one of the membership list may be. */
const maxLeafBytes = 12 * 1024;

/**
 * The actor a certificate authenticates as: the one whose certificate it is, or whose certificate
 * (an organisation's or intermediate CA's) issued it; of several in its chain the nearest (paper:
 * Actors and Identity). A verdict, never a throw. Takes the cached constitution.
 */
export function actorForCertificate(
  constitution: Pick<Constitution, 'actors'>,
  presented: PresentedCertificate,
): Authentication {
  // It goes with every request of its connection, and is remembered.
  if (presented.leafDer.length > maxLeafBytes) {
    return { ok: false, code: 'CLIENT_CERTIFICATE_INVALID' };
  }
  const actors = new Map(constitution.actors.map((actor) => [actor.actorId, actor]));
  const verdict = verifyCertificateChain({
    leaf: presented.leafDer,
    intermediates: presented.intermediates,
    roots: constitution.actors.map(actorCertificate),
    atMs: presented.atMs,
    usage: 'clientAuth',
  });
  if (!verdict.ok) return { ok: false, code: refusalCode(verdict.code) };
  for (const der of verdict.chain) {
    const actor = actors.get(actorIdOf(der));
    if (actor) return { ok: true, actor, chain: verdict.chain };
  }
  return { ok: false, code: 'UNKNOWN_ACTOR' };
}

function refusalCode(code: string): AuthenticationRefusal {
  if (code === 'UNTRUSTED') return 'UNKNOWN_ACTOR';
  if (code === 'EXPIRED') return 'CLIENT_CERTIFICATE_EXPIRED';
  if (code === 'NOT_YET_VALID') return 'CLIENT_CERTIFICATE_NOT_YET_VALID';
  return 'CLIENT_CERTIFICATE_INVALID';
}
