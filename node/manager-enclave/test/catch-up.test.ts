import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeManifest, verifyReceipt } from '@concordat/ledger';
import { toSeqno, toView } from '@concordat/std';
import { ReceiptDesk } from '../receipt-desk.ts';
import { RecordKeeper } from '../record-keeper.ts';
import { requireProven } from '../rejoining.ts';
import { positionOf } from '../snapshot-position.ts';
import {
  batch,
  decide,
  grow,
  join,
  type Organisation,
  type TestNode,
  takeUp,
  threeNodes,
  World,
} from './fixture.ts';

const every = 10;

/** Three nodes that have a snapshot that can be given to others, and a few blocks after it. */
async function withSnapshot({ gap = every } = {}) {
  const world = new World();
  world.snapshotGap = gap;
  const { members, first, second, third } = await threeNodes(world);
  const args = { name: 'snapshotBlocks', value: every };
  await decide(world, first, members, [{ name: 'set_policy', args }]);
  await write(world, first, 25);
  assert(first.snapshots.newestUsable);
  return { world, members, first, second, third };
}

async function write(world: World, leader: TestNode, blocks: number): Promise<void> {
  for (let n = 0; n < blocks; n++) {
    assert(leader.driver.place(1, batch(`a${n}`, `b${n}`)).ok);
    await world.tick(1);
  }
  await world.tick(3);
}

const logged = (node: TestNode, event: string) =>
  node.host.logged.filter((line) => line.event === event);

/** A newcomer that was let in and takes part, so far with nothing. */
async function newcomer(world: World, members: readonly Organisation[]): Promise<TestNode> {
  const leader = await world.elect();
  const node = world.add(members[0] as Organisation);
  await decide(world, leader, members, [{ name: 'add_node', args: node.tuple }]);
  const reply = await join(world, leader, node);
  takeUp(node, reply);
  node.begin({ configuration: reply.configuration }, 0.5);
  return node;
}

test('a newcomer gets the snapshot and the blocks after it, and none before', async () => {
  const { world, members, first } = await withSnapshot();
  const node = await newcomer(world, members);
  await world.tick(30);
  const { height } = first.snapshots.newestUsable as { height: number };
  assert.deepEqual(node.restored, [height]);
  assert.equal(node.log.committedHeight, first.log.committedHeight);
  assert.deepEqual(node.log.root, first.log.root);
  assert.deepEqual(
    node.administration.committedConstitution,
    first.administration.committedConstitution,
  );
  assert.equal(
    node.host.blocks.findIndex((block) => block),
    height,
  );
  assert.equal(node.held.missing, height);
  assert.deepEqual(node.proofs, ['proven']);
  const restored = node.worker.sent.filter(({ kind }) => kind === 'restore');
  assert.deepEqual(restored[0]?.bytes, Buffer.from(first.worker.state(height)));
  assert.equal(node.broken, undefined);
});

test('it votes, takes the same snapshots as the others, and goes on without its sponsor', async () => {
  const { world, members } = await withSnapshot();
  const node = await newcomer(world, members);
  await world.tick(30);
  for (let round = 0; round < 20; round++) {
    (await world.elect()).joinDesk?.promote();
    await world.tick(2);
  }
  const leader = await world.elect();
  assert(leader.driver.status.configurations[0]?.voters.includes(node.id));
  await write(world, leader, 2 * every);
  const taken = logged(node, 'snapshot.taken').at(-1);
  assert.equal(taken?.digest, logged(leader, 'snapshot.taken').at(-1)?.digest);
  assert.equal(logged(node, 'snapshot.usable').at(-1)?.height, taken?.height);
  for (const other of world.nodes) if (other !== node) world.cut.add(other.id);
  for (const other of world.nodes)
    if (other !== node && other !== leader) world.cut.delete(other.id);
  const next = await world.elect();
  await write(world, next, 3);
  assert.deepEqual(node.log.root, next.log.root);
});

test('a node that was away so long that its blocks are not worth sending gets the snapshot', async () => {
  const { world, first, second, third } = await withSnapshot();
  world.cut.add(third.id);
  await write(world, first, 3 * every);
  world.cut.clear();
  const before = third.log.committedHeight;
  await world.tick(40);
  const leader = await world.elect();
  assert.equal(third.restored.length, 1);
  assert((third.restored[0] as number) > before);
  assert.deepEqual(third.log.root, leader.log.root);
  assert.equal(third.held.missing, (third.restored[0] as number) - before);
  assert.deepEqual(third.proofs, ['proven']);
  assert.equal(second.restored.length, 0);
});

test('receipts of blocks it does not hold come from its peers, or are said not to be held', async () => {
  const { world, members, first } = await withSnapshot();
  const old = first.driver.place(1, batch('x', 'y'));
  assert(old.ok);
  await write(world, first, 2 * every);
  const node = await newcomer(world, members);
  await world.tick(30);
  const id = { view: toView(old.view), seqno: toSeqno(old.firstSeqno + 1) };
  assert(!node.held.has(old.height));
  const desk = new ReceiptDesk(node);
  assert.equal(desk.status(id), 'Committed');
  const verdict = verifyReceipt(await desk.receipt(id), node.network.certificate);
  assert.equal(verdict.ok && verdict.transactionId, `${id.view}.${id.seqno}`);
  for (const other of world.nodes) {
    if (other !== node) other.host.tamper = (blocks) => blocks.map((block) => block.with(60, 1));
  }
  await assert.rejects(desk.receipt(id), { code: 'BLOCK_NOT_HELD' });
  assert([...node.refusals].some(({ what, count }) => what === 'block' && count === 3));
  for (const other of world.nodes) if (other !== node) world.cut.add(other.id);
  await assert.rejects(desk.receipt(id), { code: 'BLOCK_NOT_HELD' });
});

const flipped = (bytes: Buffer) => bytes.with(bytes.length - 20, (bytes.at(-20) as number) ^ 1);

for (const [what, mark, change] of [
  ['the last chunk flipped', 'state after block', flipped],
  ['a chunk flipped while others follow it', 'CCDTHIS1', flipped],
  ['the manifest flipped', 'CCDTSNP2', flipped],
  ['a chunk cut short', 'state after block', (bytes: Buffer) => bytes.subarray(0, -1)],
] as const) {
  test(`${what} on its way is refused by name and counted, and the whole one taken`, async () => {
    const { world, members, first } = await withSnapshot();
    const node = await newcomer(world, members);
    let changed = 0;
    world.intercept = (bytes, to) => {
      const isChunk = to === node.id && bytes.includes(mark);
      if (!isChunk || changed > 0) return bytes;
      changed += 1;
      return Buffer.from(change(bytes));
    };
    await world.tick(60);
    assert.equal(changed, 1);
    assert.deepEqual(node.log.root, first.log.root);
    const seen = [...node.refusals].map(({ what: kind, code }) => `${kind} ${code}`);
    // One that is cut short is no message at all; the chunk is asked for again.
    const refused =
      seen.some((kind) => /^snapshot WRONG_(CHUNK|SNAPSHOT)$/.test(kind)) ||
      node.refusedMessages.length === 1;
    assert(refused, seen.join());
    assert.equal(node.broken, undefined);
  });
}

test('a snapshot that changes on the own host before it is taken up ends the launch, and is dropped', async () => {
  const { world, members } = await withSnapshot();
  const node = await newcomer(world, members);
  const { snapshotRead } = node.host;
  node.host.snapshotRead = async (height, index) => {
    const chunk = await snapshotRead.call(node.host, height, index);
    return chunk?.with(20, (chunk[20] as number) ^ 1);
  };
  await world.tick(30);
  assert.equal((node.broken as { code?: string } | undefined)?.code, 'SNAPSHOT_CORRUPT');
  assert.equal(node.host.snapshots.size, 0);
  assert.equal(node.driver.leads, false);
});

test('a snapshot withdrawn while a node receives it leaves nothing behind, and its own of that height stays', async () => {
  const { world, first, third } = await withSnapshot({ gap: 3 });
  while (third.log.committedHeight % every !== 5) await write(world, first, 1);
  world.cut.add(third.id);
  await write(world, first, every);
  const { height } = first.snapshots.newestUsable as { height: number };
  // Of every chunk but the manifest the wire makes nothing.
  world.intercept = (bytes) => (bytes.includes('state after block') ? Buffer.alloc(1) : bytes);
  world.cut.clear();
  await world.tick(8);
  assert.equal(third.driver.status.receiving?.position.height, height);
  assert.deepEqual(third.host.snapshotsUnderWay, [height]);
  const digests = new Set<string>();
  for (let next = first.snapshots.newestUsable; next; next = first.snapshots.newestUsable) {
    assert.equal(first.driver.status.offered?.digest, next.digest, 'the one before is offered');
    digests.add(next.digest);
    await first.snapshots.dropDigest(next.digest);
  }
  assert.equal(digests.size, 2);
  assert.equal(first.driver.status.offered, undefined);
  world.intercept = undefined;
  await world.tick(10);
  assert.deepEqual(third.log.root, first.log.root);
  assert.deepEqual(third.restored, [], 'it got every block');
  assert.deepEqual(third.host.snapshotsUnderWay, []);
  assert.equal(logged(third, 'snapshot.not-taken').length, 0);
  assert.equal(logged(third, 'snapshot.refused').length, 0);
  assert.equal(logged(third, 'snapshot.taken').at(-1)?.height, height);
  assert.equal(third.driver.status.offered?.height, height);
  // The next one it is sent does not end what came of the one before: that has its own in its place.
  world.cut.add(third.id);
  await write(world, first, every);
  world.cut.clear();
  await world.tick(40);
  assert.deepEqual(third.restored, [height + every]);
  assert.deepEqual([...third.host.snapshots.keys()], [height, height + every]);
  assert.equal(third.broken, undefined);
});

/** The leader's enclave was broken: it offers a snapshot of another state than all others hold. */
async function falselyOffered(record: 'recorded' | 'unrecorded') {
  const { world, members, first, second } = await withSnapshot();
  const offer = first.driver.offerSnapshot.bind(first.driver);
  first.driver.offerSnapshot = () => undefined;
  second.snapshots.judge = () => undefined;
  if (record === 'unrecorded')
    for (const node of world.nodes) node.snapshots.judge = () => undefined;
  second.worker.astray = ', and a coin that is not there';
  await write(world, first, every);
  const height = second.snapshots.newestHeight;
  const taken = logged(second, 'snapshot.taken').at(-1);
  const position = await positionAt(second, String(taken?.digest));
  first.snapshots.chunk = second.snapshots.chunk.bind(second.snapshots);
  offer(position);
  const node = await newcomer(world, members);
  await world.tick(30);
  return { world, first, node, height };
}

async function positionAt(node: TestNode, digest: string) {
  const manifest = decodeManifest((await node.snapshots.chunk(digest, 0)) as Uint8Array, {
    networkId: node.network.id,
  });
  return positionOf(manifest, digest);
}

test('a node that was given a false snapshot finds out, whatever its sender says', async () => {
  const { first, node, height } = await falselyOffered('recorded');
  assert.deepEqual(node.restored, [height]);
  assert.equal(node.log.committedHeight, first.log.committedHeight);
  assert.deepEqual(node.proofs, [height]);
  assert.equal(logged(node, 'snapshot.differs').length, 1);
  assert.equal(node.host.snapshots.size, 0);
  await assert.rejects(requireProven(keeping(node)), { code: 'SNAPSHOT_UNPROVEN' });
});

test('a node that was given a snapshot the ledger does not know keeps nothing of it', async () => {
  const { node, height } = await falselyOffered('unrecorded');
  assert.deepEqual(node.restored, [height]);
  assert.deepEqual(node.proofs, []);
  assert.equal(node.snapshots.unproven, height);
  await assert.rejects(requireProven(keeping(node)), { code: 'SNAPSHOT_UNPROVEN' });
  const rejoin = await new RecordKeeper(node.records).rejoin();
  assert.equal(rejoin?.discardLedger, true);
  assert.equal(rejoin?.replaces, node.id);
});

const keeping = (node: TestNode) =>
  Object.assign(Object.create(node) as TestNode, { keeper: new RecordKeeper(node.records) });

test('what a peer asks of the past is bounded, and what is not there is said so', async () => {
  const { world, members, first } = await withSnapshot();
  const node = await grow(world, members, members[0] as Organisation);
  await world.tick(5);
  const ask = (from: number, to: number, maxBytes = 1 << 20) =>
    node.archive.blocksOf(first.id, { from, to, maxBytes });
  assert.equal((await ask(3, 5)).length, 3);
  await assert.rejects(ask(0, 5), { code: 'BLOCK_NOT_HELD' });
  await assert.rejects(ask(10_000, 10_001), { code: 'BLOCK_NOT_HELD' });
  await assert.rejects(ask(9, 5), { code: 'BLOCK_NOT_HELD' });
  const many = await Promise.allSettled(Array.from({ length: 5 }, () => ask(3, 5)));
  assert.equal(many.filter(({ status }) => status === 'rejected').length, 3);
  const { archiveDesk } = first;
  for (const body of [Buffer.alloc(0), Buffer.alloc(19), Buffer.alloc(21, 1)]) {
    assert.throws(() => archiveDesk.blocks(node.id, body), { code: 'CHANNEL_FAILED' });
    assert.throws(() => archiveDesk.page(node.id, body), { code: 'CHANNEL_FAILED' });
  }
  await assert.rejects(archiveDesk.page(node.id, Buffer.alloc(4, 9)), { code: 'BLOCK_NOT_HELD' });
});
