import { LocalNetwork, type LocalNode } from '@concordat/local-network';
import type { KeyValueClient } from '@concordat/sdk';
import { median, percentile } from '../arithmetic.ts';
import type { SectionOptions } from '../sections/section.ts';

/** What of a leader is killed. */
export type Victim = 'manager' | 'whole node';

/** How long a network was without commits after its leader was killed; milliseconds. */
export interface ElectionFigures {
  readonly victim: Victim;
  readonly runs: number;
  /** From the kill to the next commit that a client of another node hears of. */
  readonly p50: number;
  readonly p99: number;
  readonly worst: number;
  /** From the kill until another node said that it leads; median. */
  readonly elected: number;
}

const probeMs = 5;
const patienceMs = 30_000;

/**
 * Kills the leader of a network of three with default policies again and again, under a thin load
 * through the other two nodes, and measures the time until one of its writes is committed.
 */
export async function measureElections(options: SectionOptions): Promise<ElectionFigures[]> {
  const { say, quick } = options;
  const runs = quick ? 5 : 20;
  say('a network of 3 for elections');
  const network = await LocalNetwork.start({
    policies: { electionTimeoutMs: 1_000, heartbeatMs: 100 },
    // A host takes more and more time over a node that is killed again and again.
    restart: { maxDelayMs: 250 },
  });
  try {
    const figures: ElectionFigures[] = [];
    for (const victim of ['manager', 'whole node'] as const) {
      const commits: number[] = [];
      const elected: number[] = [];
      for (let run = 1; run <= runs; run++) {
        const { commitMs, electedMs } = await killLeader(network, victim);
        commits.push(commitMs);
        elected.push(electedMs);
        say(`election ${run} of ${runs}, ${victim} killed: ${commitMs.toFixed(0)} ms`);
      }
      figures.push({
        victim,
        runs,
        p50: median(commits),
        p99: percentile(commits, 0.99),
        worst: Math.max(...commits),
        elected: median(elected),
      });
    }
    return figures;
  } finally {
    await network.end();
  }
}

async function killLeader(network: LocalNetwork, victim: Victim) {
  const leader = await network.leader();
  const formerId = leader.status?.nodeId as string;
  const others = network.nodes.filter((node) => node !== leader);
  const clients = await Promise.all(others.map((node) => network.keyvalue(node)));
  try {
    // A write through each: connections and code paths are warm, as under a steady load.
    for (const { promises } of clients) await promises.put('warm', Buffer.of(1));
    const epochMs = Date.now();
    const startedMs = performance.now();
    const gone = kill(leader, victim);
    const commitMs = (await firstCommit(clients)) - startedMs;
    await gone;
    const electedMs = (await newLeaderAt(others, epochMs)) - epochMs;
    if (victim === 'whole node') leader.start();
    await leader.rejoined(formerId);
    return { commitMs, electedMs };
  } finally {
    for (const client of clients) client.close();
  }
}

async function kill(node: LocalNode, victim: Victim): Promise<void> {
  if (victim === 'manager') node.signal('manager', 'SIGKILL');
  else await node.kill();
}

/** Time of the first commit of a write that is sent from now on. */
function firstCommit(clients: readonly KeyValueClient[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = (): void => {
      for (const client of clients) {
        client.put('probe', Buffer.of(2), (error) => {
          if (error) return;
          stop();
          resolve(performance.now());
        });
      }
    };
    const timer = setInterval(probe, probeMs);
    const patience = setTimeout(() => {
      stop();
      reject(new Error(`no commit within ${patienceMs} ms of the leader's end`));
    }, patienceMs);
    const stop = (): void => {
      clearInterval(timer);
      clearTimeout(patience);
    };
    probe();
  });
}

/** When a node first said that it leads, milliseconds since 1970, by its log. */
async function newLeaderAt(nodes: readonly LocalNode[], afterMs: number): Promise<number> {
  const lines = nodes.flatMap((node) => node.log('consensus.role'));
  const times = lines
    .filter(({ role }) => role === 'leader')
    .map(({ time }) => Date.parse(time))
    .filter((ms) => ms >= afterMs);
  return Math.min(...times);
}
