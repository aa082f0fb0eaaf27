import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { currentEpoch, newestEpoch } from '@concordat/governance';
import { equalBytes, utf8 } from '@concordat/std';
import { decodeSentKey, encodeKeyRequest, encodeSentKey } from '../share-messages.ts';
import {
  batch,
  decide,
  entropyOf,
  type Organisation,
  type TestNode,
  threeNodes,
  type World,
} from './fixture.ts';

const epochOf = ({ administration }: TestNode): number =>
  currentEpoch(administration.committedState);

const reasonOf = ({ administration }: TestNode) =>
  newestEpoch(administration.committedState)?.reason;

let votes = 0;
/** A vote for an epoch; the same proposal of the same second would be refused as a repetition. */
async function anEpoch(world: World, at: TestNode, members: readonly Organisation[]) {
  votes += 1;
  await decide(world, at, members, [
    { name: 'begin_epoch', args: {} },
    { name: 'set_policy', args: { name: 'maxBatchTransactions', value: 100 + votes } },
  ]);
}

/** Lets messages and answers go to and fro until something holds. */
async function settles(world: World, holds: () => boolean): Promise<void> {
  for (let round = 0; round < 200 && !holds(); round++) {
    await world.tick(1);
    await sleep(5);
  }
  assert(holds());
}

const isLevel = (world: World) => (): boolean =>
  new Set(world.running.map(({ log }) => log.committedHeight)).size === 1 &&
  world.running.every(({ log }) => log.committedHeight === log.lastHeight);

/** Another holder of the founder's share, as after a resharing. */
async function alsoHeldBy(node: TestNode, from: TestNode): Promise<void> {
  const [place] = from.vault.places;
  assert(place);
  const share = from.vault.shareOf(place.key, place.sharing);
  assert(share);
  await node.vault.keepShare(place, { ...share, secret: Uint8Array.from(share.secret) as never });
}

test('a key that was sent is there when its epoch is in force: nobody has to gather it', async () => {
  const { world, members, first, second, third } = await threeNodes();
  const before = [second, third].map(({ keyCollector }) => keyCollector.collected);
  await anEpoch(world, first, members);
  assert(first.driver.place(1, batch('under the new key')).ok);
  await settles(world, isLevel(world));
  const after = [second, third].map(({ keyCollector }) => keyCollector.collected);
  assert.deepEqual(after, before);
  assert.equal(reasonOf(second), 'vote');
});

test('followers whom no key is sent take only what they can open, gather shares, and go on', async () => {
  const { world, members, first, second, third } = await threeNodes();
  world.losesSentKeys = true;
  for (let round = 0; round < 3; round++) {
    await anEpoch(world, first, members);
    for (const text of ['a', 'b', 'c']) assert(first.driver.place(1, batch(text)).ok);
    await settles(world, isLevel(world));
  }
  for (const node of [second, third]) {
    assert.equal(node.broken, undefined);
    assert.deepEqual(node.refusedMessages, []);
    assert.deepEqual(node.log.root, first.log.root);
    assert(node.keyCollector.collected >= 3);
  }
});

test('a key that did not arrive is sent again, by whoever leads: just a majority has no shares to gather', async () => {
  const { world, members, first, second, third } = await threeNodes();
  world.losesSentKeys = true;
  world.deaf.add(third.id);
  // As if those who hold shares were down.
  for (const node of world.nodes) node.vault.erase();
  await anEpoch(world, first, members);
  assert(first.driver.place(1, batch('under the new key')).ok);
  for (let round = 0; round < 5; round++) await world.tick(1);
  assert.notEqual(second.log.committedHeight, first.log.lastHeight);
  world.losesSentKeys = false;
  first.epochs.tick();
  await settles(world, () => second.log.committedHeight === first.log.lastHeight);
  world.cut.add(first.id);
  world.deaf.clear();
  const leader = await world.elect();
  assert.equal(leader.id, second.id, 'the other has not seen the last block');
  await settles(world, () => {
    leader.epochs.tick();
    return third.log.committedHeight === leader.log.lastHeight;
  });
  assert.deepEqual(third.log.root, leader.log.root);
  assert.equal(third.keyCollector.collected, second.keyCollector.collected);
});

test('one append through several epochs is opened epoch by epoch', async () => {
  const { world, members, first, second, third } = await threeNodes();
  world.losesSentKeys = true;
  world.deaf.add(third.id);
  for (let round = 0; round < 4; round++) {
    await anEpoch(world, first, members);
    assert(first.driver.place(1, batch(`round ${round}`)).ok);
    await settles(world, () => second.log.committedHeight === first.log.committedHeight);
  }
  world.deaf.clear();
  await settles(world, isLevel(world));
  assert.equal(third.broken, undefined);
  assert.deepEqual(third.log.root, first.log.root);
  assert.equal(epochOf(third), epochOf(first));
});

test('an append that takes back one key of an epoch and brings another under its number is opened by the other', async () => {
  const { world, members, first, second, third } = await threeNodes();
  await alsoHeldBy(third, first);
  const epoch = epochOf(first);
  world.cut.add(third.id);
  world.deaf.add(second.id);
  const lost = first.queue
    .administer((set) => {
      const entropy = entropyOf('of a lost block');
      first.sessionKeys.begin(set, { reason: 'vote', nowMs: Date.now(), entropy });
    })
    .catch((error: Error) => error);
  await world.settle();
  const drawn = first.sessionKeys.known(currentEpoch(first.administration.head));
  assert.equal(drawn?.epoch, epoch + 1);
  assert.equal(second.sessionKeys.get(drawn.epoch), undefined, 'it waits for its block');
  world.cut.clear();
  world.deaf.clear();
  world.cut.add(first.id);
  world.losesSentKeys = true;
  const leader = await world.elect();
  await anEpoch(world, leader, members);
  assert(leader.driver.place(1, batch('under the other key')).ok);
  await settles(world, () => second.log.committedHeight === third.log.committedHeight);
  world.cut.clear();
  await settles(world, isLevel(world));
  await lost;
  for (const node of [first, second, third]) {
    assert.equal(node.broken, undefined);
    assert.deepEqual(node.log.root, leader.log.root);
    const key: Uint8Array | undefined = node.sessionKeys.get(drawn.epoch)?.key;
    assert.deepEqual(key, leader.sessionKeys.get(drawn.epoch)?.key);
    assert.notDeepEqual(key, drawn.key);
  }
});

test('a leader that lacks the key in force seals nothing until it has gathered it, then opens its view', async () => {
  const { world, members, first, second, third } = await threeNodes();
  world.losesSentKeys = true;
  // The others learn that the epoch is in force, and cannot ask anybody for its key.
  await anEpoch(world, first, members);
  await settles(
    world,
    () => epochOf(second) === epochOf(first) && epochOf(third) === epochOf(first),
  );
  for (const node of [second, third]) node.sessionKeys.forgetAll();
  world.cut.add(first.id);
  const leader = await world.elect();
  const { lastHeight } = leader.log;
  assert.deepEqual(leader.driver.place(1, batch('too early')), {
    ok: false,
    code: 'SESSION_KEY_MISSING',
  });
  await assert.rejects(world.until(leader.queue.administer(() => undefined)), {
    code: 'SESSION_KEY_MISSING',
  });
  await world.tick(3, [second, third]);
  assert.equal(leader.log.lastHeight, lastHeight);
  for (const node of [second, third]) await alsoHeldBy(node, first);
  await settlesWithout(world, [second, third], () => leader.log.committedHeight > lastHeight);
  assert(leader.driver.place(1, batch('now')).ok);
  world.cut.clear();
  await settles(world, isLevel(world));
  for (const node of world.nodes) assert.equal(node.broken, undefined);
});

async function settlesWithout(
  world: World,
  nodes: readonly TestNode[],
  holds: () => boolean,
): Promise<void> {
  for (let round = 0; round < 400 && !holds(); round++) {
    await world.tick(1, nodes);
    await sleep(10);
  }
  assert(holds());
}

test('a node that was sent a key too early, and let it go, asks for it when shares are not to be had', async () => {
  const { world, members, first, second } = await threeNodes();
  world.deaf.add(second.id);
  await anEpoch(world, first, members);
  const known = first.sessionKeys.known(currentEpoch(first.administration.head));
  assert(known);
  await settles(world, () => first.log.committedHeight === first.log.lastHeight);
  // It took the key, so that nobody sends it again; a minute later its ledger had not named it.
  const inForce = currentEpoch(second.administration.committedState);
  second.sessionKeys.sweep({ inForce, ttlMs: 1e9, nowMs: Date.now() + 61_000 });
  for (const node of world.nodes) node.vault.erase();
  assert(first.driver.place(1, batch('under the new key')).ok);
  world.deaf.clear();
  // So long it tries to gather shares.
  await world.tick(3);
  await sleep(2_100);
  await settles(world, () => second.log.committedHeight === first.log.lastHeight);
  assert.deepEqual(second.sessionKeys.get(known.epoch)?.key, known.key);
  assert(first.host.logged.some(({ event }) => event === 'keys.given'));
});

test('a key is given to nodes of the list that the ledger grants its epoch to, and to no other', async () => {
  const { world, members, first, second, third } = await threeNodes();
  await anEpoch(world, first, members);
  await settles(world, isLevel(world));
  const epoch = currentEpoch(first.administration.committedState);
  const asked = encodeKeyRequest(epoch);
  const given = await first.epochs.give(second.id, asked);
  const held = first.sessionKeys.get(epoch)?.key;
  assert(held && equalBytes(decodeSentKey(given).key, held));
  await assert.rejects(first.epochs.give('ab'.repeat(32) as never, asked), {
    code: 'NODE_NOT_ADMITTED',
  });
  const later = encodeKeyRequest((epoch + 1) as never);
  await assert.rejects(first.epochs.give(second.id, later), { code: 'EPOCH_NOT_GRANTED' });
  for (const text of ['', '{}', '{"epoch":0}', '{"epoch":-1}', '{"epoch":"1"}', ' '.repeat(65)]) {
    await assert.rejects(
      first.epochs.give(second.id, utf8(text)),
      { code: 'CHANNEL_FAILED' },
      text,
    );
  }
  const only = first.sessionKeys.known(epoch);
  assert(only);
  third.sessionKeys.forgetAll();
  third.epochs.received(Buffer.from(encodeSentKey({ ...only })));
  await assert.rejects(third.epochs.give(second.id, asked), { code: 'SESSION_KEY_MISSING' });
  await decide(world, first, members, [{ name: 'remove_node', args: { nodeId: second.id } }]);
  await assert.rejects(first.epochs.give(second.id, asked), { code: 'NODE_NOT_ADMITTED' });
});

test('a false key that came with the right ciphertext opens nothing and harms nobody', async () => {
  const { world, members, first, second } = await threeNodes();
  world.losesSentKeys = true;
  world.deaf.add(second.id);
  await anEpoch(world, first, members);
  const known = first.sessionKeys.known(currentEpoch(first.administration.head));
  assert(known);
  const sent = { ...known, key: Uint8Array.from(known.key, (byte) => byte ^ 1) };
  second.epochs.received(Buffer.from(encodeSentKey(sent)));
  assert(first.driver.place(1, batch('under the right key')).ok);
  world.deaf.clear();
  await settles(world, isLevel(world));
  assert.equal(second.broken, undefined);
  assert.deepEqual(second.sessionKeys.get(known.epoch)?.key, known.key);
});

test('an epoch that has lasted so many blocks is followed by the next', async () => {
  const { world, members, first } = await threeNodes();
  const args = { name: 'epochBlocks', value: 10 };
  await decide(world, first, members, [{ name: 'set_policy', args }]);
  await settles(world, isLevel(world));
  const epoch = epochOf(first);
  for (let n = 0; n < 25; n++) {
    assert(first.driver.place(1, batch(`${n}`)).ok);
    await world.settle();
  }
  await settles(world, isLevel(world));
  assert.equal(reasonOf(first), 'blocks');
  assert(epochOf(first) >= epoch + 2);
  const begun = newestEpoch(first.administration.committedState);
  assert((begun?.height ?? 0) > first.log.committedHeight - 12);
});

test('an idle network begins an epoch when its time has come, once', async () => {
  const { world, members, first } = await threeNodes();
  const args = { name: 'epochDuration', value: 1 };
  await decide(world, first, members, [{ name: 'set_policy', args }]);
  await settles(world, isLevel(world));
  await sleep(1_050);
  const epoch = epochOf(first);
  for (const { epochs } of world.nodes) epochs.tick();
  for (const { epochs } of world.nodes) epochs.tick();
  await settles(world, () => world.nodes.every((node) => epochOf(node) > epoch));
  await world.tick(3);
  const begun = world.nodes.flatMap(({ host }) =>
    host.logged.filter(({ event, reason }) => event === 'epoch.begun' && reason === 'time'),
  );
  assert.equal(begun.length, 1);
});

test('an old block is proved after its key was let go: the key is gathered for it', async () => {
  const { world, members, first, second } = await threeNodes();
  const placed = second.log.committedHeight;
  await anEpoch(world, first, members);
  await settles(world, isLevel(world));
  second.sessionKeys.sweep({
    inForce: second.sessionKeys.epochs.at(-1) as never,
    ttlMs: 0,
    nowMs: 0,
  });
  second.sessionKeys.sweep({
    inForce: second.sessionKeys.epochs.at(-1) as never,
    ttlMs: 0,
    nowMs: Date.now() + 60_000,
  });
  assert.equal(second.sessionKeys.epochs.length, 1);
  const collected = second.keyCollector.collected;
  const [block] = await world.until(second.stored.read(placed, placed, 1));
  assert(block);
  assert.equal(second.keyCollector.collected, collected + 1);
});

test('a key that is sent has to be what it should be', async () => {
  const { first } = await threeNodes();
  const good = { epoch: 9 as never, key: new Uint8Array(32), digest: 'ab'.repeat(32) };
  const bad = [
    encodeSentKey({ ...good, key: new Uint8Array(31) }),
    encodeSentKey({ ...good, digest: 'ab' }),
    encodeSentKey({ ...good, epoch: 0 as never }),
    utf8(''),
    utf8('{}'),
    utf8(`{"epoch":1,"key":"${'zz'.repeat(32)}","digest":"${good.digest}"}`),
    utf8(' '.repeat(600)),
  ];
  for (const bytes of bad) {
    assert.throws(() => first.epochs.received(Buffer.from(bytes)), { code: 'CHANNEL_FAILED' });
  }
  const epochs = [...first.sessionKeys.epochs];
  first.epochs.received(Buffer.from(encodeSentKey(good)));
  assert.deepEqual(first.sessionKeys.epochs, epochs, 'no block names it');
});
