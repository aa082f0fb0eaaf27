import { encodeIdentity, isNobody, nobody, nobodyId } from '@concordat/bridge';
import type { Constitution } from '@concordat/governance';
import type { ActorId } from '@concordat/std';
import type { ClientVerdict } from './client-identity.ts';

const verdict: ClientVerdict = {
  ok: true,
  identity: { actorId: nobodyId as ActorId, isMember: false, record: encodeIdentity(nobody) },
};

/** Whether application ports take connections on which no certificate was presented. */
export const acceptsAnonymous = ({ policies }: Pick<Constitution, 'policies'>): boolean =>
  policies.anonymousConnections === 'accept';

/**
 * What becomes of a connection to an application port, given what its certificate says: without one
 * it is nobody's where the policy `anonymousConnections` accepts that, and the worker decides what
 * nobody may ask for. A certificate that is nobody's stays refused.
 */
export function judgeApplicationClient(
  judged: ClientVerdict,
  constitution: Pick<Constitution, 'policies'>,
): ClientVerdict {
  if (judged.ok || judged.code !== 'CLIENT_CERTIFICATE_REQUIRED') return judged;
  if (acceptsAnonymous(constitution)) return verdict;
  const message = `${judged.message} (The policy anonymousConnections is refuse.)`;
  return { ...judged, message };
}

/** Whether requests of an actor, or of nobody, are taken under a constitution. */
export const maySpeak = (
  actor: ActorId,
  constitution: Pick<Constitution, 'policies' | 'actors'>,
): boolean =>
  isNobody(actor)
    ? acceptsAnonymous(constitution)
    : constitution.actors.some(({ actorId }) => actorId === actor);
