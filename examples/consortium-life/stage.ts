import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const cliMain = join(dirname(fileURLToPath(import.meta.resolve('@concordat/cli'))), 'main.ts');
/** How often the script asks the same thing. */
const maxAttempts = 8;
/** Hex digits of which people compare the beginning. */
const longHex = /\b[0-9a-f]{64,}\b/g;

/** How a command is shown and what it may come to. */
export interface CommandOptions {
  /** It is run and not shown: a question of this script, not of a person. */
  readonly quiet?: boolean;
  /** Exit status that the story asks for; default 0. */
  readonly status?: number;
  /** Lines of its output that are shown; default all. */
  readonly show?: (line: string) => boolean;
}

/** The directory that the story plays in, its commands, and the transcript of them. */
export class Stage {
  readonly directory: string;
  readonly #write: (text: string) => void;
  readonly #transcript: string[] = [];

  constructor(directory: string, write: (text: string) => void) {
    this.directory = directory;
    this.#write = write;
  }

  /** Everything that was shown. */
  get transcript(): string {
    return this.#transcript.join('');
  }

  /** Begins a chapter. */
  chapter(title: string): void {
    this.#say(`\n## ${title}\n\n`);
  }

  /** Says what happens outside the command line. */
  tell(text: string): void {
    this.#say(`# ${text}\n`);
  }

  /**
   * Runs `concordat` with these words in the directory; what it printed.
   * @throws Error when it ends with another status than the story asks for
   */
  async concordat(words: readonly string[], options: CommandOptions = {}): Promise<string> {
    const { quiet = false, status = 0, show = () => true } = options;
    if (!quiet) this.#say(`$ concordat ${words.map(quoted).join(' ')}\n`);
    const { code, output } = await this.#run(words);
    if (!quiet) {
      const lines = output.split('\n').filter((line) => line.trim() !== '' && show(line));
      this.#say(`${lines.map(shortened).join('\n')}\n`);
    }
    if (code === status) return output;
    throw new Error(`concordat ${words.join(' ')} ended with ${code}, not ${status}:\n${output}`);
  }

  /**
   * A question of this script, with `--json`: asked again for a while, should the node be busy coming up.
   * @throws Error as `concordat`
   */
  async ask<Value>(words: readonly string[]): Promise<Value> {
    for (let attempt = 1; ; attempt++) {
      try {
        return JSON.parse(await this.concordat([...words, '--json'], { quiet: true })) as Value;
      } catch (error) {
        if (attempt === maxAttempts) throw error;
        await sleep(attempt * 500);
      }
    }
  }

  async #run(words: readonly string[]): Promise<{ code: number; output: string }> {
    const { NO_COLOR: _, FORCE_COLOR: __, ...env } = process.env;
    const options = { cwd: this.directory, env, maxBuffer: 64 * 1024 * 1024 };
    try {
      const { stdout } = await run(process.execPath, [cliMain, ...words], options);
      return { code: 0, output: stdout };
    } catch (error) {
      const {
        code,
        stdout = '',
        stderr = '',
      } = error as {
        code?: unknown;
        stdout?: string;
        stderr?: string;
      };
      if (typeof code !== 'number') throw error;
      return { code, output: `${stdout}${stderr}` };
    }
  }

  #say(text: string): void {
    this.#transcript.push(text);
    this.#write(text);
  }
}

const quoted = (word: string): string =>
  /^[\w./:=,%-]+$/.test(word) ? shortened(word) : `'${shortened(word)}'`;
const shortened = (line: string): string =>
  line.replace(longHex, (hex) => `${hex.slice(0, 12)}…`).trimEnd();
