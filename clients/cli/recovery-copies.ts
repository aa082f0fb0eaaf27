import { readFile } from 'node:fs/promises';
import { eraseCopies, type KeyRecord, type OpenedCopy, openCopy } from '@concordat/auditor';
import { openerBy } from '@concordat/crypto';
import {
  decodeRecoveryShare,
  KeysError,
  maxRecoveryFileLength,
  type RecoveryOpener,
  type RecoveryShare,
} from '@concordat/keys';
import type { TokenKey } from '@concordat/pkcs11';
import { importEncryptionKey } from '@concordat/sdk';
import type { Invocation } from './command.ts';
import { CliError } from './errors.ts';
import { askPassphrase, readPassphrase } from './passphrase.ts';
import { tokenKeyOf, tokenOptions, tokenUsage } from './token-options.ts';

/** Options of commands that open recovery copies. */
export const copyOptions = {
  share: { type: 'string', multiple: true },
  'share-key': { type: 'string', multiple: true },
  'passphrase-file': { type: 'string', multiple: true },
  'share-pkcs11': { type: 'string' },
  ...tokenOptions,
} as const;

/** How the usage line shows them. */
export const copyUsage = `--share copy.json ... [--share-key key.pem ...] [--passphrase-file file ...] [--share-pkcs11 key ${tokenUsage}]`;

/** The values of an option that may be given several times. */
export const filesOf = ({ options }: Invocation, name: string): readonly string[] => {
  const value = options[name];
  return Array.isArray(value) ? (value as readonly string[]) : [];
};

/**
 * Opens the recovery copies that were named, with whichever of the keys and passphrases fits; asks for
 * a passphrase when none is given. The secrets are the caller's to erase.
 * @throws CliError USAGE; AuditorError WRONG_NETWORK, UNKNOWN_SHARING; KeysError MALFORMED,
 *   RECOVERY_NOT_OPENED, INVALID_SHARE; Pkcs11Error
 */
export async function openCopies(invocation: Invocation, record: KeyRecord): Promise<OpenedCopy[]> {
  const keys = await Promise.all(filesOf(invocation, 'share-key').map(readKey));
  if (invocation.options['share-pkcs11'] !== undefined) {
    keys.push({ key: openerIn(await tokenKeyOf(invocation, 'share-pkcs11')) });
  }
  const files = filesOf(invocation, 'passphrase-file');
  const phrases = await Promise.all(files.map(readPassphrase));
  const opened: OpenedCopy[] = [];
  try {
    for (const file of filesOf(invocation, 'share')) {
      const share = await readCopy(file);
      const openers: RecoveryOpener[] =
        share.sealedTo === 'key' ? keys : phrases.map((passphrase) => ({ passphrase }));
      opened.push(await openOne(file, share, { record, openers }));
    }
    return opened;
  } catch (error) {
    eraseCopies(opened);
    throw error;
  }
}

/** Reads a recovery file. @throws CliError USAGE; KeysError MALFORMED */
export async function readCopy(file: string): Promise<RecoveryShare> {
  const text = await readFile(file, 'utf8');
  if (text.length > maxRecoveryFileLength)
    throw new CliError('USAGE', `${file} is no recovery copy`);
  return naming(file, () => decodeRecoveryShare(text));
}

async function openOne(
  file: string,
  share: RecoveryShare,
  { record, openers }: { record: KeyRecord; openers: readonly RecoveryOpener[] },
): Promise<OpenedCopy> {
  const given = openers.length > 0 ? openers : [await askFor(file, share, record)];
  for (const [at, opener] of given.entries()) {
    try {
      return openCopy(record, share, opener);
    } catch (error) {
      const isNext = error instanceof KeysError && error.code === 'RECOVERY_NOT_OPENED';
      if (!isNext || at === given.length - 1) return naming(file, () => raise(error));
    }
  }
  throw new CliError('USAGE', `${file} was given nothing to open it with`);
}

async function askFor(
  file: string,
  share: RecoveryShare,
  record: KeyRecord,
): Promise<RecoveryOpener> {
  if (share.sealedTo === 'key') {
    const why = 'give it with --share-key, or --share-pkcs11 when it is in a token';
    throw new CliError('USAGE', `${file} is sealed to a key: ${why}`);
  }
  const whose = record.nameOf(share.actor);
  return { passphrase: await askPassphrase(`Passphrase of ${file} (${whose}):`) };
}

/** What opens copies with a key in a token. */
export const openerIn = ({ publicKey, agree }: TokenKey) => openerBy(publicKey, agree);

async function readKey(file: string): Promise<RecoveryOpener> {
  const pem = await readFile(file, 'utf8');
  try {
    return { key: importEncryptionKey(pem) };
  } catch (error) {
    throw new CliError('USAGE', `${file}: ${(error as Error).message}`);
  }
}

function raise(error: unknown): never {
  throw error;
}

/** Says of a failure which file it is about: the codes stay. */
function naming<Result>(file: string, body: () => Result): Result {
  try {
    return body();
  } catch (error) {
    if (error instanceof KeysError) {
      throw new KeysError(error.code, `${file}: ${error.message}`, error.details);
    }
    throw error;
  }
}
