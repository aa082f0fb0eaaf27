import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { sandboxChainId } from '@concordat/cli';
import { Wallet } from 'ethers';
import {
  formsIn,
  formsOf,
  LocalNetwork,
  type LocalNode,
  searchFiles,
  searchMemory,
} from '../index.ts';

/** Known to the clients of this test and the enclaves only; random, so found only where it leaked. */
const marker = `planted-${randomBytes(24).toString('hex')}-plaintext`;
const forms = formsOf(marker);
/** One of the accounts that every sandbox funds. */
const funded = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80';
const onLinux = existsSync('/proc/self/mem');

let network: LocalNetwork;

before(async () => {
  network = await LocalNetwork.start({ record: true });
  for (const [at, node] of network.nodes.entries()) await plant(node, at);
  await network.level();
});

after(() => network?.end());

/** Writes the marker as key, as value and as calldata through a node, and reads it back. */
async function plant(node: LocalNode, at: number): Promise<void> {
  const stream = await network.keyvalue(node);
  await stream.promises.put(`${marker}/${at}`, Buffer.from('value'));
  await stream.promises.put(`key/${at}`, Buffer.from(`a value with ${marker} in it`));
  assert.match(String(await stream.promises.get(`key/${at}`)), new RegExp(marker));
  stream.close();
  const client = await network.application(node);
  await client.request(`/kv/http-${at}`, { method: 'PUT', body: marker });
  const raw = await new Wallet(funded).signTransaction({
    type: 2,
    chainId: sandboxChainId,
    nonce: at,
    to: `0x${'11'.repeat(20)}`,
    gasLimit: 100_000,
    maxFeePerGas: 0,
    maxPriorityFeePerGas: 0,
    data: `0x${Buffer.from(marker).toString('hex')}`,
  });
  const hash = await client.jsonRpc('eth_sendRawTransaction', [raw]);
  const found = (await client.jsonRpc('eth_getTransactionByHash', [hash])) as { input: string };
  assert.match(found.input, new RegExp(Buffer.from(marker).toString('hex')));
  client.close();
}

test('the search finds a text in every form it looks for', () => {
  const bytes = Buffer.from(marker);
  const shown: Readonly<Record<string, Buffer>> = {
    utf8: bytes,
    hex: Buffer.from(bytes.toString('hex')),
    HEX: Buffer.from(bytes.toString('hex').toUpperCase()),
    utf16le: Buffer.from(marker, 'utf16le'),
    utf16be: Buffer.from(marker, 'utf16le').swap16(),
    'base64+0': Buffer.from(Buffer.concat([bytes, Buffer.from('more')]).toString('base64')),
    'base64+1': Buffer.from(Buffer.concat([Buffer.from('x'), bytes]).toString('base64')),
    'base64+2': Buffer.from(Buffer.concat([Buffer.from('xy'), bytes]).toString('base64')),
  };
  assert.deepEqual(Object.keys(shown).sort(), [...forms.keys()].sort());
  for (const [form, haystack] of Object.entries(shown)) {
    const around = Buffer.concat([randomBytes(1000), haystack, randomBytes(1000)]);
    assert.ok(formsIn(around, forms).includes(form), form);
  }
  assert.deepEqual(formsIn(randomBytes(100_000), forms), []);
});

test('the network carries ciphertext only, between nodes and to clients', () => {
  const recorded = network.proxies.map(({ name, bytes }) => ({ name, bytes }));
  for (const { name, bytes } of recorded) {
    // Joins, consensus and requests went through each of them.
    if (!name.endsWith('admin')) assert.ok(bytes > 5_000, `${name} carried only ${bytes} bytes`);
  }
  for (const { name, streams } of network.proxies) {
    for (const bytes of streams) assert.deepEqual(formsIn(bytes, forms), [], name);
  }
});

test('what a host holds in memory is ciphertext only', { skip: !onLinux }, () => {
  for (const node of network.nodes) {
    const worker = searchMemory(node.pidOf('worker-1'), forms, { first: true });
    assert.notEqual(worker.findings.length, 0, 'the worker holds the plaintext: the search works');
    const host = searchMemory(node.pidOf('host'), forms);
    assert.ok(host.bytes > 20_000_000, `only ${host.bytes} bytes of the host were searched`);
    assert.deepEqual(host.findings, [], node.name);
  }
});

test('what the hosts store and log is ciphertext only, running and stopped', async () => {
  const { directory } = network.sandbox.layout;
  const control = join(directory, 'planted.txt');
  writeFileSync(control, `somewhere in a file: ${Buffer.from(marker).toString('base64')}`);
  assert.deepEqual(
    [...new Set(searchFiles(directory, forms).map(({ where }) => where))],
    [control],
  );
  await network.stop();
  assert.deepEqual(
    [...new Set(searchFiles(directory, forms).map(({ where }) => where))],
    [control],
  );
});
