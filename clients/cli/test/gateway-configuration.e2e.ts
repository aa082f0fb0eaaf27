import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createOrganisation } from '@concordat/sdk';
import { FakeNetwork } from '../../sdk/test/fake-network.ts';
import { runCommand } from '../command.ts';
import { gatewayCommand } from '../gateway-command.ts';
import type { Terminal } from '../terminal.ts';

const directory = mkdtempSync(join(tmpdir(), 'concordat-gateway-'));
after(() => rmSync(directory, { recursive: true }));

const put = (name: string, content: string): string => {
  writeFileSync(join(directory, name), content);
  return join(directory, name);
};

async function check(config: string, ...more: string[]): Promise<string> {
  const written: string[] = [];
  const terminal = { write: (text: string) => written.push(text) } as unknown as Terminal;
  const status = await runCommand(gatewayCommand, ['--config', config, ...more], terminal);
  assert.equal(status, 0);
  return written.join('');
}

test('a configuration is checked without being started, and refused with the place', async () => {
  const { certificatePem, keyPem } = createOrganisation({ name: 'Front' });
  put('me.pem', certificatePem);
  put('me.key', keyPem);
  const network = new FakeNetwork();
  put('network.pem', network.certificate);
  put('tls.pem', network.nodeCredentials().cert);
  const content = {
    publicUrl: 'http://127.0.0.1:8545',
    targets: ['127.0.0.1:1'],
    networkCertificateFile: 'network.pem',
    identity: { certificateFile: 'me.pem', keyFile: 'me.key' },
    providers: {
      bank: { issuer: 'https://login.example', services: { audiences: ['https://api.example'] } },
    },
    paths: [{ path: '/app/*', access: 'signed-in' }],
  };
  const file = put('gateway.json', JSON.stringify(content));
  assert.equal(await check(file, '--check'), `${file} is in order\n`);
  const wrong = put('wrong.json', JSON.stringify({ ...content, targets: [7] }));
  await assert.rejects(check(wrong, '--check'), {
    code: 'INVALID_CONFIGURATION',
    details: { path: 'targets[0]' },
  });
  const unusable: [object, object][] = [
    [{ targets: ['nowhere'] }, { code: 'INVALID_ADDRESS' }],
    [{ listen: 'x' }, { code: 'INVALID_OPTIONS' }],
    [{ listen: '0.0.0.0:1' }, { code: 'INVALID_OPTIONS' }],
    [{ networkCertificateFile: 'me.key' }, { code: 'INVALID_NETWORK_CERTIFICATE' }],
    [{ tls: { certificateFile: 'tls.pem', keyFile: 'me.key' } }, { code: 'INVALID_OPTIONS' }],
    [{ tls: { certificateFile: 'gateway.json', keyFile: 'me.key' } }, { code: 'INVALID_OPTIONS' }],
  ];
  for (const [change, error] of unusable) {
    const config = put('unusable.json', JSON.stringify({ ...content, ...change }));
    await assert.rejects(check(config, '--check'), error, JSON.stringify(change));
  }
  await assert.rejects(runCommand(gatewayCommand, ['--check']), { code: 'USAGE' });
});
