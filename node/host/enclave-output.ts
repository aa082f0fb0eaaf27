import type { Readable } from 'node:stream';

/** How much of what an enclave prints is passed on. */
export interface OutputLimits {
  /** Longer lines are cut. Bytes. */
  readonly maxLineBytes: number;
  /** More lines within one second are counted and dropped. */
  readonly maxLinesPerSecond: number;
}

const defaults: OutputLimits = { maxLineBytes: 4096, maxLinesPerSecond: 200 };

/** Cuts what an enclave prints into bounded lines, whatever it prints. */
export function readLines(
  stream: Readable,
  onLine: (line: string) => void,
  { maxLineBytes, maxLinesPerSecond }: OutputLimits = defaults,
): void {
  let held = '';
  let second = 0;
  let lines = 0;
  let dropped = 0;
  const emit = (line: string): void => {
    const now = Math.floor(performance.now() / 1000);
    if (now !== second) {
      if (dropped > 0) onLine(`(${dropped} lines dropped)`);
      [second, lines, dropped] = [now, 0, 0];
    }
    if (lines++ < maxLinesPerSecond) onLine(line.slice(0, maxLineBytes));
    else dropped++;
  };
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const parts = (held + text).split('\n');
    held = parts.pop() as string;
    // A line without an end is kept only as far as it will be shown.
    if (held.length > maxLineBytes) held = held.slice(0, maxLineBytes);
    for (const part of parts) if (part !== '') emit(part);
  });
  stream.on('end', () => {
    if (held !== '') emit(held);
    if (dropped > 0) onLine(`(${dropped} lines dropped)`);
  });
  stream.on('error', () => {});
}
