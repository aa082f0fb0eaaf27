import assert from 'node:assert/strict';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { encodeChunkHeader, formatChunkName } from '../chunk-format.ts';
import type { HostError } from '../errors.ts';
import { FormerLedger } from '../former-ledger.ts';

const blockOf = (height: number): Buffer => Buffer.alloc(10 + height, height);

/** A directory with a committed chunk of blocks 1 to 4 and a growing one of 5 to 7. */
function ledger(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'concordat-former-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  write(directory, { first: 1, last: 4 }, [1, 2, 3, 4]);
  write(directory, { first: 5 }, [5, 6, 7]);
  return directory;
}

function write(directory: string, name: { first: number; last?: number }, heights: number[]): void {
  const frames = heights.flatMap((height) => {
    const block = blockOf(height);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(block.length);
    return [length, block];
  });
  const bytes = Buffer.concat([encodeChunkHeader(name.first), ...frames]);
  writeFileSync(join(directory, formatChunkName(name)), bytes);
}

async function read(former: FormerLedger, from: number, to: number): Promise<Uint8Array[]> {
  const blocks: Uint8Array[] = [];
  for await (const step of former.read(from, to, 1e6)) blocks.push(...step);
  return blocks;
}

const refusal = (code: string, height?: number) => (error: HostError) => {
  assert.equal(error.code, code, error.message);
  if (height !== undefined) assert.equal(error.details.height, height);
  return true;
};

/** Names, sizes, times and bytes of every file. */
const stateOf = (directory: string): unknown =>
  readdirSync(directory).map((name) => {
    const path = join(directory, name);
    return [name, statSync(path).mtimeMs, readFileSync(path, 'hex')];
  });

test('the blocks of a former ledger are read, and nothing of it is changed', async (t) => {
  const directory = ledger(t);
  const newest = join(directory, formatChunkName({ first: 5 }));
  writeFileSync(newest, Buffer.concat([readFileSync(newest), Buffer.from([0, 0, 1, 0, 9, 9])]));
  const before = stateOf(directory);
  const former = await FormerLedger.open(directory);
  assert.equal(former.lastHeight, 7);
  const blocks = await read(former, 1, 7);
  assert.deepEqual(
    blocks.map((block) => Buffer.from(block)),
    [1, 2, 3, 4, 5, 6, 7].map(blockOf),
  );
  assert.deepEqual(stateOf(directory), before);
});

test('a directory without a ledger is refused', async (t) => {
  const directory = ledger(t);
  await assert.rejects(FormerLedger.open(join(directory, 'none')), refusal('DISK_ERROR'));
  for (const name of readdirSync(directory)) rmSync(join(directory, name));
  await assert.rejects(FormerLedger.open(directory), refusal('NOT_STORED'));
});

test('a missing chunk is said to be missing at its first height', async (t) => {
  const directory = ledger(t);
  write(directory, { first: 10 }, [10]);
  const former = await FormerLedger.open(directory);
  assert.equal(former.lastHeight, 10);
  await assert.rejects(read(former, 8, 10), refusal('NOT_STORED', 8));
});

test('a chunk cut short in the middle is refused where it ends', async (t) => {
  const directory = ledger(t);
  const path = join(directory, formatChunkName({ first: 1, last: 4 }));
  truncateSync(path, statSync(path).size - 10);
  const former = await FormerLedger.open(directory);
  await assert.rejects(read(former, 1, 7), refusal('LEDGER_DAMAGED', 4));
  write(directory, { first: 8 }, [8]);
  truncateSync(join(directory, formatChunkName({ first: 5 })), 40);
  await assert.rejects(FormerLedger.open(directory), refusal('LEDGER_DAMAGED', 6));
});

test('two chunks that claim one height are refused', async (t) => {
  const directory = ledger(t);
  write(directory, { first: 3 }, [3]);
  await assert.rejects(FormerLedger.open(directory), refusal('LEDGER_OVERLAP', 3));
});
