import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { LocalNetworkError } from './errors.ts';
import { waitUntil } from './waiting.ts';

/** A fenced block of a page. */
export interface PageBlock {
  /** First word after the fence. */
  readonly language: string;
  /** What follows it: a file's name, or `server`. */
  readonly label: string;
  readonly text: string;
  /** Line of the page that it begins at, from 1. */
  readonly line: number;
}

/** The fenced blocks of a page, in order. */
export function blocksOf(page: string): PageBlock[] {
  const blocks: PageBlock[] = [];
  for (const found of page.matchAll(/^```(\S+)[^\S\n]*([^\n]*)\n([\s\S]*?)^```$/gm)) {
    const [, language = '', label = '', text = ''] = found;
    const line = page.slice(0, found.index).split('\n').length;
    blocks.push({ language, label: label.trim(), text, line });
  }
  return blocks;
}

const expected = new Set(['json', 'text']);
/** What a page calls the first, second, ... node, in the order in which servers print them. */
const pageUrl = /https:\/\/127\.0\.0\.1:71\d\d/g;

/**
 * Follows a page literally: files are written (`ts app.ts`), commands run in one shell (`sh`), those
 * of `sh server` beside it until the end, and what stands in the `text` or `json` block after a
 * command is what it must print (`…` stands for anything). The home directory is one of its own;
 * ports are those that the server took.
 * @param page path from the repository's root, where the shell begins
 * @throws LocalNetworkError PAGE_WRONG
 */
export async function followPage(page: string): Promise<void> {
  const repository = resolve(import.meta.dirname, '../..');
  const blocks = blocksOf(readFileSync(resolve(repository, page), 'utf8'));
  if (!blocks.some(({ language }) => language === 'sh')) throw wrong(page, 1, 'has no commands');
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'concordat-page-')));
  const follower = new PageFollower(page, { home, repository });
  try {
    for (const [at, block] of blocks.entries()) await follower.follow(block, blocks[at + 1]);
  } finally {
    await follower.end();
    rmSync(home, { recursive: true, force: true });
  }
}

class PageFollower {
  readonly #page: string;
  readonly #shell: ChildProcess;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #servers: { readonly process: ChildProcess; output: string }[] = [];
  /** URLs of nodes as the page has them, in order, and those in their place. */
  #urls: readonly (readonly [string, string])[] = [];
  #output = '';
  #blocks = 0;

  constructor(page: string, { home, repository }: Readonly<Record<'home' | 'repository', string>>) {
    this.#page = page;
    const { PATH } = process.env;
    this.#environment = { PATH, HOME: home, LANG: 'C.UTF-8', NO_COLOR: '1' };
    this.#shell = spawn('bash', ['--noprofile', '--norc'], {
      cwd: repository,
      env: this.#environment,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    for (const stream of [this.#shell.stdout, this.#shell.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
      });
    }
    // A block that fails ends the shell, which is how that is noticed.
    this.#shell.stdin?.write('set -eo pipefail\n');
  }

  async follow(block: PageBlock, next: PageBlock | undefined): Promise<void> {
    const { language, label } = block;
    if (expected.has(language) && label === 'server') return this.#heard(block);
    if (language !== 'sh') return this.#write(block);
    if (label === 'server') return this.#serve(block);
    const printed = await this.#run(this.#placed(block.text), block.line);
    if (next && expected.has(next.language) && next.label === '') this.#compare(printed, next);
  }

  async end(): Promise<void> {
    this.#shell.stdin?.end();
    for (const { process: server } of this.#servers) {
      if (server.pid === undefined || server.exitCode !== null) continue;
      const ended = once(server, 'exit');
      // As a Ctrl-C does: to everything in the foreground of that terminal.
      process.kill(-server.pid, 'SIGINT');
      await ended;
    }
  }

  async #write({ label, text }: PageBlock): Promise<void> {
    if (label === '') return;
    const path = resolve(await this.#directory(), label);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  /** Waits until the newest server has said something since it was last listened to. */
  async #heard({ text, line }: PageBlock): Promise<void> {
    const server = this.#servers.at(-1);
    if (!server) throw wrong(this.#page, line, 'has no server before it');
    const heard = (): boolean => {
      const found = patternOf(text.trim()).exec(server.output);
      if (found) server.output = server.output.slice(found.index + found[0].length);
      return found !== null;
    };
    await waitUntil(heard, { what: text, seen: () => server.output });
  }

  async #directory(): Promise<string> {
    return (await this.#run('pwd', 0)).trim();
  }

  async #serve({ text, line }: PageBlock): Promise<void> {
    const child = spawn('bash', ['--noprofile', '--norc', '-ec', text], {
      cwd: await this.#directory(),
      env: this.#environment,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const server = { process: child, output: '' };
    this.#servers.push(server);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (part: string) => {
        server.output += part;
      });
    }
    const isUp = (): boolean => {
      if (child.exitCode !== null) throw wrong(this.#page, line, `has ended:\n${server.output}`);
      return server.output.includes('Ready in') && server.output.includes('Follows your edits');
    };
    await waitUntil(isUp, { what: text, seen: () => server.output });
    const there = new Set(server.output.match(/https:\/\/127\.0\.0\.1:\d+/g));
    const usual = Array.from(there, (_, at) => `https://127.0.0.1:${7_102 + 3 * at}`);
    this.#urls = usual.map((url, at) => [url, [...there][at] as string]);
  }

  #placed(text: string): string {
    const urls = new Map(this.#urls);
    return text.replace(pageUrl, (url) => urls.get(url) ?? url);
  }

  async #run(commands: string, line: number): Promise<string> {
    const mark = `@@ block ${++this.#blocks} @@`;
    this.#output = '';
    this.#shell.stdin?.write(`{ ${commands}\n} </dev/null\necho; echo '${mark}'\n`);
    const isDone = (): boolean => {
      if (this.#shell.exitCode !== null) {
        const said = this.#servers.map(({ output }) => output).join('\n');
        throw wrong(this.#page, line, `failed:\n${commands}\n${this.#output}\n${said}`);
      }
      return this.#output.includes(`${mark}\n`);
    };
    const seen = () => `${commands}\n${this.#output}`;
    await waitUntil(isDone, { what: 'a block to end', seen });
    return this.#output.slice(0, this.#output.indexOf(mark));
  }

  #compare(printed: string, { text, language, line }: PageBlock): void {
    const plain = (some: string): string => some.replace(/\s+/g, language === 'json' ? '' : ' ');
    const [given, wanted] = [plain(printed).trim(), plain(text).trim()];
    if (new RegExp(`^${patternOf(wanted).source}$`).test(given)) return;
    throw wrong(this.#page, line, `does not say what is printed:\n${given}\ninstead of\n${wanted}`);
  }
}

/** `…` stands for anything in a line, as little as possible. */
const patternOf = (text: string): RegExp => {
  const parts = text.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(parts.join('.*?'));
};

const wrong = (page: string, line: number, why: string): LocalNetworkError =>
  new LocalNetworkError('PAGE_WRONG', `${page}:${line} ${why}`);
