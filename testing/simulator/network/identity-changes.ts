import { issueRevocationList } from '@concordat/crypto';
import { toBase64 } from '@concordat/std';
import { epochMs } from '../platform/world-clock.ts';
import type { Random } from '../random.ts';
import type { Operator } from './operator.ts';
import { nextIdentity, type Organisation } from './organisation.ts';

const dayMs = 24 * 3600 * 1000;

/**
 * An organisation rolls over to another key and certificate; from the decision on it uses these, and
 * what it left behind stays good beside them. One that is never told of the decision keeps the old.
 */
export async function rollOver(operator: Operator, organisation: Organisation): Promise<void> {
  const { actorId } = organisation;
  const next = nextIdentity(organisation);
  const args = { actorId, certificate: next.certificatePem };
  await operator.decide([{ name: 'add_actor_certificate', args }]);
  Object.assign(organisation, next);
}

/** An organisation brings in a list of people of its own that are revoked, in place of the one before. */
export async function revoke(
  operator: Operator,
  organisation: Organisation,
  { nowMs, random }: { readonly nowMs: number; readonly random: Random },
): Promise<void> {
  const { actorId, key, certificateDer } = organisation;
  const atMs = epochMs + nowMs;
  const serial = (): string => random.between(0x1000, 0xffff).toString(16);
  const serials = new Set(Array.from({ length: random.between(0, 20) }, serial));
  const list = issueRevocationList({
    issuer: { certificateDer, key },
    number: BigInt(Math.floor(atMs)),
    thisUpdateMs: atMs,
    nextUpdateMs: atMs + dayMs,
    revoked: [...serials].map((one) => ({ serial: one, atMs })),
  });
  const args = { actorId, list: toBase64(list) };
  await operator.decide([{ name: 'set_revocation_list', args }]);
}
