import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { encodeEpochKeys } from '@concordat/auditor';
import { readSandbox, renderTable } from '@concordat/cli';
import { median, perSecond } from '../arithmetic.ts';
import type { AuditAnswer, AuditJob } from '../audit/audit-process.ts';
import { BenchNetwork } from '../bench-network.ts';
import { loadAverage } from '../process-figures.ts';
import { putsOf, runWrites, valueBytes } from '../workloads/key-value-load.ts';
import { benchChainId } from '../workloads/token-set.ts';
import type { SectionOptions } from './section.ts';

/** One length of ledger, audited with or without a key. */
export interface AuditCell {
  /** Whether the auditor had been granted the epochs. */
  readonly contents: 'opened' | 'closed';
  readonly blocks: number;
  readonly transactions: number;
  readonly bytes: number;
  /** Transactions a second of processor time, which is one core's; median of the rounds. */
  readonly perCpuSecond: number;
  /** Transactions a second by the clock. */
  readonly perSecond: number;
  /** Ledger bytes a second of processor time. */
  readonly bytesPerCpuSecond: number;
  readonly peakBytes: number;
}

/** What an audit of a real ledger costs, at two lengths. */
export interface AuditFigures {
  readonly id: 'audit';
  readonly cells: readonly AuditCell[];
  /** Writes a second of the network that wrote the ledger, on the same machine. */
  readonly writtenPerSecond: number;
  readonly load: number;
}

const inFlight = 1_000;
/** The second ledger is so many times as long as the first. */
const growth = 4;

/** Writes a ledger with a real network and audits it, then a longer one. */
export async function auditSection(options: SectionOptions): Promise<AuditFigures> {
  const { rounds, quick, say } = options;
  const writes = quick ? 20_000 : 120_000;
  const network = await BenchNetwork.start({
    // The worker's image carries both adapters.
    adapters: { keyvalue: {}, ethereum: { chains: [{ name: 'main', chainId: benchChainId }] } },
  });
  try {
    const client = await network.keyValueClient();
    const cells: AuditCell[] = [];
    const rates: number[] = [];
    for (const part of [writes, writes * (growth - 1)]) {
      say(`${part} writes`);
      rates.push((await runWrites(putsOf(client), { writes: part, inFlight })).perSecond);
      const epochKeysFile = await grantedKeys(network);
      for (const keys of [{ epochKeysFile }, {}]) {
        say(`audit of ${part === writes ? 'the' : 'a longer'} ledger`);
        cells.push(await measure(network, rounds, keys));
      }
    }
    client.close();
    return { id: 'audit', cells, writtenPerSecond: median(rates), load: loadAverage() };
  } finally {
    await network.stop();
  }
}

/** The keys of all epochs, as members grant them to an auditor. */
async function grantedKeys({ sandbox }: BenchNetwork): Promise<string> {
  const file = join(sandbox.layout.directory, 'epoch-keys.json');
  await writeFile(file, encodeEpochKeys(await readSandbox(sandbox)), { mode: 0o600 });
  return file;
}

async function measure(
  { sandbox }: BenchNetwork,
  rounds: number,
  keys: Pick<AuditJob, 'epochKeysFile'>,
): Promise<AuditCell> {
  const { layout, first } = sandbox;
  const job: AuditJob = {
    directory: layout.ledger(first.name),
    networkCertificateFile: layout.networkCertificate,
    ...keys,
  };
  const answers: AuditAnswer[] = [];
  for (let round = 0; round < rounds; round++) answers.push(await audited(job));
  const { blocks, transactions, bytes } = answers.at(-1) as AuditAnswer;
  const of = (figure: (answer: AuditAnswer) => number): number => median(answers.map(figure));
  return {
    contents: keys.epochKeysFile ? 'opened' : 'closed',
    blocks,
    transactions,
    bytes,
    perCpuSecond: of((answer) => perSecond(answer.transactions, answer.cpuMs)),
    perSecond: of((answer) => perSecond(answer.transactions, answer.ms)),
    bytesPerCpuSecond: of((answer) => perSecond(answer.bytes, answer.cpuMs)),
    peakBytes: Math.max(...answers.map(({ peakBytes }) => peakBytes)),
  };
}

const program = join(import.meta.dirname, '../audit/audit-process.ts');

async function audited(job: AuditJob): Promise<AuditAnswer> {
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [program, JSON.stringify(job)]);
  return JSON.parse(stdout) as AuditAnswer;
}

const count = (value: number): string => Math.round(value).toLocaleString('en-US');

/** The section as people read it. */
export function renderAudit({ cells, writtenPerSecond, load }: AuditFigures): string {
  const rows = cells.map((cell) => [
    cell.contents,
    count(cell.transactions),
    count(cell.blocks),
    count(cell.perCpuSecond),
    (cell.bytesPerCpuSecond / 1e6).toFixed(0),
    count(cell.perSecond),
    `${(cell.perSecond / writtenPerSecond).toFixed(1)} ×`,
    count(cell.peakBytes / 1024 / 1024),
  ]);
  const header = [
    'contents',
    'transactions',
    'blocks',
    'tx/s of CPU',
    'MB/s of CPU',
    'tx/s',
    'over writing',
    'peak MiB',
  ];
  const method = `key-value writes of ${valueBytes} bytes at ${count(writtenPerSecond)} a second, batches of at most 100; audits of the running network's files, each in a process of its own`;
  return `\n(g) audit of a ledger\n  ${method}\n  load average ${load.toFixed(1)}\n\n${renderTable(header, rows, 'right')}`;
}
