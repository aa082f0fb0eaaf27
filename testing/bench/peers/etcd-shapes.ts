import { spreadOf } from '../arithmetic.ts';
import { medianLatency } from '../sections/median-latency.ts';
import { comparePeer, type Peer, type SectionOptions } from '../sections/section.ts';
import { runWrites, type WriteFigures } from '../workloads/key-value-load.ts';
import { EtcdCluster, etcdIsInstalled } from './etcd.ts';

/** One load: ours, to be set beside etcd's under as many requests in flight. */
export interface Shape {
  /** As it is told, for example `16x32`. */
  readonly name: string;
  /** Requests not yet answered, over all connections. */
  readonly inFlight: number;
  readonly requests: number;
  /** Our medians. */
  readonly writesPerSecond: number;
  readonly readsPerSecond: number;
}

const name = 'etcd, three members, fsync';
const leftOut = 'no TLS, no encryption, no code run';

/**
 * Puts etcd under the same shapes of load, with values and keys like ours: writes that are durable
 * on a majority when answered, and reads of what the leader has committed.
 */
export async function etcdUnderShapes(
  shapes: readonly Shape[],
  { bytes, keys }: { readonly bytes: number; readonly keys: number },
  { rounds, say }: SectionOptions,
): Promise<readonly Peer[]> {
  if (!etcdIsInstalled()) {
    return [{ name, note: 'skipped: etcd is not installed (/usr/bin/etcd)' }];
  }
  let cluster: EtcdCluster;
  try {
    cluster = await EtcdCluster.start();
  } catch (error) {
    return [{ name, note: `skipped: ${error instanceof Error ? error.message : String(error)}` }];
  }
  const peers: Peer[] = [];
  try {
    for (const shape of shapes) {
      say(`peer: etcd, ${shape.name}`);
      const load = { writes: shape.requests, inFlight: shape.inFlight, bytes, keys };
      const { put, localRead } = cluster;
      const cpuMicros: number[] = [];
      await runWrites(put, { ...load, writes: Math.max(load.writes, keys) });
      const writes: WriteFigures[] = [];
      const reads: WriteFigures[] = [];
      const measure = async () => {
        for (let round = 1; round <= rounds; round++) {
          const before = cluster.cpuMicros();
          writes.push(await runWrites(put, load));
          cpuMicros.push((cluster.cpuMicros() - before) / load.writes);
          reads.push(await runWrites(localRead, load));
        }
      };
      peers.push(
        await comparePeer(shape.writesPerSecond, `${name}: writes ${shape.name}`, async () => {
          await measure();
          const cpu = spreadOf(cpuMicros).median.toFixed(0);
          return toldOf(writes, `${cpu} µs CPU a write, all members; ${leftOut}`);
        }),
        await comparePeer(shape.readsPerSecond, `${name}: reads ${shape.name}`, async () =>
          toldOf(reads, `at the leader, not linearizable; ${leftOut}`),
        ),
      );
    }
  } finally {
    await cluster.stop();
  }
  return peers;
}

function toldOf(
  rounds: readonly WriteFigures[],
  what: string,
): { readonly perSecond: number; readonly note: string } {
  if (rounds.length === 0) throw new Error('nothing was measured');
  const { p50, p99 } = medianLatency(rounds);
  return {
    perSecond: spreadOf(rounds.map((round) => round.perSecond)).median,
    note: `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms; ${what}`,
  };
}
