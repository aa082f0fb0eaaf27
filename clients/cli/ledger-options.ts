import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { AuditorError, decodeEpochKeys, type EpochKeys } from '@concordat/auditor';
import { type Invocation, required } from './command.ts';
import { sandboxNode } from './connection-options.ts';
import { CliError } from './errors.ts';
import { defaultSandboxDirectory } from './sandbox/layout.ts';

/** Options of commands that read a ledger from its files. */
export const ledgerOptions = {
  directory: { type: 'string', default: defaultSandboxDirectory },
  'network-certificate': { type: 'string' },
  'epoch-keys': { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

/** How the usage line shows them. */
export const ledgerUsage =
  '<node of the sandbox | directory of chunk files> [--network-certificate file] [--epoch-keys file]';

/** A ledger, and what it is examined against. */
export interface LedgerSource {
  readonly directory: string;
  /** PEM. */
  readonly networkCertificate: string;
  readonly epochKeys?: EpochKeys;
}

/**
 * The ledger the options mean: a directory with the certificate given, or a node of the sandbox.
 * @throws CliError SANDBOX_MISSING, USAGE
 */
export async function ledgerOf(invocation: Invocation): Promise<LedgerSource> {
  const { options } = invocation;
  const [where = 'vn1'] = invocation.positionals;
  const keysFile = options['epoch-keys'];
  const keys = typeof keysFile === 'string' && { epochKeys: await readEpochKeys(keysFile) };
  const certificate = options['network-certificate'];
  if (existsSync(where)) {
    return {
      directory: where,
      networkCertificate: await readFile(required(invocation, 'network-certificate'), 'utf8'),
      ...keys,
    };
  }
  const { layout } = await sandboxNode({ ...invocation, options: { ...options, node: where } });
  return {
    directory: layout.ledger(where),
    networkCertificate: await readFile(
      typeof certificate === 'string' ? certificate : layout.networkCertificate,
      'utf8',
    ),
    ...keys,
  };
}

async function readEpochKeys(file: string): Promise<EpochKeys> {
  const text = await readFile(file, 'utf8');
  try {
    return decodeEpochKeys(text);
  } catch (error) {
    if (!(error instanceof AuditorError)) throw error;
    throw new CliError('USAGE', `${file}: ${error.message}`);
  }
}
