import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type AuditReport, auditLedger, type LedgerAudit } from '@concordat/auditor';
import {
  chunkName,
  encodeChunkHeader,
  encodeFrameHeader,
  headerBytes,
  type ReceiptJson,
  type SealedBlock,
} from '@concordat/ledger';
import type { Height } from '@concordat/std';
import { firstDefects } from './forgery.ts';
import { WrittenLedger } from './written-ledger.ts';

let root = '';
const ledger = new WrittenLedger();
let forked: SealedBlock[] = [];
/** Of the last transaction there was, for telling that the end is missing. */
let lastReceipt: ReceiptJson;

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'audit-bytes-'));
  ledger.execute('a', 'b', 'c');
  ledger.join();
  ledger.administer(() => undefined);
  ledger.govern({ name: 'set_policy', args: { name: 'maxBatchTransactions', value: 50 } });
  ledger.execute('d');
  forked = [...ledger.blocks];
  ledger.rollback(4);
  ledger.execute('another', 'history');
  while (ledger.blocks.length < forked.length) ledger.execute('other');
  // Blocks 1 to 4 are of both: the ledger under audit is the second history.
  lastReceipt = ledger.receipt(ledger.blocks.length);
});
after(() => rm(root, { recursive: true }));

const bytesOf = (blocks: readonly SealedBlock[]): Uint8Array[] => blocks.map(({ bytes }) => bytes);

let written = 0;
async function audit(
  blocks: readonly Uint8Array[],
  options: Partial<LedgerAudit> = {},
): Promise<AuditReport> {
  const directory = join(root, `${++written}`);
  await mkdir(directory, { recursive: true });
  const file = join(directory, chunkName({ firstHeight: 1 as Height }));
  const frames = blocks.flatMap((bytes) => [encodeFrameHeader(bytes), bytes]);
  await writeFile(file, Buffer.concat([encodeChunkHeader(1), ...frames]));
  const { networkCertificate } = ledger;
  const report = await auditLedger({ directory, networkCertificate, ...options });
  await rm(directory, { recursive: true });
  return report;
}

test('a ledger that ends at any earlier block is missed by a receipt, and by an expected transaction', async () => {
  const blocks = bytesOf(ledger.blocks);
  const receipts = [{ name: 'last', receipt: lastReceipt }];
  const { header } = ledger.blocks.at(-1) as SealedBlock;
  const expectedTransaction = `${header.view}.${header.firstSeqno}`;
  assert.ok((await audit(blocks, { receipts, expectedTransaction })).ok);
  for (let end = 1; end < blocks.length; end++) {
    const cut = blocks.slice(0, end);
    const report = await audit(cut, { receipts, expectedTransaction });
    assert.deepEqual(firstDefects(report).sort(), [
      `chain ENDS_EARLY ${end + 1}`,
      `receipts RECEIPT_BEYOND_END ${end}`,
    ]);
    assert.ok((await audit(cut)).ok, 'a prefix is a ledger');
  }
});

/** Names the parts of a block, with where they begin and end. */
function regions(block: Uint8Array): [string, number, number][] {
  const view = Buffer.from(block.buffer, block.byteOffset, block.length);
  const publicFrom = headerBytes + 32;
  const publicEnd = publicFrom + 4 + view.readUInt32BE(publicFrom);
  const sealedEnd = publicEnd + 4 + view.readUInt32BE(publicEnd);
  return [
    ['header', 0, headerBytes],
    ['transactions root', headerBytes, publicFrom],
    ['public segment', publicFrom, publicEnd],
    ['sealed segment', publicEnd, sealedEnd],
    ['signature', sealedEnd, block.length],
  ];
}

for (const [kind, height] of [
  ['genesis', 1],
  ['application', 2],
  ['governance', 3],
] as const) {
  test(`a byte flipped in any region of a block is found: ${kind}`, async () => {
    const blocks = bytesOf(ledger.blocks);
    const block = blocks[height - 1] as Uint8Array;
    for (const [region, from, to] of regions(block)) {
      const step = Math.max(1, Math.floor((to - from) / 23));
      for (let at = from; at < to; at += step) {
        const flipped = Buffer.from(block);
        flipped[at] = (flipped[at] as number) ^ 0x10;
        const report = await audit(blocks.with(height - 1, flipped), {
          epochKeys: ledger.epochKeys(),
        });
        assert.ok(!report.ok, `${region}, byte ${at - from}`);
        const [first] = firstDefects(report);
        assert.match(first ?? '', /^chain /, `${region}, byte ${at - from}: ${first}`);
      }
    }
  });
}

test('without a key a byte flipped in what stays closed is the only thing not found', async () => {
  const blocks = bytesOf(ledger.blocks);
  const unnoticed = new Set<string>();
  const block = blocks[1] as Uint8Array;
  for (const [region, from, to] of regions(block)) {
    for (let at = from; at < to; at++) {
      const flipped = Buffer.from(block);
      flipped[at] = (flipped[at] as number) ^ 1;
      if ((await audit(blocks.with(1, flipped))).ok) unnoticed.add(region);
    }
  }
  assert.deepEqual([...unnoticed], ['sealed segment']);
});

test('parts of two forks do not make one history', async () => {
  const [own, other] = [bytesOf(ledger.blocks), bytesOf(forked)];
  assert.ok((await audit(own)).ok && (await audit(other)).ok);
  for (let at = 5; at < own.length; at++) {
    const report = await audit([...own.slice(0, at), ...other.slice(at)]);
    const codes = firstDefects(report);
    assert.deepEqual(codes, [`chain BROKEN_CHAIN ${at + 1}`]);
  }
});

test('a chunk of one fork in place of the other’s is refused where it begins', async () => {
  const directory = join(root, 'swapped');
  const other = join(root, 'other');
  const names = await ledger.write(directory, 6);
  const fork = Object.assign(Object.create(ledger), { blocks: forked }) as WrittenLedger;
  await fork.write(other, 6);
  const [, second] = names as [string, string];
  await rename(join(other, second), join(directory, second));
  const { networkCertificate } = ledger;
  const report = await auditLedger({ directory, networkCertificate });
  const { first } = report.classes.find((of) => of.class === 'chain') ?? {};
  assert.deepEqual([first?.code, first?.height, first?.file], ['BROKEN_CHAIN', 7, second]);
  assert.equal(report.blocks, 6, 'what came before was examined');
});

test('blocks in another order, twice, or left out are refused at their height', async () => {
  const blocks = bytesOf(ledger.blocks);
  const swapped = blocks.with(1, blocks[2] as Uint8Array).with(2, blocks[1] as Uint8Array);
  assert.deepEqual(firstDefects(await audit(swapped)), ['chain WRONG_HEIGHT 3']);
  const twice = [...blocks.slice(0, 3), ...blocks.slice(2)];
  assert.deepEqual(firstDefects(await audit(twice)), ['chain WRONG_HEIGHT 3']);
  const without = [...blocks.slice(0, 2), ...blocks.slice(3)];
  assert.deepEqual(firstDefects(await audit(without)), ['chain WRONG_HEIGHT 4']);
});

test('a block of another network is refused', async () => {
  const stranger = new WrittenLedger();
  for (let i = 0; i < 6; i++) stranger.execute('x');
  const blocks = bytesOf(ledger.blocks);
  const mixed = blocks.with(3, stranger.blocks[3]?.bytes as Uint8Array);
  assert.deepEqual(firstDefects(await audit(mixed)), ['chain BROKEN_CHAIN 4']);
  const whole = await audit(bytesOf(stranger.blocks));
  assert.deepEqual(firstDefects(whole), ['chain WRONG_NETWORK 1']);
  assert.equal(whole.network, undefined);
});

test('a torn end is told and is no defect', async () => {
  const directory = join(root, 'torn');
  const names = await ledger.write(directory, 100);
  const file = join(directory, names[0] as string);
  await writeFile(file, (await readFile(file)).subarray(0, -5));
  const { networkCertificate } = ledger;
  const report = await auditLedger({ directory, networkCertificate });
  assert.ok(report.ok && report.tornBytes > 0);
  assert.equal(report.observations.at(-1)?.kind, 'contents-closed');
  assert.ok(report.observations.some(({ kind }) => kind === 'torn-end'));
});
