import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { sha256 } from '@concordat/crypto';
import { decodeHeader, headerBytes, scanChunk } from '@concordat/ledger';
import type { AdminClient } from '@concordat/sdk';
import { LocalNetwork, type LocalNode, WriteLoad, waitUntil } from '../index.ts';

let network: LocalNetwork;
let vn1: LocalNode;
let vn2: LocalNode;
let vn3: LocalNode;
let written: WriteLoad;
let epochBefore: number;

before(async () => {
  network = await LocalNetwork.start();
  [vn1, vn2, vn3] = network.nodes as [LocalNode, LocalNode, LocalNode];
  await sharedByThree();
  written = new WriteLoad(network, { pauseMs: 2 });
  await written.progress(200);
  await written.stop();
  epochBefore = await epochOf(vn1);
  await network.stop();
});

after(() => network?.end());

async function as<Result>(node: LocalNode, call: (admin: AdminClient) => Promise<Result>) {
  const admin = await network.admin(node);
  return call(admin).finally(() => admin.close());
}

const epochOf = async (node: LocalNode): Promise<number> =>
  (await as(node, (admin) => admin.state())).epoch;

/** Session keys are encrypted to a key that two of the three have to use together. */
async function sharedByThree(): Promise<void> {
  const newest = async () => (await as(vn1, (admin) => admin.sharedKeys())).keys[0];
  const isShared = async (): Promise<boolean> => {
    const sharing = (await newest())?.sharings.at(-1);
    return sharing?.threshold === 2 && sharing.holders.length === 3;
  };
  await waitUntil(isShared, { what: 'a shared key of two of three' });
}

const waitsForShares = (node: LocalNode) =>
  node.waitFor(
    ({ phase, reason }) => phase === 'resuming' && /^KEY_SHARES_MISSING/.test(reason ?? ''),
    { what: `${node.name} to wait for shares` },
  );

test('one of three stopped nodes waits, says for whom, and serves nobody anything', async () => {
  vn1.start();
  const { reason } = await waitsForShares(vn1);
  assert.match(reason ?? '', /waiting for decryption shares of 1 more of/);
  for (const node of [vn2, vn3]) assert.ok(reason?.includes(node.organisation), reason);
  assert.ok(!reason?.includes(`${vn1.organisation} (`), reason);
  await sleep(2_000);
  assert.equal((await waitsForShares(vn1)).phase, 'resuming');
  await assert.rejects(
    as(vn1, (admin) => admin.state()),
    { code: 'UNREACHABLE' },
  );
  await assert.rejects(network.keyvalue(vn1, { timeoutMs: 2_000 }));
});

test('with a second organisation both go on, with everything, under a new epoch', async (t) => {
  const sinceMs = Date.now();
  vn2.start();
  for (const node of [vn1, vn2]) await node.running();
  t.diagnostic(`${Date.now() - sinceMs} ms from the second start to both serving`);
  await network.level([vn1, vn2]);
  for (const node of [vn1, vn2]) assert.deepEqual(await written.missingOn(node), []);
  await waitUntil(async () => (await epochOf(vn1)) > epochBefore, { what: 'a new epoch' });
  const client = await network.keyvalue(vn2);
  assert.ok(await client.promises.put('after the stop', Buffer.from('x')));
  client.close();
});

test('the third comes late, as a new node, and has everything as well', async () => {
  const { nodeId } = JSON.parse(readFileSync(`${vn3.dataDirectory}/status.json`, 'utf8')).manager;
  vn3.start();
  await vn3.rejoined(nodeId);
  await network.level();
  assert.deepEqual(await written.missingOn(vn3), []);
});

/** Changes what is public in a block, and all that can be computed without a secret after it. */
function forgePublicPart(node: LocalNode): number {
  const path = node.chunkFiles.at(-1) as string;
  const chunk = readFileSync(path);
  const blocks = scanChunk(chunk).frames.map(({ block }) => {
    const at = chunk.indexOf(block);
    return chunk.subarray(at, at + block.length);
  });
  const trusted = Buffer.from('"status":"trusted"');
  const first = blocks.findIndex((block) => block.includes(trusted));
  assert.ok(first >= 0, 'the node list is in the open');
  const forged = blocks[first] as Buffer;
  forged.write('"status":"retired"', forged.indexOf(trusted));
  const from = headerBytes + 36;
  const end = from + forged.readUInt32BE(from - 4);
  const leaf = sha256(
    Buffer.concat([forged.subarray(0, headerBytes - 32), sha256(forged.subarray(from, end))]),
  );
  const root = forged.subarray(headerBytes, headerBytes + 32);
  forged.set(sha256(Buffer.concat([leaf, root])), headerBytes - 32);
  for (let next = first + 1; next < blocks.length; next++) {
    const previous = (blocks[next - 1] as Buffer).subarray(0, headerBytes);
    (blocks[next] as Buffer).set(sha256(previous), 81);
  }
  writeFileSync(path, chunk);
  return decodeHeader(forged).height;
}

test('a host that forges the node list is refused by height, and draws no share', async () => {
  await network.stop();
  const height = forgePublicPart(vn1);
  vn1.start();
  vn2.start();
  assert.match(await vn1.refused(), new RegExp(`^LEDGER_CORRUPT: block ${height}: `));
  const { reason } = await waitsForShares(vn2);
  assert.ok(reason?.includes(vn1.organisation), reason);
  // The two whose ledgers are sound go on; the third's host has to put its own right.
  vn3.start();
  for (const node of [vn2, vn3]) await node.running();
  await network.level([vn2, vn3]);
  for (const node of [vn2, vn3]) assert.deepEqual(await written.missingOn(node), []);
});
