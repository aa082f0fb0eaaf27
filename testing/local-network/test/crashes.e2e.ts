import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readSandbox } from '@concordat/cli';
import { LocalNetwork, type LocalNode, type Part, WriteLoad, waitUntil } from '../index.ts';

/** One network, hit again and again while the same load goes on. */
let network: LocalNetwork;
let load: WriteLoad;

before(async () => {
  network = await LocalNetwork.start();
  load = new WriteLoad(network);
  await load.progress(200);
});

after(async () => {
  await load?.stop();
  await network?.end();
});

/** Every acknowledged write so far is on every node. */
async function nothingIsLost(): Promise<void> {
  await network.level();
  for (const node of network.nodes) {
    assert.deepEqual(await load.missingOn(node), [], `acknowledged writes missing on ${node.name}`);
  }
}

/** Kills a part of a node under load; the network goes on, and the node comes back as a new one. */
async function survives(node: LocalNode, part: Part): Promise<void> {
  const formerId = node.status?.nodeId as string;
  const others = network.nodes.filter((other) => other !== node);
  node.signal(part, 'SIGKILL');
  for (const other of others) await load.progress(100, other);
  if (part === 'host') node.start();
  await node.rejoined(formerId);
  await load.progress(100, node);
  await nothingIsLost();
}

test('a leader whose manager is killed loses nothing it acknowledged, and rejoins', async () => {
  await survives(await network.leader(), 'manager');
});

test('a leader stopped for five seconds is replaced, and follows when it wakes', async (t) => {
  const leader = await network.leader();
  const view = leader.status?.view as number;
  leader.signal('manager', 'SIGSTOP');
  const stoppedMs = performance.now();
  try {
    for (const other of network.nodes) if (other !== leader) await load.progress(100, other);
    t.diagnostic(`served again after ${Math.round(performance.now() - stoppedMs)} ms`);
    await sleep(Math.max(0, 5_000 - (performance.now() - stoppedMs)));
  } finally {
    leader.signal('manager', 'SIGCONT');
  }
  await leader.waitFor((status) => (status.view ?? 0) > view, {
    what: `${leader.name} to learn the later view`,
  });
  await load.progress(100, leader);
  await nothingIsLost();
});

test('writes on their way to a leader that stopped are answered while it is stopped', async (t) => {
  const leader = await network.leader();
  const patient = new WriteLoad(network, {
    nodes: await network.followers(),
    prefix: 'patient/',
    inFlight: 64,
    pauseMs: 0,
    patienceMs: 60_000,
  });
  await patient.progress(50);
  const sentBefore = patient.sent;
  const stoppedMs = performance.now();
  leader.signal('manager', 'SIGSTOP');
  try {
    await waitUntil(() => patient.answered >= sentBefore, {
      what: 'an answer to each write sent before',
      // Sooner than the load or its streams give up.
      timeoutMs: 50_000,
      seen: () => ({ sentBefore, answered: patient.answered }),
    });
    t.diagnostic(`all answered after ${Math.round(performance.now() - stoppedMs)} ms`);
  } finally {
    leader.signal('manager', 'SIGCONT');
    await patient.stop();
  }
});

test("a node whose worker is killed serves again with a new worker's state", async () => {
  const [follower] = (await network.followers()) as [LocalNode];
  await survives(follower, 'worker-1');
});

test('a leader whose worker is killed loses nothing it acknowledged', async () => {
  await survives(await network.leader(), 'worker-1');
});

test('a host that is killed takes its enclaves along and comes back as a new node', async () => {
  const [follower] = (await network.followers()) as [LocalNode];
  await survives(follower, 'host');
});

test('two of three nodes killed at once come back one after the other, beside the one that ran on', async (t) => {
  await load.progress(100);
  const leader = await network.leader();
  const [follower, survivor] = (await network.followers()) as [LocalNode, LocalNode];
  for (const node of [leader, follower]) await node.kill();
  const downMs = performance.now();
  // The survivor alone is no majority: with the first that comes back there is one again.
  follower.start();
  await follower.running();
  await load.progress(50, survivor);
  t.diagnostic(`a majority again after ${Math.round(performance.now() - downMs)} ms`);
  leader.start();
  await leader.running();
  await load.progress(100, leader);
  await nothingIsLost();
});

test('a network whose every process is killed at once keeps what it acknowledged', async (t) => {
  await load.progress(100);
  await network.kill();
  network.startAll();
  for (const node of network.nodes) await node.running();
  for (const node of network.nodes) await load.progress(100, node);
  await nothingIsLost();
  t.diagnostic(`${load.acknowledged.size} writes acknowledged of ${load.sent} sent`);
});

test('what each node stored through all of this is one verified ledger', async () => {
  await load.stop();
  // As an auditor: by a vote, and the shares of two of the three that hold them.
  const epochKeys = await readSandbox(network.sandbox, ['vn1', 'vn2']);
  await network.level();
  for (const node of network.nodes) {
    const report = await network.verify(node.ledgerDirectory, undefined, epochKeys);
    assert.deepEqual(report.damage, undefined, node.name);
    assert.ok(report.ok);
    assert.ok(
      report.epochs.every(({ contents }) => contents),
      'contents were verified too',
    );
    assert.ok(report.transactions > load.acknowledged.size);
  }
});
