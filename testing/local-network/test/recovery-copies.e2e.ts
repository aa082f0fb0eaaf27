import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { adminPaths, coseMediaType } from '@concordat/api';
import { createEncryptionKey } from '@concordat/crypto';
import { buildKeyExport, type MessageOptions } from '@concordat/governance';
import type { AdminClient, SdkError } from '@concordat/sdk';
import { toHex } from '@concordat/std';
import {
  LocalNetwork,
  type LocalNode,
  loseAllBut,
  type Remains,
  WriteLoad,
  waitUntil,
} from '../index.ts';

const main = join(import.meta.dirname, '../../../clients/cli/main.ts');
const passphrase = 'correct horse battery staple';

let network: LocalNetwork;
let vn1: LocalNode;
let vn2: LocalNode;
let vn3: LocalNode;
let remains: Remains;
/** Recovery copies by organisation, as the command wrote them. */
const copies = new Map<string, string[]>();

before(async () => {
  network = await LocalNetwork.start();
  [vn1, vn2, vn3] = network.nodes as [LocalNode, LocalNode, LocalNode];
  writeFileSync(place('passphrase'), `${passphrase}\n`, { mode: 0o600 });
  writeFileSync(place('copy-key.pem'), createEncryptionKey(randomBytes(32)).toPkcs8Pem());
});

after(() => network?.end());

const place = (name: string): string => join(network.directory, name);

function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', maxBuffer: 1 << 28 });
}

/** Runs a command that must do what it is asked. */
function runs(...args: string[]): string {
  const { status, stdout, stderr } = run(...args);
  assert.equal(status, 0, stdout + stderr);
  return stdout;
}

const at = (node: LocalNode, as = node.organisation): string[] => [
  ...['--directory', network.sandbox.layout.directory],
  ...['--node', node.name, '--as', as],
];

async function as<Result>(node: LocalNode, call: (admin: AdminClient) => Promise<Result>) {
  const admin = await network.admin(node);
  return call(admin).finally(() => admin.close());
}

/** Every key is held by two of the three, and no ceremony is under way. */
async function sharedByThree(): Promise<void> {
  let seen: unknown;
  const isShared = async (): Promise<boolean> => {
    const { keys, ceremony } = await as(vn1, (admin) => admin.sharedKeys());
    seen = {
      keys: keys.map(({ number, sharings }) => [number, sharings.at(-1)?.holders.length]),
      ceremony,
    };
    return !ceremony && keys.every(({ sharings }) => sharings.at(-1)?.holders.length === 3);
  };
  await waitUntil(isShared, {
    what: 'every key shared by three',
    seen: () => seen,
  });
}

const load = { acknowledged: new Map<string, Buffer>() };

test('each member gets copies of its shares from its own node, and everybody sees that it did', async () => {
  await sharedByThree();
  const writing = new WriteLoad(network, { inFlight: 4 });
  await writing.progress(150);
  for (const node of network.nodes) {
    const way =
      node === vn2 ? ['--to', place('copy-key.pem')] : ['--passphrase-file', place('passphrase')];
    const told = runs('key', 'export', ...at(node), ...way, '--out', place(node.name), '--json');
    const { written, missing } = JSON.parse(told) as {
      written: { key: number; file: string; checked: boolean }[];
      missing: unknown[];
    };
    assert.deepEqual(missing, []);
    assert.ok(written.length > 0 && written.every(({ checked }) => checked));
    for (const { file } of written) assert.equal(statSync(file).mode & 0o777, 0o600);
    copies.set(
      node.name,
      written.map(({ file }) => file),
    );
  }
  await writing.progress(150);
  await writing.stop();
  for (const [key, value] of writing.acknowledged) load.acknowledged.set(key, value);
  await network.level();
  const { keys } = await as(vn3, (admin) => admin.sharedKeys());
  for (const { sharings } of keys) {
    assert.deepEqual(
      sharings.at(-1)?.holders.map(({ copies: count }) => count),
      [1, 1, 1],
    );
  }
  assert.match(runs('key', 'status', ...at(vn2)), /are enough to read it without any node/);
});

test('a second copy is refused unless it is asked for, and so is one from another member’s node', async () => {
  const again = run(
    'key',
    'export',
    ...at(vn1),
    '--to',
    place('copy-key.pem'),
    '--out',
    place('x'),
  );
  assert.equal(again.status, 3);
  assert.match(again.stderr, /KEY_EXPORTED/);
  const foreign = run('key', 'export', ...at(vn2, vn1.organisation), '--to', place('copy-key.pem'));
  assert.equal(foreign.status, 3);
  assert.match(foreign.stderr, /NOT_OWN_NODE/);
  const copied = await as(vn1, (admin) => admin.exportKeys({ publicKey: newKey(), again: true }));
  assert.ok(copied.copies.length > 0);
  // A message that is sent again, as when its answer was lost, is recorded once.
  const request = { publicKey: newKey(), again: true };
  const message = buildKeyExport({ ...(await signing(vn1)), request });
  const send = (node: LocalNode) =>
    as(node, ({ connection }) =>
      connection.request({
        method: 'POST',
        path: adminPaths.keyExports,
        headers: { 'content-type': coseMediaType },
        body: message,
      }),
    );
  for (let time = 0; time < 2; time++) {
    const { status, body } = await send(vn1);
    assert.equal(status, 200, body.toString());
    assert.equal(JSON.parse(body.toString()).copies.length, copied.copies.length);
  }
  assert.equal(JSON.parse((await send(vn2)).body.toString()).error.code, 'NOT_OWN_NODE');
  const none = as(vn1, (admin) => admin.exportKeys({ publicKey: '04', again: true }));
  await assert.rejects(none, (error: SdkError) => error.code === 'MALFORMED_MESSAGE');
  await network.level();
  const { keys } = await as(vn2, (admin) => admin.sharedKeys());
  const own = keys[0]?.sharings.at(-1)?.holders.map(({ copies: count }) => count);
  assert.deepEqual(own?.toSorted(), [1, 1, 3]);
});

async function signing(node: LocalNode): Promise<MessageOptions> {
  const { signingKey, certificateDer } = await network.identity(node.organisation);
  assert.ok(signingKey);
  const networkId = await as(node, (admin) => admin.networkId());
  return { key: signingKey, certificateDer, networkId, createdAtSeconds: nowSeconds() };
}

const newKey = (): string => toHex(createEncryptionKey(randomBytes(32)).publicKey);

const nowSeconds = (): number => Math.floor(Date.now() / 1000);

const sharesOf = (...nodes: LocalNode[]): string[] =>
  nodes.flatMap(({ name }) => (copies.get(name) ?? []).flatMap((file) => ['--share', file]));

const openers = (): string[] => [
  ...['--passphrase-file', place('passphrase')],
  ...['--share-key', place('copy-key.pem')],
];

const ledger = (): string[] => [
  remains.ledger,
  ...['--network-certificate', remains.certificateFile],
];

test('with every node gone, two copies and one directory bring every acknowledged write back', async () => {
  remains = await loseAllBut(network, vn1);
  const out = place('all.jsonl');
  const two = [...sharesOf(vn1, vn2), ...openers()];
  const told = runs('recover', 'decrypt', ...ledger(), ...two, '--out', out);
  assert.match(told, /transactions decrypted and verified/);
  const values = new Map<string, string>();
  for (const line of readFileSync(out, 'utf8').split('\n')) {
    if (line === '') continue;
    const { writes } = JSON.parse(line) as {
      writes: { table: string; key?: string; value?: string; valueBase64?: string }[];
    };
    for (const { table, key = '', value, valueBase64 } of writes) {
      if (!table.startsWith('keyvalue/')) continue;
      const bytes = valueBase64 === undefined ? Buffer.from(value ?? '') : valueBase64;
      values.set(
        key,
        Buffer.from(bytes as string, valueBase64 === undefined ? 'utf8' : 'base64').toString('hex'),
      );
    }
  }
  assert.ok(load.acknowledged.size >= 300);
  for (const [key, value] of load.acknowledged) {
    assert.equal(values.get(key), value.toString('hex'), key);
  }
  assert.ok(!readFileSync(out, 'utf8').includes('PRIVATE KEY'));
});

test('one copy reads nothing', () => {
  const out = place('nothing.jsonl');
  for (const node of network.nodes) {
    const { status, stdout } = run(
      'recover',
      'decrypt',
      ...ledger(),
      ...sharesOf(node),
      ...openers(),
      '--out',
      out,
    );
    assert.equal(status, 1);
    // Epoch 1 began before others held shares; it is shared by three since, and its copy is of that.
    assert.match(stdout, /No epoch opens/);
    assert.ok(!existsSync(out));
  }
});

test('nobody hands out a copy: each makes shares of its own, and someone puts them together', () => {
  for (const node of [vn2, vn3]) {
    const out = place(`${node.name}-shares.json`);
    runs('recover', 'shares', ...ledger(), ...sharesOf(node), ...openers(), '--out', out);
  }
  const given = [vn2, vn3].flatMap(({ name }) => [
    '--decryption-shares',
    place(`${name}-shares.json`),
  ]);
  const told = runs('recover', 'keys', ...ledger(), ...given, '--out', place('keys.json'));
  assert.match(told, /All \d+ epochs open/);
  const whole = ['--epoch-keys', place('keys.json'), '--out', place('again.jsonl')];
  runs('recover', 'decrypt', ...ledger(), ...whole);
  assert.equal(
    readFileSync(place('again.jsonl'), 'utf8'),
    readFileSync(place('all.jsonl'), 'utf8'),
  );
  runs('audit', 'verify', ...ledger(), '--epoch-keys', place('keys.json'));
  assert.match(runs('ledger', 'verify', ...ledger(), '--epoch-keys', place('keys.json')), /intact/);
});
