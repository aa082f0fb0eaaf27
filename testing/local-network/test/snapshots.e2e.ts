import assert from 'node:assert/strict';
import {
  copyFileSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { nodeTuple } from '@concordat/cli';
import { AdminClient, verifyReceipt } from '@concordat/sdk';
import { guestNode, LocalNetwork, type LocalNode, WriteLoad, waitUntil } from '../index.ts';

/** One network that takes a snapshot every so many blocks, under a load that goes on. */
const snapshotBlocks = 60;
let network: LocalNetwork;
/** Another network, of one node, stopped. */
let foreign: LocalNetwork;
let load: WriteLoad;
/** A transaction from before any snapshot. */
let firstId: string;

before(async () => {
  network = await LocalNetwork.start({ policies: { snapshotBlocks } });
  const [vn1] = network.nodes as [LocalNode];
  const client = await network.keyvalue(vn1);
  firstId = (await client.promises.put('the first', Buffer.from('of all'))) as string;
  client.close();
  load = new WriteLoad(network, { pauseMs: 10 });
  foreign = await LocalNetwork.start({ nodes: 1, policies: { snapshotBlocks: 10 } });
  const [alone] = foreign.nodes as [LocalNode];
  const stranger = await foreign.keyvalue(alone);
  for (let n = 0; n < 15; n++) await stranger.promises.put(`${n}`, Buffer.from('x'));
  stranger.close();
  await alone.logged('snapshot.usable');
  await foreign.stop();
});

after(async () => {
  await load?.stop();
  await network?.end();
  await foreign?.end();
});

/** Waits until all nodes have a snapshot that was taken from now on; its height. */
async function nextSnapshot(nodes: readonly LocalNode[] = network.nodes): Promise<number> {
  const afterMs = Date.now();
  const lines = await Promise.all(nodes.map((node) => node.logged('snapshot.usable', { afterMs })));
  return Math.max(...lines.map(({ height }) => Number(height)));
}

/** Runs one call on the administrative channel of a node, the guest included. */
async function ask<Answer>(
  node: LocalNode,
  call: (admin: AdminClient) => Promise<Answer>,
): Promise<Answer> {
  const admin = new AdminClient({
    address: `127.0.0.1:${node.ports.admin}`,
    networkCertificate: network.certificate,
    identity: await network.identity(node.organisation),
  });
  return call(admin).finally(() => admin.close());
}

/** Waits until nodes have committed what any of them had when this was called. */
async function level(nodes: readonly LocalNode[]): Promise<void> {
  const heights = (): Promise<number[]> =>
    Promise.all(nodes.map(async (node) => (await ask(node, (a) => a.state())).committedHeight));
  const goal = Math.max(...(await heights()));
  await waitUntil(async () => (await heights()).every((height) => height >= goal), {
    what: `every node to commit block ${goal}`,
  });
}

/** Everything acknowledged so far is on these nodes. */
async function nothingIsMissing(nodes: readonly LocalNode[] = network.nodes): Promise<void> {
  await level(nodes);
  for (const node of nodes) assert.deepEqual(await load.missingOn(node), [], node.name);
}

async function firstReceiptFrom(node: LocalNode): Promise<void> {
  const receipt = await ask(node, (admin) => admin.receipt(firstId));
  const verdict = verifyReceipt(receipt, network.certificate);
  assert.equal(verdict.ok && verdict.transactionId, firstId);
}

const snapshotDirectory = (node: LocalNode): string => join(node.dataDirectory, 'snapshots');

/** Paths of the finished snapshots on a node's host, oldest first. */
const snapshotFiles = (node: LocalNode): string[] =>
  readdirSync(snapshotDirectory(node))
    .filter((name) => name.endsWith('.snapshot'))
    .map((name) => ({ name, height: Number(name.replace(/\D/g, '')) }))
    .sort((a, b) => a.height - b.height)
    .map(({ name }) => join(snapshotDirectory(node), name));

test('every node takes the same snapshots while writes go on, and the host keeps two', async () => {
  const height = await nextSnapshot();
  await nextSnapshot();
  assert.equal(height % snapshotBlocks, 0);
  const [one, ...others] = network.nodes as [LocalNode, ...LocalNode[]];
  const taken = one.log('snapshot.taken');
  for (const { height: at, digest } of taken) {
    for (const other of others) {
      const same = other.log('snapshot.taken').find((line) => line.height === at);
      assert.equal(same?.digest ?? digest, digest, `snapshot ${at} of ${other.name}`);
    }
  }
  for (const node of network.nodes) {
    assert.deepEqual(node.log('snapshot.differs'), []);
    await waitUntil(() => snapshotFiles(node).length <= 2, { what: 'older ones to be deleted' });
    await node.waitFor((status) => Boolean((status as { snapshotHeight?: number }).snapshotHeight));
  }
});

let guest: LocalNode;

test('a fourth node joins by snapshot and tail under load, reads everything, then holds everything', async (t) => {
  const [vn1] = network.nodes as [LocalNode];
  const { organisation } = vn1;
  guest = await guestNode(network, { name: 'vn4', organisation });
  guest.start();
  const status = await guest.waitFor(
    ({ phase, reason = '' }) => phase === 'joining' && reason.startsWith('NODE_NOT_ADMITTED'),
    { what: 'vn4 to ask for admission' },
  );
  const admin = await network.admin(vn1);
  const action = {
    name: 'add_node',
    args: nodeTuple(await network.identity(organisation), status),
  };
  const { proposalId } = await admin.propose([action as never]).finally(() => admin.close());
  const before = load.acknowledged.size;
  for (const node of network.nodes) {
    const voter = await network.admin(vn1, node.organisation);
    const { state } = await voter.vote(proposalId, true).finally(() => voter.close());
    if (state === 'accepted') break;
  }
  await guest.running();
  const installed = await guest.logged('snapshot.installed');
  t.diagnostic(`snapshot ${installed.height}, ${installed.chunks} chunks`);
  t.diagnostic(`${load.acknowledged.size - before} writes acknowledged meanwhile`);
  await load.progress(50);
  await nothingIsMissing([...network.nodes, guest]);
  await firstReceiptFrom(guest);
  await guest.logged('backfill.completed', {});
  await waitUntil(() => guest.status && !(guest.status as { backfill?: object }).backfill, {
    what: 'the status to say that nothing is missing',
  });
  await firstReceiptFrom(guest);
  const report = await network.verify(guest.ledgerDirectory, firstId);
  assert.deepEqual(report.damage, undefined);
  assert.ok(report.ok);
  assert.equal(report.first?.height, 1);
});

test('a crashed node rejoins from its own snapshot and the blocks after it', async () => {
  await nextSnapshot([guest]);
  const formerId = guest.status?.nodeId as string;
  const afterMs = Date.now();
  guest.signal('manager', 'SIGKILL');
  await guest.rejoined(formerId);
  const restoring = await guest.logged('snapshot.restoring', { afterMs });
  assert.ok(Number(restoring.height) > 0);
  await load.progress(50);
  await nothingIsMissing([...network.nodes, guest]);
  await firstReceiptFrom(guest);
});

test('a node that slept too long takes up a snapshot as it runs, and stays who it is', async (t) => {
  const nodes = [...network.nodes, guest];
  const leader = await network.leader();
  const sleeper = network.nodes.find((node) => node !== leader) as LocalNode;
  const { nodeId } = sleeper.status ?? assert.fail('it has a status');
  const afterMs = Date.now();
  const admin = await network.admin(sleeper);
  const watch = await admin.connection.stream({ path: '/gov/events' });
  watch.on('error', () => undefined).resume();
  sleeper.signal('manager', 'SIGSTOP');
  try {
    const awake = nodes.filter((node) => node !== sleeper);
    // More blocks than may be on their way to it already.
    for (let n = 0; n < 8; n++) await nextSnapshot(awake);
  } finally {
    sleeper.signal('manager', 'SIGCONT');
  }
  const installed = await sleeper.logged('snapshot.installed', { afterMs });
  t.diagnostic(`from block ${installed.after} to ${installed.height}`);
  // Who watches there is not told of what was passed over: it has to come again.
  await waitUntil(() => watch.closed, { what: 'the end of the stream' });
  admin.close();
  await sleeper.waitFor(({ phase }) => phase === 'running', {
    what: `${sleeper.name} to serve again`,
  });
  assert.equal(sleeper.status?.nodeId, nodeId);
  await load.progress(50, sleeper);
  await nothingIsMissing(nodes);
  await firstReceiptFrom(sleeper);
  await sleeper.logged('backfill.completed', { afterMs });
});

test('a network that was stopped whole resumes from snapshots, and loses nothing', async () => {
  await nextSnapshot([...network.nodes, guest]);
  const afterMs = Date.now();
  const nodes = [...network.nodes, guest];
  await Promise.all(nodes.map((node) => node.stop()));
  for (const node of nodes) node.start();
  for (const node of nodes) await node.running();
  for (const node of nodes) {
    const restoring = await node.logged('snapshot.restoring', { afterMs });
    assert.ok(Number(restoring.height) > 0, node.name);
  }
  await load.progress(100);
  await nothingIsMissing(nodes);
  await firstReceiptFrom(guest);
});

/** One way of damaging the snapshots of a stopped node, and what is said of it. */
interface Harm {
  readonly what: string;
  readonly harm: (files: readonly string[]) => void;
  readonly reason: RegExp;
  /** What it begins from in the end. */
  readonly begins: 'snapshot' | 'first block';
}

const flip = (path: string, at: (bytes: Buffer) => number): void => {
  const bytes = readFileSync(path);
  const offset = at(bytes);
  bytes.writeUInt8(bytes.readUInt8(offset) ^ 1, offset);
  writeFileSync(path, bytes);
};

const harms: readonly Harm[] = [
  {
    what: 'with a bit flipped in the newest one',
    harm: (files) => flip(files.at(-1) as string, (bytes) => Math.floor(bytes.length / 2)),
    reason: /AUTHENTICATION_FAILED|MALFORMED/,
    begins: 'snapshot',
  },
  {
    what: 'with the newest one cut short',
    harm: (files) => truncateSync(files.at(-1) as string, 1000),
    reason: /MISSING/,
    begins: 'snapshot',
  },
  {
    what: 'with the two exchanged',
    harm: ([older, newer]) => {
      const [one, two] = [readFileSync(older as string), readFileSync(newer as string)];
      writeFileSync(older as string, renumbered(two, one));
      writeFileSync(newer as string, renumbered(one, two));
    },
    reason: /AUTHENTICATION_FAILED|MISSING/,
    begins: 'first block',
  },
  {
    what: 'with those of another network',
    harm: (files) => {
      const [theirs] = snapshotFiles(foreign.nodes[0] as LocalNode).map((path) =>
        readFileSync(path),
      );
      for (const file of files)
        writeFileSync(file, renumbered(theirs as Buffer, readFileSync(file)));
    },
    reason: /AUTHENTICATION_FAILED|MISSING/,
    begins: 'first block',
  },
  {
    what: "with another node's of the same height",
    harm: (files) => {
      const other = network.nodes[0] as LocalNode;
      for (const file of files) {
        const name = file.slice(snapshotDirectory(guest).length + 1);
        const theirs = snapshotFiles(other).find((path) => path.endsWith(name));
        if (theirs) copyFileSync(theirs, file);
        else flip(file, () => 40);
      }
    },
    reason: /AUTHENTICATION_FAILED|MISSING/,
    begins: 'first block',
  },
];

/** A snapshot's file that says it is of the height another one is of. */
function renumbered(bytes: Buffer, other: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  other.copy(copy, 8, 8, 16);
  return copy;
}

for (const { what, harm, reason, begins } of harms) {
  test(`snapshots found ${what} are refused by name, and the node begins from what is sound`, async () => {
    await nextSnapshot([guest]);
    await nextSnapshot([guest]);
    const formerId = guest.status?.nodeId as string;
    await guest.kill();
    const files = snapshotFiles(guest);
    // It was killed before it had deleted them.
    for (const older of files.splice(0, files.length - 2)) rmSync(older);
    assert.equal(files.length, 2);
    harm(files);
    const afterMs = Date.now();
    guest.start();
    await guest.rejoined(formerId);
    const refused = await guest.logged('snapshot.refused', { afterMs });
    assert.equal(refused.code, 'SNAPSHOT_CORRUPT');
    assert.match(String(refused.reason), reason);
    const restored = guest
      .log('snapshot.restoring')
      .filter(({ time }) => Date.parse(time) >= afterMs);
    const sound = restored.filter(
      ({ height }) =>
        !guest
          .log('snapshot.refused')
          .some((line) => line.height === height && Date.parse(line.time) >= afterMs),
    );
    assert.equal(sound.length > 0, begins === 'snapshot');
    await load.progress(20);
    await nothingIsMissing([guest]);
  });
}
