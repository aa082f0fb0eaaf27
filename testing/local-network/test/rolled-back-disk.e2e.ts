import assert from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AdminClient } from '@concordat/sdk';
import { LocalNetwork, type LocalNode, waitUntil } from '../index.ts';

let network: LocalNetwork;
let vn1: LocalNode;
let vn2: LocalNode;
let vn3: LocalNode;

before(async () => {
  network = await LocalNetwork.start({ policies: { resumePatience: 60 } });
  [vn1, vn2, vn3] = network.nodes as [LocalNode, LocalNode, LocalNode];
  const isShared = async (): Promise<boolean> => {
    const { keys } = await as(vn1, (admin) => admin.sharedKeys());
    return keys[0]?.sharings.at(-1)?.holders.length === 3;
  };
  await waitUntil(isShared, { what: 'a key shared by three' });
});

after(() => network?.end());

async function as<Result>(node: LocalNode, call: (admin: AdminClient) => Promise<Result>) {
  const admin = await network.admin(node);
  return call(admin).finally(() => admin.close());
}

async function write(node: LocalNode, ...keys: string[]): Promise<void> {
  const client = await network.keyvalue(node);
  for (const key of keys) assert.ok(await client.promises.put(key, Buffer.from(`of ${key}`)));
  client.close();
}

async function read(node: LocalNode, key: string): Promise<string | undefined> {
  const client = await network.keyvalue(node);
  try {
    const value = await client.promises.get(key);
    return value && Buffer.from(value).toString();
  } finally {
    client.close();
  }
}

test('a disk that is put back whole while all is stopped loses nothing, once its peers are up', async () => {
  await write(vn1, 'early');
  await network.level();
  await network.stop();
  const old = join(network.directory, 'old disk');
  cpSync(vn1.dataDirectory, old, { recursive: true });
  network.startAll();
  for (const node of network.nodes) await node.running();
  await vn3.kill();
  await network.leader();
  // Final on two disks: that of the first is put back, and the third never had it.
  await write(vn2, 'late 1', 'late 2', 'late 3');
  await Promise.all([vn1.stop(), vn2.stop()]);
  rmSync(vn1.dataDirectory, { recursive: true });
  cpSync(old, vn1.dataDirectory, { recursive: true });
  vn1.start();
  vn3.start();
  // The two could elect one of them, and would; the roll is called first.
  await vn1.waitFor(({ reason }) => (reason ?? '').includes(`waiting for`), {
    what: 'vn1 to wait for the others',
  });
  await sleep(2_000);
  vn2.start();
  for (const node of network.nodes) await node.running();
  await network.level();
  for (const node of network.nodes) {
    for (const key of ['early', 'late 1', 'late 2', 'late 3']) {
      // Its worker may be a moment behind.
      const isThere = async () => (await read(node, key)) === `of ${key}`;
      await waitUntil(isThere, { what: `${key} on ${node.name}` });
    }
  }
  // The one that was put back says so.
  await vn1.logged('resume.behind');
});
