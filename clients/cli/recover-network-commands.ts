import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { RecoveryState } from '@concordat/api';
import { eraseCopies, makeRecoveryGift, readKeyRecord, requireOffer } from '@concordat/auditor';
import { type Command, type Invocation, required } from './command.ts';
import { connect, connectionOptions, connectionUsage } from './connection-options.ts';
import { CliError } from './errors.ts';
import { aborted, abortOnInterrupt } from './interrupt.ts';
import { copyOptions, copyUsage, filesOf, openCopies } from './recovery-copies.ts';
import { hostMain, isRunning, type NodeStatus, sleep } from './sandbox/node-process.ts';
import { formatCount, type Terminal } from './terminal.ts';

const pollMs = 200;

/** `concordat recover start`: the first node of a network that goes on from a lost one's ledger. */
const start: Command = {
  name: 'recover start',
  summary: 'begin a new network from the ledger files of one whose nodes are all lost',
  usage:
    '--config vn.json --ledger directory --former-network-certificate file [--certificate file]',
  options: {
    config: { type: 'string' },
    ledger: { type: 'string' },
    'former-network-certificate': { type: 'string' },
    certificate: { type: 'string' },
  },
  examples: [
    'recover start --config vn1.json --ledger /backup/ledger --former-network-certificate network.pem',
  ],
  run: async (invocation) => {
    const { terminal, options } = invocation;
    const config = resolve(required(invocation, 'config'));
    const environment = {
      CONCORDAT_VN_MODE: 'recover',
      CONCORDAT_VN_FORMER_LEDGER_DIRECTORY: resolve(required(invocation, 'ledger')),
      CONCORDAT_VN_NETWORK_CERTIFICATE_FILE: resolve(
        required(invocation, 'former-network-certificate'),
      ),
      ...(typeof options.certificate === 'string' && {
        CONCORDAT_VN_ACTOR_CERTIFICATE_FILE: resolve(options.certificate),
      }),
    };
    const { dataDirectory } = JSON.parse(await readFile(config, 'utf8'));
    const data = resolve(dirname(config), String(dataDirectory));
    await mkdir(data, { recursive: true, mode: 0o700 });
    const logFile = join(data, 'recovery.log');
    terminal.write(`The node's log: ${logFile}\n`);
    const host = spawnRecovering(config, { ...process.env, ...environment }, logFile);
    return follow(terminal, { host, data, logFile });
  },
};

function spawnRecovering(
  config: string,
  env: Readonly<Record<string, string | undefined>>,
  logFile: string,
): number {
  const log = openSync(logFile, 'a');
  try {
    const child = spawn(process.execPath, [hostMain, '--config', config], {
      detached: true,
      stdio: ['ignore', log, log],
      env,
    });
    child.unref();
    if (child.pid !== undefined) return child.pid;
    throw new CliError('NODE_FAILED', 'the host could not be started');
  } finally {
    closeSync(log);
  }
}

interface Followed {
  readonly host: number;
  /** Data directory of the node. */
  readonly data: string;
  readonly logFile: string;
}

/** Tells what a recovering node does, until it cannot go on or the operator stops it. */
async function follow(terminal: Terminal, { host, data, logFile }: Followed): Promise<number> {
  const signal = abortOnInterrupt(terminal);
  const end = aborted(signal);
  const sinceMs = Date.now();
  let told = '';
  let named = false;
  while (!signal.aborted && isRunning(host)) {
    await Promise.race([sleep(pollMs), end]);
    const status = await statusOf(data, sinceMs);
    if (!status) continue;
    if (!named && status.networkCertificate) {
      named = true;
      const file = join(data, 'network-certificate.pem');
      await writeFile(file, status.networkCertificate);
      const { adminAddress } = status.node;
      terminal.write(`New network ${status.networkId}\n  its certificate: ${file}\n`);
      terminal.write(`  members give shares at ${adminAddress} with: concordat recover submit\n`);
    }
    const now = `${status.phase}${status.reason ? `: ${status.reason}` : ''}`;
    if (now !== told) terminal.write(`${now}\n`);
    told = now;
    if (isFinal(status)) {
      await stop(host);
      throw new CliError('NODE_FAILED', `the ledger is not recovered: ${status.reason}`);
    }
  }
  if (!isRunning(host)) {
    const why = await lastError(logFile);
    throw new CliError('NODE_FAILED', `the host ended; ${why ?? `see ${logFile}`}`);
  }
  await stop(host);
  return 0;
}

/** What does not hold now does not hold at the next launch either. */
const isFinal = ({ phase, reason }: NodeStatus): boolean =>
  (phase === 'failed' || phase === 'recovering') &&
  /^(LEDGER_|INVALID_|UNLISTED_|WRONG_)/.test(reason ?? '');

/** What the newest line of a log that tells of an error says. */
async function lastError(logFile: string): Promise<string | undefined> {
  for (const line of (await readFile(logFile, 'utf8')).trimEnd().split('\n').reverse()) {
    try {
      const { level, code, message, why } = JSON.parse(line) as Record<string, unknown>;
      if (level === 'error') return `${code}: ${message ?? why}`;
    } catch {
      // What the runtime prints by itself is no line of the log.
    }
  }
  return undefined;
}

async function statusOf(data: string, sinceMs: number): Promise<NodeStatus | undefined> {
  try {
    const text = await readFile(join(data, 'status.json'), 'utf8');
    const status = JSON.parse(text) as { time: string; manager?: NodeStatus };
    return Date.parse(status.time) >= sinceMs ? status.manager : undefined;
  } catch {
    return undefined;
  }
}

async function stop(host: number): Promise<void> {
  if (!isRunning(host)) return;
  process.kill(host, 'SIGTERM');
  for (let waitedMs = 0; isRunning(host) && waitedMs < 15_000; waitedMs += 50) await sleep(50);
}

/** `concordat recover status`: how far a recovery is, and whose shares it still takes. */
const status: Command = {
  name: 'recover status',
  summary: 'show how far the recovery of a network is, and whose shares are missing',
  usage: connectionUsage,
  options: connectionOptions,
  examples: [
    'recover status --address vn1.aurora.example:7101 --network-certificate new.pem --certificate aurora.pem --key aurora-key.pem',
  ],
  run: async (invocation) => {
    const { admin } = await connect(invocation);
    const state = await admin.recovery().finally(() => admin.close());
    print(invocation, state);
    return 0;
  },
};

function print({ terminal, options }: Invocation, state: RecoveryState): void {
  terminal.write(options.json === true ? `${JSON.stringify(state)}\n` : `${textOf(state)}\n`);
}

const stages = {
  shares: 'it waits for decryption shares',
  restoring: 'the state is being restored',
  restored: 'restored; applications are served once the members vote open_network',
  open: 'open',
} as const;

function textOf({ stage, former, missing = [], ...rest }: RecoveryState): string {
  const { transactions, failure } = rest;
  const { networkId, lastHeight, lastTransaction, lastTimeMs } = former;
  return [
    `Recovered from network ${networkId},`,
    `  up to block ${lastHeight}, transaction ${lastTransaction} of ${new Date(lastTimeMs).toISOString()}.`,
    '  Whatever that network committed afterwards is missing.',
    `Stage: ${stages[stage]}`,
    ...(failure === undefined ? [] : [`  ${failure}`]),
    ...(transactions === undefined ? [] : [`  ${formatCount(transactions)} transactions`]),
    ...missing.map(
      ({ from, to, needed, given, missing: others }) =>
        `  epochs ${from} to ${to}: ${given.length} of ${needed} gave their shares` +
        `${given.length > 0 ? ` (${given.join(', ')})` : ''}; could: ${others.join(', ')}`,
    ),
  ].join('\n');
}

/** `concordat recover submit`: an actor's decryption shares from its recovery copies. */
const submit: Command = {
  name: 'recover submit',
  summary: 'give a recovering node decryption shares made from one’s recovery copies',
  usage: `${copyUsage} --ledger directory --former-network-certificate file [--expected view.seqno] ${connectionUsage}`,
  options: {
    ...connectionOptions,
    ...copyOptions,
    expected: { type: 'string' },
    ledger: { type: 'string' },
    'former-network-certificate': { type: 'string' },
  },
  examples: [
    'recover submit --share aurora.json --ledger /backup/ledger --former-network-certificate network.pem --address vn1.aurora.example:7101 --network-certificate new.pem --certificate aurora.pem --key aurora-key.pem',
  ],
  run: async (invocation) => {
    if (filesOf(invocation, 'share').length === 0)
      throw new CliError('USAGE', '--share is missing');
    const directory = required(invocation, 'ledger');
    const certificateFile = required(invocation, 'former-network-certificate');
    const networkCertificate = await readFile(certificateFile, 'utf8');
    const { expected } = invocation.options;
    const record = await readKeyRecord({
      directory,
      networkCertificate,
      ...(typeof expected === 'string' && { expectedTransaction: expected }),
    });
    const { admin, identity } = await connect(invocation);
    const { messageSigner, certificateDer } = identity;
    if (!messageSigner) throw new CliError('USAGE', 'signing takes an identity with a P-256 key');
    const copies = await openCopies(invocation, record);
    try {
      const nonce = randomBytes(32).toString('hex');
      const offer = await admin.recoveryOffer(nonce);
      requireOffer(offer, { nonce, record, nowMs: Date.now() });
      const createdAtSeconds = Math.floor(Date.now() / 1000);
      const signer = { ...messageSigner, certificateDer, createdAtSeconds };
      const gift = await makeRecoveryGift({
        ...{ offer, record, copies, signer },
        entropy: (bytes) => randomBytes(bytes),
      });
      print(invocation, await admin.giveRecoveryShares(gift));
    } finally {
      eraseCopies(copies);
      admin.close();
    }
    return 0;
  },
};

/** Commands that bring a network back of which only ledgers and recovery copies are left. */
export const recoverNetworkCommands: readonly Command[] = [start, submit, status];
