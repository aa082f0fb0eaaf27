import { median } from './arithmetic.ts';
import type { BenchNetwork, NetworkFigures } from './bench-network.ts';
import { type ThreadFigures, threadsBetween } from './profile/threads.ts';

/** What a stretch of work cost, for each transaction. */
export interface Costs {
  /** Processor microseconds a transaction, by process; the client is `client`. */
  readonly cpuMicros: Readonly<Record<string, number>>;
  readonly ledgerBytes: number;
  /** Of each worker's threads, processor microseconds a transaction. */
  readonly threadMicros: Readonly<Record<string, ThreadFigures>>;
  /** Peak resident memory of each process, bytes. */
  readonly peakBytes: Readonly<Record<string, number>>;
}

/** Measures what some work costs the network's processes and this client. */
export async function measureCosts(
  network: BenchNetwork,
  work: () => Promise<number>,
): Promise<Costs> {
  const before = network.figures();
  const threadsBefore = network.workerThreads();
  const ledgerBefore = network.ledgerBytes();
  const clientBefore = process.cpuUsage();
  const transactions = await work();
  const client = process.cpuUsage(clientBefore);
  const after = network.figures();
  const ledgerBytes = (network.ledgerBytes() - ledgerBefore) / transactions;
  const cpuMicros = mapFigures(
    after,
    ({ cpuMicros: now }, name) => (now - (before[name]?.cpuMicros ?? 0)) / transactions,
  );
  return {
    cpuMicros: { ...cpuMicros, client: (client.user + client.system) / transactions },
    ledgerBytes,
    threadMicros: Object.fromEntries(
      Object.entries(network.workerThreads()).map(([name, threads]) => [
        name,
        eachOf(threadsBetween(threadsBefore[name] ?? {}, threads), transactions),
      ]),
    ),
    peakBytes: mapFigures(after, ({ peakBytes }) => peakBytes),
  };
}

const eachOf = (threads: ThreadFigures, transactions: number): ThreadFigures =>
  Object.fromEntries(
    Object.entries(threads).map(([name, micros]) => [name, micros / transactions]),
  );

function mapFigures(
  figures: NetworkFigures,
  map: (figure: NetworkFigures[string], name: string) => number,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(figures).map(([name, figure]) => [name, map(figure, name)]),
  );
}

/** Medians of several rounds, process by process. */
export function medianCosts(rounds: readonly Costs[]): Costs {
  const byName = (pick: (costs: Costs) => Readonly<Record<string, number>>) =>
    Object.fromEntries(
      Object.keys(pick(rounds[0] as Costs)).map((name) => [
        name,
        median(rounds.map((costs) => pick(costs)[name] ?? 0)),
      ]),
    );
  return {
    cpuMicros: byName(({ cpuMicros }) => cpuMicros),
    ledgerBytes: median(rounds.map(({ ledgerBytes }) => ledgerBytes)),
    threadMicros: Object.fromEntries(
      Object.keys((rounds[0] as Costs).threadMicros).map((worker) => [
        worker,
        byName(({ threadMicros }) => threadMicros[worker] ?? {}),
      ]),
    ),
    peakBytes: byName(({ peakBytes }) => peakBytes),
  };
}
