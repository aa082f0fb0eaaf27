import assert from 'node:assert/strict';
import { after, mock, test } from 'node:test';
import { createSigningKey, exportSigningScalar } from '@concordat/crypto';
import {
  ceremonyDue,
  currentEpoch,
  currentSharedKey,
  epochKeyRows,
  networkKeyRow,
  networkKeyTable,
  openCeremonyOf,
  recordNetworkKey,
} from '@concordat/governance';
import type { FrozenState } from '@concordat/kv';
import { HistoryTree, openBlock } from '@concordat/ledger';
import { concatBytes, toDigest, toHex, utf8 } from '@concordat/std';
import { pause } from '../enclave-sources.ts';
import { ManagerError } from '../errors.ts';
import { networkKeyPlace } from '../network-key.ts';
import { encodeShareRequest } from '../share-messages.ts';
import { decide, grow, newNetwork, organisation, type TestNode, World } from './fixture.ts';

const members = [1, 2, 3].map((n) => organisation(`org ${n}`));

let skippedMs = 0;
const realNow = performance.now.bind(performance);
mock.method(performance, 'now', () => realNow() + skippedMs);
after(() => mock.restoreAll());

const stateOf = (node: TestNode) => node.administration.committedState;

/** Lets the nodes that run work on their keys until something holds. */
async function work(world: World, until: () => boolean): Promise<void> {
  for (let round = 0; round < 400; round++) {
    if (until()) return;
    for (const node of world.running) {
      if (world.cut.has(node.id)) continue;
      node.keyDesk.tick();
      node.networkKeyDesk.work();
    }
    await world.settle();
    skippedMs += 50;
    await pause(1);
  }
  assert.fail('the nodes did not come to that');
}

const isSettled = ({ running }: World): boolean =>
  running.every((node) => !openCeremonyOf(stateOf(node)) && !ceremonyDue(stateOf(node)));

/** Three members' nodes that hold a key together; two of three read. */
async function network() {
  const world = new World();
  world.holdsCeremonies = true;
  const { first } = await newNetwork(members, world);
  for (const owner of members.slice(1)) await grow(world, members, owner);
  await work(world, () => isSettled(world) && world.running.every((one) => one.networkKey.isHeld));
  return { world, first, nodes: world.nodes as [TestNode, TestNode, TestNode] };
}

const secretOf = (node: TestNode): Uint8Array =>
  Uint8Array.from(node.networkKey.get(networkKeyPlace) ?? assert.fail('it is not held'));

const isBehind = (node: TestNode): boolean =>
  networkKeyRow(stateOf(node))?.keyNumber !== currentSharedKey(stateOf(node))?.number;

/** A frozen state as snapshots have it. */
function bytesOf(state: FrozenState): Uint8Array {
  const section = state.section();
  const chunks: Uint8Array[] = [];
  for (let part = section.next(1_000); part; part = section.next(1_000)) chunks.push(...part);
  return concatBytes(...chunks);
}

/** The ways the key could be written down. */
const formsOf = (secret: Uint8Array): Buffer[] => {
  const scalar = Buffer.from(secret);
  const texts = [scalar.toString('hex'), scalar.toString('base64').slice(0, 42), 'PRIVATE KEY'];
  return [scalar, ...texts.map((text) => Buffer.from(text))];
};

test('whoever trusted the network, none but trusted nodes have its private key, and all of them do', async () => {
  const { nodes } = await network();
  const [first, second, third] = nodes;
  assert.deepEqual(secretOf(second), secretOf(first));
  assert.deepEqual(secretOf(third), secretOf(first));
  const { publicKeySpki } = second.networkKey.signing();
  assert.deepEqual(publicKeySpki, first.networkKey.signing().publicKeySpki);
});

test('no block holds the private key, whatever epochs it is opened with, and no snapshot does', async () => {
  const { first, nodes } = await network();
  const forms = formsOf(secretOf(first));
  let opened = 0;
  const history = new HistoryTree();
  let previous = toDigest(new Uint8Array(32));
  let at = { expectedHeight: 1, expectedFirstSeqno: 1, previousView: 0 };
  for (const block of first.host.blocks as Uint8Array[]) {
    const { transactions, header, headerHash } = openBlock(block, {
      sessionKey: (epoch) => first.sessionKeys.get(epoch),
      nodeKey: (nodeId) => first.nodeKey(nodeId),
      history,
      previous,
      ...at,
    });
    previous = headerHash;
    at = {
      expectedHeight: header.height + 1,
      expectedFirstSeqno: header.firstSeqno + header.count,
      previousView: header.view,
    };
    const plain = transactions.flatMap(({ publicWrites, privateWrites }) => {
      return [publicWrites, privateWrites];
    });
    for (const bytes of [block, ...plain]) {
      for (const form of forms) assert.equal(Buffer.from(bytes).includes(form), false);
    }
    opened += transactions.length;
  }
  assert(opened > 20);
  for (const { administration } of nodes) {
    const { open, closed } = administration.freeze();
    const parts = [open, closed].map(bytesOf);
    assert(parts[0] && parts[0].length > 1_000);
    for (const bytes of parts) {
      for (const form of forms) assert.equal(Buffer.from(bytes).includes(form), false);
    }
  }
});

test('a fresh shared key takes the private key with it: the state has no other ciphertext of it', async () => {
  const { world, first } = await network();
  const before = networkKeyRow(stateOf(first)) ?? assert.fail();
  assert.equal(isBehind(first), false);
  assert(before.keyNumber > 1, 'the founder alone held the first one');
  await decide(world, first, members, [
    { name: 'set_policy', args: { name: 'keyThreshold', value: 3 } },
  ]);
  await work(world, () => isSettled(world) && !isBehind(first));
  const after = networkKeyRow(stateOf(first)) ?? assert.fail();
  assert(after.keyNumber > before.keyNumber);
  assert.notDeepEqual(after.ciphertext, before.ciphertext);
  assert.equal([...stateOf(first).table(networkKeyTable.name).range({})].length, 1);
});

test('a leader that lacks it when a fresh key is closed writes it as soon as another node gave it', async () => {
  const { world, first } = await network();
  first.networkKey.forget();
  await decide(world, first, members, [
    { name: 'set_policy', args: { name: 'keyThreshold', value: 3 } },
  ]);
  await work(world, () => isSettled(world) && !isBehind(first));
  assert.equal(first.networkKey.isHeld, true);
});

test('a fresh key is closed by a leader that has it, if it comes in time: nothing stays under the old one', async () => {
  const { world, first, nodes } = await network();
  const key = secretOf(first);
  first.networkKey.forget();
  for (const { networkKeyDesk, vault } of nodes.slice(1)) {
    vault.shareOf = () => undefined;
    networkKeyDesk.give = () => {
      throw new ManagerError('NETWORK_KEY_MISSING', 'not yet');
    };
  }
  const before = currentSharedKey(stateOf(first))?.number ?? assert.fail();
  await decide(world, first, members, [
    { name: 'set_policy', args: { name: 'keyThreshold', value: 3 } },
  ]);
  let wasBehind = false;
  let rounds = 0;
  await work(world, () => {
    rounds += 1;
    if (rounds === 60) first.networkKey.hold({ key });
    wasBehind ||= isBehind(first);
    return (currentSharedKey(stateOf(first))?.number ?? 0) > before;
  });
  assert(rounds >= 60);
  assert.equal(wasBehind || isBehind(first), false);
});

test('when no node has it any more the leader gathers shares of enough members, and the others ask it', async () => {
  const { world, first, nodes } = await network();
  const secret = secretOf(first);
  for (const { networkKey } of nodes) networkKey.forget();
  await work(world, () => nodes.every(({ networkKey }) => networkKey.isHeld));
  for (const node of nodes) assert.deepEqual(secretOf(node), secret);
  for (const { networkKey } of nodes) networkKey.forget();
  for (const { vault } of nodes.slice(1)) vault.erase();
  for (const node of nodes) node.networkKeyDesk.work();
  for (let round = 0; round < 5; round++) await world.settle();
  assert.deepEqual(
    nodes.map(({ networkKey }) => networkKey.isHeld),
    [false, false, false],
    'one share of two is not enough',
  );
  assert.throws(() => first.networkKey.signing(), { code: 'NETWORK_KEY_MISSING' });
});

test('shares of it are for trusted nodes: learning ones, strangers and removed ones get none', async () => {
  const { world, first, nodes } = await network();
  const { number } = currentSharedKey(stateOf(first)) ?? assert.fail();
  const asked = encodeShareRequest([{ epoch: networkKeyPlace, key: number }]);
  const [, second, third] = nodes;
  const given = await first.shareDesk.give(second.id, asked);
  assert(given.length > 98);
  const stranger = toHex(new Uint8Array(32).fill(7));
  await assert.rejects(first.shareDesk.give(stranger as never, asked), {
    code: 'NODE_NOT_ADMITTED',
  });
  const older = encodeShareRequest([{ epoch: networkKeyPlace, key: 1 }]);
  await assert.rejects(first.shareDesk.give(second.id, older), { code: 'EPOCH_NOT_COMMITTED' });
  await decide(world, first, members, [{ name: 'remove_node', args: { nodeId: third.id } }]);
  await assert.rejects(first.shareDesk.give(third.id, asked), { code: 'NODE_NOT_ADMITTED' });
  assert.equal(third.networkKey.isHeld, false, 'it was erased there');
  third.networkKey.hold({ key: first.networkKeyDesk.give() });
  assert.equal(third.networkKey.isHeld, false, 'an answer that was on its way is not taken up');
});

test('a session key in the place of the private key gets no shares: their labels differ', async () => {
  const { world, first, nodes } = await network();
  const { number } = currentSharedKey(stateOf(first)) ?? assert.fail();
  const epoch = currentEpoch(stateOf(first));
  const [row] = epochKeyRows(stateOf(first), epoch);
  assert(row?.keyNumber === number);
  const { ciphertext } = row;
  await world.until(
    first.queue.administer((set) => recordNetworkKey(set, { keyNumber: number, ciphertext })),
  );
  const asked = encodeShareRequest([{ epoch: networkKeyPlace, key: number }]);
  await assert.rejects(first.shareDesk.give(nodes[1].id, asked), { code: 'INVALID_CIPHERTEXT' });
});

test('what is not the key of the network certificate is not taken up, whoever sends it', async () => {
  const { world, first, nodes } = await network();
  const [, second] = nodes;
  const other = exportSigningScalar(createSigningKey(new Uint8Array(32).fill(3)));
  second.networkKey.forget();
  for (const key of [other, new Uint8Array(32), new Uint8Array(32).fill(0xff), utf8('short')]) {
    second.networkKey.hold({ key });
    assert.equal(second.networkKey.isHeld, false);
  }
  for (const answer of ['', '{}', '{"key":1}', `{"key":"${toHex(other)}"}`, '['.repeat(1_000)]) {
    first.networkKeyDesk.give = () => utf8(answer);
    nodes[2].networkKeyDesk.give = () => utf8(answer);
    second.networkKeyDesk.work();
    for (let round = 0; round < 5; round++) await world.settle();
    assert.equal(second.networkKey.isHeld, false, answer.slice(0, 20));
  }
});

test('a leader without it lets nobody join, and says why', async () => {
  const { world, first, nodes } = await network();
  for (const node of nodes) node.networkKey.forget();
  await assert.rejects(grow(world, members, members[1] as never), { code: 'NETWORK_KEY_MISSING' });
  assert.equal(first.broken, undefined);
});
