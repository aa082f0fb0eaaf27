import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeManifest } from '@concordat/ledger';
import { fromHex, toDigest } from '@concordat/std';
import { recordedSnapshot } from '../snapshot-record.ts';
import { batch, decide, type TestNode, threeNodes, type World } from './fixture.ts';

const every = 10;

/** Three nodes that take a snapshot every ten blocks. */
async function snapshotting() {
  const { world, members, first, second, third } = await threeNodes();
  const args = { name: 'snapshotBlocks', value: every };
  await decide(world, first, members, [{ name: 'set_policy', args }]);
  return { world, members, first, second, third };
}

/** Blocks are placed until this many multiples of the interval have been passed. */
async function pass(world: World, leader: TestNode, multiples = 1): Promise<number> {
  const goal = (Math.floor(leader.log.committedHeight / every) + multiples) * every;
  while (leader.log.committedHeight < goal) {
    assert(leader.driver.place(1, batch('x')).ok);
    await world.tick(1);
  }
  await world.tick(5);
  return goal;
}

const logged = (node: TestNode, event: string) =>
  node.host.logged.filter((line) => line.event === event);

test('every node takes the same snapshot at the same height, and the leader records its digest', async () => {
  const { world, first, second, third } = await snapshotting();
  const height = await pass(world, first);
  for (const node of [first, second, third]) {
    const [taken] = logged(node, 'snapshot.taken');
    assert.equal(taken?.height, height);
    assert.equal(logged(node, 'snapshot.usable').length, 1);
    const record = recordedSnapshot(node.administration.committedState, height);
    assert.equal(record?.digest, taken?.digest);
    assert.equal(record?.chunks, node.host.snapshots.get(height)?.length);
    assert.equal(node.snapshots.newestHeight, height);
  }
});

test('a snapshot holds the state after exactly its block, whatever was committed in one go', async () => {
  const { world, first, second, third } = await snapshotting();
  const from = first.log.committedHeight;
  // Many blocks become final at once on the followers.
  for (let n = 0; n < 25; n++) assert(first.driver.place(1, batch(`${n}`)).ok);
  await world.tick(8);
  const height = Math.ceil((from + 1) / every) * every;
  for (const node of [second, third]) {
    const frozen = node.worker.sent.filter(({ kind }) => kind === 'snapshot');
    assert.equal(frozen[0]?.height, height);
    const at = node.worker.sent.indexOf(frozen[0] as (typeof frozen)[number]);
    const before = node.worker.sent.slice(0, at).filter(({ kind }) => kind === 'applied');
    const blocks = before.flatMap(({ blocks }) => blocks as { height: number }[]);
    assert.equal(blocks.at(-1)?.height, height);
  }
});

test('what is committed while a snapshot is under way does not wait, and the next one is left out', async () => {
  const { world, first, second } = await snapshotting();
  const { onSnapshot } = second.worker;
  second.worker.onSnapshot = undefined;
  const height = await pass(world, first, 2);
  assert(second.log.committedHeight >= height);
  assert.deepEqual(
    logged(second, 'snapshot.skipped').map((line) => line.height),
    [height],
  );
  assert.equal(logged(second, 'snapshot.taken').length, 0);
  second.worker.onSnapshot = onSnapshot;
  second.snapshots.giveUp();
  await world.tick(2);
  assert.equal(logged(second, 'snapshot.not-taken').length, 1);
  const next = await pass(world, first);
  assert.equal(logged(second, 'snapshot.taken').at(-1)?.height, next);
});

test('a node with another state says so loudly and gives its snapshot to nobody', async () => {
  const { world, first, second, third } = await snapshotting();
  second.worker.astray = ', and a coin that is not there';
  const height = await pass(world, first);
  const [differs] = logged(second, 'snapshot.differs');
  assert.equal(differs?.level, 'error');
  assert.equal(differs?.height, height);
  assert.equal(logged(second, 'snapshot.usable').length, 0);
  assert.equal(second.host.snapshots.size, 0);
  assert.equal(second.snapshots.newestHeight, 0);
  for (const node of [first, third]) assert.equal(logged(node, 'snapshot.usable').length, 1);
});

test('a new leader records what the one before did not', async () => {
  const { world, first, second, third } = await snapshotting();
  const { onSnapshot } = first.worker;
  first.worker.onSnapshot = undefined;
  const height = await pass(world, first);
  for (const node of [second, third]) assert.equal(logged(node, 'snapshot.taken').length, 1);
  assert.equal(recordedSnapshot(second.administration.committedState, height), undefined);
  world.cut.add(first.id);
  const leader = await world.elect();
  await world.tick(3);
  leader.snapshots.judge();
  await world.tick(3);
  const record = recordedSnapshot(leader.administration.committedState, height);
  assert.equal(record?.digest, logged(leader, 'snapshot.taken')[0]?.digest);
  first.worker.onSnapshot = onSnapshot;
});

test('the host keeps two snapshots, and the sealed record the keys of those', async () => {
  const { world, first } = await snapshotting();
  const heights = [await pass(world, first), await pass(world, first), await pass(world, first)];
  assert.deepEqual([...first.host.snapshots.keys()], heights.slice(1));
  const { snapshots } = (await first.records.get<{
    snapshots: { height: number; digest: string; key: string }[];
  }>('snapshots')) as never;
  assert.deepEqual(
    (snapshots as { height: number }[]).map(({ height }) => height),
    heights.slice(1).toReversed(),
  );
  assert.equal(new Set((snapshots as { key: string }[]).map(({ key }) => key)).size, 2);
});

test('a chunk the host changed, swapped or lost is not given to anyone', async () => {
  const { world, first } = await snapshotting();
  const height = await pass(world, first);
  const digest = String(logged(first, 'snapshot.taken')[0]?.digest);
  const chunks = first.host.snapshots.get(height) as Uint8Array[];
  const whole = [...chunks];
  const manifest = decodeManifest((await first.snapshots.chunk(digest, 0)) as Uint8Array, {
    networkId: first.network.id,
    digest: toDigest(fromHex(digest) as Uint8Array),
  });
  assert.equal(manifest.height, height);
  assert.equal(await first.snapshots.chunk(digest, whole.length), undefined);
  assert.equal(await first.snapshots.chunk('00'.repeat(32), 0), undefined);
  const one = whole[1] as Uint8Array;
  for (const [changed, reason] of [
    [one.with(40, (one[40] as number) ^ 1), 'AUTHENTICATION_FAILED'],
    [one.subarray(0, -1), 'AUTHENTICATION_FAILED'],
    [new Uint8Array(3), 'MALFORMED'],
    [one.with(0, 9), 'MALFORMED'],
    [whole[2] as Uint8Array, 'AUTHENTICATION_FAILED'],
    [undefined, 'MISSING'],
  ] as const) {
    chunks[1] = changed as Uint8Array;
    await assert.rejects(first.snapshots.chunk(digest, 2), (error: never) => {
      const { code, details } = error as { code: string; details: Record<string, unknown> };
      assert.deepEqual(
        [code, details.height, details.reason],
        ['SNAPSHOT_CORRUPT', height, reason],
      );
      return true;
    });
  }
});

test('without the policy no snapshot is taken', async () => {
  const { world, members, first } = await snapshotting();
  const args = { name: 'snapshotBlocks', value: 0 };
  await decide(world, first, members, [{ name: 'set_policy', args }]);
  const before = logged(first, 'snapshot.taken').length;
  await pass(world, first, 2);
  assert.equal(logged(first, 'snapshot.taken').length, before);
});
