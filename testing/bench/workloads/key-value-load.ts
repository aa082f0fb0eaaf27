import type { KeyValueClient } from '@concordat/sdk';
import { percentile, perSecond } from '../arithmetic.ts';

/** Bytes of a value: those of the other systems' published figures. */
export const valueBytes = 100;
/** Distinct keys. */
export const keyCount = 10_000;

/** One put; calls back once it is durably committed. */
export type Put = (key: string, value: Uint8Array, done: (error?: Error) => void) => void;

/** What a stretch of writes came to. */
export interface WriteFigures {
  readonly writes: number;
  readonly perSecond: number;
  /** Sending to durable commit, as the client saw it, milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** Puts of a client of the key-value ledger. */
export const putsOf =
  (client: KeyValueClient): Put =>
  (key, value, done) => {
    client.put(key, value, (error) => done(error));
  };

/** Linearizable reads of such a client, each in the place of a put. */
export const linearizableReadsOf =
  (client: KeyValueClient): Put =>
  (key, _value, done) => {
    client.get(key, (error) => done(error), 'linearizable');
  };

/** A stretch of writes. */
export interface WriteLoad {
  readonly writes: number;
  readonly inFlight: number;
  /** Default {@link valueBytes}. */
  readonly bytes?: number;
  /** Distinct keys; default {@link keyCount}. */
  readonly keys?: number;
}

/** Keeps so many writes in flight until all are committed. @throws Error the first refusal */
export function runWrites(put: Put, load: WriteLoad): Promise<WriteFigures> {
  const { writes, inFlight, bytes = valueBytes, keys: count = keyCount } = load;
  const value = Buffer.alloc(bytes, 'v');
  const keys = Array.from({ length: count }, (_, at) => `key-${at}`);
  const latencies = new Float64Array(writes);
  const startedMs = performance.now();
  let [sent, answered] = [0, 0];
  return new Promise((resolve, reject) => {
    const next = (): void => {
      const sentMs = performance.now();
      put(keys[sent++ % count] as string, value, (error) => {
        if (error) {
          reject(error);
          return;
        }
        latencies[answered++] = performance.now() - sentMs;
        if (sent < writes) next();
        else if (answered === writes) resolve(figures());
      });
    };
    const figures = (): WriteFigures => ({
      writes,
      perSecond: perSecond(writes, performance.now() - startedMs),
      p50: percentile(latencies, 0.5),
      p99: percentile(latencies, 0.99),
    });
    for (let at = 0; at < Math.min(inFlight, writes); at++) next();
  });
}
