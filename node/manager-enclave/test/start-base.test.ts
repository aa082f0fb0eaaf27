import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHeight } from '@concordat/std';
import { replayLedger } from '../ledger-replay.ts';
import type { Manager } from '../manager.ts';
import { RecordKeeper } from '../record-keeper.ts';
import { beginFrom, findStartBase, publicPartOf } from '../start-base.ts';
import { batch, decide, keepShares, TestNode, threeNodes, World } from './fixture.ts';

const every = 10;

/** What the host of a node has that took two snapshots and some blocks after them. */
async function stopped() {
  const { world, members, first } = await threeNodes();
  const args = { name: 'snapshotBlocks', value: every };
  await decide(world, first, members, [{ name: 'set_policy', args }]);
  for (let n = 0; n < 2 * every + 5; n++) {
    assert(first.driver.place(1, batch(`a${n}`, `b${n}`)).ok);
    await world.tick(1);
  }
  await decide(world, first, members, [
    { name: 'set_policy', args: { name: 'maxBatchTransactions', value: 77 } },
  ]);
  await world.tick(3);
  const [older, newest] = [...first.host.snapshots.keys()] as [number, number];
  assert(newest > older && newest < first.log.committedHeight);
  return { first, older, newest };
}

/** The next launch of a node, on a copy of what its host has, as a manager sees it. */
async function relaunch(of: TestNode, claims: { firstHeight?: number; lastHeight?: number } = {}) {
  const node = new TestNode(new World(), 1, of.owner);
  node.belongTo(of.network);
  await keepShares(node, of);
  node.host.blocks.push(...of.host.blocks);
  for (const [name, bytes] of of.host.records) node.host.records.set(name, bytes);
  for (const [height, chunks] of of.host.snapshots) node.host.snapshots.set(height, [...chunks]);
  const listed = [...node.host.snapshots].map(([height, { length }]) => ({
    height,
    chunks: length,
  }));
  const start = {
    ...node.start,
    firstHeight: claims.firstHeight ?? 1,
    lastHeight: claims.lastHeight ?? node.host.blocks.length,
    snapshots: listed,
  };
  Object.assign(node, { start, keeper: new RecordKeeper(node.records) });
  return { node, manager: node as unknown as Manager, start };
}

const flip = (bytes: Uint8Array, at: number): Uint8Array =>
  bytes.with(at, (bytes.at(at) as number) ^ 1);

test('a node begins from its newest snapshot and comes to where it was by the blocks after it', async () => {
  const { first, newest } = await stopped();
  const { node, manager, start } = await relaunch(first);
  const base = await findStartBase(manager);
  assert(base);
  assert.equal(base.height, newest);
  await beginFrom(manager, base, start.lastHeight);
  assert.equal(node.log.committedHeight, newest);
  const upTo = start.lastHeight;
  const replayed = await replayLedger(node, { upTo, committed: upTo, base });
  assert.deepEqual(node.log.root, first.log.root);
  assert.deepEqual(node.log.viewHistory(), first.log.viewHistory());
  assert.deepEqual(replayed.configuration, first.driver.status.configurations[0]);
  assert.deepEqual(
    node.administration.committedConstitution,
    first.administration.committedConstitution,
  );
  const applied = node.worker.sent
    .filter(({ kind }) => kind === 'applied')
    .flatMap(({ blocks }) => blocks as { height: number }[]);
  assert(applied.length > 0 && applied.every(({ height }) => height > newest));
  assert.equal(node.held.missing, 0);
});

for (const [what, harm, reason] of [
  [
    'flipped',
    (chunks: Uint8Array[]) => [...chunks.slice(0, -1), flip(chunks.at(-1) as Uint8Array, 30)],
    'AUTHENTICATION_FAILED',
  ],
  ['of other chunks', (chunks: Uint8Array[]) => chunks.slice(1), 'MISSING'],
  ['in another order', (chunks: Uint8Array[]) => chunks.toReversed(), 'AUTHENTICATION_FAILED'],
  ['gone', () => undefined, 'MISSING'],
] as const) {
  test(`a newest snapshot that is ${what} is named and dropped, and the one before it taken`, async () => {
    const { first, older, newest } = await stopped();
    const chunks = harm(first.host.snapshots.get(newest) as Uint8Array[]);
    if (chunks) first.host.snapshots.set(newest, chunks);
    else first.host.snapshots.delete(newest);
    const { node, manager } = await relaunch(first);
    const base = await findStartBase(manager);
    assert.equal(base?.height, older);
    const [refused] = node.host.logged.filter(({ event }) => event === 'snapshot.refused');
    assert.deepEqual(
      [refused?.code, refused?.height, refused?.reason],
      ['SNAPSHOT_CORRUPT', newest, reason],
    );
    assert.deepEqual([...node.refusals], [{ what: 'snapshot', code: reason, count: 1 }]);
    assert.deepEqual([...node.host.snapshots.keys()], [older]);
  });
}

test('a snapshot found damaged only as it is taken up ends the launch, and the next one passes it over', async () => {
  const { first, older, newest } = await stopped();
  const chunks = first.host.snapshots.get(newest) as Uint8Array[];
  chunks[1] = flip(chunks[1] as Uint8Array, 30);
  const { node, manager, start } = await relaunch(first);
  const base = await findStartBase(manager);
  assert(base);
  await assert.rejects(beginFrom(manager, base, start.lastHeight), { code: 'SNAPSHOT_CORRUPT' });
  const again = await relaunch(node);
  assert.equal((await findStartBase(again.manager))?.height, older);
});

test('snapshots of another network are refused by name', async () => {
  const { first } = await stopped();
  const { node, manager } = await relaunch(first);
  node.belongTo({ ...first.network, id: 'cd'.repeat(32) });
  assert.equal(await findStartBase(manager), undefined);
  const reasons = node.host.logged
    .filter(({ event }) => event === 'snapshot.refused')
    .map(({ reason }) => reason);
  assert.deepEqual(reasons, ['WRONG_NETWORK', 'WRONG_NETWORK']);
  assert.equal(node.host.snapshots.size, 0);
});

test('a snapshot whose following blocks are gone is not begun from', async () => {
  const { first, older, newest } = await stopped();
  const after = await relaunch(first, { firstHeight: newest + 1 });
  assert.equal((await findStartBase(after.manager))?.height, newest);
  first.host.snapshots.delete(newest);
  const between = await relaunch(first, { firstHeight: older + 2 });
  assert.equal(await findStartBase(between.manager), undefined);
});

test('a ledger that ends before the snapshot goes on after it, and what lies between is missing', async () => {
  const { first, newest } = await stopped();
  first.host.blocks.length = newest - 3;
  const { node, manager, start } = await relaunch(first);
  const base = await findStartBase(manager);
  assert(base);
  await beginFrom(manager, base, start.lastHeight);
  assert.equal(node.log.lastHeight, newest);
  assert.equal(node.host.blocks.length, newest);
  assert.deepEqual([node.held.missing, node.held.next?.from], [3, newest - 2]);
  assert.equal(toHeight(newest), node.log.committedHeight);
});

test('a node with other workers than the snapshot is of does not begin from it', async () => {
  const { first, newest } = await stopped();
  const { node, manager, start } = await relaunch(first);
  const workers = [...start.workers, { index: 2, adapters: [] }];
  Object.assign(node, { start: { ...start, workers } });
  const base = await findStartBase(manager);
  assert(base);
  await assert.rejects(beginFrom(manager, base, start.lastHeight), (error: never) => {
    const { code, details } = error as { code: string; details: Record<string, unknown> };
    assert.deepEqual(
      [code, details.height, details.reason],
      ['SNAPSHOT_CORRUPT', newest, 'WRONG_WORKERS'],
    );
    return true;
  });
});

test('a snapshot whose public part is damaged is named and dropped before anything is read by it', async () => {
  const { first, older, newest } = await stopped();
  const chunks = first.host.snapshots.get(newest) as Uint8Array[];
  // Chunk 1 is the history summary, 2 the public governance; the manifest lies last.
  chunks[1] = flip(chunks[1] as Uint8Array, 30);
  const { manager, start } = await relaunch(first);
  const base = await findStartBase(manager);
  assert(base);
  const part = { upTo: start.lastHeight, progress: { committed: start.lastHeight } };
  await assert.rejects(publicPartOf(manager, base, part), {
    code: 'SNAPSHOT_CORRUPT',
    details: { height: newest, reason: 'AUTHENTICATION_FAILED' },
  });
  assert.deepEqual([...(manager as unknown as TestNode).host.snapshots.keys()], [older]);
  const { manager: later } = await relaunch(manager as unknown as TestNode);
  const other = await findStartBase(later);
  assert.equal(other?.height, older);
  const ledger = await publicPartOf(later, other, part);
  assert.equal(ledger.end.height, start.lastHeight);
});
