import { setTimeout as sleep } from 'node:timers/promises';
import { isTransient, SdkError } from './errors.ts';

/** How long and how often to try a read again. */
export interface RetryPolicy {
  /** Attempts in all, from 1; default 4. */
  readonly attempts?: number;
  /** Wait before the second attempt, doubled for each one after; milliseconds, default 100. */
  readonly firstDelayMs?: number;
}

/** Runs what may be repeated until it succeeds, fails for good, or its attempts are used up. */
export async function retrying<Result>(
  read: () => Promise<Result>,
  { attempts = 4, firstDelayMs = 100 }: RetryPolicy = {},
  isWorthIt: (error: unknown) => boolean = isTransient,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await read();
    } catch (error) {
      if (attempt >= attempts || !isWorthIt(error)) throw error;
      await sleep(jittered(firstDelayMs * 2 ** (attempt - 1)));
    }
  }
}

/** A delay of a half to the whole of it, so that those who failed together do not return together. */
export const jittered = (delayMs: number): number => delayMs * (0.5 + Math.random() / 2);

/** How long to ask for something that is yet to happen. */
export interface Patience {
  /** Milliseconds until TIMEOUT; default 30,000. */
  readonly timeoutMs?: number;
  /** Milliseconds between questions; default 20, doubled each time up to 500. */
  readonly intervalMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Asks until there is an answer.
 * @throws SdkError TIMEOUT, CLOSED when aborted, and what the question throws
 */
export async function polling<Result>(
  ask: () => Promise<Result | undefined>,
  what: string,
  { timeoutMs = 30_000, intervalMs = 20, signal }: Patience = {},
): Promise<Result> {
  const endMs = performance.now() + timeoutMs;
  for (let waitMs = intervalMs; ; waitMs = Math.min(500, waitMs * 2)) {
    const answer = await within(endMs - performance.now(), ask(), what);
    if (answer !== undefined) return answer;
    if (performance.now() + waitMs > endMs) throw tookTooLong(what, timeoutMs);
    if (signal?.aborted) throw new SdkError('CLOSED', `the caller gave up waiting for ${what}`);
    await sleep(waitMs);
  }
}

const tookTooLong = (what: string, timeoutMs: number): SdkError =>
  new SdkError('TIMEOUT', `${what} took longer than ${Math.ceil(timeoutMs)} ms`, { timeoutMs });

/** A result, unless it takes too long; what becomes of it then is not looked at. @throws SdkError TIMEOUT */
export async function within<Result>(
  timeoutMs: number,
  result: Promise<Result>,
  what = 'the answer',
): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(tookTooLong(what, timeoutMs)), timeoutMs);
  });
  try {
    return await Promise.race([result, late]);
  } finally {
    clearTimeout(timer);
  }
}
