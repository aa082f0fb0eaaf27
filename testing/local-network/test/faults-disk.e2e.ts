import assert from 'node:assert/strict';
import {
  closeSync,
  cpSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import { LedgerStore } from '@concordat/host';
import { decodeHeader, frameHeaderBytes, parseChunkName, scanChunk } from '@concordat/ledger';
import { verifyReceipt } from '@concordat/sdk';
import {
  FaultRun,
  InjectedFault,
  LocalNetwork,
  type LocalNode,
  LoopDisk,
  replaceNode,
  waitUntil,
} from '../index.ts';

/** Three nodes, each with a small disk of its own; the same load goes on through every fault. */
const noStrace = InjectedFault.missing;
const skipStrace = noStrace ? `failing system calls are skipped: ${noStrace}` : false;
const noLoop = LoopDisk.missing;
const skipLoop = noLoop ? `full disks and power cuts are skipped: ${noLoop}` : false;
const disks = new Map<string, LoopDisk>();
let run: FaultRun;
let network: LocalNetwork;

before(async () => {
  run = await FaultRun.start({
    // One chunk for all of it: none is completed, and renamed, while a test changes it.
    chunkBytes: 256 * 1024 * 1024,
    prepareData: (node, directory) => {
      if (!skipLoop) disks.set(node, new LoopDisk(directory, { mebibytes: 64 }));
    },
  });
  network = run.network;
  network.atEnd(() => {
    for (const disk of disks.values()) disk.close();
  });
});

after(() => run?.end());

const others = (node: LocalNode): LocalNode[] => network.nodes.filter((other) => other !== node);
const diskOf = (node: LocalNode): LoopDisk => disks.get(node.name) as LoopDisk;

/**
 * A node whose disk fails says so by its code and acknowledges nothing from then on, while the
 * others go on; it comes back by itself when the disk works again.
 */
async function withFailingDisk(
  node: LocalNode,
  { code, fail, mend }: { code: string; fail: () => unknown; mend: () => unknown },
): Promise<void> {
  const formerId = node.status?.nodeId as string;
  const failedMs = Date.now();
  await fail();
  try {
    await node.logged('host.fault', { afterMs: failedMs, where: (line) => line.code === code });
    await saysNothing(node);
  } finally {
    await mend();
  }
  await node.rejoined(formerId);
  await run.progress(20, node);
}

/**
 * A node acknowledges nothing while each of the others does. What had been answered when its fault was
 * told may still be on its way, for as long as this process was kept from running: a few rounds of it.
 */
async function saysNothing(node: LocalNode): Promise<void> {
  const answered = (): number => run.writes.byNode.get(node.name) ?? 0;
  for (let round = 1; ; round++) {
    const before = answered();
    for (const other of others(node)) await run.progress(30, other);
    if (answered() === before) return;
    assert.ok(round < 4, `${node.name} goes on acknowledging`);
  }
}

test('a leader whose disk does not sync acknowledges nothing and is replaced', {
  skip: skipStrace,
}, async () => {
  const leader = await network.leader();
  const calls = ['fsync', 'fdatasync'];
  let fault: InjectedFault | undefined;
  const log = join(network.directory, 'strace.log');
  await withFailingDisk(leader, {
    code: 'DISK_ERROR',
    fail: async () => {
      fault = await InjectedFault.into(leader.hostPid, { calls, error: 'EIO' }, log);
    },
    mend: () => fault?.end(),
  });
  assert.ok((fault as unknown as InjectedFault).count > 0);
});

test('a follower that may write no more acknowledges nothing, and comes back', {
  skip: skipStrace,
}, async () => {
  const [follower] = (await network.followers()) as [LocalNode];
  const calls = ['write', 'pwrite64', 'writev', 'pwritev', 'pwritev2'];
  const paths = [follower.chunkFiles.at(-1) as string];
  const log = join(network.directory, 'strace.log');
  let fault: InjectedFault | undefined;
  await withFailingDisk(follower, {
    code: 'DISK_FULL',
    fail: async () => {
      fault = await InjectedFault.into(follower.hostPid, { calls, error: 'ENOSPC', paths }, log);
    },
    mend: () => fault?.end(),
  });
});

test('a leader whose disk is full is replaced, and comes back when there is room', {
  skip: skipLoop,
}, async () => {
  const leader = await network.leader();
  const disk = diskOf(leader);
  const mend = () => disk.empty();
  await withFailingDisk(leader, { code: 'DISK_FULL', fail: () => disk.fill(), mend });
});

/** Where a block has its time, 8 bytes: docs/format/block.md. */
const timeOffset = 41;

/**
 * Changes one bit of a chunk in place: in the time of the middle block, which whoever starts again
 * checks before anybody gives it a session key.
 * @param at where instead
 * @returns where
 */
function flipBit(path: string, at = inTheMiddle(path)): number {
  const file = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, at);
  writeSync(file, Buffer.of((byte[0] as number) ^ 4), 0, 1, at);
  closeSync(file);
  return at;
}

function inTheMiddle(path: string): number {
  const { frames } = scanChunk(readFileSync(path));
  const { offset } = frames[Math.floor(frames.length / 2)] as (typeof frames)[number];
  return offset + frameHeaderBytes + timeOffset + 7;
}

test('a node refuses a ledger that was changed or cut under it, and a fresh one takes its place', async () => {
  const [node] = (await network.followers()) as [LocalNode];
  const chunk = node.chunkFiles.at(-1) as string;
  const at = flipBit(chunk);
  // It goes on with what it holds in memory: no answer depends on what the host has now.
  await run.progress(20, node);
  const afterMs = Date.now();
  node.signal('manager', 'SIGKILL');
  assert.match(await node.refused({ afterMs }), /^LEDGER_(CORRUPT|DAMAGED)/);
  await node.kill();
  flipBit(chunk, at);
  truncateSync(chunk, Math.floor(statSync(chunk).size / 2));
  node.start();
  assert.match(await node.refused(), /^LEDGER_TRUNCATED/);
  for (const other of others(node)) await run.progress(20, other);
  await replaceNode(network, node);
  await run.progress(20, node);
});

/** Sockets of the bridge are nothing to copy. */
const isFile = (path: string): boolean => !/\/bridge(\/|$)/.test(path);

function copied(from: string, to: string): boolean {
  rmSync(to, { recursive: true, force: true });
  try {
    cpSync(from, to, { recursive: true, filter: isFile });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return false;
  }
}

test('a node given an older copy of all its data comes back as a new one, with all that is newer', async () => {
  const [node] = (await network.followers()) as [LocalNode];
  const copy = join(network.directory, 'older');
  // What is replaced while it is copied is there again a moment later.
  await waitUntil(() => copied(node.dataDirectory, copy), { what: 'a copy of a running node' });
  await run.progress(60, node);
  const formerId = node.status?.nodeId as string;
  await node.kill();
  for (const name of readdirSync(copy)) {
    rmSync(join(node.dataDirectory, name), { recursive: true, force: true });
    cpSync(join(copy, name), join(node.dataDirectory, name), { recursive: true });
  }
  // A later test cuts the power: what is lost then shall not be what this one did.
  if (!skipLoop) diskOf(node).sync();
  node.start();
  await node.rejoined(formerId);
  await run.progress(20, node);
});

test('blocks a host was told to keep but never synced are durable once a ledger has been opened', {
  skip: skipLoop,
}, async () => {
  const disk = new LoopDisk(join(network.directory, 'unsynced'), { mebibytes: 16 });
  try {
    const directory = join(disk.directory, 'ledger');
    const silent = { onSynced: () => {}, onTruncated: () => {}, onFault: () => {} };
    const store = await LedgerStore.open({ directory, ...silent });
    store.append(1, Buffer.alloc(1_000, 1));
    await store.close();
    const careless = await LedgerStore.open({ directory, ...silent });
    // As after a host that was killed before its sync, or whose sync failed.
    careless.durable = false;
    careless.append(2, Buffer.alloc(100_000, 2));
    await careless.close();
    const opened = await LedgerStore.open({ directory, ...silent });
    assert.equal(opened.lastHeight, 2);
    await opened.close();
    disk.cutPower();
    disk.restorePower();
    const after = await LedgerStore.open({ directory, ...silent });
    await after.close();
    assert.equal(after.lastHeight, 2);
  } finally {
    disk.close();
  }
});

/** Where a transaction's block lies in a node's committed chunks. */
interface Place {
  readonly path: string;
  readonly last: number;
  /** In the file, of the middle of the block. */
  readonly middle: number;
}

function placeOf(node: LocalNode, seqno: number): Place | undefined {
  for (const path of node.chunkFiles) {
    const last = parseChunkName(basename(path))?.lastHeight;
    if (last === undefined) continue;
    const file = readFileSync(path);
    for (let at = 16; at < file.length; ) {
      const length = file.readUInt32BE(at);
      const { firstSeqno, count } = decodeHeader(file.subarray(at + 4, at + 4 + length));
      const middle = at + 4 + Math.floor(length / 2);
      if (firstSeqno <= seqno && seqno < firstSeqno + count) return { path, last, middle };
      at += 4 + length;
    }
  }
  return undefined;
}

test('an old chunk that is flipped or cut under a running node is whole again, and nobody notices', async (t) => {
  const small = await LocalNetwork.start({
    policies: { snapshotBlocks: 20 },
    chunkBytes: 16 * 1024,
  });
  try {
    const leader = await small.leader();
    const [follower] = (await small.followers()) as [LocalNode];
    const client = await small.keyvalue(leader);
    const ids: string[] = [];
    for (let n = 0; n < 100; n++) {
      ids.push((await client.promises.put(`old ${n}`, Buffer.alloc(1_000, n))) as string);
    }
    client.close();
    await small.level();
    const launched = small.nodes.map((node) => node.log('enclave.launched').length);
    // Each in a chunk of its own: one that was healed rests for a while.
    const cases = [
      [follower, 10, 'flipped'],
      [follower, 32, 'cut'],
      [leader, 10, 'flipped'],
      [leader, 32, 'cut'],
    ] as const;
    for (const [node, at, how] of cases) {
      const id = ids[at] as string;
      const place = await waitUntil(
        () => {
          const found = placeOf(node, Number(id.split('.')[1]));
          const { snapshotHeight = 0 } = (node.status ?? {}) as { snapshotHeight?: number };
          return found && found.last <= snapshotHeight ? found : undefined;
        },
        { what: `an old chunk with ${id} on ${node.name}` },
      );
      const whole = readFileSync(place.path);
      const changed = Buffer.from(whole);
      changed[place.middle]! ^= 4;
      if (how === 'flipped') writeFileSync(place.path, changed);
      else truncateSync(place.path, place.middle);
      const afterMs = Date.now();
      const admin = await small.admin(node);
      const retries: string[] = [];
      const receipt = await waitUntil(
        () =>
          admin.receipt(id).catch((error: { code: string }) => {
            retries.push(error.code);
            return undefined;
          }),
        { what: `the receipt of ${id} from ${node.name}, ${how}` },
      ).finally(() => admin.close());
      const verdict = verifyReceipt(receipt, small.certificate);
      assert.equal(verdict.ok && verdict.transactionId, id);
      assert(retries.length <= 1, `${retries}`);
      const { from, to } = await node.logged('healing.set-aside', { afterMs });
      await node.logged('backfill.completed', { afterMs });
      await waitUntil(
        () => node.chunkFiles.includes(place.path) && readFileSync(place.path).equals(whole),
        { what: 'the whole file' },
      );
      t.diagnostic(`${node.name}: ${from}-${to} ${how}, ${retries.length} retries`);
    }
    const launches = small.nodes.map((node) => node.log('enclave.launched').length);
    assert.deepEqual(launches, launched, 'nothing was launched anew');
    for (const node of small.nodes) {
      assert.deepEqual(node.log('host.fault'), []);
      assert.equal(node.status?.phase, 'running');
      assert.equal((await small.verify(node.ledgerDirectory)).ok, true);
    }
  } finally {
    await small.end();
  }
});

test('a power cut of all nodes at once loses nothing that was acknowledged', {
  skip: skipLoop,
}, async (t) => {
  for (const node of network.nodes) await run.progress(20, node);
  for (const disk of disks.values()) disk.cutPower();
  const { acknowledged } = run.writes;
  t.diagnostic(`${acknowledged.size} writes were acknowledged when the power failed`);
  await network.kill();
  for (const disk of disks.values()) disk.restorePower();
  network.startAll();
  for (const node of network.nodes) await node.running();
  for (const node of network.nodes) await run.progress(20, node);
});

test('what all clients saw through all of this has one explanation, and nothing is missing', async (t) => {
  await run.check(t);
});
