import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { HeightRange } from '@concordat/bridge';
import { syncDirectory } from './durable-file.ts';

// A base is a height from which a ledger goes on although blocks below it are missing, because a
// snapshot stands in their place until they have come (docs/format/chunk.md). It is an empty file:
// its name is all there is to it, so it is there or not, whenever the machine stops.

/** File name of the base after this height. */
export const formatBaseName = (height: number): string => `ledger_${height}.base`;

/** Reads a base's file name: its height, or undefined when it is not one. */
export function parseBaseName(name: string): number | undefined {
  const match = /^ledger_([1-9]\d{0,14})\.base$/.exec(name);
  return match ? Number(match[1]) : undefined;
}

/** What a base needs to know of a chunk. */
interface Span {
  readonly first: number;
  readonly last: number;
}

/**
 * The gap that ends at a base: empty when the base explains none, because the block at its height
 * is there, or because neither a chunk begins above it nor the ledger ends below it.
 * @param chunks in height order, without overlaps
 * @param bases in height order
 */
export function gapBelow(
  base: number,
  chunks: readonly Span[],
  bases: readonly number[],
): HeightRange | undefined {
  const below = chunks.findLast(({ first }) => first <= base);
  const above = chunks.find(({ first }) => first > base);
  if (below !== undefined && below.last >= base) return undefined;
  const explains = above === undefined ? bases.at(-1) === base : above.first === base + 1;
  return explains ? { from: (below?.last ?? 0) + 1, to: base } : undefined;
}

/** Makes a base durable. */
export async function addBase(directory: string, height: number): Promise<void> {
  const file = await open(join(directory, formatBaseName(height)), 'w', 0o600);
  await file.close();
  await syncDirectory(directory);
}

/** Removes a base for good. */
export async function removeBase(directory: string, height: number): Promise<void> {
  await unlink(join(directory, formatBaseName(height)));
  await syncDirectory(directory);
}
