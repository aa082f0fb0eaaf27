import type { Entry } from '@concordat/consensus';
import { DatadrivenError } from './errors.ts';

/** One position of a scenario's log. */
export interface Item {
  readonly index: number;
  readonly kind: 'data' | 'configuration' | 'cleanup' | 'signature';
  /** Data as given; names for a configuration or cleanup. */
  readonly words: readonly string[];
}

/** The positions that one entry of our log stands for: the last is a signature. */
export interface Batch {
  readonly items: readonly Item[];
  /** Index of the last position. */
  readonly last: number;
}

/** A batch as the payload of an entry. */
export const encodeBatch = (items: readonly Item[]): Buffer => Buffer.from(JSON.stringify(items));

/** The batch that is the payload of an entry. */
export function decodeBatch(entry: Entry): Batch {
  const items = JSON.parse(Buffer.from(entry.payload).toString('utf8')) as Item[];
  const last = items[items.length - 1];
  if (!last) throw new DatadrivenError('FAILED', `entry ${entry.height} stands for nothing`);
  return { items, last: last.index };
}
