import { DatadrivenError } from './errors.ts';

/** One line of a scenario: a verb and what follows it, split at the commas. */
export interface ScenarioLine {
  /** From 1. */
  readonly line: number;
  readonly verb: string;
  readonly items: readonly string[];
}

/** Bytes of the longest scenario that is read. */
const maxScenarioBytes = 1 << 20;

/**
 * Reads a scenario: a verb and its arguments on each line, separated by commas. `#` begins a comment,
 * blank lines mean nothing, a line that begins with `====` ends the scenario. The last line answered is
 * the verb `end`, unless the scenario was ended early.
 * @throws DatadrivenError MALFORMED
 */
export function parseScenario(text: string): ScenarioLine[] {
  if (text.length > maxScenarioBytes) {
    throw new DatadrivenError('MALFORMED', `longer than ${maxScenarioBytes} bytes`);
  }
  const lines: ScenarioLine[] = [];
  const all = text.split('\n');
  for (const [at, whole] of all.entries()) {
    const words = whole.replace(/#.*$/, '').trimEnd();
    if (words.startsWith('====')) break;
    if (words === '') continue;
    const [verb, ...items] = words.split(',') as [string, ...string[]];
    lines.push({ line: at + 1, verb, items });
  }
  lines.push({ line: all.length, verb: 'end', items: [] });
  return lines;
}
