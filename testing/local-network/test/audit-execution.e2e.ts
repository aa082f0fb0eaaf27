import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { AuditorError, auditLedger, encodeEpochKeys } from '@concordat/auditor';
import { readSandbox } from '@concordat/cli';
import { createdAddress, signDigest, signedTransaction } from '@concordat/ethereum';
import { ApplicationClient } from '@concordat/sdk';
import { LocalNetwork, WriteLoad } from '../index.ts';

const main = join(import.meta.dirname, '../../../clients/cli/main.ts');
const chainId = 4_242n;
const key = new Uint8Array(32).fill(5);

let network: LocalNetwork;
let keysFile: string;

before(async () => {
  const chain = { name: 'main', chainId: Number(chainId), hardfork: 'prague', zeroFee: true };
  network = await LocalNetwork.start({
    adapters: { ethereum: { chains: [chain] }, keyvalue: {} },
    policies: { epochBlocks: 40 },
  });
});
after(() => network?.end());

/** A raw transaction of the test's account, as hex. */
function raw(nonce: bigint, to: Uint8Array | undefined, data: string): string {
  const called = { data: Buffer.from(data, 'hex'), ...(to && { to }) };
  const fields = { chainId, nonce, gasLimit: 300_000n, ...called };
  const bytes = signedTransaction(fields, (digest) => signDigest(digest, key));
  return `0x${Buffer.from(bytes).toString('hex')}`;
}

/** Stores time, number and random value of the block, counts, and logs. */
const runtime = '42600055436001554460025560035460010160035560006000a000';
const initCode = `601b600c600039601b6000f3${runtime}`;

const auditing = () => {
  const [vn1] = network.nodes;
  const { certificate: networkCertificate } = network;
  return { directory: vn1?.ledgerDirectory ?? '', networkCertificate };
};

test('a ledger of contracts, executed anew by the image that wrote it, comes to the same', async () => {
  const { address: from } = await execute();
  assert.ok(from);
  const epochKeys = await readSandbox(network.sandbox);
  keysFile = join(network.directory, 'epoch-keys.json');
  writeFileSync(keysFile, encodeEpochKeys(epochKeys), { mode: 0o600 });
  await network.level();
  const report = await auditLedger({
    ...auditing(),
    epochKeys,
    reexecuteWith: network.images.worker,
  });
  assert.deepEqual(
    report.classes.flatMap(({ first }) => first ?? []),
    [],
  );
  const { reexecution } = report;
  assert.deepEqual(reexecution?.adapters, ['ethereum']);
  assert.ok((reexecution?.executed ?? 0) >= 61, JSON.stringify(reexecution));
  assert.ok((reexecution?.given ?? 0) >= 100);
  assert.equal(reexecution?.stoppedAt, undefined);
  assert.ok(!report.observations.some(({ kind }) => kind === 'image-unlisted'));
});

/** Deploys a contract, and calls it from several places at once while other writes go on. */
async function execute(): Promise<{ readonly address: Uint8Array }> {
  const [vn1, vn2] = network.nodes;
  assert.ok(vn1 && vn2);
  const identity = await network.identity(vn1.organisation);
  const client = new ApplicationClient({
    address: `127.0.0.1:${vn2.ports.application}`,
    networkCertificate: network.certificate,
    identity,
  });
  const load = new WriteLoad(network, { inFlight: 4 });
  try {
    const send = (nonce: bigint, to: Uint8Array | undefined, data: string): Promise<unknown> =>
      client.jsonRpc('eth_sendRawTransaction', [raw(nonce, to, data)], '/eth');
    await send(0n, undefined, initCode);
    const sender = Buffer.from(await sentBy(client), 'hex');
    const address = createdAddress(sender, 0n);
    for (let at = 1n; at <= 60n; at += 6n) {
      await Promise.all([0n, 1n, 2n, 3n, 4n, 5n].map((more) => send(at + more, address, '')));
    }
    await load.progress(100);
    return { address };
  } finally {
    await load.stop();
    client.close();
  }
}

async function sentBy(client: ApplicationClient): Promise<string> {
  const block = (await client.jsonRpc('eth_getBlockByNumber', ['0x1', true], '/eth')) as {
    transactions: { from: string }[];
  };
  return (block.transactions[0]?.from ?? '').slice(2);
}

test('the command says so, and what was not looked at', () => {
  const { directory, networkCertificate } = auditing();
  const certificate = join(network.directory, 'network.pem');
  writeFileSync(certificate, networkCertificate);
  const run = (...args: string[]) =>
    spawnSync(
      process.execPath,
      [main, 'audit', 'verify', directory, '--network-certificate', certificate, ...args],
      { encoding: 'utf8', maxBuffer: 1 << 26 },
    );
  const image = ['--re-execute', network.images.worker];
  const whole = run('--epoch-keys', keysFile, ...image);
  assert.equal(whole.status, 0, whole.stdout + whole.stderr);
  assert.match(whole.stdout, /Execution, done anew/);
  assert.match(whole.stdout, /executed transactions/);
  assert.equal(run(...image).status, 2);
  const { keys, ...head } = JSON.parse(readFileSync(keysFile, 'utf8'));
  const fewer = join(network.directory, 'fewer.json');
  writeFileSync(fewer, JSON.stringify({ ...head, keys: keys.slice(0, 1) }), { mode: 0o600 });
  const partly = run('--epoch-keys', fewer, ...image);
  assert.equal(partly.status, 0, partly.stdout + partly.stderr);
  assert.match(partly.stdout, /stopped before block/);
});

test('an image that is none, is loose, or fails is no verdict on the ledger', async () => {
  const epochKeys = await readSandbox(network.sandbox);
  const audit = (reexecuteWith: string) => auditLedger({ ...auditing(), epochKeys, reexecuteWith });
  const refused = (code: string) => (error: unknown) => {
    assert.ok(error instanceof AuditorError, String(error));
    assert.equal(error.code, code);
    return true;
  };
  await assert.rejects(audit(network.directory), refused('INVALID_IMAGE'));
  await assert.rejects(audit(network.images.manager), refused('INVALID_IMAGE'));
  const loose = copyOf('loose');
  const manifest = join(loose, 'image.json');
  writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('"--permission",', ''));
  await assert.rejects(audit(loose), refused('INVALID_IMAGE'));
  const failing = copyOf('failing');
  writeFileSync(join(failing, 'bundle.mjs'), 'process.stdout.write("no frame at all"); ');
  await assert.rejects(audit(failing), refused('REEXECUTION_FAILED'));
  writeFileSync(join(failing, 'bundle.mjs'), 'throw new Error("it does not start");');
  await assert.rejects(audit(failing), refused('REEXECUTION_FAILED'));
  const other = copyOf('other');
  appendFileSync(join(other, 'bundle.mjs'), '//');
  const report = await audit(other);
  assert.ok(report.ok);
  assert.ok(report.observations.some(({ kind }) => kind === 'image-unlisted'));
});

function copyOf(name: string): string {
  const directory = join(network.directory, name);
  cpSync(network.images.worker, directory, { recursive: true });
  return directory;
}
