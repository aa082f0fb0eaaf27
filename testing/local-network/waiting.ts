import { setTimeout as sleep } from 'node:timers/promises';
import { LocalNetworkError } from './errors.ts';

const pollMs = 20;

/** How long to wait, and what for in words. */
export interface Wait {
  readonly what: string;
  /** Milliseconds; default 30,000: generous, since a loaded machine is no failure. */
  readonly timeoutMs?: number;
  /** What was seen last, for the message of a timeout. */
  readonly seen?: () => unknown;
}

/**
 * Asks until there is an answer other than undefined or false.
 * @throws LocalNetworkError TIMEOUT
 */
export async function waitUntil<Answer>(
  ask: () => Promise<Answer | undefined | false> | Answer | undefined | false,
  { what, timeoutMs = 30_000, seen }: Wait,
): Promise<Answer> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() >= deadline) break;
    await sleep(pollMs);
  }
  const last = seen ? `; last seen: ${JSON.stringify(seen())}` : '';
  throw new LocalNetworkError('TIMEOUT', `waited ${timeoutMs} ms for ${what}${last}`);
}
