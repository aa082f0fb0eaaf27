import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { copyFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chunkHeaderBytes, type SessionKey } from '@concordat/ledger';
import { emptyBytes } from '@concordat/std';
import {
  AuditorError,
  type DecryptionReport,
  decryptLedger,
  type EpochKeys,
  readKeyRecord,
} from '../index.ts';
import { SharedKeyLedger, writeSetOf } from './shared-key-ledger.ts';

interface Line {
  readonly id: string;
  readonly height: number;
  readonly epoch: number;
  readonly time: string;
  readonly source: number;
  readonly closed?: true;
  readonly writes: readonly Record<string, unknown>[];
}

const ledger = new SharedKeyLedger();
let directory = '';

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'decrypt-'));
  ledger.write(['a', '1'], ['b', '2']);
  ledger.beginEpoch();
  ledger.write(['c', '\u00e9']);
  ledger.seal(
    [
      {
        publicWrites: emptyBytes,
        privateWrites: writeSetOf('app.unseen', 'k', 'v'),
      },
      { publicWrites: writeSetOf('public:app.seen', 'k', 'v'), privateWrites: emptyBytes },
    ],
    1,
  );
  await ledger.store(directory);
});

after(() => rm(directory, { recursive: true, force: true }));

const keys = (of = ledger): EpochKeys => ({ networkId: of.networkId, keys: of.sessionKeys });

async function decrypt(
  from = directory,
  change: { epochKeys?: EpochKeys; expectedTransaction?: string } = {},
): Promise<{ lines: Line[]; report?: DecryptionReport; error?: AuditorError }> {
  const { networkCertificate } = ledger;
  let text = '';
  const write = (part: string): undefined => {
    text += part;
  };
  const lines = (): Line[] =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line);
  try {
    const options = { directory: from, networkCertificate, epochKeys: keys(), write, ...change };
    const report = await decryptLedger(options);
    return { lines: lines(), report };
  } catch (error) {
    assert.ok(error instanceof AuditorError, String(error));
    return { lines: lines(), error };
  }
}

/** A copy of the ledger to damage. */
async function damaged(body: (copy: string, files: string[]) => Promise<unknown>): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'decrypt-damaged-'));
  const files = (await readdir(directory)).sort((a, b) => firstOf(a) - firstOf(b));
  for (const file of files) await copyFile(join(directory, file), join(copy, file));
  await body(copy, files);
  return copy;
}

const firstOf = (file: string): number => Number(/\d+/.exec(file)?.[0]);

test('every transaction comes out, public and private writes, with its place and time', async () => {
  const { lines, report } = await decrypt();
  assert.equal(report?.closedBlocks, 0);
  assert.equal(lines.length, report?.transactions);
  const ids = lines.map(({ id }) => id);
  assert.deepEqual(
    ids,
    Array.from(lines, (_, at) => `1.${at + 1}`),
  );
  const read = new Map(
    lines.flatMap(({ writes }) =>
      writes
        .filter(({ table }) => table === 'keyvalue/values')
        .map(({ key, value }) => [key as string, value as string]),
    ),
  );
  assert.deepEqual(read, ledger.written);
  const last = lines.at(-1);
  const timeMs = ledger.blocks.at(-1)?.header.timeMs ?? 0;
  assert.deepEqual(last, {
    id: `1.${lines.length}`,
    height: ledger.blocks.length,
    epoch: 2,
    time: new Date(timeMs).toISOString(),
    source: 1,
    writes: [{ table: 'public:app.seen', key: 'k', value: 'v' }],
  });
  assert.ok(lines[0]?.writes.some(({ table }) => table === 'public:concordat.network'));
});

test('bytes that are no text come in base64, deletions as such', async () => {
  const other = new SharedKeyLedger();
  const bytes = Uint8Array.of(0xff, 0, 1);
  // Table `t/x`; key 0x80 deleted; key `k` with those bytes.
  const writes = Buffer.concat([
    Buffer.of(1, 3),
    Buffer.from('t/x'),
    Buffer.of(2, 1, 0x6b, bytes.length + 1),
    bytes,
    Buffer.of(1, 0x80, 0),
  ]);
  other.seal([{ publicWrites: emptyBytes, privateWrites: writes }], 1);
  const place = await mkdtemp(join(tmpdir(), 'decrypt-bytes-'));
  try {
    await other.store(place);
    let text = '';
    const { networkCertificate } = other;
    const write = (part: string): undefined => {
      text += part;
    };
    await decryptLedger({ directory: place, networkCertificate, epochKeys: keys(other), write });
    const last = JSON.parse(text.trimEnd().split('\n').at(-1) as string) as Line;
    assert.deepEqual(last.writes, [
      { table: 't/x', key: 'k', valueBase64: '/wAB' },
      { table: 't/x', keyBase64: 'gA==', deleted: true },
    ]);
  } finally {
    await rm(place, { recursive: true });
  }
});

test('of epochs whose key is not there public writes alone come out, and are marked', async () => {
  const [, second] = ledger.sessionKeys;
  const epochKeys = { networkId: ledger.networkId, keys: [second as SessionKey] };
  const { lines, report } = await decrypt(directory, { epochKeys });
  const closed = lines.filter((line) => line.closed);
  assert.equal(report?.closedTransactions, closed.length);
  assert.ok(closed.length > 0 && closed.every(({ epoch }) => epoch === 1));
  const tables = closed.flatMap(({ writes }) => writes.map(({ table }) => String(table)));
  assert.ok(tables.every((table) => table.startsWith('public:')));
});

test('keys of another network are refused, and wrong ones of this: WRONG_NETWORK, AUTHENTICATION_FAILED', async () => {
  const foreign = { ...keys(), networkId: 'ab'.repeat(32) };
  assert.equal((await decrypt(directory, { epochKeys: foreign })).error?.code, 'WRONG_NETWORK');
  const [first, second] = ledger.sessionKeys as [SessionKey, SessionKey];
  const swapped = { ...keys(), keys: [first, { ...second, key: first.key }] };
  const { error, lines } = await decrypt(directory, { epochKeys: swapped });
  assert.equal(error?.code, 'LEDGER_DAMAGED');
  assert.equal(error?.details.code, 'AUTHENTICATION_FAILED');
  assert.ok(lines.length > 0 && lines.every(({ epoch }) => epoch === 1));
});

test('a byte flipped anywhere in any block is damage at that height, and what precedes comes out', async () => {
  const whole = (await decrypt()).lines;
  for (const [index, block] of ledger.bytes.entries()) {
    const height = index + 1;
    // The header, the length and body of the public segment, the sealed segment, tag and signature.
    const places = [1, 40, 100, 146, 150, block.length >> 1, block.length - 80, block.length - 1];
    const at = places[index % places.length] as number;
    const blocks = ledger.bytes.map((bytes) => Uint8Array.from(bytes));
    const target = blocks[index] as Uint8Array;
    target[at] = (target[at] as number) ^ (1 << (index % 8));
    const copy = await mkdtemp(join(tmpdir(), 'decrypt-flipped-'));
    try {
      await ledger.store(copy, blocks);
      const { error, lines } = await decrypt(copy);
      assert.equal(error?.code, 'LEDGER_DAMAGED', `block ${height}, byte ${at}`);
      assert.equal(error?.details.height, height);
      assert.match(error?.message ?? '', new RegExp(`block ${height}\\b`));
      assert.deepEqual(
        lines,
        whole.filter((line) => line.height < height),
      );
      const { networkCertificate } = ledger;
      // Without a key the record of keys is refused too, wherever the leader's signature covers it.
      const record = readKeyRecord({ directory: copy, networkCertificate });
      await record.catch((failure) => assert.equal(failure.code, 'LEDGER_DAMAGED'));
    } finally {
      await rm(copy, { recursive: true });
    }
  }
});

test('truncated chunks: within the last it is the end, within another damage', async () => {
  const torn = await damaged((copy, files) => {
    const file = join(copy, files.at(-1) as string);
    return readFile(file).then(({ length }) => truncate(file, length - 3));
  });
  const short = await decrypt(torn);
  assert.equal(short.report?.blocks, ledger.blocks.length - 1);
  assert.ok((short.report?.tornBytes ?? 0) > 0);
  const cut = await damaged((copy, files) => truncate(join(copy, files[0] as string), 500));
  assert.equal((await decrypt(cut)).error?.details.code, 'TRUNCATED_CHUNK');
  const gone = await damaged((copy, files) => rm(join(copy, files[0] as string)));
  assert.equal((await decrypt(gone)).error?.details.code, 'MISSING_BLOCKS');
  for (const copy of [torn, cut, gone]) await rm(copy, { recursive: true });
});

test('every beginning of the ledger opens, cut at any block', async () => {
  for (let blocks = 1; blocks < ledger.blocks.length; blocks++) {
    const copy = await mkdtemp(join(tmpdir(), 'decrypt-short-'));
    try {
      await ledger.store(copy, ledger.bytes.slice(0, blocks));
      const { report, error } = await decrypt(copy);
      assert.equal(error, undefined);
      assert.equal(report?.blocks, blocks);
    } finally {
      await rm(copy, { recursive: true });
    }
  }
});

test('chunks of another network, and chunks that were swapped, are refused with the height', async () => {
  const other = new SharedKeyLedger();
  const place = await mkdtemp(join(tmpdir(), 'decrypt-other-'));
  await other.store(place);
  const mixed = await mkdtemp(join(tmpdir(), 'decrypt-mixed-'));
  await ledger.store(mixed, [...ledger.bytes.slice(0, 8), ...other.bytes.slice(8)]);
  const first = await decrypt(mixed);
  assert.equal(first.error?.details.height, 9);
  assert.equal(first.error?.details.code, 'BROKEN_CHAIN');
  const swapped = await damaged(async (copy, [one, two]) => {
    const bytes = await readFile(join(copy, one as string));
    const others = await readFile(join(copy, two as string));
    const head = (of: Buffer): Buffer => of.subarray(0, chunkHeaderBytes);
    const rest = (of: Buffer): Buffer => of.subarray(chunkHeaderBytes);
    await writeFile(join(copy, one as string), Buffer.concat([head(bytes), rest(others)]));
    await writeFile(join(copy, two as string), Buffer.concat([head(others), rest(bytes)]));
  });
  assert.equal((await decrypt(swapped)).error?.details.code, 'WRONG_HEIGHT');
  const whole = await decrypt(place);
  assert.equal(whole.error?.code, 'WRONG_NETWORK');
  for (const copy of [place, mixed, swapped]) await rm(copy, { recursive: true });
});

test('transactions known to be missing are told, and what is there comes out whole', async () => {
  const { report, lines } = await decrypt(directory, { expectedTransaction: '1.9999' });
  assert.match(report?.missing ?? '', /ends at seqno \d+, before 9999/);
  assert.equal(lines.length, report?.transactions);
  const other = await decrypt(directory, { expectedTransaction: '7.3' });
  assert.equal(other.error?.details.code, 'OTHER_HISTORY');
});

test('a slow reader is waited for', async () => {
  let waiting = 0;
  let most = 0;
  const write = async (): Promise<void> => {
    waiting += 1;
    most = Math.max(most, waiting);
    await new Promise((resolve) => setTimeout(resolve, 1));
    waiting -= 1;
  };
  const { networkCertificate } = ledger;
  await decryptLedger({ directory, networkCertificate, epochKeys: keys(), write });
  assert.equal(most, 1);
});

test('random bytes in place of a block end in a coded refusal', async () => {
  for (let round = 0; round < 40; round++) {
    const blocks = [...ledger.bytes];
    const index = round % blocks.length;
    blocks[index] = randomBytes(1 + ((round * 37) % 600));
    const copy = await mkdtemp(join(tmpdir(), 'decrypt-random-'));
    try {
      await ledger.store(copy, blocks);
      const { error } = await decrypt(copy);
      assert.equal(error?.details.height, index + 1);
    } finally {
      await rm(copy, { recursive: true });
    }
  }
});
