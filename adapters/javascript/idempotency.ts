import { createHash, randomBytes } from 'node:crypto';
import { idempotencyKeyHeader } from '@concordat/api';
import { type Actor, isNobody } from '@concordat/worker-enclave';
import { decodeRequest } from './request-form.ts';

/**
 * What an application can pass on to systems it calls, so that they act once: hex, 64 digits. Every
 * attempt of a caller's keyed request has the same one, whichever node leads; any other request one
 * of its own.
 * @param subject who that is behind the actor's connection, if it is not the actor itself
 */
export function idempotencyKeyOf(raw: Uint8Array, { actorId }: Actor, subject = ''): string {
  const { headers } = decodeRequest(raw);
  const given = headers.find(([name]) => name === idempotencyKeyHeader)?.[1];
  // What strangers call their requests is no word of one and the same.
  const isStranger = isNobody(actorId) && subject === '';
  if (given === undefined || isStranger) return randomBytes(32).toString('hex');
  const hash = createHash('sha256').update(JSON.stringify(['external', actorId, subject, given]));
  return hash.digest('hex');
}
