import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newestEpoch } from '@concordat/governance';
import { blockFlags, decodeHeader, keyOfBlock } from '@concordat/ledger';
import { toHeight, toHex } from '@concordat/std';
import { replayLedger } from '../ledger-replay.ts';
import { replayPublic } from '../public-replay.ts';
import { batch, keepShares, TestNode, threeNodes, World } from './fixture.ts';

/** Launches of stopped nodes, each on a copy of what its host had, which resume together. */
async function resumed(
  stopped: readonly TestNode[],
  founder: TestNode,
  disks = stopped.map(({ host }) => host.blocks.map((block) => Uint8Array.from(block))),
  speed: 'disks are fast' | 'disks are slow' = 'disks are fast',
): Promise<{ world: World; nodes: TestNode[]; leader: TestNode }> {
  const world = new World();
  const nodes: TestNode[] = [];
  for (const [at, of] of stopped.entries()) {
    // The number makes the identity: it is the same node again.
    const node = new TestNode(world, at + 1, of.owner);
    assert.equal(node.id, of.id);
    world.nodes.push(node);
    nodes.push(node);
    node.belongTo(of.network);
    node.reopening.need();
    await keepShares(node, founder);
    node.host.blocks.push(...(disks[at] as Uint8Array[]));
    node.host.syncs = speed === 'disks are fast';
    const upTo = node.host.blocks.length;
    const ledger = await replayPublic(node, { upTo, progress: { committed: upTo } });
    node.given = ledger.administration.constitution;
    await node.epochs.obtain(ledger.epochs, ledger.administration.head);
    const { committed } = ledger;
    const { configuration, configurationHeight } = await replayLedger(node, { upTo, committed });
    const { lastHeight, lastView } = node.log;
    const viewHistory = node.log.viewHistory();
    const placed = { configuration, configurationHeight, viewHistory, lastHeight, lastView };
    node.begin({ view: lastView, committed: toHeight(committed), ...placed }, at / 4);
  }
  const leader = await world.elect();
  await world.tick(5);
  return { world, nodes, leader };
}

test('a resumed view begins an epoch, and nothing else is sealed before that is in force', async () => {
  const { world, first, second, third } = await threeNodes();
  assert(first.driver.place(1, batch('before')).ok);
  await world.tick(5);
  const before = first.log.lastHeight;
  const epochBefore = newestEpoch(first.administration.committedState)?.epoch as number;
  const again = await resumed([first, second, third], first);
  const { leader } = again;
  const opening = leader.host.blocks[before] as Uint8Array;
  const header = decodeHeader(opening);
  assert.equal(header.flags & blockFlags.resumption, blockFlags.resumption);
  assert.equal(header.epoch, epochBefore, 'it is opened with the key that was there');
  const begun = newestEpoch(leader.administration.committedState);
  assert.deepEqual([begun?.reason, begun?.height], ['resume', before + 1]);
  assert.equal(begun?.epoch, epochBefore + 1);
  for (const { reopening, broken } of again.nodes) {
    assert.equal(broken, undefined);
    assert.equal(reopening.isNeeded, false);
  }
  const placed = leader.driver.place(1, batch('after'));
  assert(placed.ok);
  await again.world.tick(5);
  const next = decodeHeader(leader.host.blocks[placed.height - 1] as Uint8Array);
  assert.equal(next.epoch, epochBefore + 1);
  for (const node of again.nodes) assert.deepEqual(node.log.root, leader.log.root);
});

test('until the majority has the new epoch, a resumed leader seals nothing for anybody', async () => {
  const { world, first, second, third } = await threeNodes();
  await world.tick(3);
  const stopped = [first, second, third];
  const disks = stopped.map(({ host }) => host.blocks.map((block) => Uint8Array.from(block)));
  const { leader, nodes, world: again } = await resumed(stopped, first, disks, 'disks are slow');
  assert.equal(newestEpoch(leader.administration.head)?.reason, 'resume');
  const refused = leader.driver.place(1, batch('too early'));
  assert.deepEqual(refused, { ok: false, code: 'NOT_LEADER' });
  await assert.rejects(
    leader.queue.administer(() => undefined),
    { code: 'NOT_LEADER' },
  );
  for (const { driver, host } of nodes) driver.synced(host.blocks.length);
  await again.tick(5);
  assert(leader.driver.place(1, batch('now')).ok);
});

test('who resumes while a node leads had no part in its election: the next view begins anew, not this one', async () => {
  const { world, first, second, third } = await threeNodes();
  await world.tick(3);
  const { leader, world: again } = await resumed([first, second, third], first);
  leader.reopening.need();
  assert(leader.driver.place(1, batch('goes on')).ok);
  await again.tick(5);
  assert.ok(leader.reopening.isNeeded, 'until it leads again');
});

test('disks put back to an earlier state seal no position under a key that sealed it before', async () => {
  const { world, first, second, third } = await threeNodes();
  assert(first.driver.place(1, batch('common')).ok);
  await world.tick(5);
  const nodes = [first, second, third];
  const disks = nodes.map(({ host }) => host.blocks.map((block) => Uint8Array.from(block)));
  const sealedWith = new Map<string, string>();
  let repeated = 0;
  // The same machines are started from the same disks again and again, and each time write on.
  for (let turn = 0; turn < 3; turn++) {
    const again = await resumed(nodes, first, disks);
    for (let n = 0; n < 4; n++) {
      assert(again.leader.driver.place(1, batch(`secret ${turn} ${n}`)).ok);
      await again.world.tick(2);
    }
    for (const block of again.leader.host.blocks.slice((disks[0] as Uint8Array[]).length)) {
      const header = decodeHeader(block);
      const session = again.leader.sessionKeys.get(header.epoch);
      assert(session);
      const publicFrom = 181;
      const length = Buffer.from(block).readUInt32BE(177);
      const segment = block.subarray(publicFrom, publicFrom + length);
      const key = toHex(keyOfBlock(session, header, segment).key);
      const position = `${header.view}.${header.height}`;
      const place = `${key} ${position}`;
      assert.equal(sealedWith.get(place), undefined, `position ${position} twice under one key`);
      if ([...sealedWith.values()].includes(position)) repeated += 1;
      sealedWith.set(place, position);
    }
  }
  assert(repeated >= 8, 'positions do repeat: only the keys differ');
});
