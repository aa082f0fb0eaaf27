import type { Invocation } from './command.ts';

/** Prints a result: one line of JSON with `--json`, lines for people otherwise. */
export function print(
  { terminal, options }: Pick<Invocation, 'terminal' | 'options'>,
  value: unknown,
  lines: readonly string[],
): void {
  if (options.json === true) terminal.write(`${JSON.stringify(value)}\n`);
  else terminal.write(`${lines.map(harmless).join('\n')}\n`);
}

/** What others wrote must not command the terminal of who looks at it; colours stay. */
export const harmless = (text: string): string => text.replace(commanding, '\ufffd');

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const commanding = /(?:(?!\u001b\[\d{1,2}m)[^\P{Cc}\n\t])|\p{Bidi_C}/gu;
