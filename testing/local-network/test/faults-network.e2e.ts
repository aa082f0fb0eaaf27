import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FaultRun, type LocalNetwork, type LocalNode, NamespaceLinks, separate } from '../index.ts';

/**
 * Five nodes, each host in a network namespace of its own; the same load goes on through every cut.
 */
const { missing } = NamespaceLinks;
const skip = missing ? `partitions by namespaces are skipped: ${missing}` : false;
let links: NamespaceLinks;
let run: FaultRun;
let network: LocalNetwork;

before(async () => {
  if (skip) return;
  run = await FaultRun.start({
    nodes: 5,
    links: (names) => {
      links = NamespaceLinks.open(names);
      return links;
    },
  });
  network = run.network;
});

after(() => run?.end());

/** Cuts, waits until the nodes that can still form a majority serve, heals, waits for all. */
async function survives(
  test: TestContext,
  cut: () => void,
  { served, lastsMs = 0 }: { readonly served: readonly LocalNode[]; readonly lastsMs?: number },
): Promise<void> {
  const startedMs = performance.now();
  try {
    cut();
    for (const node of served) await run.progress(20, node);
    test.diagnostic(`served after ${Math.round(performance.now() - startedMs)} ms`);
    await sleep(Math.max(0, lastsMs - (performance.now() - startedMs)));
  } finally {
    links.heal();
  }
  const healedMs = performance.now();
  for (const node of network.nodes) await run.progress(20, node);
  test.diagnostic(`all served ${Math.round(performance.now() - healedMs)} ms after the end of it`);
}

test('a leader cut off with one follower from the majority is replaced there', {
  skip,
}, async (t) => {
  const leader = await network.leader();
  const [first, ...others] = await network.followers();
  const view = leader.status?.view as number;
  const minority = [leader, first as LocalNode];
  await survives(t, () => separate(links, minority, others), { served: others, lastsMs: 3_000 });
  const { view: later = 0 } = await leader.waitFor((status) => (status.view ?? 0) > view);
  assert.ok(later > view);
});

test('two followers cut off stop nobody, and catch up', { skip }, async (t) => {
  const leader = await network.leader();
  const [a, b, ...rest] = (await network.followers()) as [LocalNode, LocalNode, ...LocalNode[]];
  const majority = [leader, ...rest];
  await survives(t, () => separate(links, [a, b], majority), { served: majority, lastsMs: 2_000 });
});

test('a leader that hears nobody, though all hear it, is replaced', { skip }, async (t) => {
  const leader = await network.leader();
  const followers = await network.followers();
  const deafen = () => {
    for (const node of followers) links.cut(node, leader);
  };
  await survives(t, deafen, { served: followers });
});

test('a leader that nobody hears, though it hears all, is replaced', { skip }, async (t) => {
  const leader = await network.leader();
  const followers = await network.followers();
  const silence = () => {
    for (const node of followers) links.cut(leader, node);
  };
  await survives(t, silence, { served: followers });
});

test('two halves that only one node joins elect a leader all the same', { skip }, async (t) => {
  const [bridge, a, b, c, d] = network.nodes as [
    LocalNode,
    LocalNode,
    LocalNode,
    LocalNode,
    LocalNode,
  ];
  await survives(t, () => separate(links, [a, b], [c, d]), { served: [bridge], lastsMs: 2_000 });
});

test('a ring in which each node reaches a majority, but no two the same one, goes on', {
  skip,
}, async (t) => {
  const ring = network.nodes;
  const cutRing = () => {
    for (const [at, node] of ring.entries()) {
      separate(links, [node], [ring[(at + 2) % 5] as LocalNode]);
    }
  };
  await survives(t, cutRing, { served: [], lastsMs: 3_000 });
});

test('a leader whose ways come and go loses nothing', { skip }, async () => {
  for (let flap = 0; flap < 4; flap += 1) {
    const leader = await network.leader();
    separate(
      links,
      [leader],
      network.nodes.filter((node) => node !== leader),
    );
    await sleep(400);
    links.heal();
    await sleep(250);
  }
  for (const node of network.nodes) await run.progress(20, node);
});

test('what all clients saw through all of this has one explanation, and nothing is missing', {
  skip,
}, async (t) => {
  await run.check(t);
});
