import { DatadrivenError, placed } from './errors.ts';
import { formatStory, parseStory, type Step, type Story } from './story.ts';

/** Carries out one command and answers its trace. */
export type Execute = (command: string, input: readonly string[]) => readonly string[];

/**
 * Runs a story and compares every trace with the expected one.
 * @throws DatadrivenError with file and line: DIFFERENT, or what a command threw
 */
export function checkStory(file: string, text: string, execute: Execute): Story {
  const story = parseStory(file, text);
  for (const step of story.steps) {
    const difference = differenceOf(step.expected, traceOf(story, step, execute));
    if (difference === undefined) continue;
    const why = `${step.command}\n${difference.lines.join('\n')}\n  (REWRITE=1 takes the new trace)`;
    throw new DatadrivenError('DIFFERENT', why).at(file, step.expectedLine + difference.first);
  }
  return story;
}

/**
 * The story's text with the traces it leaves now.
 * @throws DatadrivenError with file and line: what a command threw
 */
export function rewriteStory(file: string, text: string, execute: Execute): string {
  const story = parseStory(file, text);
  return formatStory(
    story,
    story.steps.map((step) => traceOf(story, step, execute)),
  );
}

function traceOf(story: Story, step: Step, execute: Execute): readonly string[] {
  try {
    return execute(step.command, step.input);
  } catch (error) {
    throw placed(error, story.file, step.line);
  }
}

/** What differs between two texts: `-` is expected, `+` is there; undefined when nothing does. */
export function differenceOf(
  expected: readonly string[],
  actual: readonly string[],
): { readonly first: number; readonly lines: readonly string[] } | undefined {
  let start = 0;
  while (start < expected.length && expected[start] === actual[start]) start += 1;
  if (start === expected.length && start === actual.length) return undefined;
  const lines = expected.slice(Math.max(0, start - 2), start).map((line) => `    ${line}`);
  const [left, right] = [expected.slice(start), actual.slice(start)];
  const end = [left.length, right.length] as const;
  let [i, j] = [0, 0];
  for (const [toLeft, toRight] of [...commonLines(left, right), end]) {
    for (; i < toLeft; i += 1) lines.push(`  - ${left[i]}`);
    for (; j < toRight; j += 1) lines.push(`  + ${right[j]}`);
    if (i < left.length) lines.push(`    ${left[i]}`);
    i += 1;
    j += 1;
  }
  return { first: start, lines };
}

/** Positions of a longest common subsequence of two lists of lines. */
function commonLines(left: readonly string[], right: readonly string[]): [number, number][] {
  const width = right.length + 1;
  const lengths = new Uint32Array((left.length + 1) * width);
  for (let i = left.length - 1; i >= 0; i -= 1) {
    for (let j = right.length - 1; j >= 0; j -= 1) {
      lengths[i * width + j] =
        left[i] === right[j]
          ? (lengths[(i + 1) * width + j + 1] as number) + 1
          : Math.max(lengths[(i + 1) * width + j] as number, lengths[i * width + j + 1] as number);
    }
  }
  const common: [number, number][] = [];
  let [i, j] = [0, 0];
  while (i < left.length && j < right.length) {
    if (left[i] === right[j]) common.push([i++, j++]);
    else if ((lengths[(i + 1) * width + j] as number) >= (lengths[i * width + j + 1] as number)) {
      i += 1;
    } else j += 1;
  }
  return common;
}
