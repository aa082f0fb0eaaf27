import { type ParseArgsConfig, parseArgs } from 'node:util';
import { CliError } from './errors.ts';
import { closeToken } from './open-tokens.ts';
import { processTerminal, type Terminal } from './terminal.ts';

/** Options of a command, as `node:util` parses them. */
export type OptionDeclarations = NonNullable<ParseArgsConfig['options']>;

/** What a command is run with. */
export interface Invocation {
  /** Option values by name. */
  readonly options: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
  readonly positionals: readonly string[];
  readonly terminal: Terminal;
}

/** One command of the command line. */
export interface Command {
  /** Words that select it, for example `sandbox up`. */
  readonly name: string;
  readonly summary: string;
  /** Positionals and options as the usage line shows them. */
  readonly usage: string;
  readonly options: OptionDeclarations;
  /** How many positionals it takes at most; none by default. */
  readonly positionals?: number;
  /** Whole command lines without the leading `concordat`, as somebody would type them. */
  readonly examples?: readonly string[];
  /** What there is to know beyond the summary, in sentences. */
  readonly details?: string;
  /** Returns the exit status. */
  run(invocation: Invocation): Promise<number>;
}

/** Finds the command that the words select, the longest name first. */
export function selectCommand(
  commands: readonly Command[],
  words: readonly string[],
): { readonly command: Command; readonly rest: readonly string[] } | undefined {
  for (const length of [2, 1]) {
    const name = words.slice(0, length).join(' ');
    const command = commands.find((candidate) => candidate.name === name);
    if (command && words.length >= length) return { command, rest: words.slice(length) };
  }
  return undefined;
}

/**
 * Parses a command's options and runs it.
 * @throws CliError USAGE
 */
export async function runCommand(
  command: Command,
  args: readonly string[],
  terminal: Terminal = processTerminal,
): Promise<number> {
  try {
    const { values, positionals } = parseOptions(command, args);
    const invocation = { options: values, positionals, terminal };
    return await command.run(invocation).finally(() => closeToken(invocation));
  } catch (error) {
    if (!(error instanceof CliError) || error.code !== 'USAGE') throw error;
    const how = `usage: ${usageOf(command)}\n  "concordat help ${command.name}" tells more`;
    throw new CliError('USAGE', `${error.message}\n  ${how}`);
  }
}

function parseOptions(command: Command, args: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: command.options,
      allowPositionals: true,
    });
    const surplus = positionals[command.positionals ?? 0];
    if (surplus !== undefined) throw new Error(`"${surplus}" is one argument too many`);
    return { values: values as Invocation['options'], positionals };
  } catch (error) {
    // What follows the first sentence is about arguments that begin with a hyphen.
    const [what = ''] = (error as Error).message.split('. ');
    throw new CliError('USAGE', what);
  }
}

/** The usage line of a command. */
export const usageOf = (command: Command): string =>
  `concordat ${command.name} ${command.usage}`.trimEnd();

/** An option that must be there. @throws CliError USAGE */
export function required(invocation: Invocation, name: string): string {
  const value = invocation.options[name];
  if (typeof value === 'string' && value !== '') return value;
  throw new CliError('USAGE', `--${name} is missing`);
}

/** A whole number option within bounds, or its default. @throws CliError USAGE */
export function wholeNumber(
  invocation: Invocation,
  name: string,
  bounds: { readonly least: number; readonly most: number; readonly otherwise: number },
): number {
  const text = invocation.options[name];
  if (text === undefined) return bounds.otherwise;
  const value = Number(text);
  if (Number.isInteger(value) && value >= bounds.least && value <= bounds.most) return value;
  throw new CliError(
    'USAGE',
    `--${name} must be a whole number from ${bounds.least} to ${bounds.most}`,
  );
}
