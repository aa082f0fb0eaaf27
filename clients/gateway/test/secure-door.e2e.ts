import assert from 'node:assert/strict';
import { get } from 'node:https';
import { after, before, suite, test } from 'node:test';
import { createGateway, type Gateway, type GatewayOptions } from '@concordat/gateway';
import { FakeNetwork, freeAddress } from '../../sdk/test/fake-network.ts';
import { providerSettings } from './front-end.ts';
import { OpenIdProvider } from './openid-provider.ts';

suite('a door with a certificate', { concurrency: false }, () => {
  const network = new FakeNetwork();
  const { key, cert } = network.nodeCredentials();
  let publicUrl: string;
  let options: GatewayOptions;
  let provider: OpenIdProvider;
  let gateway: Gateway;

  before(async () => {
    const address = await freeAddress();
    publicUrl = `https://${address}`;
    provider = await OpenIdProvider.start({ publicUrl });
    options = {
      listen: address,
      targets: ['127.0.0.1:1'],
      identity: network.member,
      networkCertificate: network.certificate,
      tls: { certificate: cert, key },
      endUsers: {
        publicUrl,
        allowedOrigins: [],
        providers: [providerSettings(provider.issuer)],
        paths: [{ path: '/*', access: 'signed-in' }],
        sessions: {
          max: 10,
          maxPerEndUser: 10,
          lifetimeSeconds: 600,
          idleSeconds: 600,
          refreshSeconds: 60,
        },
        returnTo: ['/me'],
      },
    };
    gateway = await createGateway(options);
  });
  after(async () => {
    await gateway?.close(0);
    await provider?.close();
  });

  test('gives cookies that only https carries, to this host alone', async () => {
    assert.equal(gateway.url, publicUrl);
    const headers = await new Promise<NodeJS.Dict<string | string[]>>((resolve, reject) => {
      const asked = get(`${publicUrl}/login`, { rejectUnauthorized: false, agent: false });
      asked.on('response', (answer) => {
        answer.resume();
        resolve(answer.headers);
      });
      asked.on('error', reject);
    });
    const [cookie = ''] = headers['set-cookie'] ?? [];
    assert.match(
      cookie,
      /^__Host-concordat-sign-in=.*; Path=\/; .*HttpOnly; SameSite=Lax; Secure$/,
    );
    const to = new URL(String(headers.location));
    assert.equal(to.searchParams.get('redirect_uri'), `${publicUrl}/callback`);
  });

  test('is asked for where others than this machine could listen in', async () => {
    const { tls: _, ...plain } = options;
    for (const listen of ['0.0.0.0:0', '[::]:0', 'front.example:0']) {
      await assert.rejects(
        createGateway({ ...plain, listen }),
        { code: 'INVALID_OPTIONS' },
        listen,
      );
    }
    const opened = await createGateway({ ...plain, listen: '127.0.0.1:0' });
    await opened.close(0);
  });
});
