import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManagerError } from '../errors.ts';
import { replayLedger } from '../ledger-replay.ts';
import { replayPublic } from '../public-replay.ts';
import { RecordKeeper } from '../record-keeper.ts';
import { SealedRecords } from '../sealed-records.ts';
import {
  batch,
  decide,
  entropyOf,
  keepShares,
  newNetwork,
  organisation,
  TestNode,
  threeNodes,
  World,
} from './fixture.ts';

/** A network that has run, and what the host of its first node kept. */
async function history() {
  const { world, members, first } = await threeNodes();
  for (let n = 0; n < 4; n++) {
    assert(first.driver.place(1, batch(`x${n}`, `y${n}`)).ok);
    const args = { name: 'maxBatchTransactions', value: 10 + n };
    await decide(world, first, members, [{ name: 'set_policy', args }]);
  }
  const newcomer = organisation('late');
  const args = { kind: ['participant'], name: 'late', certificate: newcomer.pem, roles: [] };
  await decide(world, first, members, [{ name: 'add_actor', args }]);
  await world.tick(3);
  const blocks: Uint8Array[] = first.host.blocks.map((block) => Uint8Array.from(block));
  return { world, members, first, blocks };
}

/** A new launch of a node over the blocks its host has. */
async function relaunch(of: TestNode, n: number, blocks: readonly Uint8Array[]): Promise<TestNode> {
  const node = new TestNode(new World(), n, of.owner);
  node.belongTo(of.network);
  await keepShares(node, of);
  node.host.blocks.push(...blocks);
  return node;
}

async function resume(node: TestNode, committed: number) {
  const upTo = node.host.blocks.length;
  const ledger = await replayPublic(node, { upTo, progress: { committed } });
  node.given = ledger.administration.constitution;
  await node.epochs.obtain(ledger.epochs, ledger.administration.head);
  return replayLedger(node, { upTo, committed });
}

test('a resumed node has the state, positions and configuration it had', async () => {
  const { first, blocks } = await history();
  const node = await relaunch(first, 1, blocks);
  const replayed = await resume(node, blocks.length);
  assert.deepEqual(node.log.root, first.log.root);
  assert.equal(node.log.committedSeqno, first.log.committedSeqno);
  assert.deepEqual(replayed.configuration, first.driver.status.configurations[0]);
  assert.deepEqual(
    node.administration.committedConstitution,
    first.administration.committedConstitution,
  );
  const applied = node.worker.sent.filter(({ kind }) => kind === 'applied');
  assert.equal(applied.length, 4);
});

test('blocks above the committed ones stay speculative, and so do their configurations', async () => {
  const { first, blocks } = await history();
  const node = await relaunch(first, 1, blocks);
  const replayed = await resume(node, 2);
  assert.equal(node.log.committedHeight, 2);
  assert.equal(node.log.lastHeight, blocks.length);
  assert(replayed.earlier.length > 0);
  assert.equal(node.administration.committedConstitution.policies.maxBatchTransactions, 100);
});

const refusal = async (node: TestNode, committed: number): Promise<ManagerError> => {
  try {
    await resume(node, committed);
  } catch (error) {
    assert(error instanceof ManagerError, String(error));
    return error;
  }
  assert.fail('accepted');
};

test('any flipped byte of any block is LEDGER_CORRUPT at its height, with a reason', async () => {
  const { first, blocks } = await history();
  for (let height = 1; height <= blocks.length; height += 2) {
    const block = blocks[height - 1] as Uint8Array;
    const step = height === 1 ? 61 : block.length;
    const across = Array.from({ length: Math.floor(block.length / step) }, (_, n) => n * step);
    for (const at of [0, 2, 20, 60, 150, block.length >> 1, block.length - 1, ...across]) {
      const flipped = block.with(at, (block[at] as number) ^ 0x10);
      const node = await relaunch(first, 1, blocks.with(height - 1, Buffer.from(flipped)));
      const error = await refusal(node, blocks.length);
      assert.equal(error.code, 'LEDGER_CORRUPT');
      assert.equal(error.details.height, height, error.message);
      assert.equal(typeof error.details.reason, 'string');
      assert.match(error.message, new RegExp(`^block ${height}: `));
    }
  }
});

test('blocks swapped, repeated, cut or withheld are LEDGER_CORRUPT at the first wrong height', async () => {
  const { first, blocks } = await history();
  const [two, three] = [blocks[1] as Uint8Array, blocks[2] as Uint8Array];
  for (const [changed, height] of [
    [blocks.with(1, three).with(2, two), 2],
    [blocks.with(2, two), 3],
    [blocks.toSpliced(1, 1), 2],
    [blocks.with(4, (blocks[4] as Uint8Array).subarray(0, -1)), 5],
    [blocks.with(4, Buffer.concat([blocks[4] as Uint8Array, Buffer.alloc(1)])), 5],
    [blocks.with(0, Buffer.from('not a block')), 1],
  ] as const) {
    const error = await refusal(await relaunch(first, 1, changed), changed.length);
    assert.equal(error.code, 'LEDGER_CORRUPT');
    assert.equal(error.details.height, height, error.message);
  }
  const node = await relaunch(first, 1, blocks);
  node.host.tamper = (read, from) => (from > 1 ? [] : read.slice(0, 3));
  assert.equal((await refusal(node, blocks.length)).details.reason, 'MISSING');
});

test('a whole ledger of another network, though it names this node, is refused', async () => {
  const { first } = await newNetwork([organisation('ours')]);
  const forged = await newNetwork([organisation('theirs')]);
  // The forger knows this node's public keys, and everything else is its own.
  const node = await relaunch(first, 1, forged.first.host.blocks);
  const error = await refusal(node, 1);
  assert.equal(error.code, 'LEDGER_CORRUPT');
  assert.equal(error.details.height, 1);
});

test('a ledger that begins with another genesis under the same keys is refused as WRONG_NETWORK', async () => {
  const { first } = await newNetwork([organisation('ours')]);
  const node = await relaunch(first, 1, first.host.blocks);
  const open = await replayPublic(node, { upTo: 1, progress: { committed: 1 } });
  node.given = open.administration.constitution;
  await node.epochs.obtain(open.epochs, open.administration.head);
  const other = { ...first.network, id: 'ab'.repeat(32) };
  node.network = other;
  const isWrongNetwork = (error: ManagerError): boolean => {
    assert.equal(error.code, 'LEDGER_CORRUPT');
    assert.equal(error.details.reason, 'WRONG_NETWORK');
    return true;
  };
  await assert.rejects(resume(node, 1), isWrongNetwork);
  await assert.rejects(replayLedger(node, { upTo: 1, committed: 1 }), isWrongNetwork);
});

test('a sealed record that was changed, swapped for another or sealed elsewhere is refused', async () => {
  const { first } = await newNetwork([organisation('a')]);
  const { host } = first;
  const records = new SealedRecords(host, new Uint8Array(32), entropyOf('r'));
  const keeper = new RecordKeeper(records);
  await keeper.keepProgress({ committed: 7, historyRoot: 'ab'.repeat(32) });
  assert.deepEqual(await keeper.progress(), { committed: 7, historyRoot: 'ab'.repeat(32) });
  await records.put('hard-state', { view: 3 });
  const sealed = host.records.get('progress') as Uint8Array;
  for (const changed of [
    sealed.with(20, (sealed[20] as number) ^ 1),
    sealed.subarray(0, 5),
    new Uint8Array(),
    host.records.get('hard-state') as Uint8Array,
  ]) {
    host.records.set('progress', changed);
    await assert.rejects(keeper.progress(), { code: 'RECORD_UNREADABLE' });
  }
  host.records.set('progress', sealed);
  const elsewhere = new SealedRecords(host, new Uint8Array(32).fill(1), entropyOf('r'));
  await assert.rejects(new RecordKeeper(elsewhere).progress(), { code: 'RECORD_UNREADABLE' });
  await assert.rejects(keeper.constitution(), { code: 'RECORD_UNREADABLE' });
});

test('what a node rejoins with reads back until it is cleared', async () => {
  const { first } = await newNetwork([organisation('a')]);
  const keeper = new RecordKeeper(first.records);
  assert.equal(await keeper.rejoin(), undefined);
  const record = {
    replaces: first.id,
    peers: ['a:1'],
    networkCertificate: 'pem',
    networkId: 'ab'.repeat(32),
  };
  await keeper.keepRejoin(record);
  assert.deepEqual(await keeper.rejoin(), record);
  await keeper.clearRejoin();
  assert.equal(await keeper.rejoin(), undefined);
});
