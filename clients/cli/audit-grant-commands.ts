import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { type AuditCollection, collectAuditShares, encodeEpochKeys } from '@concordat/auditor';
import { createEncryptionKey, type EncryptionKey } from '@concordat/crypto';
import { type AuditGrant, maxGrantedEpochs, type Proposal } from '@concordat/governance';
import { type AdminClient, importEncryptionKey } from '@concordat/sdk';
import { toHex } from '@concordat/std';
import { type Command, type Invocation, required } from './command.ts';
import { connect, connectionOptions, connectionUsage } from './connection-options.ts';
import { CliError } from './errors.ts';
import { requireFree, writeNewPrivateFile, writeSomePrivateFile } from './private-file.ts';
import { offlineOptions, offlineUsage, readRecord, reportOf, shownOn } from './recover-commands.ts';
import { combinationText } from './recover-text.ts';
import { filesOf } from './recovery-copies.ts';

/** The auditor's part: a key pair of its own, and the text of what members are asked to vote on. */
const auditRequest: Command = {
  name: 'audit request',
  summary: 'as an auditor: make a key, and the proposal that asks members for some epochs',
  usage: '--name auditor --epochs 2,4-6 --key auditor-key.pem --out proposal.json [--json]',
  options: {
    name: { type: 'string' },
    epochs: { type: 'string' },
    key: { type: 'string' },
    out: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
  examples: [
    'audit request --name revisor --epochs 2,4-6 --key revisor-key.pem --out proposal.json',
  ],
  run: async (invocation) => {
    const { terminal, options } = invocation;
    const [keyFile, out] = [required(invocation, 'key'), required(invocation, 'out')];
    const auditor = required(invocation, 'name');
    const epochs = parseEpochs(required(invocation, 'epochs'));
    requireFree(keyFile);
    requireFree(out);
    const key = createEncryptionKey(randomBytes(32));
    const encryptionKey = toHex(key.publicKey);
    const actions = [{ name: 'grant_audit', args: { auditor, encryptionKey, epochs } }];
    await writeNewPrivateFile(keyFile, key.toPkcs8Pem());
    await writeNewPrivateFile(out, `${JSON.stringify(actions, undefined, 2)}\n`);
    if (options.json === true) {
      terminal.write(`${JSON.stringify({ auditor, encryptionKey, epochs })}\n`);
      return 0;
    }
    terminal.write(
      `Wrote ${keyFile} (keep it secret: it opens what members give) and ${out}.\n` +
        `A member proposes it with: concordat proposal create ${out}\n` +
        `Members compare its key with you: ${encryptionKey}\n`,
    );
    return 0;
  },
};

/** A member's part, after the vote: its own node gives its shares, and says so in the ledger first. */
const auditGrant: Command = {
  name: 'audit grant',
  summary: 'as a member: have your own node give an auditor your decryption shares',
  usage: `<auditor> --out shares.json [--epochs 2,4-6] ${connectionUsage}`,
  positionals: 1,
  options: { ...connectionOptions, epochs: { type: 'string' }, out: { type: 'string' } },
  examples: ['audit grant revisor --out shares.json --as aurora-bank'],
  run: async (invocation) => {
    const { terminal, options, positionals } = invocation;
    const [auditor] = positionals;
    if (!auditor) throw new CliError('USAGE', 'name the auditor, as the proposal does');
    const out = required(invocation, 'out');
    requireFree(out);
    const { admin } = await connect(invocation);
    try {
      const grant = await grantOf(admin, auditor);
      const epochs = await epochsOf(invocation, admin, grant);
      const given = await admin.giveAuditShares({ ...grant, epochs });
      // It is in the ledger that they were given: never lost for a name that is taken meanwhile.
      const file = await writeSomePrivateFile(out, given.file);
      if (options.json === true) {
        terminal.write(`${JSON.stringify({ auditor, epochs: given.epochs, file })}\n`);
        return 0;
      }
      terminal.write(
        `Wrote ${file}: decryption shares for epochs ${given.epochs.join(', ')}, which only ${auditor} opens.\n` +
          `Hand it over. The ledger says that they were given.\n`,
      );
      return 0;
    } finally {
      admin.close();
    }
  },
};

/** The grant in force, as the accepted proposals tell: a later one replaces or revokes it. */
async function grantOf(admin: AdminClient, auditor: string): Promise<AuditGrant> {
  let grant: AuditGrant | undefined;
  const accepted = (await admin.proposals())
    .filter(({ state }) => state === 'accepted')
    .sort((a, b) => closedAt(a) - closedAt(b));
  for (const { name, args } of accepted.flatMap(({ actions }) => actions)) {
    if (args.auditor !== auditor) continue;
    if (name === 'revoke_audit') grant = undefined;
    if (name === 'grant_audit') grant = args as unknown as AuditGrant;
  }
  if (grant) return grant;
  const why = `members have granted auditor ${auditor} nothing, or not any more`;
  throw new CliError('USAGE', `${why}: "concordat proposal list" lists what was decided`);
}

const closedAt = ({ closedAtSeconds, sequence }: Proposal): number =>
  // Two of one second are told apart by the order they were made in.
  (closedAtSeconds ?? 0) + sequence / 1e12;

async function epochsOf(
  { options }: Invocation,
  admin: AdminClient,
  { auditor, epochs: granted }: AuditGrant,
): Promise<readonly number[]> {
  if (typeof options.epochs === 'string') return parseEpochs(options.epochs);
  const { epoch: newest } = await admin.state();
  const begun = granted.filter((epoch) => epoch <= newest);
  if (begun.length > 0) return begun;
  throw new CliError('USAGE', `none of the epochs granted to ${auditor} has begun yet`);
}

/** The auditor's last part: from the files of enough actors, and the ledger, the keys of the epochs. */
const auditCollect: Command = {
  name: 'audit collect',
  summary: 'as an auditor: put session keys together from the shares that members gave',
  usage: `${offlineUsage} --key auditor-key.pem --shares file ... --out epoch-keys.json [--json]`,
  positionals: 1,
  options: {
    ...offlineOptions,
    key: { type: 'string' },
    shares: { type: 'string', multiple: true },
    out: { type: 'string' },
  },
  examples: [
    'audit collect /backup/ledger --network-certificate network.pem --key revisor-key.pem --shares aurora.json --shares borealis.json --out epoch-keys.json',
  ],
  run: async (invocation) => {
    const { terminal, options } = invocation;
    const out = required(invocation, 'out');
    requireFree(out);
    const key = await readAuditorKey(required(invocation, 'key'));
    const files = filesOf(invocation, 'shares');
    if (files.length === 0) throw new CliError('USAGE', 'give what members handed over: --shares');
    const given = await Promise.all(
      files.map(async (file) => ({ name: basename(file), text: await readFile(file, 'utf8') })),
    );
    const record = await readRecord(invocation);
    const { onProgress, clear } = shownOn(terminal);
    let combination: AuditCollection;
    try {
      combination = await collectAuditShares(record, given, { key, onProgress });
    } finally {
      clear();
    }
    const { keys } = combination.keys;
    const complete = keys.length > 0 && keys.length === combination.epochs.length;
    if (keys.length > 0) await writeNewPrivateFile(out, encodeEpochKeys(combination.keys));
    const { dealtAnew } = combination;
    if (options.json === true) {
      const report = { ...reportOf(record, combination), dealtAnew };
      terminal.write(`${JSON.stringify(report)}\n`);
    } else {
      const asked = { record: { ...record, newestEpoch: combination.epochs.length }, combination };
      terminal.write(combinationText(terminal, { ...asked, out }));
      if (dealtAnew.length > 0) {
        terminal.write(
          `Of epochs ${dealtAnew.join(', ')} the key was dealt anew between two members' giving: whoever gave before gives again.\n`,
        );
      }
    }
    return complete ? 0 : 1;
  },
};

async function readAuditorKey(file: string): Promise<EncryptionKey> {
  const pem = await readFile(file, 'utf8');
  try {
    return importEncryptionKey(pem);
  } catch (error) {
    throw new CliError('USAGE', `${file}: ${(error as Error).message}`);
  }
}

/** Epochs given as numbers and ranges, ascending, each once. @throws CliError USAGE */
export function parseEpochs(text: string): number[] {
  const wrong = (): CliError =>
    new CliError(
      'USAGE',
      `--epochs takes numbers and ranges like 2,4-6, at most ${maxGrantedEpochs}`,
    );
  const epochs = new Set<number>();
  for (const part of text.split(',')) {
    const match = /^([1-9]\d{0,14})(?:-([1-9]\d{0,14}))?$/.exec(part.trim());
    if (!match) throw wrong();
    const [from, to] = [Number(match[1]), Number(match[2] ?? match[1])];
    if (to < from || to - from >= maxGrantedEpochs) throw wrong();
    for (let epoch = from; epoch <= to; epoch++) epochs.add(epoch);
    if (epochs.size > maxGrantedEpochs) throw wrong();
  }
  return [...epochs].sort((a, b) => a - b);
}

/** How an auditor comes to read some epochs. */
export const auditGrantCommands: readonly Command[] = [auditRequest, auditGrant, auditCollect];
