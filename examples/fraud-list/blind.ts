import { createHmac } from 'node:crypto';

/**
 * What a member sends of an account number instead of the number: HMAC-SHA-256 under a key that the
 * members agreed on among themselves and the ledger never learns. Equal accounts give equal tags,
 * however they are written; from a tag nobody without the key gets back to an account.
 */
export function blind(account: string, consortiumKey: string): string {
  return createHmac('sha256', consortiumKey).update(normalise(account)).digest('hex');
}

/** Account numbers without spaces and in capitals: one form for one account. */
export const normalise = (account: string): string => account.replace(/\s+/g, '').toUpperCase();
