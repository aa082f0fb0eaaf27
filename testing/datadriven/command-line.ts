import { DatadrivenError } from './errors.ts';

/** The words after a command: each is taken once, and none may be left over. */
export class Arguments {
  readonly #words: string[];
  readonly #named: Map<string, string>;

  constructor(words: readonly string[], named: ReadonlyMap<string, string>) {
    this.#words = [...words];
    this.#named = new Map(named);
  }

  /**
   * The next word.
   * @throws DatadrivenError BAD_ARGUMENT when there is none
   */
  word(what: string): string {
    const word = this.#words.shift();
    if (word === undefined) throw new DatadrivenError('BAD_ARGUMENT', `${what} is missing`);
    return word;
  }

  /** The next word, if there is one. */
  optionalWord(): string | undefined {
    return this.#words.shift();
  }

  /** The value of `name=value`, if it is given. */
  named(name: string): string | undefined {
    const value = this.#named.get(name);
    this.#named.delete(name);
    return value;
  }

  /**
   * The next word as a number from 1 to `most`; `otherwise` when there is none.
   * @throws DatadrivenError BAD_ARGUMENT
   */
  count(what: string, otherwise: number, most = 10_000): number {
    const word = this.#words.shift();
    return word === undefined ? otherwise : numberOf(word, what, 1, most);
  }

  /**
   * The value of `name=number`, from `least` to `most`; `otherwise` when it is not given.
   * @throws DatadrivenError BAD_ARGUMENT
   */
  namedCount(name: string, otherwise: number, least = 0, most = 1 << 24): number {
    const value = this.named(name);
    return value === undefined ? otherwise : numberOf(value, name, least, most);
  }

  /**
   * Nothing may be left.
   * @throws DatadrivenError BAD_ARGUMENT
   */
  done(): void {
    const [name] = this.#named.keys();
    const left = this.#words[0] ?? (name === undefined ? undefined : `${name}=`);
    if (left !== undefined) {
      throw new DatadrivenError('BAD_ARGUMENT', `${left} means nothing to this command`);
    }
  }
}

/** A command line: `name word "two words" key=value`. */
export interface CommandLine {
  readonly name: string;
  readonly arguments: Arguments;
}

/**
 * Splits a command line into its words. A word in double quotes may hold spaces; no word holds a
 * double quote.
 * @throws DatadrivenError MALFORMED, BAD_ARGUMENT
 */
export function parseCommandLine(text: string): CommandLine {
  const pieces = text.match(/"[^"]*"|[^\s"]+(?:="[^"]*")?/g) ?? [];
  if (text.replace(/"[^"]*"/g, '').includes('"')) {
    throw new DatadrivenError('MALFORMED', 'a double quote is not closed');
  }
  const [name, ...rest] = pieces;
  if (name === undefined || !/^[a-z][a-z-]*$/.test(name)) {
    throw new DatadrivenError('MALFORMED', `no command begins like this: ${text}`);
  }
  const words: string[] = [];
  const named = new Map<string, string>();
  for (const piece of rest) {
    const assignment = /^([a-z][a-z-]*)=(.*)$/.exec(piece);
    if (!assignment) {
      words.push(unquoted(piece));
      continue;
    }
    const [, key, value] = assignment as unknown as [string, string, string];
    if (named.has(key)) throw new DatadrivenError('BAD_ARGUMENT', `${key}= is given twice`);
    named.set(key, unquoted(value));
  }
  return { name, arguments: new Arguments(words, named) };
}

/**
 * A number in decimal digits from `least` to `most`.
 * @throws DatadrivenError BAD_ARGUMENT
 */
export function numberOf(text: string, what: string, least: number, most: number): number {
  const value = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new DatadrivenError('BAD_ARGUMENT', `${what} is ${least} to ${most}, not ${text}`);
}

const unquoted = (piece: string): string =>
  piece.startsWith('"') && piece.endsWith('"') ? piece.slice(1, -1) : piece;
