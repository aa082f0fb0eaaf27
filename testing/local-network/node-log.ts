import { readFileSync } from 'node:fs';

/** One line of a host's log: an event of the host, or of an enclave that it passed on. */
export interface LogLine {
  readonly time: string;
  readonly level: string;
  /** Stable name, such as `enclave.launched`. */
  readonly event: string;
  readonly node: string;
  readonly [field: string]: unknown;
}

/** The lines of a log file so far; an unfinished last line and foreign ones are left out. */
export function readLog(file: string): LogLine[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return [];
  }
  return text.split('\n').flatMap((line) => {
    try {
      const value = JSON.parse(line) as LogLine;
      return typeof value === 'object' && value !== null && 'event' in value ? [value] : [];
    } catch {
      return [];
    }
  });
}
