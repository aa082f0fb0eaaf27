import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256 } from '@concordat/crypto';
import {
  currentEpoch,
  epochKeyRows,
  isNodeGranted,
  newestEpoch,
  sharedKeys,
} from '@concordat/governance';
import { headerBytes } from '@concordat/ledger';
import { toEpoch, toHex } from '@concordat/std';
import { ManagerError } from '../errors.ts';
import { replayPublic, requireCommitted } from '../public-replay.ts';
import type { Progress } from '../record-keeper.ts';
import { ShareDesk } from '../share-desk.ts';
import { decodeGivenShares, encodeShareRequest } from '../share-messages.ts';
import { StoredSnapshot } from '../stored-snapshot.ts';
import { batch, decide, newNetwork, organisation, TestNode, threeNodes, World } from './fixture.ts';

/** A network that has run through some epochs, and what the host of its first node kept. */
async function history() {
  const { world, members, first, second, third } = await threeNodes();
  for (let n = 0; n < 3; n++) {
    assert(first.driver.place(1, batch(`x${n}`, `y${n}`)).ok);
    // A message is accepted once: each vote asks for something else beside.
    const policy = { name: 'set_policy', args: { name: 'maxBatchTransactions', value: 10 + n } };
    await decide(world, first, members, [policy, { name: 'begin_epoch', args: {} }]);
  }
  await world.tick(3);
  const blocks: Uint8Array[] = first.host.blocks.map((block) => Uint8Array.from(block));
  return { world, members, first, second, third, blocks };
}

/** The enclave of a node's host that was started anew: it holds no key whatsoever. */
function relaunch(of: TestNode, blocks: readonly Uint8Array[]): TestNode {
  const node = new TestNode(new World(), 9, of.owner);
  node.belongTo(of.network);
  node.host.blocks.push(...blocks);
  return node;
}

const replayed = (of: TestNode, blocks: readonly Uint8Array[], progress?: Progress) =>
  replayPublic(relaunch(of, blocks), {
    upTo: blocks.length,
    progress: progress ?? { committed: blocks.length },
  });

async function refusal(
  of: TestNode,
  blocks: readonly Uint8Array[],
  progress?: Progress,
): Promise<ManagerError> {
  try {
    await replayed(of, blocks, progress);
  } catch (error) {
    assert(error instanceof ManagerError, String(error));
    assert.equal(error.code, 'LEDGER_CORRUPT');
    return error;
  }
  assert.fail('accepted');
}

test('without any key a stopped node knows constitution, nodes, shared keys and epochs', async () => {
  const { first, blocks } = await history();
  const ledger = await replayed(first, blocks);
  const { administration } = ledger;
  assert.deepEqual(
    administration.committedConstitution,
    first.administration.committedConstitution,
  );
  const [open, whole] = [administration.committedState, first.administration.committedState];
  assert.equal(currentEpoch(open), currentEpoch(whole));
  assert(currentEpoch(open) >= 4);
  assert.deepEqual(sharedKeys(open), sharedKeys(whole));
  for (const epoch of ledger.epochs) {
    assert.deepEqual(epochKeyRows(open, epoch), epochKeyRows(whole, epoch));
    assert.equal(epochKeyRows(open, epoch).length, 1);
  }
  const sealedUnder = new Set(
    blocks.map((block) => Number(Buffer.from(block).readBigUInt64BE(33))),
  );
  assert.deepEqual(ledger.epochs, [...sealedUnder]);
  assert.equal(ledger.committed, blocks.length);
});

test('what another epoch sealed proves its beginning final, though no record says so', async () => {
  const { first, blocks } = await history();
  const ledger = await replayed(first, blocks, { committed: 1 });
  const begun = currentEpoch(ledger.administration.committedState);
  assert(begun > 1 && ledger.committed > 1);
  const last = Buffer.from(blocks.at(-1) as Uint8Array);
  assert.equal(begun, Number(last.readBigUInt64BE(33)), 'the epoch that seals is in force');
  assert(ledger.committed < blocks.length);
  const none = await replayed(first, blocks.slice(0, 2), { committed: 0 });
  assert.equal(none.committed, 1, 'the first block is final: its author was alone');
});

test('a history that is not the one this node remembers is refused at that height', async () => {
  const { first, blocks } = await history();
  const committed = 5;
  const historyRoot = toHex(first.log.history.rootAt(committed));
  await replayed(first, blocks, { committed, historyRoot });
  const error = await refusal(first, blocks, { committed, historyRoot: 'ab'.repeat(32) });
  assert.deepEqual(error.details, { height: committed, reason: 'OTHER_HISTORY' });
});

/** A host forges one block's public part and puts all that it can compute right again. */
function forged(blocks: readonly Uint8Array[], height: number): Uint8Array[] {
  const all = blocks.map((block) => Buffer.from(block));
  const block = all[height - 1] as Buffer;
  const from = headerBytes + 36;
  const end = from + block.readUInt32BE(from - 4);
  const entry = block.subarray(from, end).indexOf('"status":"learning"');
  assert(entry >= 0, 'the node list is in the open');
  block.write('"status":"trusted" ', from + entry);
  const leaf = Buffer.concat([
    block.subarray(0, headerBytes - 32),
    sha256(block.subarray(from, end)),
  ]);
  const root = block.subarray(headerBytes, headerBytes + 32);
  block.set(sha256(Buffer.concat([sha256(leaf), root])), headerBytes - 32);
  for (let next = height; next < all.length; next++) {
    const previous = (all[next - 1] as Buffer).subarray(0, headerBytes);
    const following = all[next] as Buffer;
    following.set(sha256(previous), 81);
  }
  return all;
}

test('a node list that a host forges in a block is refused by height and reason', async () => {
  const { first, blocks } = await history();
  const listsLearner = (block: Uint8Array): boolean =>
    Buffer.from(block).includes('"status":"learning"');
  const height = blocks.findIndex(listsLearner) + 1;
  const error = await refusal(first, forged(blocks, height));
  assert.deepEqual(error.details, { height, reason: 'BAD_SIGNATURE' });
  assert.match(error.message, new RegExp(`^block ${height}: `));
});

test('a flipped byte is refused wherever no key is needed to see it, else when it is opened', async () => {
  const { first, blocks } = await history();
  for (const height of [1, 2, 4, blocks.length]) {
    const block = Buffer.from(blocks[height - 1] as Uint8Array);
    const from = headerBytes + 36;
    const sealed = from + block.readUInt32BE(from - 4) + 4;
    const end = sealed + block.readUInt32BE(sealed - 4);
    for (let at = 0; at < block.length; at += at < 200 ? 7 : 131) {
      if (at >= sealed && at < end) continue;
      const changed = blocks.with(height - 1, block.with(at, (block[at] as number) ^ 4));
      const error = await refusal(first, changed);
      assert.equal(error.details.height, height, `${height}, byte ${at}: ${error.message}`);
      assert.equal(typeof error.details.reason, 'string');
    }
  }
});

test('blocks of a leader that was only voted in, never attested, are refused', async () => {
  const { first, world, members } = await history();
  const rogue = new TestNode(world, 7, first.owner);
  const { nodeId } = rogue.identity;
  await decide(world, first, members, [{ name: 'add_node', args: rogue.tuple }]);
  await world.tick(3);
  assert.equal(first.administration.node(nodeId)?.status, 'admitted');
  const written = first.host.blocks.map((block) => Uint8Array.from(block));
  // Its owner has the key outside any enclave, and signs what it likes in its name.
  const last = Buffer.from(written.at(-1) as Uint8Array);
  last.set(Buffer.from(nodeId, 'hex'), 49);
  const error = await refusal(first, written.with(-1, last));
  assert.equal(error.details.reason, 'UNKNOWN_LEADER');
});

test('a ledger cut short of a block, or with blocks left out or swapped, is refused', async () => {
  const { first, blocks } = await history();
  for (const [changed, height] of [
    [blocks.toSpliced(2, 1), 3],
    [blocks.with(2, blocks[3] as Uint8Array), 3],
    [blocks.with(4, Buffer.from('not a block')), 5],
  ] as const) {
    assert.equal((await refusal(first, changed)).details.height, height);
  }
  const node = relaunch(first, blocks);
  node.host.tamper = (read, from) => (from > 3 ? [] : read.slice(0, 3));
  const upTo = blocks.length;
  await assert.rejects(replayPublic(node, { upTo, progress: { committed: upTo } }), {
    code: 'LEDGER_CORRUPT',
    details: { height: 4, reason: 'MISSING' },
  });
});

test("another network's ledger is refused at its first block", async () => {
  const { first } = await newNetwork([organisation('ours')]);
  const other = await newNetwork([organisation('theirs')]);
  const error = await refusal(first, other.first.host.blocks);
  assert.deepEqual(error.details, { height: 1, reason: 'WRONG_NETWORK' });
});

test('shares are given to nodes that the final part of the ledger trusts, no others', async () => {
  const { first, second, blocks } = await history();
  const ledger = await replayed(first, blocks);
  requireCommitted(ledger, second.id);
  const early = await replayed(first, blocks.slice(0, 3), { committed: 2 });
  assert.throws(() => requireCommitted(early, second.id), { code: 'NODE_NOT_ADMITTED' });
});

test('a share is there for an epoch whose beginning this node does not know to be final', async () => {
  const { first, second, blocks } = await history();
  const begins = newestEpoch(first.administration.committedState);
  assert(begins);
  // Stopped right after the block that begins it: another node may have gone one block further.
  const cut = blocks.slice(0, begins.height);
  const { administration, committed } = await replayed(first, cut, {
    committed: begins.height - 1,
  });
  assert.equal(committed, begins.height - 1);
  const epoch = toEpoch(begins.epoch);
  assert.equal(epochKeyRows(administration.committedState, epoch).length, 0);
  const [row] = epochKeyRows(administration.head, epoch);
  assert(row && isNodeGranted(administration.head, second.id, epoch));
  const giver = new ShareDesk({
    committed: () => administration.head,
    vault: first.vault,
    networkId: () => first.network.id,
    entropy: (bytes) => Buffer.alloc(bytes, 7),
    nowMs: () => 0,
    refused: () => undefined,
  });
  const asked = encodeShareRequest([{ epoch, key: row.keyNumber }]);
  assert.equal(decodeGivenShares(await giver.give(second.id, asked)).shares.length, 1);
});

test('a snapshot gives its public part without any session key, and nothing else', async () => {
  const { world, members, first } = await history();
  const args = { name: 'snapshotBlocks', value: 10 };
  await decide(world, first, members, [{ name: 'set_policy', args }]);
  for (let n = 0; n < 14; n++) {
    assert(first.driver.place(1, batch(`a${n}`)).ok);
    await world.tick(1);
  }
  await world.tick(3);
  const [kept] = (await first.records.get<{ snapshots: [StoredSnapshot['kept']] }>('snapshots'))
    ?.snapshots ?? [undefined];
  assert(kept?.closedKey);
  const node = relaunch(first, first.host.blocks);
  for (const [height, chunks] of first.host.snapshots) node.host.snapshots.set(height, chunks);
  const base = await StoredSnapshot.open(node.host, kept);
  const upTo = node.host.blocks.length;
  const ledger = await replayPublic(node, { upTo, progress: { committed: upTo }, base });
  assert.deepEqual(
    ledger.administration.committedConstitution,
    first.administration.committedConstitution,
  );
  assert.equal(ledger.epochs[0], base.manifest.epoch);
  const closed = 1 + base.manifest.history.length + base.manifest.public.length;
  await assert.rejects(base.chunk(closed), { code: 'SESSION_KEY_MISSING' });
  assert.throws(() => base.unlock({ epoch: toEpoch(1), key: Buffer.alloc(32, 1) }), {
    code: 'SNAPSHOT_CORRUPT',
  });
  const key = first.sessionKeys.get(base.manifest.epoch);
  assert(key);
  base.unlock(key);
  assert((await base.chunk(closed)).length > 0);
  const broken = new StoredSnapshot(node.host, kept, { ...base.manifest, nextSeqno: 2 as never });
  await assert.rejects(replayPublic(node, { upTo, progress: { committed: upTo }, base: broken }), {
    code: 'SNAPSHOT_CORRUPT',
  });
});
