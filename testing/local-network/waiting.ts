import { setTimeout as sleep } from 'node:timers/promises';
import { LocalNetworkError } from './errors.ts';

const pollMs = 20;

/**
 * How long anything that processes do is waited for, milliseconds: what takes two seconds here may take
 * a minute on a machine that is slow and busy, and only what never happens is a failure.
 */
export const patienceMs = 180_000;

let lastSecond = 0;

/**
 * Waits for another second of the clock than at the last call: the same proposal of the same second
 * is refused as a repetition.
 */
export async function anotherSecond(): Promise<void> {
  const second = (): number => Math.floor(Date.now() / 1_000);
  await waitUntil(() => second() > lastSecond, { what: 'another second' });
  lastSecond = second();
}

/** How long to wait, and what for in words. */
export interface Wait {
  readonly what: string;
  /** Milliseconds; default {@link patienceMs}. */
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
  { what, timeoutMs = patienceMs, seen }: Wait,
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
