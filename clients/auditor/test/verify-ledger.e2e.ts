import assert from 'node:assert/strict';
import { copyFile, cp, mkdtemp, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { AuditorError, type LedgerReport, verifyLedger } from '@concordat/auditor';
import type { SessionKey } from '@concordat/ledger';
import { createOrganisation } from '@concordat/sdk';
import { WrittenLedger } from './written-ledger.ts';

let root = '';
let names: string[] = [];
const ledger = new WrittenLedger();

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'sdk-ledger-'));
  ledger.execute('a', 'b', 'c');
  const beta = createOrganisation({ name: 'Beta' });
  const args = { kind: ['participant'], name: 'Beta', certificate: beta.certificatePem };
  ledger.govern({ name: 'add_actor', args });
  ledger.execute('d');
  const second = ledger.join();
  ledger.leader = second;
  ledger.view = 2;
  for (let i = 0; i < 6; i++) ledger.execute(`e${i}`, 'f');
  ledger.leader = ledger.first;
  ledger.view = 5;
  ledger.execute('g');
  names = await ledger.write(join(root, 'whole'));
});
after(() => rm(root, { recursive: true }));

const verify = (directory: string, options: Partial<Parameters<typeof verifyLedger>[0]> = {}) =>
  verifyLedger({
    directory: join(root, directory),
    networkCertificate: ledger.networkCertificate,
    epochKeys: ledger.epochKeys(),
    ...options,
  });

let copies = 0;

/** A copy of the ledger that a body may do damage to. */
async function damaged(damage: (directory: string) => Promise<void>): Promise<string> {
  const name = `copy-${++copies}`;
  const directory = join(root, name);
  await cp(join(root, 'whole'), directory, { recursive: true });
  await damage(directory);
  return name;
}

async function flip(file: string, at: number, bit = 1): Promise<void> {
  const bytes = await readFile(file);
  const index = at < 0 ? bytes.length + at : at;
  bytes[index] = (bytes[index] as number) ^ bit;
  await writeFile(file, bytes);
}

function assertDamage(report: LedgerReport, code: string | string[], height: number): void {
  assert.equal(report.ok, false);
  const codes = Array.isArray(code) ? code : [code];
  assert.ok(codes.includes(report.damage?.code ?? ''), JSON.stringify(report.damage));
  assert.equal(report.damage?.height, height, JSON.stringify(report.damage));
}

test('a whole ledger holds, with its leaders, epochs and contents', async () => {
  const report = await verify('whole');
  assert.equal(report.damage, undefined);
  assert.ok(report.ok);
  assert.equal(report.networkId, ledger.networkId);
  assert.equal(report.networkName, 'Written network');
  assert.equal(report.blocks, ledger.blocks.length);
  assert.equal(report.transactions, 4 + 3 + 4 + 12 + 1);
  assert.equal(report.first?.transactionId, '1.1');
  assert.equal(report.last?.transactionId, `5.${report.transactions}`);
  assert.equal(report.last?.height, ledger.blocks.length);
  assert.deepEqual(
    report.epochs.map(({ epoch, contents }) => [epoch, contents]),
    [
      [1, true],
      [2, true],
    ],
  );
});

test('without keys, all that is public is verified and contents stay closed', async () => {
  const report = await verifyLedger({
    directory: join(root, 'whole'),
    networkCertificate: ledger.networkCertificate,
  });
  assert.ok(report.ok);
  assert.ok(report.epochs.every(({ contents }) => !contents));
});

test('blocks are handed over as they hold, contents and file included', async () => {
  const seen: [number, string, string | undefined][] = [];
  await verify('whole', {
    onBlock: ({ header, transactions }, file) => {
      const [first] = transactions ?? [];
      const text = header.source === 1 && first ? Buffer.from(first.privateWrites).toString() : '';
      seen.push([header.height, file, text]);
    },
  });
  assert.deepEqual(seen[1], [2, names[0], 'a']);
  assert.equal(seen.length, ledger.blocks.length);
});

test('a flip anywhere in any file is found at its block and named with its file', async () => {
  for (const name of names) {
    const { length } = await readFile(join(root, 'whole', name));
    for (let at = 0; at < length; at += 97) {
      const copy = await damaged((directory) => flip(join(directory, name), at));
      const report = await verify(copy);
      // A flipped length in the chunk still being written looks like a block that was not finished.
      const torn = name === names.at(-1) && report.tornBytes > 0;
      assert.ok(!report.ok || torn, `${name} at ${at}`);
      if (!report.ok) assert.equal(report.damage?.file, name);
      await rm(join(root, copy), { recursive: true });
    }
  }
});

test('with an expected transaction a torn or cut-off end is damage', async () => {
  const last = names.at(-1) as string;
  const copy = await damaged(async (directory) => {
    const file = join(directory, last);
    await writeFile(file, (await readFile(file)).subarray(0, -1));
  });
  const report = await verify(copy);
  assert.ok(report.ok && report.tornBytes > 0);
  const total = 24;
  const expecting = await verify(copy, { expectedTransaction: `5.${total}` });
  assertDamage(expecting, 'ENDS_EARLY', ledger.blocks.length);
  assert.ok((await verify('whole', { expectedTransaction: `5.${total}` })).ok);
});

test('a transaction of another view at the expected place is another history', async () => {
  assertDamage(await verify('whole', { expectedTransaction: '2.2' }), 'OTHER_HISTORY', 2);
  await assert.rejects(verify('whole', { expectedTransaction: 'x' }), AuditorError);
});

test('a committed chunk that is cut or torn is named', async () => {
  const [first] = names as [string];
  const cut = await damaged(async (directory) => {
    const file = join(directory, first);
    await writeFile(file, (await readFile(file)).subarray(0, -10));
  });
  assertDamage(await verify(cut), 'TRUNCATED_CHUNK', 4);
  const extended = await damaged(async (directory) => {
    const file = join(directory, first);
    await writeFile(file, Buffer.concat([await readFile(file), Buffer.alloc(3)]));
  });
  assertDamage(await verify(extended), 'TRUNCATED_CHUNK', 5);
});

test('missing, doubled, swapped and renamed chunks are named', async () => {
  const [first, second] = names as [string, string];
  const without = (name: string) => damaged((directory) => unlink(join(directory, name)));
  assertDamage(await verify(await without(first)), 'MISSING_BLOCKS', 1);
  assertDamage(await verify(await without(second)), 'MISSING_BLOCKS', 5);
  const doubled = await damaged((directory) =>
    copyFile(join(directory, first), join(directory, 'ledger_2-5.committed.chunk')),
  );
  assertDamage(await verify(doubled), 'OVERLAPPING_CHUNKS', 2);
  const swapped = await damaged(async (directory) => {
    await rename(join(directory, first), join(directory, 'x'));
    await rename(join(directory, second), join(directory, first));
    await rename(join(directory, 'x'), join(directory, second));
  });
  assertDamage(await verify(swapped), 'MALFORMED', 1);
});

test('a ledger of another network is refused, even as a namesake', async () => {
  const other = new WrittenLedger();
  other.execute('x');
  await other.write(join(root, 'other'));
  const report = await verify('other', {
    networkCertificate: ledger.networkCertificate,
    epochKeys: other.epochKeys(),
  });
  assertDamage(report, 'WRONG_NETWORK', 1);
  assert.equal(report.networkId, undefined);
});

test('blocks of another ledger in between are refused', async () => {
  const other = new WrittenLedger();
  for (let i = 0; i < 8; i++) other.execute('x');
  await other.write(join(root, 'foreign'));
  const copy = await damaged((directory) =>
    copyFile(join(root, 'foreign', names[1] as string), join(directory, names[1] as string)),
  );
  assertDamage(await verify(copy), 'BROKEN_CHAIN', 5);
});

test('a leader that was never trusted is refused though its signature is good', async () => {
  const forged = new WrittenLedger();
  const stranger = new WrittenLedger();
  forged.leader = stranger.first;
  forged.execute('forged');
  await forged.write(join(root, 'forged'));
  const report = await verify('forged', {
    networkCertificate: forged.networkCertificate,
    epochKeys: forged.epochKeys(),
  });
  assertDamage(report, 'UNKNOWN_LEADER', 2);
});

test('epoch keys of another network are told so, not taken for damage', async () => {
  const epochKeys = { ...ledger.epochKeys(), networkId: 'ab'.repeat(32) };
  await assert.rejects(verify('whole', { epochKeys }), (error: AuditorError) => {
    assert.equal(error.code, 'WRONG_NETWORK');
    return true;
  });
});

test('with the key of one epoch its blocks are opened, and the others only in what is public', async () => {
  for (const open of [1, 2]) {
    const report = await verify('whole', { epochKeys: ledger.epochKeys(open) });
    assert.ok(report.ok);
    const opened = report.epochs.filter(({ contents }) => contents).map(({ epoch }) => epoch);
    assert.deepEqual(opened, [open]);
  }
});

test('a key that is not that of its epoch opens nothing, which is told at the first block of it', async () => {
  const { keys, networkId } = ledger.epochKeys();
  const [first, second] = keys as [SessionKey, SessionKey];
  const epochKeys = { networkId, keys: [first, { ...second, key: first.key }] };
  const { damage } = await verify('whole', { epochKeys });
  assert.equal(damage?.code, 'AUTHENTICATION_FAILED');
});

test('directories that are missing or hold no chunk are told so', async () => {
  const empty = await damaged(async (directory) => {
    for (const name of names) await unlink(join(directory, name));
  });
  for (const directory of ['nowhere', empty]) {
    await assert.rejects(verify(directory), (error: AuditorError) => {
      assert.equal(error.code, 'LEDGER_UNREADABLE');
      return true;
    });
  }
  const pinning = verify('whole', { networkCertificate: 'x' });
  await assert.rejects(pinning, { code: 'INVALID_NETWORK_CERTIFICATE' });
});
