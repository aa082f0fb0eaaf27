import { renderTable } from '@concordat/cli';
import { percentile } from '../arithmetic.ts';
import { BenchNetwork } from '../bench-network.ts';
import { loadAverage } from '../process-figures.ts';
import { type Put, putsOf, runWrites, valueBytes } from '../workloads/key-value-load.ts';
import { benchChainId } from '../workloads/token-set.ts';
import type { SectionOptions } from './section.ts';

/** Resident memory of one kind of process once the ledger had so many blocks. */
export interface MemoryAt {
  readonly blocks: number;
  /** The largest of the three nodes, bytes. */
  readonly host: number;
  readonly manager: number;
  readonly worker: number;
}

/** How long writes took while snapshots of a state were taken, or were not. */
export interface WaitFigures {
  readonly snapshots: number;
  readonly writes: number;
  /** Sending to durable commit as the client saw it, milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
}

/** What a long ledger and the snapshots of it cost. */
export interface MemoryFigures {
  readonly id: 'memory';
  readonly blocks: readonly MemoryAt[];
  /** Bytes of keys and values of the state that snapshots were taken of. */
  readonly stateBytes: number;
  readonly without: WaitFigures;
  readonly taken: WaitFigures;
  readonly load: number;
}

/** The worker's image has both adapters, so both are configured. */
const adapters = { keyvalue: {}, ethereum: { chains: [{ name: 'main', chainId: benchChainId }] } };
const stateKeys = 200_000;
const keyBytes = 12;

/** Measures both. */
export async function memorySection({ say, quick }: SectionOptions): Promise<MemoryFigures> {
  const counts = quick ? [2_000, 6_000] : [20_000, 60_000, 200_000];
  const blocks = await growth(counts, say);
  const keys = quick ? 20_000 : stateKeys;
  const without = await waits(keys, 0, say);
  const taken = await waits(keys, quick ? 100 : 400, say);
  const stateBytes = keys * (keyBytes + valueBytes);
  return { id: 'memory', blocks, stateBytes, without, taken, load: loadAverage() };
}

async function growth(counts: readonly number[], say: SectionOptions['say']): Promise<MemoryAt[]> {
  // One transaction a block: the most blocks for the work.
  const policies = { snapshotBlocks: 5_000 };
  const network = await BenchNetwork.start({ adapters, batch: 1, policies });
  try {
    const put = putsOf(await network.keyValueClient());
    const found: MemoryAt[] = [];
    let written = 0;
    for (const blocks of counts) {
      await runWrites(put, { writes: blocks - written, inFlight: 256 });
      written = blocks;
      found.push({ blocks, ...memoryOf(network) });
      say(`${blocks} blocks: ${JSON.stringify(found.at(-1))}`);
    }
    return found;
  } finally {
    await network.stop();
  }
}

function memoryOf(network: BenchNetwork): Omit<MemoryAt, 'blocks'> {
  const figures = Object.entries(network.figures());
  const largest = (part: string): number =>
    Math.max(
      ...figures
        .filter(([name]) => name.endsWith(part))
        .map(([, { residentBytes }]) => residentBytes),
    );
  return { host: largest('host'), manager: largest('manager'), worker: largest('worker') };
}

/** Writes at a steady rate over a filled state, with a snapshot every so many blocks. */
async function waits(
  keys: number,
  snapshotBlocks: number,
  say: SectionOptions['say'],
): Promise<WaitFigures> {
  const network = await BenchNetwork.start({ adapters, policies: { snapshotBlocks } });
  try {
    const put = putsOf(await network.keyValueClient());
    await fill(put, keys);
    const before = network.logged('snapshot.taken');
    const latencies = await steady(put, keys);
    const snapshots = network.logged('snapshot.taken') - before;
    const figures = {
      snapshots,
      writes: latencies.length,
      p50: percentile(latencies, 0.5),
      p99: percentile(latencies, 0.99),
      longest: percentile(latencies, 1),
    };
    say(`snapshots every ${snapshotBlocks} blocks: ${JSON.stringify(figures)}`);
    return figures;
  } finally {
    await network.stop();
  }
}

const keyAt = (at: number): string => `k${String(at).padStart(keyBytes - 1, '0')}`;

function fill(put: Put, keys: number): Promise<void> {
  const value = Buffer.alloc(valueBytes, 'f');
  let [sent, answered] = [0, 0];
  return new Promise((resolve, reject) => {
    const next = (): void => {
      put(keyAt(sent++), value, (error) => {
        if (error) return reject(error);
        answered++;
        if (sent < keys) next();
        else if (answered === keys) resolve();
      });
    };
    for (let at = 0; at < 1_000; at++) next();
  });
}

const steadySeconds = 30;
const perTick = 5;
const tickMs = 5;

/** A thousand writes a second, whether those before are answered or not: waits are not hidden. */
function steady(put: Put, keys: number): Promise<number[]> {
  const value = Buffer.alloc(valueBytes, 's');
  const latencies: number[] = [];
  const startedMs = performance.now();
  let sent = 0;
  return new Promise((resolve, reject) => {
    const timer = setInterval(() => {
      const dueMs = performance.now();
      if (dueMs - startedMs > steadySeconds * 1_000) {
        clearInterval(timer);
        const rest = setInterval(() => {
          if (latencies.length < sent) return;
          clearInterval(rest);
          resolve(latencies);
        }, 20);
        return;
      }
      for (let at = 0; at < perTick; at++) {
        put(keyAt((sent++ * 7_919) % keys), value, (error) => {
          if (error) reject(error);
          else latencies.push(performance.now() - dueMs);
        });
      }
    }, tickMs);
  });
}

const mebibytes = (bytes: number): string => (bytes / 1024 / 1024).toFixed(0);

/** The figures as people read them. */
export function renderMemory({ blocks, stateBytes, without, taken, load }: MemoryFigures): string {
  const memory = blocks.map((at) => [
    at.blocks.toLocaleString('en-US'),
    mebibytes(at.host),
    mebibytes(at.manager),
    mebibytes(at.worker),
  ]);
  const waited = [without, taken].map(({ snapshots, writes, p50, p99, longest }) => [
    String(snapshots),
    writes.toLocaleString('en-US'),
    p50.toFixed(1),
    p99.toFixed(1),
    longest.toFixed(0),
  ]);
  return [
    '\nMemory of a long ledger: blocks of one write each, 10,000 keys written over and over',
    renderTable(['blocks', 'host MiB', 'manager MiB', 'worker MiB'], memory, 'right'),
    `Waits of 1,000 writes a second over a state of ${mebibytes(stateBytes)} MiB (load average ${load.toFixed(1)})`,
    renderTable(['snapshots taken', 'writes', 'p50 ms', 'p99 ms', 'longest ms'], waited, 'right'),
    '',
  ].join('\n');
}
