import assert from 'node:assert/strict';
import { after, mock, test } from 'node:test';
import {
  buildHolderRotation,
  type CeremonyRow,
  ceremonyDue,
  ceremonyOf,
  currentEpoch,
  currentSharedKey,
  epochKeyRow,
  epochOwed,
  holderRegistrationOf,
  newestCeremony,
  newestEpoch,
  openCeremonyOf,
  rerunCeremony,
  sharedKeys,
} from '@concordat/governance';
import {
  combineDecryptionShares,
  createDecryptionShare,
  decodeCiphertext,
  nodeRequester,
  type Scalar,
  sessionKeyLabel,
  timesBase,
  verificationKeyOf,
} from '@concordat/keys';
import { toHex } from '@concordat/std';
import { pause } from '../enclave-sources.ts';
import { ManagerError } from '../errors.ts';
import { encodeHolderRequest } from '../key-messages.ts';
import { type HeldShare, ShareVault } from '../share-vault.ts';
import { decide, grow, newNetwork, organisation, type TestNode, World } from './fixture.ts';

const members = [1, 2, 3].map((n) => organisation(`org ${n}`));

let skippedMs = 0;
const realNow = performance.now.bind(performance);
mock.method(performance, 'now', () => realNow() + skippedMs);
after(() => mock.restoreAll());

/** Lets the nodes that run work on their keys until something holds. */
async function work(world: World, until: () => boolean, rounds = 400): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    if (until()) return;
    for (const node of world.running) if (!world.cut.has(node.id)) node.keyDesk.tick();
    await world.settle();
    // A slice of a second for what waits, and a moment for what works.
    skippedMs += 50;
    await pause(1);
  }
  assert.fail('the nodes did not come to that');
}

const stateOf = (node: TestNode) => node.administration.committedState;

const isSettled = (world: World) => (): boolean =>
  world.running
    .filter(({ id }) => !world.cut.has(id))
    .every(
      (node) =>
        holderRegistrationOf(stateOf(node), node.owner.actorId) !== undefined &&
        !openCeremonyOf(stateOf(node)) &&
        !ceremonyDue(stateOf(node)) &&
        hasAll(node),
    );

/** Whether a node holds every share its actor has. */
const hasAll = (node: TestNode): boolean =>
  sharedKeys(stateOf(node)).every(
    ({ key, sharing }) =>
      !sharing.holders.some(({ actorId }) => actorId === node.owner.actorId) ||
      node.vault.shareOf(key.number, key.sharing) !== undefined,
  );

async function network(policies: Record<string, unknown> = {}, nodes = 3) {
  const world = new World();
  world.holdsCeremonies = true;
  const { first } = await newNetwork(members, world);
  const actions = Object.entries(policies).map(([name, value]) => {
    return { name: 'set_policy', args: { name, value } };
  });
  if (actions.length > 0) await decide(world, first, members, actions);
  for (let at = 1; at < nodes; at++) await grow(world, members, members[at] as never);
  await work(world, isSettled(world));
  return { world, first, nodes: world.nodes };
}

/** The session key of the epoch in force, from the shares of these nodes' vaults alone. */
function read(at: TestNode, givers: readonly TestNode[]): Uint8Array {
  const view = stateOf(at);
  const epoch = currentEpoch(view);
  const { number, sharing, key } = currentSharedKey(view) ?? assert.fail();
  const row = epochKeyRow(view, { epoch, keyNumber: number }) ?? assert.fail();
  const request = {
    ciphertext: decodeCiphertext(row.ciphertext),
    label: sessionKeyLabel({ networkId: at.network.id, epoch, keyId: key.id }),
    requester: nodeRequester(at.id),
  };
  const shares = givers.map((giver) => {
    const held = giver.vault.shareOf(number, sharing) ?? assert.fail('no share');
    return createDecryptionShare(request, held, Buffer.alloc(64, held.index));
  });
  const { threshold } = key;
  return combineDecryptionShares(request, shares, {
    threshold,
    verificationKey: (index) => verificationKeyOf(key, index),
  });
}

interface OldShares {
  readonly threshold: number;
  readonly held: readonly HeldShare[];
}

/** Copies of the shares that nodes hold of the newest key now, as somebody may have taken them. */
function oldSharesOf(nodes: readonly TestNode[]): OldShares {
  const { number, sharing, key } = currentSharedKey(stateOf(nodes[0] as TestNode)) ?? assert.fail();
  const held = nodes.map(({ vault }) => {
    const { index, secret } = vault.shareOf(number, sharing) ?? assert.fail('no share');
    return { index, secret: Uint8Array.from(secret) as Scalar };
  });
  return { threshold: key.threshold, held };
}

/** All of them together open nothing of the epoch in force: not as shares of its key, nor as if they were. */
function requireUseless(at: TestNode, { threshold, held }: OldShares): void {
  const view = stateOf(at);
  const epoch = currentEpoch(view);
  const { number, key } = currentSharedKey(view) ?? assert.fail();
  const row = epochKeyRow(view, { epoch, keyNumber: number }) ?? assert.fail();
  const request = {
    ciphertext: decodeCiphertext(row.ciphertext),
    label: sessionKeyLabel({ networkId: at.network.id, epoch, keyId: key.id }),
    requester: nodeRequester(at.id),
  };
  const shares = held.map((share) =>
    createDecryptionShare(request, share, Buffer.alloc(64, share.index)),
  );
  const against = { threshold, verificationKey: (i: number) => verificationKeyOf(key, i) };
  assert.throws(() => combineDecryptionShares(request, shares, against), { code: 'INVALID_SHARE' });
  const own = new Map(held.map(({ index, secret }) => [index, timesBase(secret)]));
  const unchecked = { threshold, verificationKey: (index: number) => own.get(index) };
  const combined = combineDecryptionShares(request, shares, unchecked);
  assert.notDeepEqual(combined, at.sessionKeys.get(epoch)?.key);
}

/** Another launch of the node finds this vault. */
function restart(node: TestNode, vault: ShareVault): void {
  Object.assign(node, { vault });
  node.keyDesk.wake();
}

const summary = (node: TestNode): string[] => {
  const rows: string[] = [];
  for (let number = 1; ; number++) {
    const row = ceremonyOf(stateOf(node), number);
    if (!row) return rows;
    rows.push(`${row.purpose} ${row.key}: ${row.reason}, ${row.state}`);
  }
};

test('as members join, the key of the founder alone gives way to one that two of three hold', async () => {
  const { world, first, nodes } = await network();
  const { key, number } = currentSharedKey(stateOf(first)) ?? assert.fail();
  assert.deepEqual([key.threshold, key.holders.length], [2, 3]);
  assert.ok(number > 1);
  assert.equal(newestEpoch(stateOf(first))?.reason, 'key');
  const sessionKey = first.sessionKeys.current(stateOf(first)).key;
  const [a, b, c] = nodes as [TestNode, TestNode, TestNode];
  for (const pair of [
    [a, b],
    [b, c],
    [a, c],
  ]) {
    assert.deepEqual(read(a, pair), sessionKey);
  }
  for (const alone of nodes) {
    assert.throws(() => read(a, [alone]), { code: 'TOO_FEW_SHARES' });
  }
  for (const { key: row, sharing } of sharedKeys(stateOf(first))) {
    assert.deepEqual([row.number, sharing.threshold, sharing.holders.length], [row.number, 2, 3]);
    assert.ok(rerunCeremony(stateOf(first), row.sharing));
  }
  await work(world, () => nodes.every(({ vault }) => vault.places.length === number));
});

test('members that come together share one ceremony', async () => {
  const world = new World();
  world.holdsCeremonies = true;
  const { first } = await newNetwork(members, world);
  for (const owner of members.slice(1)) await grow(world, members, owner);
  await work(world, isSettled(world));
  const [founding, next, ...older] = summary(first);
  assert.equal(founding, 'fresh 1: first, done');
  assert.equal(next, 'fresh 2: threshold-raised, done');
  assert.deepEqual(older, ['reshare 1: holders-changed, done']);
});

test('wherever a leader is lost during a ceremony, the next one brings it to its end', async () => {
  for (let events = 0; events <= 6; events++) {
    const { world, nodes } = await network({ keyCeremonyDuration: 1 });
    const leader = world.leader ?? assert.fail();
    const before = newestCeremony(stateOf(leader))?.number ?? 0;
    await decide(world, leader, members, [
      { name: 'set_policy', args: { name: 'keyThreshold', value: 3 } },
    ]);
    const ofNow = (): CeremonyRow | undefined => {
      const newest = newestCeremony(stateOf(leader));
      return (newest?.number ?? 0) > before ? newest : undefined;
    };
    await work(world, () => (ofNow()?.events ?? -1) >= events || ofNow()?.state === 'done');
    world.cut.add(leader.id);
    const next = await world.elect();
    assert.notEqual(next, leader);
    // Two of the three that the new key needs are up: whatever was dealt, it cannot be made.
    await work(world, () => false, 40).catch(() => undefined);
    world.cut.delete(leader.id);
    await world.tick(30);
    await world.elect();
    await work(world, isSettled(world), 1_500);
    const { key } = currentSharedKey(stateOf(next)) ?? assert.fail();
    assert.equal(key.threshold, 3, `lost after ${events} events`);
    assert.deepEqual(read(next, nodes).length, 32);
    const { reason } = newestEpoch(stateOf(next)) ?? assert.fail();
    assert.equal(reason, 'key');
  }
});

test('a member that is silent holds a ceremony up no longer than the policy says', async () => {
  const { world, first, nodes } = await network({ keyCeremonyDuration: 1 });
  const silent = nodes.find((node) => node !== world.leader) as TestNode;
  await decide(world, first, members, [
    { name: 'set_policy', args: { name: 'keyThreshold', value: 1 } },
  ]);
  world.cut.add(silent.id);
  await work(world, isSettled(world), 1_500);
  const { key } = currentSharedKey(stateOf(first)) ?? assert.fail();
  assert.deepEqual([key.threshold, key.holders.length], [1, 3]);
  world.cut.delete(silent.id);
  await world.tick(30);
  await work(world, isSettled(world), 1_500);
  assert.equal(read(first, [silent]).length, 32, 'its share was waiting for it in the ledger');
});

test('no ceremony is opened before enough are up, and the status names whom it waits for', async () => {
  const { world, first, nodes } = await network({ keyCeremonyDuration: 1 });
  const down = nodes.find((node) => node !== world.leader) as TestNode;
  world.cut.add(down.id);
  await decide(world, first, members, [
    { name: 'set_policy', args: { name: 'keyThreshold', value: 3 } },
  ]);
  const before = summary(first).length;
  await assert.rejects(work(world, isSettled(world), 60));
  assert.equal(summary(first).length, before);
  const { due, threshold, holders } = first.keyDesk.status ?? assert.fail();
  assert.equal(threshold, 2);
  assert.equal(holders.length, 3);
  assert.deepEqual(due, {
    purpose: 'fresh',
    reason: 'threshold-raised',
    key: 3,
    waitsFor: [down.owner.name],
  });
});

test('a share that is not on disk is not confirmed: the others make the key without that word', async () => {
  const { world, first, nodes } = await network({ keyCeremonyDuration: 1 });
  const full = nodes.find((node) => node !== world.leader) as TestNode;
  const { putRecord } = full.host;
  full.host.putRecord = () => Promise.reject(new ManagerError('HOST_FAULT', 'no space'));
  const number = (newestCeremony(stateOf(first))?.number ?? 0) + 1;
  await decide(world, first, members, [
    { name: 'set_policy', args: { name: 'keyThreshold', value: 1 } },
  ]);
  await work(world, () => ceremonyOf(stateOf(first), number)?.state === 'done', 1_500);
  const { terms, progress } = ceremonyOf(stateOf(first), number) ?? assert.fail();
  const own = terms.receivers.find(({ actor }) => actor === full.owner.actorId);
  assert.deepEqual([progress.confirmed.length, terms.receivers.length], [2, 3]);
  assert.ok(own && !progress.confirmed.includes(own.index));
  full.host.putRecord = putRecord;
  await work(world, isSettled(world), 1_500);
  const again = await ShareVault.open(full.records, assert.fail);
  again.belongTo(first.network.id);
  restart(full, again);
  await work(world, () => hasAll(full));
});

test('a node whose host lost its shares registers a new holder key and gets others', async () => {
  const { world, first, nodes } = await network();
  const lost = nodes[1] as TestNode;
  const before = holderRegistrationOf(stateOf(first), lost.owner.actorId);
  const empty = new ShareVault(lost.records);
  empty.belongTo(first.network.id);
  restart(lost, empty);
  await work(world, () => isSettled(world)() && empty.newestHolder !== undefined);
  const now = holderRegistrationOf(stateOf(first), lost.owner.actorId);
  assert.deepEqual([before?.number, now?.number], [1, 2]);
  const { reason, purpose } = newestCeremony(stateOf(first)) ?? assert.fail();
  assert.deepEqual([purpose, reason], ['reshare', 'holders-changed']);
  assert.equal(read(first, [lost, nodes[2] as TestNode]).length, 32);
});

test('a node whose host brought back an old record finds its shares in the ledger again', async () => {
  const { world, first, nodes } = await network();
  const back = nodes[1] as TestNode;
  const { newestHolder } = back.vault;
  const old = new ShareVault(back.records);
  old.belongTo(first.network.id);
  await old.keepHolder(newestHolder ?? assert.fail());
  const ceremonies = summary(first).length;
  restart(back, old);
  await work(world, isSettled(world));
  assert.equal(summary(first).length, ceremonies, 'no ceremony was needed');
  assert.equal(read(first, [back, nodes[2] as TestNode]).length, 32);
});

test('all nodes of an actor hold its one share, and others are not given its holder key', async () => {
  const { world, first } = await network();
  const second = await grow(world, members, members[1] as never);
  await work(world, () => isSettled(world)() && hasAll(second));
  const sibling = world.nodes[1] as TestNode;
  const { encryptionKey, number } =
    holderRegistrationOf(stateOf(first), sibling.owner.actorId) ?? assert.fail();
  assert.equal(number, 1);
  assert.ok(second.vault.holderOf(encryptionKey));
  const { number: key, sharing } = currentSharedKey(stateOf(first)) ?? assert.fail();
  assert.deepEqual(second.vault.shareOf(key, sharing), sibling.vault.shareOf(key, sharing));
  const request = encodeHolderRequest(encryptionKey);
  assert.throws(() => sibling.keyDesk.holderSecret(first.id, request), {
    code: 'NODE_NOT_ADMITTED',
  });
  const other = encodeHolderRequest('11'.repeat(32));
  assert.throws(() => sibling.keyDesk.holderSecret(second.id, other), { code: 'SHARE_NOT_HELD' });
});

test('when all nodes of an actor lost its holder key, one registers another and the rest ask it', async () => {
  const { world, first } = await network();
  const sibling = world.nodes[1] as TestNode;
  const second = await grow(world, members, members[1] as never);
  await work(world, () => isSettled(world)() && hasAll(second));
  const both = [sibling, second];
  for (const node of both) Object.assign(node, { vault: new ShareVault(node.records) });
  for (const node of both) node.keyDesk.wake();
  await work(world, () => isSettled(world)() && both.every(hasAll), 1_500);
  const { number } = holderRegistrationOf(stateOf(first), sibling.owner.actorId) ?? assert.fail();
  assert.equal(number, 2);
});

test('a member’s order replaces its holder key: all its nodes get the new one, and what the old one opened is dealt anew', async () => {
  const { world, first } = await network();
  const second = await grow(world, members, members[1] as never);
  const both = [world.nodes[1] as TestNode, second];
  await work(world, () => isSettled(world)() && hasAll(second));
  const { key: sharedKey } = currentSharedKey(stateOf(first)) ?? assert.fail();
  const before = both.map(({ vault }) => toHex(vault.newestHolder?.encryptionKey ?? assert.fail()));
  assert.equal(before[0], before[1]);
  const { key, der } = members[1] as (typeof members)[number];
  const order = buildHolderRotation({
    networkId: first.network.id,
    createdAtSeconds: Math.floor(Date.now() / 1000),
    key,
    certificateDer: der,
  });
  await world.until(first.governance.submit(order));
  await work(world, () => holderRegistrationOf(stateOf(first), second.owner.actorId)?.number === 2);
  await work(world, () => isSettled(world)() && both.every(hasAll), 1_500);
  const { encryptionKey } = holderRegistrationOf(stateOf(first), second.owner.actorId) as never;
  assert.notEqual(encryptionKey, before[0]);
  for (const { vault } of both) {
    assert.ok(vault.holderOf(encryptionKey));
    assert.equal(vault.holderOf(before[0] as string), undefined, 'the old one was erased');
  }
  const { key: after } = currentSharedKey(stateOf(first)) ?? assert.fail();
  assert.deepEqual(after.id, sharedKey.id, 'the shared key is the same, dealt anew');
  assert.equal(summary(first).at(-1)?.endsWith('holders-changed, done'), true);
});

test('a removed member’s share is of no use for what is sealed afterwards', async () => {
  const { world, first, nodes } = await network();
  const gone = nodes.find((node) => node !== world.leader) as TestNode;
  const old = oldSharesOf(nodes);
  await decide(world, first, members, [
    { name: 'remove_actor', args: { actorId: gone.owner.actorId } },
  ]);
  world.cut.add(gone.id);
  await work(world, isSettled(world), 1_500);
  requireUseless(first, old);
  const { number, key } = currentSharedKey(stateOf(first)) ?? assert.fail();
  assert.deepEqual([key.threshold, key.holders.length], [2, 2]);
  assert.equal(newestEpoch(stateOf(first))?.reason, 'key');
  assert.ok(gone.vault.places.every((place) => place.key !== number));
  const left = nodes.filter((node) => node !== gone);
  assert.equal(read(first, left).length, 32);
});

test('when a removal strands the newest key, its epoch waits for the fresh key: those who left read nothing of it', async () => {
  const { world, nodes } = await network();
  const at = world.leader ?? assert.fail();
  const gone = nodes.filter((node) => node !== at);
  const old = oldSharesOf(nodes);
  const before = newestEpoch(stateOf(at))?.epoch as number;
  const actions = gone.map(({ owner: { actorId } }) => ({
    name: 'remove_actor',
    args: { actorId },
  }));
  await decide(world, at, members, actions);
  assert.equal(newestEpoch(stateOf(at))?.epoch, before);
  assert.ok(epochOwed(stateOf(at)));
  for (const { id } of gone) world.cut.add(id);
  await work(world, () => newestEpoch(stateOf(at))?.epoch !== before, 1_500);
  const begun = newestEpoch(stateOf(at));
  assert.deepEqual([begun?.epoch, begun?.reason], [before + 1, 'key']);
  assert.equal(epochOwed(stateOf(at)), undefined);
  requireUseless(at, old);
  assert.equal(read(at, [at]).length, 32);
});

test('a removal that leaves too few shares of a key is told of, and one that does not is not', async () => {
  const { world, first, nodes } = await network();
  const told = () =>
    nodes.flatMap(({ host }) => host.logged.filter(({ event }) => event === 'key.out-of-reach'));
  const [one, other] = nodes.filter((node) => node !== world.leader) as [TestNode, TestNode];
  const at = world.leader ?? first;
  const keys = sharedKeys(stateOf(at)).map(({ key }) => key.number);
  await decide(world, at, members, [{ name: 'remove_node', args: { nodeId: one.id } }]);
  world.cut.add(one.id);
  assert.deepEqual(told(), []);
  await decide(world, at, members, [{ name: 'remove_node', args: { nodeId: other.id } }]);
  assert.deepEqual(
    told().map((line) => line.keys),
    [keys],
  );
});

test('every holder key and share outlives the node’s memory', async () => {
  const { first, nodes } = await network();
  for (const node of nodes) {
    const again = await ShareVault.open(node.records, assert.fail);
    again.belongTo(first.network.id);
    assert.deepEqual(again.places, node.vault.places);
    const { encryptionKey } = again.newestHolder ?? assert.fail();
    const registered = holderRegistrationOf(stateOf(first), node.owner.actorId);
    assert.equal(registered?.encryptionKey, toHex(encryptionKey));
  }
});
