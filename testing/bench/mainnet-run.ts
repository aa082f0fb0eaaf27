import type { ApplicationClient } from '@concordat/sdk';
import { bucketsBetween, percentileOfBuckets, perSecond } from './arithmetic.ts';
import { workerStats } from './bench-network.ts';
import { type BlockCheck, checkBlock, isMatch } from './block-check.ts';
import { type PostBody, runLoad, type SendRequest } from './json-rpc-load.ts';
import { denialOfServiceBlock, type MainnetSet } from './workloads/mainnet-set.ts';

/**
 * Chains in flight at a time: senders of one batch are recovered while the one before executes,
 * the one before that is sealed, replicated and synced, and a fourth waits. More gain nothing and
 * only lengthen the queue.
 */
export const chainsInFlight = 4;

/** Throughput of one phase. */
export interface PhaseFigures {
  readonly transactions: number;
  readonly ms: number;
  readonly perSecond: number;
}

/** Milliseconds. */
export interface LatencyFigures {
  readonly p50: number;
  readonly p99: number;
}

/** What sending a set came to. */
export interface MainnetFigures {
  /** Absent when nothing warmed up. */
  readonly warmUp?: PhaseFigures;
  /** Every block of the set. */
  readonly all: PhaseFigures;
  /** Without the block of the denial-of-service attack; absent when it is not in the set. */
  readonly withoutDenialOfService?: PhaseFigures;
  /** Receipt to durable commit on a majority, all blocks of the set. */
  readonly commit: LatencyFigures;
  /** Receipt to commit on all nodes: the paper's latency. */
  readonly commitOnAll: LatencyFigures;
  readonly checks: readonly BlockCheck[];
  /** Whether every block equals the real one in all that was compared. */
  readonly everyBlockMatches: boolean;
}

/** Who watches a run. */
export interface MainnetWatch {
  /** A phase begins; the answer hears of commits and of its end. */
  phase(
    label: string,
    transactions: number,
  ): { committed(transactions: number): void; stop(): void };
}

const unwatched: MainnetWatch = { phase: () => ({ committed: () => {}, stop: () => {} }) };

/** Posts JSON-RPC bodies over mutual TLS. */
export const postOver =
  (client: ApplicationClient): PostBody =>
  async (path, body) => {
    const headers = { 'content-type': 'application/json' };
    const answer = await client.connection.request({ method: 'POST', path, headers, body });
    return answer.body;
  };

/**
 * Sends the blocks of a set to a network that has their chains, and compares what it made of them
 * with the real blocks. The denial-of-service block goes last, alone, so that one run gives the
 * figures with and without it.
 */
export async function runMainnet(
  set: MainnetSet,
  client: ApplicationClient,
  watch: MainnetWatch = unwatched,
): Promise<MainnetFigures> {
  const post = postOver(client);
  const phase = async (label: string, lanes: MainnetSet['lanes']): Promise<PhaseFigures> => {
    const total = lanes.flat().reduce((sum, { transactions }) => sum + transactions, 0);
    const gauge = watch.phase(label, total);
    const { transactions, ms } = await runLoad(largestFirst(lanes), {
      post,
      lanesInFlight: chainsInFlight,
      onAnswered: (request) => gauge.committed(request.transactions),
    }).finally(() => gauge.stop());
    return { transactions, ms, perSecond: perSecond(transactions, ms) };
  };
  const attackAt = set.blocks.indexOf(denialOfServiceBlock);
  const warmUp =
    set.warmUpLanes.length > 0 ? await phase('warming up', set.warmUpLanes) : undefined;
  const before = await workerStats(client);
  const others = set.lanes.filter((_, at) => at !== attackAt);
  const main = others.length > 0 ? await phase('real blocks', others) : nothing;
  const attack =
    attackAt >= 0 ? await phase('the attack', [set.lanes[attackAt] as SendRequest[]]) : nothing;
  const after = await workerStats(client);
  const checks: BlockCheck[] = [];
  for (const number of set.blocks) checks.push(await checkBlock(client, number));
  return {
    ...(warmUp && { warmUp }),
    all: together(main, attack),
    ...(attackAt >= 0 && others.length > 0 && { withoutDenialOfService: main }),
    commit: latencyBetween(before.buckets.commit, after.buckets.commit),
    commitOnAll: latencyBetween(before.buckets.commitOnAll, after.buckets.commitOnAll),
    checks,
    everyBlockMatches: checks.every(isMatch),
  };
}

const nothing: PhaseFigures = { transactions: 0, ms: 0, perSecond: 0 };

/** A long lane begun last would run alone at the end. */
const largestFirst = (lanes: MainnetSet['lanes']): MainnetSet['lanes'] =>
  lanes.toSorted((a, b) => b.length - a.length);

function together(a: PhaseFigures, b: PhaseFigures): PhaseFigures {
  const [transactions, ms] = [a.transactions + b.transactions, a.ms + b.ms];
  return { transactions, ms, perSecond: perSecond(transactions, ms) };
}

function latencyBetween(
  before: Parameters<typeof bucketsBetween>[0],
  after: Parameters<typeof bucketsBetween>[1],
): LatencyFigures {
  const between = bucketsBetween(before, after);
  return { p50: percentileOfBuckets(between, 0.5), p99: percentileOfBuckets(between, 0.99) };
}
