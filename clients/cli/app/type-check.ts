import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { repository } from './framework-links.ts';

/** What is wrong with an application's source, and where. */
export interface SourceFault {
  /** Relative to the application's directory; absent when it is about the whole. */
  readonly file?: string;
  /** From 1. */
  readonly line?: number;
  /** From 1. */
  readonly column?: number;
  readonly message: string;
}

const compiler = join(repository, 'node_modules/typescript/bin/tsc');
const reported = /^(.+?)\((\d+),(\d+)\): error (TS\d+): (.*)$/;

/**
 * Checks the types of an application by its own tsconfig.json and returns what is wrong with its
 * own files. None when it has no tsconfig.json.
 */
export async function typeFaults(
  directory: string,
  signal?: AbortSignal,
): Promise<readonly SourceFault[]> {
  if (!existsSync(join(directory, 'tsconfig.json'))) return [];
  const known = ['--incremental', '--tsBuildInfoFile', '.concordat/types.tsbuildinfo'];
  const flags = ['--noEmit', '--pretty', 'false', '-p', '.', ...known];
  const child = spawn(process.execPath, [compiler, ...flags], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stop = (): boolean => child.kill();
  signal?.addEventListener('abort', stop);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      output += text;
    });
  }
  await new Promise((done) => child.once('close', done));
  signal?.removeEventListener('abort', stop);
  return readFaults(output, directory);
}

/**
 * Reads what the compiler says, of files of the directory alone. Indented lines go on a message from
 * the general to the cause: the last of them is what is told.
 */
export function readFaults(output: string, directory: string): SourceFault[] {
  const faults: SourceFault[] = [];
  let open: (SourceFault & { readonly code: string }) | undefined;
  const close = (): void => {
    if (open) faults.push(told(open));
    open = undefined;
  };
  for (const line of output.split('\n')) {
    if (open && /^\s+\S/.test(line)) {
      open = { ...open, message: line.trim() };
      continue;
    }
    close();
    const found = reported.exec(line);
    if (!found) continue;
    const [, path = '', at, column, code = '', message = ''] = found;
    const file = relative(directory, resolve(directory, path));
    if (file.startsWith('..')) continue;
    open = { file, line: Number(at), column: Number(column), message, code };
  }
  close();
  return faults;
}

const maxMessage = 300;

function told({ code, message, ...place }: SourceFault & { readonly code: string }): SourceFault {
  const cut = message.length > maxMessage ? `${message.slice(0, maxMessage)}…` : message;
  return { ...place, message: `${cut} (${code})` };
}

/** A fault as editors and terminals make a link of it: `app.ts:14:5  message`. */
export function describeFault({ file, line, column, message }: SourceFault): string {
  if (file === undefined) return message;
  const place = [file, line, column].filter((part) => part !== undefined).join(':');
  return `${place}  ${message}`;
}
