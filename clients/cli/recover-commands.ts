import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import {
  type Combination,
  combineOffline,
  decodeSharesFile,
  encodeEpochKeys,
  encodeSharesFile,
  eraseCopies,
  type HolderShares,
  type KeyRecord,
  makeShares,
  type OfflineLedger,
  type OfflineProgress,
  offlineRequesterOf,
  readKeyRecord,
  sharesFileOf,
  sharesOfFile,
} from '@concordat/auditor';
import { type Command, type Invocation, required } from './command.ts';
import { CliError } from './errors.ts';
import { ledgerOf, ledgerOptions } from './ledger-options.ts';
import { requireFree, writeNewPrivateFile } from './private-file.ts';
import { ProgressBar } from './progress-bar.ts';
import { combinationText } from './recover-text.ts';
import { copyOptions, copyUsage, filesOf, openCopies } from './recovery-copies.ts';
import { formatCount, type Terminal } from './terminal.ts';

/** Options of commands that read a ledger without any network. */
export const offlineOptions = {
  directory: ledgerOptions.directory,
  'network-certificate': ledgerOptions['network-certificate'],
  expected: { type: 'string' },
  json: ledgerOptions.json,
} as const;

/** How the usage line shows them. */
export const offlineUsage =
  '<directory of chunk files> --network-certificate file [--expected view.seqno]';

/** Puts session keys together from recovery copies, or from shares their owners made of them. */
export const recoverKeys: Command = {
  name: 'recover keys',
  summary: 'put the session keys of a ledger together from recovery copies, without any node',
  usage: `${offlineUsage} ${copyUsage} [--decryption-shares file ...] --out epoch-keys.json [--json]`,
  positionals: 1,
  options: {
    ...offlineOptions,
    ...copyOptions,
    'decryption-shares': { type: 'string', multiple: true },
    out: { type: 'string' },
  },
  examples: [
    'recover keys /backup/ledger --network-certificate network.pem --share aurora.json --share borealis.json --out epoch-keys.json',
  ],
  run: async (invocation) => {
    const { terminal, options } = invocation;
    const out = required(invocation, 'out');
    requireFree(out);
    const record = await readRecord(invocation);
    const combination = await combineGiven(invocation, record);
    const opened = combination.keys.keys.length;
    if (opened > 0) await writeNewPrivateFile(out, encodeEpochKeys(combination.keys));
    if (options.json === true) terminal.write(`${JSON.stringify(reportOf(record, combination))}\n`);
    else terminal.write(combinationText(terminal, { record, combination, out }));
    return opened > 0 && opened === record.newestEpoch && !record.missing ? 0 : 1;
  },
};

/** One actor's part, on its own machine: its copy never leaves it. */
export const recoverShares: Command = {
  name: 'recover shares',
  summary: 'make decryption shares from one’s own recovery copy, for someone else to combine',
  usage: `${offlineUsage} ${copyUsage} --out decryption-shares.json [--for requester]`,
  positionals: 1,
  options: { ...offlineOptions, ...copyOptions, out: { type: 'string' }, for: { type: 'string' } },
  examples: [
    'recover shares /backup/ledger --network-certificate network.pem --share aurora.json --out decryption-shares.json',
  ],
  run: async (invocation) => {
    const { terminal, options } = invocation;
    const out = required(invocation, 'out');
    requireFree(out);
    const record = await readRecord(invocation);
    const requester = requesterOf(invocation, record);
    const made = await sharesOfCopies(invocation, record, requester);
    if (made.length === 0) throw new CliError('USAGE', '--share is missing');
    const text = encodeSharesFile(sharesFileOf(record, requester, made));
    await writeNewPrivateFile(out, text);
    const rows = made.map(({ actorId, sharing, shares }) => ({
      actor: record.nameOf(actorId),
      key: sharing.keyNumber,
      sharing: sharing.number,
      epochs: shares.size,
    }));
    if (options.json === true) {
      terminal.write(
        `${JSON.stringify({ networkId: record.networkId, requester, shares: rows })}\n`,
      );
      return 0;
    }
    for (const { actor, key, sharing, epochs } of rows) {
      const what = `${formatCount(epochs)} epochs of key ${key}, from sharing ${sharing}`;
      terminal.write(`  ${actor}: decryption shares for ${what}\n`);
    }
    terminal.write(`Wrote ${out}, for ${requester}. Hand it over by a way nobody else reads.\n`);
    return 0;
  },
};

/** Reads what the ledger says of its keys, with a bar. @throws AuditorError, CliError */
export async function readRecord(invocation: Invocation): Promise<KeyRecord> {
  const bar = new ProgressBar(invocation.terminal);
  try {
    return await readKeyRecord({ ...(await offlineLedger(invocation)), onProgress: shown(bar) });
  } finally {
    bar.clear();
  }
}

/** The ledger the options name. @throws CliError USAGE, SANDBOX_MISSING */
export async function offlineLedger(invocation: Invocation): Promise<OfflineLedger> {
  if (invocation.positionals.length === 0) {
    throw new CliError('USAGE', 'name the directory with the chunk files of a node');
  }
  const { directory, networkCertificate } = await ledgerOf(invocation);
  const { expected } = invocation.options;
  const known = typeof expected === 'string' && { expectedTransaction: expected };
  return { directory, networkCertificate, ...known };
}

/**
 * Session keys from whatever was given: copies to make shares of here, shares made elsewhere, or both.
 * @throws AuditorError, KeysError, CliError
 */
export async function combineGiven(
  invocation: Invocation,
  record: KeyRecord,
): Promise<Combination> {
  const requester = offlineRequesterOf(record);
  const given = await sharesOfCopies(invocation, record, requester);
  for (const file of filesOf(invocation, 'decryption-shares')) {
    const read = decodeSharesFile(await readFile(file, 'utf8'));
    given.push(...sharesOfFile(record, read, requester));
  }
  if (given.length === 0) {
    throw new CliError('USAGE', 'give recovery copies with --share, or --decryption-shares');
  }
  const bar = new ProgressBar(invocation.terminal);
  try {
    return await combineOffline(record, given, { requester, onProgress: shown(bar) });
  } finally {
    bar.clear();
  }
}

async function sharesOfCopies(
  invocation: Invocation,
  record: KeyRecord,
  requester: string,
): Promise<HolderShares[]> {
  const copies = await openCopies(invocation, record);
  const bar = new ProgressBar(invocation.terminal);
  const how = { requester, entropy: (bytes: number) => randomBytes(bytes), onProgress: shown(bar) };
  try {
    const made: HolderShares[] = [];
    for (const copy of copies) made.push(await makeShares(record, copy, how));
    return made;
  } finally {
    eraseCopies(copies);
    bar.clear();
  }
}

/** Whom shares are made for: whoever works offline, or a node that recovers the network. */
function requesterOf({ options }: Invocation, record: KeyRecord): string {
  const { for: asked } = options;
  if (asked === undefined) return offlineRequesterOf(record);
  if (typeof asked === 'string' && /^recovery:[0-9a-f]{64}$/.test(asked)) return asked;
  throw new CliError('USAGE', '--for takes recovery: and the id of the recovering node');
}

const shown = (bar: ProgressBar) => {
  const startedMs = performance.now();
  return (progress: OfflineProgress): void => bar.show(withFigures(progress, startedMs));
};

function withFigures({ stage, done, total, transactions }: OfflineProgress, startedMs: number) {
  const seconds = Math.max(1, performance.now() - startedMs) / 1000;
  if (stage === 'reading') {
    const rate = `${formatCount(transactions / seconds)} transactions/s`;
    return { done, total, figures: `reading, ${(done / 1e6 / seconds).toFixed(1)} MB/s, ${rate}` };
  }
  const what = stage === 'sharing' ? 'making shares' : 'combining';
  return { done, total, figures: `${what}, ${formatCount(done / seconds)} epochs/s` };
}

/** A bar's listener for whoever reads a ledger. */
export const shownOn = (terminal: Terminal) => {
  const bar = new ProgressBar(terminal);
  return { onProgress: shown(bar), clear: () => bar.clear() };
};

/** As data: everything but the keys. */
export const reportOf = (
  { networkId, networkName, count, missing }: KeyRecord,
  { epochs }: Combination,
) => ({ networkId, networkName, last: count.last, ...(missing && { missing }), epochs });
