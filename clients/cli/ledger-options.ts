import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type EncryptionKey, importEncryptionKey } from '@concordat/sdk';
import { type Invocation, required } from './command.ts';
import { sandboxNode } from './connection-options.ts';
import { CliError } from './errors.ts';
import { defaultSandboxDirectory } from './sandbox/layout.ts';

/** Options of commands that read a ledger from its files. */
export const ledgerOptions = {
  directory: { type: 'string', default: defaultSandboxDirectory },
  'network-certificate': { type: 'string' },
  'owner-key': { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

/** How the usage line shows them. */
export const ledgerUsage =
  '<node of the sandbox | directory of chunk files> [--network-certificate file] [--owner-key file]';

/** A ledger, and what it is examined against. */
export interface LedgerSource {
  readonly directory: string;
  /** PEM. */
  readonly networkCertificate: string;
  readonly keyHolderKey?: EncryptionKey;
}

/**
 * The ledger the options mean: a directory with the certificate given, or a node of the sandbox.
 * @throws CliError SANDBOX_MISSING, USAGE
 */
export async function ledgerOf(invocation: Invocation): Promise<LedgerSource> {
  const { options } = invocation;
  const [where = 'vn1'] = invocation.positionals;
  const ownerKey = options['owner-key'];
  const certificate = options['network-certificate'];
  if (existsSync(where)) {
    return {
      directory: where,
      networkCertificate: await readFile(required(invocation, 'network-certificate'), 'utf8'),
      ...(typeof ownerKey === 'string' && { keyHolderKey: await readKey(ownerKey) }),
    };
  }
  const { layout } = await sandboxNode({ ...invocation, options: { ...options, node: where } });
  return {
    directory: layout.ledger(where),
    networkCertificate: await readFile(
      typeof certificate === 'string' ? certificate : layout.networkCertificate,
      'utf8',
    ),
    keyHolderKey: await readKey(typeof ownerKey === 'string' ? ownerKey : layout.ownerKey),
  };
}

async function readKey(file: string): Promise<EncryptionKey> {
  const pem = await readFile(file, 'utf8');
  try {
    return importEncryptionKey(pem);
  } catch (error) {
    throw new CliError('USAGE', `${file}: ${(error as Error).message}`);
  }
}
