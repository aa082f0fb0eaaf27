import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { renderTable, type SandboxNode } from '@concordat/cli';
import { createEncryptionKey, type EncryptionKey } from '@concordat/crypto';
import { toHex } from '@concordat/std';
import { median, perSecond } from '../arithmetic.ts';
import { BenchNetwork } from '../bench-network.ts';
import { loadAverage } from '../process-figures.ts';
import type { PartCost, RecoveryAnswer, RecoveryJob } from '../recovery/recovery-process.ts';
import { putsOf, runWrites, valueBytes } from '../workloads/key-value-load.ts';
import { benchChainId } from '../workloads/token-set.ts';
import type { SectionOptions } from './section.ts';

/** One length of ledger, read with recovery copies and nothing else. */
export interface RecoveryCell {
  readonly blocks: number;
  readonly transactions: number;
  readonly epochs: number;
  /** Processor ms an epoch: one holder's decryption share; combining the shares of all. */
  readonly shareMs: number;
  readonly combineMs: number;
  /** Reading the public part: transactions a second of processor time. */
  readonly readPerCpuSecond: number;
  /** Decrypting, verifying and writing lines. */
  readonly perCpuSecond: number;
  readonly perSecond: number;
  /** Ledger bytes a second of processor time. */
  readonly bytesPerCpuSecond: number;
  readonly peakBytes: number;
}

/** What bringing a ledger back from files and copies costs, at two lengths. */
export interface RecoveryFigures {
  readonly id: 'recovery';
  readonly cells: readonly RecoveryCell[];
  /** Members whose copies are used. */
  readonly holders: number;
  /** Writes a second of the network that wrote the ledger, on the same machine. */
  readonly writtenPerSecond: number;
  readonly load: number;
}

const inFlight = 1_000;
/** The second ledger is so many times as long as the first. */
const growth = 4;
/** Blocks of an epoch: many more epochs than a network would begin. */
const epochBlocks = 20;
/** Of three members. */
const holders = 2;

/** Writes a ledger with a real network, exports copies, and reads it with these alone. */
export async function recoverySection(options: SectionOptions): Promise<RecoveryFigures> {
  const { rounds, quick, say } = options;
  const writes = quick ? 20_000 : 120_000;
  const network = await BenchNetwork.start({
    // The worker's image carries both adapters.
    adapters: { keyvalue: {}, ethereum: { chains: [{ name: 'main', chainId: benchChainId }] } },
    policies: { epochBlocks },
  });
  try {
    say('members share the key');
    const key = createEncryptionKey(randomBytes(32));
    const copies = await copiesOf(network, key);
    const client = await network.keyValueClient();
    const cells: RecoveryCell[] = [];
    const rates: number[] = [];
    for (const part of [writes, writes * (growth - 1)]) {
      say(`${part} writes`);
      rates.push((await runWrites(putsOf(client), { writes: part, inFlight })).perSecond);
      say(`reading ${part === writes ? 'the' : 'a longer'} ledger with ${holders} copies`);
      cells.push(await measure(network, { copies, key: key.toPkcs8Pem() }, rounds));
    }
    client.close();
    const writtenPerSecond = median(rates);
    return { id: 'recovery', cells, holders, writtenPerSecond, load: loadAverage() };
  } finally {
    await network.stop();
  }
}

/** Copies of every key, once all three members hold shares of each. */
async function copiesOf({ sandbox }: BenchNetwork, key: EncryptionKey): Promise<string[]> {
  const { first } = sandbox;
  const admin = await sandbox.admin(first.name, first.organisation);
  for (;;) {
    const { keys, ceremony } = await admin.sharedKeys();
    const isShared = keys.every(({ sharings }) => sharings.at(-1)?.holders.length === 3);
    if (isShared && !ceremony) break;
    await sleep(200);
  }
  admin.close();
  const copies: string[] = [];
  for (const node of sandbox.nodes.slice(0, holders)) copies.push(...(await copyOf(node)));
  return copies;

  async function copyOf({ name, organisation }: SandboxNode): Promise<string[]> {
    const own = await sandbox.admin(name, organisation);
    const request = { publicKey: toHex(key.publicKey), again: false };
    const answer = await own.exportKeys(request).finally(() => own.close());
    return answer.copies.map(({ file }) => file);
  }
}

async function measure(
  { sandbox }: BenchNetwork,
  given: Pick<RecoveryJob, 'copies' | 'key'>,
  rounds: number,
): Promise<RecoveryCell> {
  const { layout, first } = sandbox;
  const directory = layout.ledger(first.name);
  const job: RecoveryJob = {
    ...given,
    directory,
    networkCertificateFile: layout.networkCertificate,
  };
  const answers: RecoveryAnswer[] = [];
  for (let round = 0; round < rounds; round++) answers.push(await recovered(job));
  const { blocks, transactions, epochs } = answers.at(-1) as RecoveryAnswer;
  const of = (figure: (answer: RecoveryAnswer) => number): number => median(answers.map(figure));
  const rate = (count: number, { cpuMs }: PartCost): number => perSecond(count, cpuMs);
  return {
    blocks,
    transactions,
    epochs,
    shareMs: of(({ share, epochs: count }) => share.cpuMs / count / holders),
    combineMs: of(({ combine, epochs: count }) => combine.cpuMs / count),
    readPerCpuSecond: of((answer) => rate(answer.transactions, answer.read)),
    perCpuSecond: of((answer) => rate(answer.transactions, answer.decrypt)),
    perSecond: of((answer) => perSecond(answer.transactions, answer.decrypt.ms)),
    bytesPerCpuSecond: of((answer) => rate(answer.bytes, answer.decrypt)),
    peakBytes: Math.max(...answers.map(({ peakBytes }) => peakBytes)),
  };
}

const program = join(import.meta.dirname, '../recovery/recovery-process.ts');

async function recovered(job: RecoveryJob): Promise<RecoveryAnswer> {
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [program, JSON.stringify(job)]);
  return JSON.parse(stdout) as RecoveryAnswer;
}

const count = (value: number): string => Math.round(value).toLocaleString('en-US');

/** The section as people read it. */
export function renderRecovery(figures: RecoveryFigures): string {
  const { cells, holders: members, writtenPerSecond, load } = figures;
  const rows = cells.map((cell) => [
    count(cell.transactions),
    count(cell.blocks),
    count(cell.epochs),
    cell.shareMs.toFixed(2),
    cell.combineMs.toFixed(2),
    count(cell.readPerCpuSecond),
    count(cell.perCpuSecond),
    (cell.bytesPerCpuSecond / 1e6).toFixed(0),
    count(cell.perSecond),
    `${(cell.perSecond / writtenPerSecond).toFixed(1)} ×`,
    count(cell.peakBytes / 1024 / 1024),
  ]);
  const header = [
    'transactions',
    'blocks',
    'epochs',
    'share, ms',
    'combine, ms',
    'read, tx/s of CPU',
    'decrypt, tx/s of CPU',
    'MB/s of CPU',
    'tx/s',
    'over writing',
    'peak MiB',
  ];
  const method = `key-value writes of ${valueBytes} bytes at ${count(writtenPerSecond)} a second, an epoch every ${epochBlocks} blocks; recovery copies of ${members} of 3 members; shares and combining in processor ms an epoch; each run a process of its own, on the running network's files`;
  return `\n(r) reading a ledger with recovery copies\n  ${method}\n  load average ${load.toFixed(1)}\n\n${renderTable(header, rows, 'right')}`;
}
