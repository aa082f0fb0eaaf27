import assert from 'node:assert/strict';
import {
  closeSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import { decodeHeader, headerBytes, scanChunk } from '@concordat/ledger';
import { type ReceiptJson, type SdkError, verifyReceipt } from '@concordat/sdk';
import { LocalNetwork, type LocalNode, WriteLoad } from '../index.ts';

let network: LocalNetwork;
let foreign: LocalNetwork;
let written: WriteLoad;
let receipt: ReceiptJson;
let receiptId: string;

before(async () => {
  network = await LocalNetwork.start();
  written = new WriteLoad(network, { pauseMs: 2 });
  await written.progress(500);
  await written.stop();
  foreign = await longerNetwork(await network.level());
});

after(async () => {
  await network?.end();
  await foreign?.end();
});

/** Another network, of one node, whose ledger is mistaken for this one's: longer, so not torn. */
async function longerNetwork(height: number): Promise<LocalNetwork> {
  const other = await LocalNetwork.start({ nodes: 1 });
  const [alone] = other.nodes as [LocalNode];
  const client = await other.keyvalue(alone);
  for (let i = 0; i < height + 40; i++) await client.promises.put(`${i}`, Buffer.from('x'));
  client.close();
  await other.stop();
  return other;
}

const offsetOf = (chunk: Buffer, fraction: number): number => Math.floor(chunk.length * fraction);

/** Puts a copy of a node's ledger aside and returns how to put it back. */
function keepLedger(node: LocalNode): () => void {
  const kept = join(network.directory, 'kept', node.name);
  cpSync(node.ledgerDirectory, kept, { recursive: true });
  return () => {
    rmSync(node.ledgerDirectory, { recursive: true });
    cpSync(kept, node.ledgerDirectory, { recursive: true });
    rmSync(kept, { recursive: true });
  };
}

test('a network that was stopped whole resumes the same ledger, writes and reads', async () => {
  const [first, second] = network.nodes as [LocalNode, LocalNode];
  const ids = network.nodes.map(({ status }) => status?.nodeId);
  const client = await network.keyvalue(second);
  receiptId = (await client.promises.put('proved', Buffer.from('value'))) as string;
  client.close();
  const admin = await network.admin(first);
  receipt = await admin.receipt(receiptId);
  admin.close();
  const height = await network.level();
  await network.stop();
  for (const node of network.nodes) {
    const report = await network.verify(node.ledgerDirectory, receiptId);
    assert.deepEqual(report.damage, undefined, node.name);
  }
  network.startAll();
  for (const node of network.nodes) await node.running();
  assert.ok((await network.level()) > height);
  for (const [at, node] of network.nodes.entries()) {
    assert.equal(node.status?.nodeId, ids[at], 'nodes resume under their identities');
    assert.deepEqual(await written.missingOn(node), []);
  }
});

test('receipts of transactions before the stop verify and are issued again alike', async () => {
  const verdict = verifyReceipt(receipt, network.certificate);
  assert.equal(verdict.ok && verdict.transactionId, receiptId);
  for (const node of network.nodes) {
    const admin = await network.admin(node);
    const again = await admin.receipt(receiptId);
    admin.close();
    assert.deepEqual(again.leaf_components, receipt.leaf_components);
    assert.ok(verifyReceipt(again, network.certificate).ok);
  }
});

/** One way of damaging the ledger of a stopped node, and what it is to be called. */
interface Harm {
  readonly what: string;
  readonly harm: (node: LocalNode) => void;
  readonly code: RegExp;
}

const lastChunk = (node: LocalNode): string => node.chunkFiles.at(-1) as string;

const rewrite = (path: string, change: (bytes: Buffer) => Buffer): void =>
  writeFileSync(path, change(readFileSync(path)));

/** Overwrites bytes in place, as long as they are there: the file may be written to meanwhile. */
function replaceBytes(path: string, from: Buffer, to: Buffer): void {
  const at = readFileSync(path).indexOf(from);
  if (at < 0) return;
  const file = openSync(path, 'r+');
  writeSync(file, to, 0, to.length, at);
  closeSync(file);
}

/** Where a byte of a block lies in its chunk file; counted from the block's end when negative. */
function placeIn(chunk: Buffer, height: number, at: number): number {
  const frame = scanChunk(chunk).frames.find(({ block }) => decodeHeader(block).height === height);
  assert(frame, `block ${height} is in this file`);
  return chunk.indexOf(frame.block) + (at < 0 ? frame.block.length : 0) + at;
}

/** The frames of a chunk, each with its length before it. */
function framesOf(chunk: Buffer): Buffer[] {
  return scanChunk(chunk).frames.map(({ block }) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(block.length);
    return Buffer.concat([length, block]);
  });
}

const harms: readonly Harm[] = [
  {
    what: 'with a bit flipped in what is public of a block',
    harm: (node) =>
      rewrite(lastChunk(node), (bytes) => {
        const at = placeIn(bytes, 21, headerBytes + 10);
        bytes.writeUInt8(bytes.readUInt8(at) ^ 4, at);
        return bytes;
      }),
    code: /^LEDGER_CORRUPT: block 21: .*root/,
  },
  {
    what: 'with the length of a block overwritten',
    harm: (node) =>
      rewrite(lastChunk(node), (bytes) => {
        bytes.writeUInt32BE(0xffff_ffff, 16);
        return bytes;
      }),
    code: /^LEDGER_DAMAGED/,
  },
  {
    what: 'cut off below its committed height',
    harm: (node) => rewrite(lastChunk(node), (bytes) => bytes.subarray(0, offsetOf(bytes, 0.6))),
    code: /^LEDGER_TRUNCATED/,
  },
  {
    what: 'with two blocks exchanged',
    harm: (node) =>
      rewrite(lastChunk(node), (bytes) => {
        const frames = framesOf(bytes);
        const [a, b] = [frames[10] as Buffer, frames[11] as Buffer];
        frames.splice(10, 2, b, a);
        return Buffer.concat([bytes.subarray(0, 16), ...frames]);
      }),
    code: /^LEDGER_CORRUPT/,
  },
  {
    what: "with another node's file of an earlier time",
    harm: (node) => {
      const other = readFileSync(lastChunk(network.nodes[0] as LocalNode));
      const early = Buffer.concat([other.subarray(0, 16), ...framesOf(other).slice(0, 20)]);
      writeFileSync(lastChunk(node), early);
    },
    code: /^LEDGER_TRUNCATED/,
  },
  {
    what: "with another network's file",
    harm: (node) => {
      for (const file of node.chunkFiles) rmSync(file);
      for (const file of (foreign.nodes[0] as LocalNode).chunkFiles) {
        copyFileSync(file, join(node.ledgerDirectory, basename(file)));
      }
    },
    code: /^LEDGER_CORRUPT/,
  },
];

for (const { what, harm, code } of harms) {
  test(`a ledger found ${what} is named and refused, and the others go on`, async () => {
    const node = network.nodes.at(-1) as LocalNode;
    const others = network.nodes.slice(0, -1);
    await node.stop();
    const putBack = keepLedger(node);
    try {
      harm(node);
      node.start();
      assert.match(await node.refused(), code);
      const client = await network.keyvalue(others[0] as LocalNode);
      assert.ok(await client.promises.put(`after ${what}`, Buffer.from('x')));
      client.close();
    } finally {
      await node.kill();
      putBack();
    }
  });
}

test('a node whose ledger was put right again joins the others as a new node', async () => {
  const node = network.nodes.at(-1) as LocalNode;
  const formerId = JSON.parse(readFileSync(join(node.dataDirectory, 'status.json'), 'utf8'));
  node.start();
  await node.rejoined(formerId.manager.nodeId);
  await network.level();
  assert.deepEqual(await written.missingOn(node), []);
});

test('what is sealed of a block and was changed is found with its key, and that ledger given up', async () => {
  const node = network.nodes.at(-1) as LocalNode;
  const formerId = node.status?.nodeId as string;
  await node.stop();
  const stoppedMs = Date.now();
  rewrite(lastChunk(node), (bytes) => {
    // The signature is at the end, at most 73 bytes; before it lies the tag of what is sealed.
    const at = placeIn(bytes, 21, -80);
    bytes.writeUInt8(bytes.readUInt8(at) ^ 4, at);
    return bytes;
  });
  node.start();
  await node.rejoined(formerId);
  const told = await node.logged('manager.failed', {
    where: ({ code }) => code === 'LEDGER_CORRUPT',
    afterMs: stoppedMs,
  });
  assert.match(String(told.why), /^block 21: /);
  await network.level();
  assert.deepEqual(await written.missingOn(node), []);
});

test('a block changed under a running leader is not passed on as if it were whole', async (t) => {
  const node = await network.leader();
  const others = network.nodes.filter((other) => other !== node);
  const { frames } = scanChunk(readFileSync(lastChunk(node)));
  const victim = decodeHeader((frames[30] as (typeof frames)[number]).block);
  const id = `${victim.view}.${victim.firstSeqno}`;
  const whole = Buffer.from((frames[30] as (typeof frames)[number]).block);
  const changed = Buffer.from(whole);
  changed.writeUInt8(changed.readUInt8(250) ^ 1, 250);
  replaceBytes(lastChunk(node), whole, changed);
  const asked = await network.admin(node);
  const code = await asked.receipt(id, { timeoutMs: 5_000 }).then(
    // Made from the block as another node has it.
    (receipt) => (verifyReceipt(receipt, network.certificate).ok ? 'PROVED' : 'FALSE'),
    (error: SdkError) => error.code,
  );
  asked.close();
  t.diagnostic(`the leader answered ${code}`);
  assert.match(code, /PROVED|LEDGER_CORRUPT|CONNECTION_LOST|UNREACHABLE|TIMEOUT/);
  // A newcomer gets every block all the same, and the receipt is there.
  const [newcomer, witness] = others as [LocalNode, LocalNode];
  const formerId = newcomer.status?.nodeId as string;
  newcomer.signal('manager', 'SIGKILL');
  await newcomer.rejoined(formerId);
  const admin = await network.admin(witness);
  assert.ok(verifyReceipt(await admin.receipt(id), network.certificate).ok);
  admin.close();
  await node.kill();
  replaceBytes(lastChunk(node), changed, whole);
  node.start();
  await node.running();
});

test('offline verification names height and reason of damage in a copy', async () => {
  const [node] = network.nodes as [LocalNode];
  await network.level();
  const copy = join(network.directory, 'copy');
  const fresh = (): string => {
    rmSync(copy, { recursive: true, force: true });
    mkdirSync(copy);
    for (const file of node.chunkFiles) copyFileSync(file, join(copy, basename(file)));
    return join(copy, basename(lastChunk(node)));
  };
  fresh();
  const whole = await network.verify(copy, receiptId);
  assert.deepEqual(whole.damage, undefined);
  assert.ok(whole.epochs.length > 0 && whole.epochs.every(({ contents }) => !contents));

  const flipped = fresh();
  const frames = scanChunk(readFileSync(flipped)).frames;
  const victim = frames[Math.floor(frames.length / 2)] as (typeof frames)[number];
  const { height } = decodeHeader(victim.block);
  rewrite(flipped, (bytes) => {
    const at = placeIn(bytes, height, headerBytes + 3);
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
    return bytes;
  });
  const damaged = await network.verify(copy);
  assert.equal(damaged.ok, false);
  assert.equal(damaged.damage?.height, height);
  assert.match(damaged.damage?.code ?? '', /WRONG_ROOT/);

  rewrite(fresh(), (bytes) => bytes.subarray(0, offsetOf(bytes, 0.5)));
  const short = await network.verify(copy, receiptId);
  assert.equal(short.damage?.code, 'ENDS_EARLY');

  const other = await foreign.verify(copy);
  assert.equal(other.damage?.code, 'WRONG_NETWORK');
  assert.equal(other.damage?.height, 1);
});

test('a founder whose ledger is gone does not begin a second network in its place', async () => {
  const founder = foreign.nodes[0] as LocalNode;
  await founder.stop();
  const putBack = keepLedger(founder);
  try {
    for (const file of founder.chunkFiles) rmSync(file);
    founder.start();
    assert.match(await founder.refused(), /^LEDGER_TRUNCATED/);
  } finally {
    await founder.kill();
    putBack();
  }
});
