import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHeight } from '@concordat/std';
import { ManagerError } from '../errors.ts';
import { replayLedger } from '../ledger-replay.ts';
import { replayPublic } from '../public-replay.ts';
import { batch, decide, heights, keepShares, TestNode, threeNodes, World } from './fixture.ts';

test('three nodes hold the same ledger, and their workers the same blocks', async () => {
  const { world, first, second, third } = await threeNodes();
  for (const text of ['a', 'b', 'c']) {
    const placed = first.driver.place(1, batch(text));
    assert(placed.ok);
    first.feed.sealedHere(placed.height, 1);
  }
  await world.tick(3);
  assert.equal(new Set(heights(world)).size, 1);
  assert.deepEqual(second.log.root, first.log.root);
  assert.deepEqual(third.log.root, first.log.root);
  const applied = second.worker.sent.filter(({ kind }) => kind === 'applied');
  assert.equal(applied.length, 3);
  assert.equal(first.worker.sent.filter(({ kind }) => kind === 'applied').length, 0);
  assert(first.worker.sent.some(({ kind }) => kind === 'committed'));
});

test('the host learns what is final with the next block, or at the next tick', async () => {
  const { world, first } = await threeNodes();
  assert(first.driver.place(1, batch('a')).ok);
  await world.settle();
  const height = first.log.committedHeight;
  assert(first.host.committedHeight < height);
  assert(first.driver.place(1, batch('b')).ok);
  assert.equal(first.host.committedHeight, height);
  await world.settle();
  await world.tick(1);
  assert.equal(first.host.committedHeight, height + 1);
});

test('nothing is committed before a majority has made it durable', async () => {
  const { world, first, second, third } = await threeNodes();
  second.host.syncs = false;
  third.host.syncs = false;
  const before = first.log.committedHeight;
  assert(first.driver.place(1, batch('a')).ok);
  await world.tick(3);
  assert.equal(first.log.committedHeight, before);
  second.driver.synced(second.host.blocks.length);
  await world.settle();
  assert.equal(first.log.committedHeight, before + 1);
});

test('blocks of a leader that was cut off are taken back on it and on its worker', async () => {
  const { world, first, second, third } = await threeNodes();
  world.cut.add(first.id);
  const lost = first.driver.place(1, batch('lost'));
  assert(lost.ok);
  first.feed.sealedHere(lost.height, 1);
  const leader = await world.elect();
  assert(leader.driver.place(1, batch('kept')).ok);
  await world.tick(2, [second, third]);
  world.cut.clear();
  await world.tick(5, [second, third]);
  assert.equal(first.driver.leads, false);
  assert.deepEqual(first.log.root, second.log.root);
  assert.deepEqual(
    first.worker.sent.filter(({ kind }) => kind === 'rollback'),
    [{ kind: 'rollback', height: lost.height - 1 }],
  );
  assert.equal(first.host.blocks.length, second.host.blocks.length);
});

test('until a truncation is carried out, nothing the host says is durable counts', async () => {
  const { world, first, second, third } = await threeNodes();
  world.cut.add(first.id);
  assert(first.driver.place(1, batch('lost')).ok);
  await world.elect();
  await world.tick(1, [second, third]);
  first.host.reports = false;
  world.cut.clear();
  const leader = await world.elect();
  await world.tick(4, [leader]);
  const match = () => leader.driver.status.progress.get(first.id)?.match ?? 0;
  const before = match();
  // The host still speaks of the block that was taken back, at a height that is used again.
  first.driver.synced(first.log.lastHeight);
  await world.settle();
  assert.equal(match(), before);
  first.host.reports = true;
  await world.settle();
  assert(match() > before);
});

test('a host that claims to have truncated unasked is at fault', async () => {
  const { first } = await threeNodes();
  assert.throws(() => first.driver.truncated(), { code: 'HOST_FAULT' });
});

test('what a node vouches for after a crash is committed and on its own disk', async () => {
  const { world, first, second } = await threeNodes();
  await world.tick(1);
  second.host.syncs = false;
  const before = second.log.committedHeight;
  assert.equal(second.driver.durableHeight, before);
  for (const text of ['a', 'b']) assert(first.driver.place(1, batch(text)).ok);
  await world.settle();
  await world.tick(2);
  assert.equal(second.log.committedHeight, before + 2, 'the others have them');
  assert.equal(second.driver.durableHeight, before);
  second.driver.synced(before + 1);
  assert.equal(second.driver.durableHeight, before + 1);
  second.driver.synced(before + 2);
  assert.equal(second.driver.durableHeight, before + 2);
  assert.equal(first.driver.durableHeight, first.log.committedHeight);
});

test('a host that says too much is synced changes nothing', async () => {
  const { world, first, second, third } = await threeNodes();
  second.host.syncs = false;
  third.host.syncs = false;
  const before = first.log.committedHeight;
  assert(first.driver.place(1, batch('a')).ok);
  first.driver.synced(1_000_000);
  first.driver.synced(0);
  await world.settle();
  assert.equal(first.log.committedHeight, before);
});

test('a batch that could not travel is refused before it is sealed', async () => {
  const { first } = await threeNodes();
  const before = first.log.lastHeight;
  const huge = { publicWrites: new Uint8Array(), privateWrites: new Uint8Array(57 * 1024 * 1024) };
  assert.deepEqual(first.driver.place(1, [huge]), { ok: false, code: 'PAYLOAD_TOO_LARGE' });
  assert.equal(first.log.lastHeight, before);
  assert(first.driver.place(1, batch('next')).ok, 'the position was not used up');
});

test('garbage of a peer is named and has no effect', async () => {
  const { world, first, second } = await threeNodes();
  const before = first.log.root;
  for (const bytes of [Buffer.alloc(0), Buffer.from([9]), Buffer.alloc(64, 0xff)]) {
    first.driver.received(second.id, bytes);
  }
  await world.settle();
  assert.equal(first.refusedMessages.length, 3);
  assert.deepEqual(first.log.root, before);
  assert.equal(first.broken, undefined);
});

test('a stopped driver neither seals nor acknowledges nor leads', async () => {
  const { first } = await threeNodes();
  first.driver.stop();
  assert.deepEqual(first.driver.place(1, batch('a')), { ok: false, code: 'NOT_LEADER' });
  assert.equal(first.driver.leads, false);
});

/** A network whose leader has so little memory that a node that was away is fed from disk. */
async function withStraggler() {
  const world = new World();
  world.memoryBytes = 1;
  const { first, second, third } = await threeNodes(world);
  world.cut.add(third.id);
  for (let n = 0; n < 5; n++) {
    assert(first.driver.place(1, batch(`block ${n}`)).ok);
    await world.tick(1, [first, second]);
  }
  return { world, first, second, third };
}

test('a node that was away is fed from the disk of the leader', async () => {
  const { world, first, third } = await withStraggler();
  world.cut.clear();
  await world.tick(30);
  assert.deepEqual(third.log.root, first.log.root);
});

for (const [damage, tamper, reason] of [
  ['flipped', (block: Uint8Array) => block.with(block.length - 100, 1), undefined],
  ['cut short', (block: Uint8Array) => block.subarray(0, block.length - 1), 'MALFORMED'],
  ['emptied', () => new Uint8Array(), 'MALFORMED'],
] as const) {
  test(`a block ${damage} on the disk of the leader is named and never sent`, async () => {
    const { world, first, third } = await withStraggler();
    const missing = third.log.lastHeight + 1;
    first.host.tamper = (blocks) => blocks.map(tamper);
    world.cut.clear();
    await world.tick(3, [first]);
    const damaged = first.host.logged.find(({ event }) => event === 'ledger.damaged');
    assert.equal(damaged?.code, 'LEDGER_CORRUPT');
    assert.equal(damaged?.height, missing);
    if (reason) assert.equal(damaged?.reason, reason);
    assert.equal(third.broken, undefined);
    assert.equal(first.driver.leads, false, 'another node with a sound copy takes over');
    await world.tick(60);
    assert.deepEqual(third.log.root, (await world.elect()).log.root);
  });
}

test('blocks swapped or withheld on the disk of the leader are named', async () => {
  for (const tamper of [(blocks: Uint8Array[]) => blocks.toReversed(), () => []]) {
    const { world, first } = await withStraggler();
    first.host.tamper = tamper;
    world.cut.clear();
    await world.tick(3, [first]);
    const damaged = first.host.logged.find(({ event }) => event === 'ledger.damaged');
    assert.equal(damaged?.code, 'LEDGER_CORRUPT');
  }
});

test('a block that does not hold ends the launch of the follower, which acknowledges nothing', async () => {
  const { world, first, second } = await threeNodes();
  // A leader whose enclave was broken: what it sends is not what it sealed.
  world.intercept = (bytes) =>
    bytes.length < 200 ? bytes : Buffer.from(bytes.with(bytes.length - 90, 1));
  const placed = first.driver.place(1, batch('a'));
  assert(placed.ok);
  await world.settle();
  assert(second.broken instanceof ManagerError);
  assert.equal(second.broken.code, 'LEDGER_CORRUPT');
  assert.equal(second.broken.details.height, placed.height);
  assert(first.log.committedHeight < placed.height);
});

test('a removed node is cut off when its removal commits', async () => {
  const { world, members, first, third } = await threeNodes();
  await decide(world, first, members, [{ name: 'remove_node', args: { nodeId: third.id } }]);
  await world.tick(10);
  first.roster?.dismiss(Date.now() + 10_000);
  assert(first.refusedPeers.includes(`${third.id} NODE_NOT_ADMITTED`));
  const entry = first.administration.committedConstitution.nodes.find((n) => n.nodeId === third.id);
  assert.equal(entry?.status, 'retired');
  assert.deepEqual(first.driver.status.configurations.length, 1);
  assert(!first.driver.status.configurations[0]?.voters.includes(third.id));
});

test('what a resumed leader had stored and not committed reaches the others from its disk', async () => {
  const { world, first, second, third } = await threeNodes();
  const committed = first.log.committedHeight;
  for (const node of [second, third]) world.cut.add(node.id);
  assert(first.driver.place(1, batch('on one disk only')).ok);
  await world.settle();
  const again = new World();
  const nodes: TestNode[] = [];
  for (const [at, node] of [first, second, third].entries()) {
    const launch = new TestNode(again, at + 1, node.owner);
    again.nodes.push(launch);
    nodes.push(launch);
    launch.belongTo(node.network);
    await keepShares(launch, first);
    launch.host.blocks.push(...node.host.blocks);
    const upTo = launch.host.blocks.length;
    const open = await replayPublic(launch, { upTo, progress: { committed } });
    launch.given = open.administration.constitution;
    // As gathered from shares, whoever held them.
    for (const epoch of node.sessionKeys.epochs) {
      const known = node.sessionKeys.known(epoch);
      if (known) launch.sessionKeys.hold({ ...known, origin: 'collected', nowMs: Date.now() });
    }
    const { configuration, configurationHeight } = await replayLedger(launch, { upTo, committed });
    const { lastHeight, lastView } = launch.log;
    const viewHistory = launch.log.viewHistory();
    const placed = { configuration, configurationHeight, viewHistory, lastHeight, lastView };
    launch.begin({ view: lastView, committed: toHeight(committed), ...placed }, at / 4);
  }
  await again.elect();
  await again.tick(20);
  const leader = await again.elect();
  assert(leader.log.committedHeight > committed + 1);
  for (const node of nodes) {
    assert.deepEqual(node.log.root, leader.log.root);
    assert.deepEqual(
      node.host.logged.filter(({ event }) => event === 'ledger.damaged'),
      [],
    );
  }
});
