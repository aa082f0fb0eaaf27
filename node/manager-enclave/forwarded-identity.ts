import type { Identity } from '@concordat/bridge';
import { CryptoError, fromPem } from '@concordat/crypto';
import {
  type Constitution,
  certificatesOf,
  isInUse,
  isListedAsRevoked,
} from '@concordat/governance';
import type { ActorId } from '@concordat/std';
import { maySpeak } from './anonymous-client.ts';

/** What of an identity record is judged again where a request arrives for another node's client. */
export type ForwardedIdentity = Pick<
  Identity,
  'actorId' | 'fingerprint' | 'certificate' | 'isStaff'
>;

const maxKnown = 4_096;
const knownUnder = new WeakMap<Constitution, Map<string, boolean>>();

/**
 * Whether requests that another node forwards for somebody are taken: that node may not have learnt
 * yet what was voted. The actor must be in the list and, of its own certificates, still use this one;
 * no revocation list may name the certificate. The chain above it is not at hand: that it was judged
 * is the other node's word, whose code was attested.
 */
export function mayBeForwarded(
  who: ForwardedIdentity,
  constitution: Constitution,
  atMs: number,
): boolean {
  if (!maySpeak(who.actorId as ActorId, constitution)) return false;
  if (!isCertificateInUse(who, constitution, atMs)) return false;
  const known = knownUnder.get(constitution) ?? new Map<string, boolean>();
  knownUnder.set(constitution, known);
  const before = known.get(who.fingerprint);
  if (before !== undefined) return before;
  if (known.size >= maxKnown) known.clear();
  const isFree = !isRevoked(who, constitution);
  known.set(who.fingerprint, isFree);
  return isFree;
}

function isCertificateInUse(
  { actorId, fingerprint, isStaff }: ForwardedIdentity,
  { actors }: Constitution,
  atMs: number,
): boolean {
  const actor = actors.find((one) => one.actorId === actorId);
  // Who never had another certificate cannot have retired one.
  if (isStaff || actor?.revision === undefined) return true;
  return certificatesOf(actor).some((one) => one.fingerprint === fingerprint && isInUse(one, atMs));
}

/** An actor's own certificates are on no list: they are retired, or the actor is removed. */
function isRevoked(who: ForwardedIdentity, constitution: Constitution): boolean {
  const { actorId, certificate, isStaff } = who;
  const actor = constitution.actors.find((one) => one.actorId === actorId);
  if (!actor || !isStaff || certificate === '' || constitution.revocationLists === undefined)
    return false;
  try {
    const [der] = fromPem(certificate);
    return der !== undefined && isListedAsRevoked(constitution, actor, der);
  } catch (error) {
    if (error instanceof CryptoError) return true;
    throw error;
  }
}
