import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { nodeTuple } from '@concordat/cli';
import { guestNode, LocalNetwork, type LocalNode } from '@concordat/local-network';
import { median } from '../arithmetic.ts';
import type { SectionOptions } from '../sections/section.ts';
import { runWrites } from '../workloads/key-value-load.ts';

/** How fast a new node came level with the others. */
export interface CatchUpFigures {
  readonly way: 'entries' | 'snapshot';
  /** Of the ledger the others hold. */
  readonly ledgerBytes: number;
  readonly blocks: number;
  readonly runs: number;
  /** From its admission to its vote, milliseconds; median. */
  readonly tookMs: number;
  /** Ledger it came level with in that time, MB/s (10^6 bytes). */
  readonly megabytesPerSecond: number;
}

const valueBytes = 8_192;
const inFlight = 64;
const snapshotBlocks = 20;
/** Distinct keys: what a snapshot holds is less than the ledger. */
const keys = 2_000;

/** Admits new nodes to a network with a long ledger, and measures until each votes. */
export async function measureCatchUp(
  way: CatchUpFigures['way'],
  { say, quick, rounds }: SectionOptions,
): Promise<CatchUpFigures> {
  say(`a network of 3 for catching up by ${way}`);
  const network = await LocalNetwork.start({
    policies: { snapshotBlocks: way === 'entries' ? 0 : snapshotBlocks },
  });
  try {
    await write(network, quick ? 2_000 : 16_000);
    const { ledgerDirectory, status } = await network.leader();
    const ledgerBytes = bytesIn(ledgerDirectory);
    const took: number[] = [];
    if (way === 'snapshot') for (const node of network.nodes) await node.logged('snapshot.usable');
    for (let round = 1; round <= rounds; round++) {
      took.push(await admitNode(network, { name: `new${round}`, way }));
      say(`${way}: ${(ledgerBytes / 1e6).toFixed(0)} MB in ${took.at(-1)} ms`);
    }
    const tookMs = median(took);
    const megabytesPerSecond = ledgerBytes / 1e3 / tookMs;
    const blocks = status?.committedHeight ?? 0;
    return { way, ledgerBytes, blocks, runs: rounds, tookMs, megabytesPerSecond };
  } finally {
    await network.end();
  }
}

async function write(network: LocalNetwork, writes: number): Promise<void> {
  const client = await network.keyvalue(await network.leader());
  const value = Buffer.alloc(valueBytes, 'v');
  let turn = 0;
  await runWrites(
    (_key, _value, done) => client.put(`key-${turn++ % keys}`, value, (error) => done(error)),
    { writes, inFlight },
  );
  client.close();
  await network.level();
}

/** Milliseconds from a new node's admission until it votes; it is removed again. */
async function admitNode(
  network: LocalNetwork,
  { name, way }: { readonly name: string; readonly way: CatchUpFigures['way'] },
): Promise<number> {
  const { organisation } = network.nodes[0] as LocalNode;
  const node = await guestNode(network, { name, organisation });
  node.start();
  const status = await node.waitFor(({ phase }) => phase === 'joining');
  const tuple = nodeTuple(await network.identity(organisation), status);
  await decide(network, { name: 'add_node', args: tuple });
  const { nodeId } = await node.running(120_000);
  const installed = node.log('snapshot.installed').length > 0;
  if (installed !== (way === 'snapshot')) throw new Error(`the new node did not get the ${way}`);
  const phases = node.log('node.phase');
  const at = (phase: string): number =>
    Date.parse(phases.find((line) => line.phase === phase)?.time ?? '');
  await decide(network, { name: 'remove_node', args: { nodeId } });
  await node.kill();
  return at('running') - at('learning');
}

/** Has an action accepted by as many members as it takes. */
async function decide(
  network: LocalNetwork,
  action: { readonly name: string; readonly args: unknown },
): Promise<void> {
  const [first] = network.nodes as readonly [LocalNode];
  const proposer = await network.admin(first);
  const { proposalId } = await proposer.propose([action as never]).finally(() => proposer.close());
  for (const node of network.nodes) {
    const voter = await network.admin(node);
    const { state } = await voter.vote(proposalId, true).finally(() => voter.close());
    if (state === 'accepted') return;
  }
  throw new Error(`${action.name} was not accepted`);
}

const bytesIn = (directory: string): number =>
  readdirSync(directory)
    .map((name) => statSync(join(directory, name)).size)
    .reduce((sum, size) => sum + size, 0);
