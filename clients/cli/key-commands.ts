import { createPublicKey, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KeyExportAnswer, SharedKeysState } from '@concordat/api';
import { createEncryptionKey, isEncryptionPublicKey } from '@concordat/crypto';
import {
  decodeRecoveryShare,
  decodeThresholdKey,
  encodeRecoveryShare,
  erase,
  openRecoveryShare,
  type RecoveryShare,
  recoverySaltBytes,
  sealRecoveryShare,
  type ThresholdKey,
} from '@concordat/keys';
import { type EncryptionKey, type Identity, importEncryptionKey } from '@concordat/sdk';
import { emptyBytes, fromHex, toHex } from '@concordat/std';
import type { Command, Invocation } from './command.ts';
import { connect, connectionOptions, connectionUsage } from './connection-options.ts';
import { CliError } from './errors.ts';
import { sharedKeysText } from './key-text.ts';
import { askNewPassphrase, readPassphrase } from './passphrase.ts';
import { writeSomePrivateFile } from './private-file.ts';
import { openerIn } from './recovery-copies.ts';
import { tokenKeyOf, tokenOptions, tokenUsage } from './token-options.ts';

const keyStatus: Command = {
  name: 'key status',
  summary: 'show the shared keys, who holds shares of them, and who has recovery copies',
  usage: connectionUsage,
  options: connectionOptions,
  examples: ['key status --as aurora-bank'],
  run: async (invocation) => {
    const { terminal, options } = invocation;
    const { admin } = await connect(invocation);
    const state = await admin.sharedKeys().finally(() => admin.close());
    if (options.json === true) terminal.write(`${JSON.stringify(state)}\n`);
    else terminal.write(sharedKeysText(terminal, state));
    return 0;
  },
};

const keyExport: Command = {
  name: 'key export',
  summary: 'get recovery copies of one’s own shares, from one’s own node, to keep outside',
  usage: `[--to key.pem | --to-pkcs11 key ${tokenUsage} | --passphrase-file file] [--out directory] [--again] ${connectionUsage}`,
  options: {
    ...connectionOptions,
    ...tokenOptions,
    to: { type: 'string' },
    'to-pkcs11': { type: 'string' },
    'passphrase-file': { type: 'string' },
    out: { type: 'string', default: '.' },
    again: { type: 'boolean', default: false },
  },
  examples: [
    'key export --to copies.pem --out /safe --as aurora-bank',
    'key export --passphrase-file passphrase --out /safe',
  ],
  run: async (invocation) => {
    const { terminal, options } = invocation;
    // Whatever can go wrong on this side goes wrong before the ledger records that a copy was given.
    const keeping = await keepingOf(invocation);
    const { admin, identity } = await connect(invocation);
    try {
      const before = await admin.sharedKeys();
      const again = options.again === true;
      const answer = await admin.exportKeys({ publicKey: toHex(keeping.publicKey), again });
      const state = isToldOf(before, answer) ? before : await admin.sharedKeys();
      const written = await keep(answer, { keeping, state, identity, into: String(options.out) });
      if (options.json === true) {
        terminal.write(`${JSON.stringify({ written, missing: answer.missing })}\n`);
      } else {
        terminal.write(exportText(written, answer, state));
      }
      return answer.missing.length > 0 ? 1 : 0;
    } finally {
      admin.close();
    }
  },
};

const keyRotate: Command = {
  name: 'key rotate',
  summary: 'have one’s own nodes replace the holder key, and the shares dealt anew to another',
  usage: connectionUsage,
  options: connectionOptions,
  examples: ['key rotate --as aurora-bank'],
  run: async (invocation) => {
    const { terminal, options } = invocation;
    const { admin } = await connect(invocation);
    const { transactionId } = await admin.rotateHolder().finally(() => admin.close());
    if (options.json === true) terminal.write(`${JSON.stringify({ transactionId })}\n`);
    else {
      terminal.write(
        `Ordered in transaction ${transactionId}. "key status" shows the ceremonies that follow; export new copies after them.\n`,
      );
    }
    return 0;
  },
};

/** How copies are to be kept: what the enclave seals them to, and what is made of them here. */
interface Keeping {
  /** 65 bytes. */
  readonly publicKey: Uint8Array;
  /** What opens them here, so that they are checked before they are relied on. */
  readonly opener?: Pick<EncryptionKey, 'open'>;
  /** They are sealed under it here; the passphrase never leaves this machine. */
  readonly passphrase?: string;
}

async function keepingOf(invocation: Invocation): Promise<Keeping> {
  const { to, 'to-pkcs11': tokenKey, 'passphrase-file': file } = invocation.options;
  if ([to, tokenKey, file].filter((way) => way !== undefined).length > 1) {
    throw new CliError('USAGE', 'give one of --to, --to-pkcs11 and --passphrase-file');
  }
  if (typeof to === 'string') return readRecipient(to, await readFile(to, 'utf8'));
  if (tokenKey !== undefined) {
    const opener = openerIn(await tokenKeyOf(invocation, 'to-pkcs11'));
    return { publicKey: opener.publicKey, opener };
  }
  const passphrase =
    typeof file === 'string'
      ? await readPassphrase(file)
      : await askNewPassphrase('Passphrase for the copies:');
  const opener = createEncryptionKey(randomBytes(32));
  return { publicKey: opener.publicKey, opener, passphrase };
}

function readRecipient(file: string, pem: string): Keeping {
  try {
    if (pem.includes('PRIVATE KEY')) {
      const opener = importEncryptionKey(pem);
      return { publicKey: opener.publicKey, opener };
    }
    const { x = '', y = '' } = createPublicKey(pem).export({ format: 'jwk' });
    const publicKey = Buffer.concat([
      Buffer.of(4),
      Buffer.from(x, 'base64url'),
      Buffer.from(y, 'base64url'),
    ]);
    if (isEncryptionPublicKey(publicKey)) return { publicKey };
  } catch {
    // The platform's message may quote the input, so it is not passed on.
  }
  throw new CliError('USAGE', `${file} is no P-256 key as PEM`);
}

/** A copy that was written. */
interface Written {
  readonly key: number;
  readonly sharing: number;
  readonly file: string;
  /** It was opened here and is the share the ledger's record says it is. */
  readonly checked: boolean;
}

async function keep(
  { copies }: KeyExportAnswer,
  how: { keeping: Keeping; state: SharedKeysState; identity: Identity; into: string },
): Promise<Written[]> {
  const { keeping, state, identity, into } = how;
  const written: Written[] = [];
  for (const { key, sharing, file } of copies) {
    const sealed = decodeRecoveryShare(file);
    const form = formOf(state, key, sharing);
    const { share, checked } = keptAs(sealed, keeping, form);
    const owner = identity.name.replace(/[^\p{L}\p{N}]+/gu, '-').toLowerCase();
    const name = `recovery-${owner}-key${key}-sharing${sharing}.json`;
    const place = await writeSomePrivateFile(join(into, name), encodeRecoveryShare(share));
    written.push({ key, sharing, file: place, checked });
  }
  return written;
}

/** Whether no key was dealt anew between the two answers of the node. */
const isToldOf = (state: SharedKeysState, { copies }: KeyExportAnswer): boolean =>
  copies.every(({ key, sharing }) => formOf(state, key, sharing) !== undefined);

function formOf(state: SharedKeysState, key: number, sharing: number): ThresholdKey | undefined {
  const shared = state.keys.find(({ number }) => number === key);
  const found = shared?.sharings.find(({ number }) => number === sharing);
  return found && decodeThresholdKey(fromHex(found.form) ?? emptyBytes);
}

/** Opens a copy to check it, and seals it under the passphrase if there is one. */
function keptAs(
  sealed: RecoveryShare,
  { opener, passphrase }: Keeping,
  form: ThresholdKey | undefined,
): { readonly share: RecoveryShare; readonly checked: boolean } {
  if (!opener) return { share: sealed, checked: false };
  if (!form) {
    throw new CliError('MISMATCH', 'the node gave a share of a sharing that it does not know');
  }
  const secret = openRecoveryShare(sealed, { key: opener }, form);
  try {
    if (passphrase === undefined) return { share: sealed, checked: true };
    const { networkId, keyId, ceremonyId, actor, index } = sealed;
    const name = { networkId, keyId, ceremonyId, actor, index };
    const entropy = randomBytes(recoverySaltBytes);
    const share = sealRecoveryShare({ name, secret, to: { passphrase }, entropy });
    return { share, checked: true };
  } finally {
    erase(secret);
  }
}

function exportText(
  written: readonly Written[],
  { missing }: KeyExportAnswer,
  { ceremony }: SharedKeysState,
): string {
  const lines = written.map(({ key, sharing, file, checked }) => {
    const sure = checked ? 'opened once to check it' : 'not opened here';
    return `  ${file}: share of key ${key}, sharing ${sharing}; ${sure}`;
  });
  for (const { key, sharing } of missing) {
    lines.push(
      `  key ${key}, sharing ${sharing}: this node does not hold the share; ask another of yours, or later, with --again`,
    );
  }
  if (ceremony) {
    lines.push(`A key ceremony is ${ceremony.state}: export again when "key status" shows none.`);
  }
  lines.push(
    'Keep each copy and what opens it in two places. Copies of one sharing add up; "key status" shows whose there are.',
  );
  return `${lines.join('\n')}\n`;
}

/** Commands about the shared keys of a network. */
export const keyCommands: readonly Command[] = [keyStatus, keyExport, keyRotate];
