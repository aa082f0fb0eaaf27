import type { Invocation } from './command.ts';

/** Prints a result: one line of JSON with `--json`, lines for people otherwise. */
export function print(
  { terminal, options }: Pick<Invocation, 'terminal' | 'options'>,
  value: unknown,
  lines: readonly string[],
): void {
  if (options.json === true) terminal.write(`${harmlessJson(value)}\n`);
  else terminal.write(`${lines.map(harmless).join('\n')}\n`);
}

/** JSON in one line, in which what could command a terminal is escaped: it says the same. */
const harmlessJson = (value: unknown): string =>
  JSON.stringify(value).replace(
    breaking,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** What others wrote must not command the terminal of who looks at it; the colours of this program stay. */
export const harmless = (text: string): string => text.replace(commanding, '\ufffd');

/** A text of others as part of a line: it neither ends the line nor is read in another direction. */
export const inLine = (text: string): string => text.replace(breaking, '\ufffd');

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const commanding = /(?:(?!\u001b\[(?:0|1|2|31|32|33|36)m)[^\P{Cc}\n\t])|\p{Bidi_C}/gu;
const breaking = /\p{Cc}|\p{Bidi_C}|\p{Zl}|\p{Zp}/gu;
