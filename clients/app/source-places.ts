import { SourceMap, type SourceMapPayload } from 'node:module';
import type { SourcePlace } from './build-error.ts';

/** Name of the entry that is written around an application's own. */
export const wrapperName = 'concordat-entry.js';

/**
 * Places of a bundled module in the application's own sources.
 * @param map of the module, version 3 (ECMA-426)
 */
export function placesIn(
  map: string,
  found: Iterable<{ readonly line: number; readonly column: number; readonly why: string }>,
): SourcePlace[] {
  const sources = new SourceMap(JSON.parse(map) as SourceMapPayload);
  const places: SourcePlace[] = [];
  for (const { line, column, why } of found) {
    const entry = sources.findEntry(line - 1, column - 1);
    if (!('originalSource' in entry) || !isOwn(entry.originalSource)) continue;
    const { originalSource: file, originalLine, originalColumn } = entry;
    places.push({ file, line: originalLine + 1, column: originalColumn + 1, why });
  }
  return places;
}

const isOwn = (source: string): boolean =>
  !source.startsWith('concordat:') && source !== wrapperName;
