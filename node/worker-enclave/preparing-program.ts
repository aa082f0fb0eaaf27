import type { LedgerAdapter } from './adapter.ts';
import { joinParts, splitParts } from './byte-parts.ts';
import type { PreparingMessage, PreparingTask } from './preparing-threads.ts';
import { forbidThreads, preparingPort } from './thread-start.ts';

/**
 * Serves a preparing thread until the main thread ends it. The adapters are this thread's own: they
 * are never configured, and asked for their `preparation` alone.
 */
export function servePreparations(adapters: readonly LedgerAdapter[]): void {
  forbidThreads();
  const port = preparingPort();
  if (port === null) return;
  port.on('message', ({ id, adapterId, requests }: PreparingTask) => {
    const preparation = adapters.find((adapter) => adapter.id === adapterId)?.preparation;
    const prepared = joinParts(
      (splitParts(requests) ?? []).map((raw) => {
        if (raw.length === 0) return raw;
        try {
          return preparation?.prepare(raw) ?? nothing;
        } catch {
          // Admitted in line it fails again, and is logged there.
          return nothing;
        }
      }),
    );
    const answer: PreparingMessage = { id, prepared };
    port.postMessage(answer, [prepared.buffer]);
  });
  const ready: PreparingMessage = 'ready';
  port.postMessage(ready);
}

const nothing = new Uint8Array(0);
