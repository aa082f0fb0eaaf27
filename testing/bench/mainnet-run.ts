import type { ApplicationClient } from '@concordat/sdk';
import { bucketsBetween, percentileOfBuckets, perSecond } from './arithmetic.ts';
import { workerStats } from './bench-network.ts';
import { type BlockCheck, checkBlock, isMatch } from './block-check.ts';
import { type PostBody, runLoad } from './json-rpc-load.ts';
import { denialOfServiceBlock, type MainnetBlocks } from './workloads/mainnet-set.ts';

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

/** What sending blocks came to. */
export interface SendingFigures {
  /** Every block. */
  readonly all: PhaseFigures;
  /** Without the block of the denial-of-service attack; absent when it is not among them. */
  readonly withoutDenialOfService?: PhaseFigures;
  /** Receipt to durable commit on a majority, all blocks. */
  readonly commit: LatencyFigures;
  /** Receipt to commit on all nodes: the paper's latency. */
  readonly commitOnAll: LatencyFigures;
}

/** What became of them, too. */
export interface MainnetFigures extends SendingFigures {
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
 * Sends blocks to a network that has their chains. The denial-of-service block goes last, alone, so
 * that one run gives the figures with and without it.
 */
export async function sendMainnet(
  { blocks, lanes }: MainnetBlocks,
  client: ApplicationClient,
  watch: MainnetWatch = unwatched,
): Promise<SendingFigures> {
  const attackAt = blocks.indexOf(denialOfServiceBlock);
  const others = lanes.filter((_, at) => at !== attackAt);
  const attacks = lanes.filter((_, at) => at === attackAt);
  const before = await workerStats(client);
  const main = await sendPhase('real blocks', others, { client, watch });
  const attack = await sendPhase('the attack', attacks, { client, watch });
  const after = await workerStats(client);
  return {
    all: together(main, attack),
    ...(attacks.length > 0 && others.length > 0 && { withoutDenialOfService: main }),
    commit: latencyBetween(before.buckets.commit, after.buckets.commit),
    commitOnAll: latencyBetween(before.buckets.commitOnAll, after.buckets.commitOnAll),
  };
}

/** Compares what the network made of blocks with the real ones. */
export async function checkMainnet(
  { blocks, copy }: MainnetBlocks,
  client: ApplicationClient,
): Promise<readonly BlockCheck[]> {
  const checks: BlockCheck[] = [];
  for (const number of blocks) checks.push(await checkBlock(client, number, copy));
  return checks;
}

/** Sends blocks and compares them. */
export async function runMainnet(
  sent: MainnetBlocks,
  client: ApplicationClient,
  watch?: MainnetWatch,
): Promise<MainnetFigures> {
  const figures = await sendMainnet(sent, client, watch);
  const checks = await checkMainnet(sent, client);
  return { ...figures, checks, everyBlockMatches: checks.every(isMatch) };
}

/** Sends blocks and compares nothing, to have the code compiled. */
export const warmUpMainnet = (
  { lanes }: MainnetBlocks,
  client: ApplicationClient,
  watch: MainnetWatch = unwatched,
): Promise<PhaseFigures> => sendPhase('warming up', lanes, { client, watch });

async function sendPhase(
  label: string,
  lanes: MainnetBlocks['lanes'],
  { client, watch }: { readonly client: ApplicationClient; readonly watch: MainnetWatch },
): Promise<PhaseFigures> {
  if (lanes.length === 0) return nothing;
  const total = lanes.flat().reduce((sum, { transactions }) => sum + transactions, 0);
  const gauge = watch.phase(label, total);
  const { transactions, ms } = await runLoad(largestFirst(lanes), {
    post: postOver(client),
    lanesInFlight: chainsInFlight,
    onAnswered: (request) => gauge.committed(request.transactions),
  }).finally(() => gauge.stop());
  return { transactions, ms, perSecond: perSecond(transactions, ms) };
}

const nothing: PhaseFigures = { transactions: 0, ms: 0, perSecond: 0 };

/** A long lane begun last would run alone at the end. */
const largestFirst = (lanes: MainnetBlocks['lanes']): MainnetBlocks['lanes'] =>
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
