import type { Terminal } from './terminal.ts';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Takes over the signals that ask this program to end: the first one aborts, so that what was
 * started can be stopped in order; a second one ends the program at once. A reader of the output
 * that goes away counts as the first.
 */
export function abortOnInterrupt(terminal: Terminal): AbortSignal {
  const controller = new AbortController();
  for (const signal of signals) {
    process.on(signal, () => {
      if (controller.signal.aborted) {
        terminal.write('\nNot waited for; "npm run concordat -- sandbox down" makes sure.\n');
        process.exit(130);
      }
      controller.abort();
    });
  }
  // Whoever read what is printed has gone: there is nobody left to press Ctrl-C.
  process.stdout.on('error', () => controller.abort());
  return controller.signal;
}

/** Resolves once a signal is aborted. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
