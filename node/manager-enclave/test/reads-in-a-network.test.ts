import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChannelToWorker } from '@concordat/bridge';
import { batch, type TestNode, threeNodes } from './fixture.ts';

/** Asks a node for a barrier; tells what its worker knew as committed when it was passed. */
function ask(node: TestNode): { passed: boolean; refusal: string | undefined; known: number } {
  const asked = { passed: false, refusal: undefined as string | undefined, known: -1 };
  node.readBarriers.ask((refusal) => {
    asked.passed = refusal === undefined;
    asked.refusal = refusal;
    asked.known = knownTo(node);
  });
  return asked;
}

/** Height up to which a worker was told of committed blocks of its own. */
function knownTo(node: TestNode): number {
  let height = 0;
  for (const message of node.worker.sent as unknown as ChannelToWorker[]) {
    if (message.kind === 'committed') height = message.height;
    if (message.kind !== 'applied') continue;
    for (const block of message.blocks) if (!block.speculative) height = block.height;
  }
  return height;
}

function write(leader: TestNode, text: string): number {
  const placed = leader.driver.place(1, batch(text));
  assert(placed.ok);
  leader.feed.sealedHere(placed.height, 1);
  return placed.height;
}

test('a barrier is passed on every node only when its worker knows what was committed', async () => {
  const { world, first, second, third } = await threeNodes();
  for (let round = 0; round < 5; round++) {
    const height = write(first, `round ${round}`);
    while (first.log.committedHeight < height) await world.settle();
    const asked = [first, second, third].map(ask);
    await world.settle();
    for (const { passed, known } of asked) {
      assert(passed);
      assert(known >= height, `${known} of ${height}`);
    }
  }
  assert.deepEqual(second.readBarriers.counts, { passed: 5, refused: 0 });
});

test('a follower that does not hear the leader passes nothing, though it asked it', async () => {
  const { world, first, second } = await threeNodes();
  write(first, 'before');
  await world.settle();
  // The answer comes over another connection than the blocks: it must wait for these.
  world.deaf.add(second.id);
  const height = write(first, 'unheard');
  await world.settle();
  assert(first.log.committedHeight >= height && second.log.committedHeight < height);
  const asked = ask(second);
  await world.tick(2, [first]);
  assert.equal(asked.passed, false);
  world.deaf.clear();
  await world.tick(3, [first]);
  assert(asked.passed && asked.known >= height);
});

test('a leader that was cut off passes nothing until it has what its successor committed', async () => {
  const { world, first, second, third } = await threeNodes();
  world.cut.add(first.id);
  assert(first.driver.leads);
  const asked = ask(first);
  const successor = await world.elect();
  const height = write(successor, 'kept');
  await world.tick(2, [second, third]);
  assert(successor.log.committedHeight >= height);
  assert(first.driver.leads, 'it does not know yet');
  await world.tick(3, [first]);
  assert.equal(asked.passed, false);
  world.cut.clear();
  await world.tick(5, [second, third]);
  await new Promise((resolve) => setTimeout(resolve, 40));
  await world.settle();
  assert(asked.passed, asked.refusal);
  assert(asked.known >= height, `${asked.known} of ${height}`);
});

test('a leader without a quorum refuses in the end', async () => {
  const { world, first } = await threeNodes();
  world.cut.add(first.id);
  const asked = ask(first);
  await world.tick(30, [first]);
  assert.equal(first.driver.leads, false);
  assert.equal(asked.passed, false);
  first.readBarriers.stop();
  assert.equal(asked.refusal, 'LEADER_UNKNOWN');
});

test('a new leader passes nothing before a block of its own view is committed', async () => {
  const { world, first, second, third } = await threeNodes();
  const height = write(first, 'kept');
  await world.tick(2);
  for (const node of [second, third]) node.host.syncs = false;
  world.cut.add(first.id);
  const successor = await world.elect();
  const other = successor === second ? third : second;
  const asked = [ask(successor), ask(other)];
  await world.tick(2, [second, third]);
  assert.deepEqual(
    asked.map(({ passed }) => passed),
    [false, false],
  );
  for (const node of [second, third]) {
    node.host.syncs = true;
    node.driver.synced(node.host.blocks.length);
  }
  await world.tick(3, [second, third]);
  for (const { passed, known } of asked) assert(passed && known >= height);
});

test('a node that has stopped passes nothing', async () => {
  const { world, first } = await threeNodes();
  first.driver.stop();
  const asked = ask(first);
  await world.tick(2);
  assert.equal(asked.passed, false);
  first.readBarriers.stop();
  assert.equal(asked.refusal, 'READ_NOT_CONFIRMED');
});
