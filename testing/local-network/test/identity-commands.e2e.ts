import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { AdminClient, readIdentity } from '@concordat/sdk';
import { LocalNetwork, type LocalNode } from '../index.ts';

const main = join(import.meta.dirname, '../../../clients/cli/main.ts');

let network: LocalNetwork;
let vn1: LocalNode;

before(async () => {
  network = await LocalNetwork.start({ nodes: 1 });
  [vn1] = network.nodes as [LocalNode];
});

after(() => network?.end());

const file = (name: string): string => join(network.directory, name);
const own = () => network.sandbox.layout.identity(vn1.organisation);

function run(...args: string[]): { code: number | null; out: string; err: string } {
  const done = spawnSync(process.execPath, [main, ...args], {
    encoding: 'utf8',
    cwd: network.directory,
  });
  return { code: done.status, out: done.stdout, err: done.stderr };
}

function runs(...args: string[]): string {
  const { code, out, err } = run(...args);
  assert.equal(code, 0, out + err);
  return out;
}

/** Options that reach the one node as its organisation, with one of its certificates. */
const here = (certificate = own().certificateFile, key = own().keyFile): string[] => [
  ...['--address', `127.0.0.1:${vn1.ports.admin}`],
  ...['--network-certificate', file('network.pem')],
  ...['--certificate', certificate, '--key', key],
];

const issuer = (): string[] => [
  ...['--issuer-certificate', own().certificateFile],
  ...['--issuer-key', own().keyFile],
];

async function answer(name: string): Promise<string> {
  const identity = await readIdentity({
    certificateFile: file(`${name}.pem`),
    keyFile: file(`${name}-key.pem`),
  });
  const address = `127.0.0.1:${vn1.ports.admin}`;
  const admin = new AdminClient({ address, networkCertificate: network.certificate, identity });
  return admin
    .health()
    .then(
      () => 'SERVED',
      (error: { code: string }) => error.code,
    )
    .finally(() => admin.close());
}

test('people come in with what key staff wrote, until member revoke names them', async () => {
  writeFileSync(file('network.pem'), network.certificate);
  for (const name of ['ann', 'ben', 'cem']) {
    const into = ['--certificate', file(`${name}.pem`), '--key', file(`${name}-key.pem`)];
    runs('key', 'staff', '--name', name, '--role', 'auditor', ...issuer(), ...into);
    assert.equal(await answer(name), 'SERVED');
  }
  runs('key', 'revoke', file('ann.pem'), ...issuer(), '--out', file('one.crl'));
  runs('member', 'revoke', vn1.organisation, file('one.crl'), '--vote', ...here());
  assert.equal(await answer('ann'), 'CLIENT_CERTIFICATE_REVOKED');
  assert.equal(await answer('ben'), 'SERVED');
  const previous = ['--previous', file('one.crl')];
  runs('key', 'revoke', file('ben.pem'), ...previous, ...issuer(), '--out', file('two.crl'));
  runs('member', 'revoke', vn1.organisation, file('two.crl'), '--vote', ...here());
  assert.equal(await answer('ann'), 'CLIENT_CERTIFICATE_REVOKED');
  assert.equal(await answer('ben'), 'CLIENT_CERTIFICATE_REVOKED');
  assert.equal(await answer('cem'), 'SERVED');
  const again = run('member', 'revoke', vn1.organisation, file('one.crl'), '--vote', ...here());
  assert.match(again.err, /REVOCATION_LIST_NOT_NEWER/);
});

test('key renew, member renew and member retire roll an organisation over', async () => {
  const [next, nextKey] = [file('next.pem'), file('next-key.pem')];
  const { certificateFile, keyFile } = own();
  runs(
    ...['key', 'renew', '--certificate', certificateFile, '--key', keyFile],
    ...['--new-certificate', next, '--new-key', nextKey],
  );
  assert.equal(await answer('next'), 'UNKNOWN_ACTOR');
  runs('member', 'renew', vn1.organisation, next, '--vote', ...here());
  assert.equal(await answer('next'), 'SERVED');
  const renewed = here(next, nextKey);
  runs('member', 'retire', vn1.organisation, certificateFile, '--vote', ...renewed);
  const late = run('proposal', 'list', ...here());
  assert.match(late.err, /CERTIFICATE_RETIRED/);
  assert.match(runs('member', 'list', ...renewed), new RegExp(vn1.organisation));
  assert.equal(await answer('cem'), 'UNKNOWN_ACTOR');
  const rule = '{"kind":"m-of-n","m":1}';
  runs('constitution', 'voting', 'set_revocation_list', rule, '--vote', ...renewed);
});
