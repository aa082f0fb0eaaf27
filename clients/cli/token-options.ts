import { readFile } from 'node:fs/promises';
import { type KeyName, openToken, type Token, type TokenKey, tokensOf } from '@concordat/pkcs11';
import { type Invocation, required } from './command.ts';
import { CliError } from './errors.ts';
import { keepToken, openedToken } from './open-tokens.ts';
import { askHidden } from './passphrase.ts';

/** Options of commands that use a key inside a PKCS#11 token. */
export const tokenOptions = {
  'pkcs11-module': { type: 'string' },
  'pkcs11-token': { type: 'string' },
  'pkcs11-pin-file': { type: 'string' },
} as const;

/** How the usage line shows them. */
export const tokenUsage =
  '--pkcs11-module library.so [--pkcs11-token label] [--pkcs11-pin-file file]';

/** Where a PIN may stand instead of a file. */
export const pinVariable = 'CONCORDAT_PKCS11_PIN';

let pinGiven: string | undefined;

/**
 * Takes a PIN out of the environment, once: hosts and other programs that commands start live longer
 * than the command, and inherit what is left in it.
 */
export function takePin(): void {
  pinGiven = process.env[pinVariable] ?? pinGiven;
  delete process.env[pinVariable];
}

/**
 * The token the options name, logged in to; it is closed when the command ends.
 * @throws CliError USAGE, INTERRUPTED; Pkcs11Error
 */
export async function tokenOf(invocation: Invocation): Promise<Token> {
  const { options } = invocation;
  const before = openedToken(invocation);
  if (before) return before;
  const module = required(invocation, 'pkcs11-module');
  const label = options['pkcs11-token'];
  // A wrong path or label is told before anybody types a PIN.
  const there = tokensOf(module);
  const which = typeof label === 'string' ? label : there[0]?.label;
  const pin = there.length > 0 ? await pinOf(invocation, which ?? '') : undefined;
  const token = openToken({
    module,
    ...(typeof label === 'string' && { token: label }),
    ...(pin && { pin }),
  });
  keepToken(invocation, token);
  return token;
}

async function pinOf({ options }: Invocation, token: string): Promise<Uint8Array> {
  const file = options['pkcs11-pin-file'];
  if (typeof file === 'string') {
    const [line = ''] = (await readFile(file, 'utf8')).split(/\r?\n/, 1);
    return Buffer.from(line);
  }
  takePin();
  if (pinGiven !== undefined) {
    const pin = Buffer.from(pinGiven);
    pinGiven = undefined;
    return pin;
  }
  const elsewhere = `use --pkcs11-pin-file, or ${pinVariable}`;
  return Buffer.from(await askHidden(`PIN of token "${token}":`, elsewhere));
}

/** A key of the token: its label, or `id:` and hex digits. @throws CliError USAGE; Pkcs11Error */
export async function tokenKeyOf(invocation: Invocation, option: string): Promise<TokenKey> {
  const name = keyNameOf(required(invocation, option), option);
  return (await tokenOf(invocation)).key(name);
}

/** How a key is named on the command line. @throws CliError USAGE */
export function keyNameOf(given: string, option: string): KeyName {
  if (!given.startsWith('id:')) return { label: given };
  const hex = given.slice(3);
  if (/^([0-9a-f]{2})+$/i.test(hex)) return { id: Buffer.from(hex, 'hex') };
  throw new CliError('USAGE', `--${option} takes a label, or id: and hex digits`);
}
