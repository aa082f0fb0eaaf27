import assert from 'node:assert/strict';
import { test } from 'node:test';
import { epochKeyRows, newestEpoch } from '@concordat/governance';
import { type Epoch, type NodeId, toEpoch } from '@concordat/std';
import { decodeBlocks, encodeBlocks, encodeBlocksRequest } from '../archive-messages.ts';
import { type PublicLedger, readPublic } from '../public-replay.ts';
import { ResumedLedger } from '../resumed-ledger.ts';
import { ShareDesk } from '../share-desk.ts';
import { decodeGivenShares, encodeShareRequest } from '../share-messages.ts';
import { batch, decide, TestNode, threeNodes, World } from './fixture.ts';

/** A ledger with epochs, its first node's host, and how much of it that host had when it stopped. */
async function stoppedEarly() {
  const { world, members, first, second } = await threeNodes();
  const before = first.host.blocks.length;
  for (let n = 0; n < 3; n++) {
    assert(first.driver.place(1, batch(`x${n}`)).ok);
    const policy = { name: 'set_policy', args: { name: 'maxBatchTransactions', value: 10 + n } };
    await decide(world, first, members, [policy, { name: 'begin_epoch', args: {} }]);
  }
  await world.tick(3);
  const blocks: Uint8Array[] = first.host.blocks.map((block) => Uint8Array.from(block));
  const newest = newestEpoch(first.administration.committedState);
  assert(newest && newest.height > before);
  return { first, second, blocks, before, epoch: toEpoch(newest.epoch) };
}

type Given = Awaited<ReturnType<typeof stoppedEarly>>;

/** The first node, started anew with what its host had, beside another that has `theirs`. */
async function resumed({ first, blocks, before }: Given, theirs: readonly Uint8Array[]) {
  const own = blocks.slice(0, before);
  const node = new TestNode(new World(), 9, first.owner);
  node.belongTo(first.network);
  node.host.blocks.push(...own);
  const progress = { committed: before - 1 };
  const begin = () => readPublic(node, { upTo: before - 1, progress });
  const events: string[] = [];
  const learned: PublicLedger[] = [];
  let asked = 0;
  let nowMs = 10_000;
  const ledger = new ResumedLedger({
    own: (await readPublic(node, { upTo: before, progress })).result,
    channel: {
      request: async (_peer: NodeId, kind: string, body: Uint8Array) => {
        assert.equal(kind, 'public-blocks');
        asked += 1;
        const from = Number(Buffer.from(body).readBigUInt64BE(0));
        return Buffer.from(encodeBlocks(theirs.slice(from - 1, from + 2)));
      },
    },
    read: async (from, to) => own.slice(from - 1, to),
    begin,
    learn: async (longer) => void learned.push(longer),
    tell: (event) => events.push(event),
    nowMs: () => nowMs,
  });
  const desk = new ShareDesk({
    committed: () => ledger.shown.administration.head,
    vault: first.vault,
    networkId: () => first.network.id,
    entropy: (bytes) => Buffer.alloc(bytes, 7),
    nowMs: () => 0,
    refused: () => undefined,
  });
  const passes = (ms: number): void => {
    nowMs += ms;
  };
  return { ledger, desk, events, learned, passes, asked: () => asked };
}

/** Shares of epochs, the newest unless others are named, as another node asks for them. */
function sharesOf(
  { first, second, epoch }: Given,
  to: Awaited<ReturnType<typeof resumed>>,
  epochs: readonly Epoch[] = [epoch],
) {
  const { ledger, desk } = to;
  const asked = epochs.map((each) => {
    const [row] = epochKeyRows(first.administration.committedState, each);
    assert(row);
    return { epoch: each, key: row.keyNumber };
  });
  const body = encodeShareRequest(asked);
  return ledger.shares(second.id, body, () => desk.give(second.id, body));
}

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 200; turn++) await new Promise((done) => setImmediate(done));
};

test('a node that stopped before an epoch began reads on in the ledger of whoever asks for it', async () => {
  const given = await stoppedEarly();
  const node = await resumed(given, given.blocks);
  await assert.rejects(sharesOf(given, node), { code: 'EPOCH_NOT_COMMITTED' });
  await settled();
  assert.deepEqual(node.events, ['resume.read-on']);
  assert.equal(node.learned.length, 1);
  assert.equal(node.ledger.shown.end.height, given.blocks.length);
  assert.equal(decodeGivenShares(await sharesOf(given, node)).shares.length, 1);
  // Its own ledger ends where it did: that is what it tells others, and what it goes on from.
  assert.equal(node.ledger.own.end.height, given.before);
});

test('whoever asks again for what it was given may know of more, and is read on with too', async () => {
  const given = await stoppedEarly();
  const node = await resumed(given, given.blocks);
  const both = [toEpoch(1), given.epoch];
  const ask = async () => decodeGivenShares(await sharesOf(given, node, both)).shares.length;
  assert.equal(await ask(), 1, 'the newest epoch is beyond its ledger');
  assert.equal(node.asked(), 0);
  assert.equal(await ask(), 1);
  await settled();
  assert.deepEqual(node.events, ['resume.read-on']);
  assert.equal(await ask(), 2);
});

test('blocks that no listed node signed are not read on with, and the next attempt begins anew', async () => {
  const given = await stoppedEarly();
  const forged: Uint8Array[] = given.blocks.map((block) => Uint8Array.from(block));
  const last = forged[given.before + 1] as Uint8Array;
  const at = last.length >> 1;
  last[at] = (last[at] as number) ^ 1;
  const node = await resumed(given, forged);
  await assert.rejects(sharesOf(given, node), { code: 'EPOCH_NOT_COMMITTED' });
  await settled();
  assert.deepEqual(node.events, ['resume.not-read-on']);
  assert.equal(node.ledger.shown, node.ledger.own);
  const asked = node.asked();
  await assert.rejects(sharesOf(given, node), { code: 'EPOCH_NOT_COMMITTED' });
  await settled();
  assert.equal(node.asked(), asked, 'it rests first');
  forged.splice(0, forged.length, ...given.blocks);
  node.passes(1_001);
  await assert.rejects(sharesOf(given, node), { code: 'EPOCH_NOT_COMMITTED' });
  await settled();
  assert.equal(decodeGivenShares(await sharesOf(given, node)).shares.length, 1);
});

test('from a node whose ledger is no longer nothing is learned', async () => {
  const given = await stoppedEarly();
  const node = await resumed(given, given.blocks.slice(0, given.before));
  await assert.rejects(sharesOf(given, node), { code: 'EPOCH_NOT_COMMITTED' });
  await settled();
  assert.deepEqual(node.events, []);
  assert.deepEqual(node.learned, []);
});

test('its own blocks are for trusted nodes of the ledger, up to its end, one answer at a time', async () => {
  const given = await stoppedEarly();
  const { ledger } = await resumed(given, []);
  const ask = (from: number, to: number) =>
    ledger.blocks(given.second.id, encodeBlocksRequest({ from, to, maxBytes: 1 }));
  assert.equal(decodeBlocks(await ask(2, 1_000)).length, given.before - 1);
  assert.equal(decodeBlocks(await ask(given.before + 1, 1_000)).length, 0);
  assert.equal(decodeBlocks(await ask(0, 1)).length, 0);
  assert.equal(decodeBlocks(await ask(5, 4)).length, 0);
  const both = await Promise.allSettled([ask(1, 9), ask(1, 9)]);
  assert.deepEqual(
    both.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  );
  const stranger = 'ab'.repeat(32) as NodeId;
  await assert.rejects(
    ledger.blocks(stranger, encodeBlocksRequest({ from: 1, to: 9, maxBytes: 1 })),
    { code: 'NODE_NOT_ADMITTED' },
  );
});
