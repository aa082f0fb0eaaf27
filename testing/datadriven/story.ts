import { DatadrivenError } from './errors.ts';

/** Bytes of the longest story that is read. */
const maxStoryBytes = 1 << 20;

/** One command of a story, what it is given, and the trace it must leave. */
export interface Step {
  /** Line of the command in the file, from 1. */
  readonly line: number;
  readonly command: string;
  /** The indented lines under the command, without their indentation. */
  readonly input: readonly string[];
  readonly expected: readonly string[];
  /** Line of the first expected line, or where it would stand. */
  readonly expectedLine: number;
}

/** A file of commands and traces, read by people first. */
export interface Story {
  readonly file: string;
  /** The paragraph it opens with: what it shows. */
  readonly opening: string;
  readonly steps: readonly Step[];
  /** The lines as they stand in the file, with the index of a step in place of its lines. */
  readonly layout: readonly (string | number)[];
}

/**
 * Reads a story: a comment paragraph (`#`), then blocks set apart by blank lines. A block is a
 * command line, indented input lines if it takes any, the line `----`, and the expected trace.
 * @throws DatadrivenError MALFORMED, with the place
 */
export function parseStory(file: string, text: string): Story {
  if (text.length > maxStoryBytes) {
    throw new DatadrivenError('MALFORMED', `longer than ${maxStoryBytes} bytes`).at(file, 1);
  }
  const lines = text.split('\n');
  if (lines[lines.length - 1] === '') lines.pop();
  const steps: Step[] = [];
  const layout: (string | number)[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at] as string;
    if (line === '' || line.startsWith('#')) {
      layout.push(line);
      at += 1;
      continue;
    }
    const { step, next } = parseStep(file, lines, at);
    layout.push(steps.length);
    steps.push(step);
    at = next;
  }
  return { file, opening: openingOf(file, lines), steps, layout };
}

function parseStep(
  file: string,
  lines: readonly string[],
  start: number,
): { step: Step; next: number } {
  const wrong = (why: string, line: number) => new DatadrivenError('MALFORMED', why).at(file, line);
  const command = lines[start] as string;
  if (!/^[a-z]/.test(command)) throw wrong(`a command is expected here: ${command}`, start + 1);
  let at = start + 1;
  const input: string[] = [];
  while (lines[at]?.startsWith('  ')) {
    input.push((lines[at] as string).trim());
    at += 1;
  }
  if (lines[at] !== '----') {
    const found = lines[at] === undefined ? 'the end of the file' : `"${lines[at]}"`;
    throw wrong(`---- is expected here, not ${found}`, at + 1);
  }
  at += 1;
  const expectedLine = at + 1;
  const expected: string[] = [];
  while (at < lines.length && lines[at] !== '') {
    const line = lines[at] as string;
    if (line === '----') throw wrong('a second ---- without a blank line before', at + 1);
    expected.push(line);
    at += 1;
  }
  return { step: { line: start + 1, command, input, expected, expectedLine }, next: at };
}

function openingOf(file: string, lines: readonly string[]): string {
  const comment: string[] = [];
  for (const line of lines) {
    if (!line.startsWith('# ')) break;
    comment.push(line.slice(2).trim());
  }
  if (comment.length === 0) {
    const why = 'a story opens with a comment that says what it shows';
    throw new DatadrivenError('MALFORMED', why).at(file, 1);
  }
  return comment.join(' ');
}

/** The text of a story with these traces, one for each step, in place of the expected ones. */
export function formatStory(story: Story, traces: readonly (readonly string[])[]): string {
  const lines: string[] = [];
  for (const part of story.layout) {
    if (typeof part === 'string') {
      lines.push(part);
      continue;
    }
    const step = story.steps[part] as Step;
    lines.push(step.command, ...step.input.map((line) => `  ${line}`), '----');
    lines.push(...(traces[part] as readonly string[]));
  }
  return `${lines.join('\n')}\n`;
}
