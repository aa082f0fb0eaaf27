import { readFile } from 'node:fs/promises';
import { minPassphraseBytes } from '@concordat/keys';
import { CliError } from './errors.ts';

/** A passphrase from a file: its first line. @throws CliError USAGE when it is too short */
export async function readPassphrase(file: string): Promise<string> {
  const [line = ''] = (await readFile(file, 'utf8')).split(/\r?\n/, 1);
  return requireLength(line, file);
}

/**
 * Asks for a passphrase at the terminal, without showing it.
 * @throws CliError USAGE when nobody is at a terminal, or it is too short; INTERRUPTED
 */
export async function askPassphrase(question: string): Promise<string> {
  return requireLength(await askHidden(question, 'use --passphrase-file'), 'what was typed');
}

/**
 * Asks for a secret at the terminal, without showing it.
 * @param elsewhere what to do when nobody is at one
 * @throws CliError USAGE, INTERRUPTED
 */
export async function askHidden(question: string, elsewhere: string): Promise<string> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY) {
    throw new CliError('USAGE', `${question} nobody is at a terminal: ${elsewhere}`);
  }
  // Before anything is asked, so that nothing that is typed is shown.
  stdin.setRawMode(true);
  try {
    stderr.write(`${question} `);
    return await readHidden();
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    stderr.write('\n');
  }
}

/** Asks twice, so that a slip does not lock a share up for ever. @throws CliError USAGE */
export async function askNewPassphrase(question: string): Promise<string> {
  const first = await askPassphrase(question);
  if (first === (await askPassphrase('The same again:'))) return first;
  throw new CliError('USAGE', 'the two passphrases differ');
}

const keys = { enter: '\r', newline: '\n', interrupt: '\u0003', end: '\u0004', erase: '\u007f' };
const maxTyped = 1_024;

function readHidden(): Promise<string> {
  const { stdin } = process;
  const typed: string[] = [];
  // A letter of several bytes may come in two pieces.
  const decoder = new TextDecoder();
  return new Promise((resolve, reject) => {
    const take = (chunk: Buffer): void => {
      for (const key of decoder.decode(chunk, { stream: true })) {
        if (key === keys.enter || key === keys.newline || key === keys.end) {
          stdin.off('data', take);
          resolve(typed.join(''));
          return;
        }
        if (key === keys.interrupt) {
          stdin.off('data', take);
          reject(new CliError('INTERRUPTED', 'no passphrase was given'));
          return;
        }
        if (key === keys.erase) typed.pop();
        else if (typed.length < maxTyped) typed.push(key);
      }
    };
    stdin.on('data', take);
    stdin.resume();
  });
}

function requireLength(passphrase: string, where: string): string {
  if (Buffer.byteLength(passphrase) >= minPassphraseBytes) return passphrase;
  const why = `a passphrase has at least ${minPassphraseBytes} bytes`;
  throw new CliError('USAGE', `${where}: ${why}`);
}
