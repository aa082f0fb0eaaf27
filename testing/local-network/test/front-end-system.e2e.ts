import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { encodeEndUser, endUserHeader, transactionIdHeader } from '@concordat/api';
import { buildBundle, createClient } from '@concordat/app';
import { frontOffice } from '@concordat/cli';
import type { ApplicationClient, SdkError } from '@concordat/sdk';
import { codeOf } from '../../../clients/gateway/test/front-end.ts';
import { audience, OpenIdProvider } from '../../../clients/gateway/test/openid-provider.ts';
import { ScriptedBrowser, type Visit } from '../../../clients/gateway/test/scripted-browser.ts';
import { freeAddress } from '../../../clients/sdk/test/fake-network.ts';
import { LocalNetwork, waitUntil } from '../index.ts';
import type app from './front-desk-app.ts';

const main = fileURLToPath(new URL('../../../clients/cli/main.ts', import.meta.url));

/** The paper's figure 4: end users, a front-end system with a participant's identity, three nodes. */
suite('a front-end system before three nodes', { concurrency: false }, () => {
  let network: LocalNetwork;
  let provider: OpenIdProvider;
  let gateway: ChildProcess;
  let publicUrl: string;
  const directory = mkdtempSync(join(tmpdir(), 'concordat-front-end-'));
  const lines: string[] = [];
  const clients: ApplicationClient[] = [];

  before(async () => {
    const { bytes } = await buildBundle(
      fileURLToPath(new URL('front-desk-app.ts', import.meta.url)),
    );
    const bundle = join(directory, 'bundle.json');
    writeFileSync(bundle, bytes);
    network = await LocalNetwork.start({
      workerImage: 'application',
      adapters: { javascript: { maxRequestMs: 4_000, maxMemoryMebibytes: 300 } },
      genesisData: { javascript: bundle },
    });
    publicUrl = `http://${await freeAddress()}`;
    provider = await OpenIdProvider.start({ publicUrl });
    provider.accounts.set('alice', { name: 'Alice', groups: ['Tellers'] });
    provider.accounts.set('bob', { groups: ['Cooks'] });
    provider.accounts.set('carol', { groups: ['Tellers'] });
    await start(configuration());
  });

  after(async () => {
    for (const client of clients) client.connection.close();
    gateway?.kill('SIGTERM');
    if (gateway?.exitCode === null) await once(gateway, 'exit');
    await provider?.close();
    await network?.end();
    rmSync(directory, { recursive: true, force: true });
  });

  function configuration(): string {
    const files = network.sandbox.layout.identity(frontOffice);
    writeFileSync(join(directory, 'network.pem'), network.certificate);
    writeFileSync(join(directory, 'secret'), 'front:secret +\n');
    const file = join(directory, 'gateway.json');
    const content = {
      listen: publicUrl.slice('http://'.length),
      publicUrl,
      targets: network.nodes.map(({ host, ports }) => `${host}:${ports.application}`),
      networkCertificateFile: 'network.pem',
      identity: files,
      providers: {
        bank: {
          issuer: provider.issuer,
          roles: { Tellers: ['teller'] },
          everyone: ['customer'],
          browsers: {
            clientId: 'front',
            clientSecret: { file: 'secret' },
            scopes: ['openid', 'profile', 'groups'],
          },
          services: { audiences: [audience] },
        },
      },
      paths: [
        { path: '/app/payments/{id}', methods: ['POST'], access: ['teller'] },
        { path: '/app/payments/{id}', methods: ['GET'], access: 'signed-in' },
        { path: '/app/whoami', access: 'open' },
      ],
    };
    writeFileSync(file, JSON.stringify(content));
    return file;
  }

  async function start(file: string): Promise<void> {
    gateway = spawn(process.execPath, [main, 'gateway', '--config', file]);
    gateway.stderr?.on('data', (part) => lines.push(String(part)));
    const reader = createInterface({ input: gateway.stdout as NodeJS.ReadableStream });
    reader.on('line', (line) => lines.push(line));
    await waitUntil(() => lines.some((line) => line.startsWith('gateway at ')), {
      what: 'the gateway',
      seen: () => lines.join('\n'),
    });
  }

  const signedIn = async (as: string): Promise<ScriptedBrowser> => {
    const browser = new ScriptedBrowser();
    browser.as = as;
    const visit = await browser.open(`${publicUrl}/login`);
    assert.equal(visit.status, 200, visit.body);
    return browser;
  };

  const order = (browser: ScriptedBrowser, id: string, headers: Record<string, string> = {}) =>
    browser.ask(`${publicUrl}/app/payments/${id}`, {
      method: 'POST',
      headers: { origin: publicUrl, 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ amount: 7 }),
    });
  const shown = async (browser: ScriptedBrowser, id: string) =>
    JSON.parse((await browser.ask(`${publicUrl}/app/payments/${id}`)).body) as object;

  const direct = async (node: number, actor: string): Promise<ApplicationClient> => {
    const { name } = network.nodes[node] as { readonly name: string };
    const client = await network.sandbox.application(name, actor);
    clients.push(client);
    return client;
  };
  const refusal = (request: Promise<unknown>): Promise<string> =>
    request.then(
      () => 'answered',
      (error: SdkError) => error.code,
    );

  const ofAlice = () => ({
    amount: 7,
    participant: frontOffice,
    issuer: provider.issuer,
    subject: 'alice',
    roles: ['customer', 'teller'],
  });

  test('who signs in acts through the participant, and the ledger says for whom on every node', async () => {
    const alice = await signedIn('alice');
    const visit = await order(alice, 'p1');
    assert.deepEqual(JSON.parse(visit.body), { by: 'alice', count: 1 }, visit.body);
    assert.match(String(visit.headers[transactionIdHeader]), /^\d+\.\d+$/);
    assert.deepEqual(await shown(alice, 'p1'), ofAlice());
    for (const at of network.nodes.keys()) {
      const node = await direct(at, frontOffice);
      const { json } = await node.request('/app/payments/p1', { consistency: 'linearizable' });
      assert.deepEqual(json, ofAlice());
    }
  });

  test('roles let in and keep out, at the gateway before anything reaches a node', async () => {
    const bob = await signedIn('bob');
    assert.equal(codeOf(await order(bob, 'p2')), 'END_USER_ROLE_MISSING');
    assert.deepEqual(await shown(bob, 'p1'), ofAlice());
    assert.equal(codeOf(await order(new ScriptedBrowser(), 'p2')), 'SIGN_IN_REQUIRED');
    const open = await new ScriptedBrowser().ask(`${publicUrl}/app/whoami`, {
      headers: { [endUserHeader]: encodeEndUser({ issuer: 'i', subject: 's', roles: ['teller'] }) },
    });
    assert.deepEqual(JSON.parse(open.body), { name: frontOffice }, 'a forged claim is dropped');
    const known = await bob.ask(`${publicUrl}/app/whoami`);
    assert.deepEqual(JSON.parse(known.body), { name: frontOffice, subject: 'bob' });
  });

  test('services act with tokens, through a change of the provider’s keys', async () => {
    const asService = async (id: string, token: string): Promise<Visit> =>
      order(new ScriptedBrowser(), id, { authorization: `Bearer ${token}` });
    const visit = await asService('s1', await provider.clientCredentials());
    assert.equal((JSON.parse(visit.body) as { by: string }).by, 'service', visit.body);
    const former = await provider.token();
    const impostor = await provider.token({ aud: 'https://other.example' });
    assert.equal(codeOf(await asService('s2', impostor)), 'TOKEN_AUDIENCE_WRONG');
    await provider.rotate('k2');
    // A key that is not known is asked for, at most every ten seconds.
    await waitUntil(async () => (await asService('s2', await provider.token())).status === 200, {
      what: 'the new key',
    });
    assert.equal(codeOf(await asService('s3', former)), 'TOKEN_KEY_UNKNOWN');
  });

  test('the claim is the word of whose connection it came on, and a malformed one of nobody', async () => {
    const teller = { issuer: provider.issuer, subject: 'alice', roles: ['teller'] };
    const headers = { [endUserHeader]: encodeEndUser(teller) };
    const { organisation } = network.nodes[1] as { readonly organisation: string };
    for (const at of network.nodes.keys()) {
      const other = await direct(at, organisation);
      const { json } = await other.request('/app/whoami', { headers });
      assert.deepEqual(json, { name: organisation, subject: 'alice' }, 'attributed to who said it');
      const payment = { json: { amount: 1 }, headers };
      const forged = { params: { id: 'forged' }, body: { amount: 1 } };
      const typed = createClient<typeof app>(other);
      assert.equal(
        await refusal(typed.call('POST /payments/{id}', forged, { headers })),
        'AuthorizationFailed',
      );
      const own = await direct(at, frontOffice);
      for (const value of ['', 'e30', 'x'.repeat(5_000), `${headers[endUserHeader]}A`]) {
        for (const path of ['/app/whoami', '/app/payments/p9']) {
          const asked = own.request(path, {
            headers: { [endUserHeader]: value },
            ...(path.endsWith('p9') && { json: { amount: 1 } }),
          });
          assert.equal(await refusal(asked), 'END_USER_MALFORMED', `${path} ${value.slice(0, 9)}`);
        }
      }
      const { json: answer } = await own.request(`/app/payments/own-${at}`, payment);
      assert.equal(
        (answer as { by: string }).by,
        'alice',
        'a client of the participant may say it',
      );
    }
  });

  test('end users have idempotency keys of their own', async () => {
    const [alice, carol] = [await signedIn('alice'), await signedIn('carol')];
    const headers = { 'concordat-idempotency-key': 'order-1' };
    const first = await order(alice, 'keyed', headers);
    const second = await order(carol, 'keyed', headers);
    assert.equal((JSON.parse(first.body) as { by: string }).by, 'alice');
    assert.equal((JSON.parse(second.body) as { by: string }).by, 'carol');
    const again = await order(alice, 'keyed', headers);
    assert.equal(again.body, first.body);
    assert.equal(((await shown(alice, 'keyed')) as { subject: string }).subject, 'carol');
  });

  test('who is signed in stays so when the provider is away and a node is lost', async () => {
    const alice = await signedIn('alice');
    provider.failing = 'status';
    await network.nodes[0]?.kill();
    const count = await waitUntil(
      async () => {
        const visit = await order(alice, 'late');
        return visit.status === 200 && (JSON.parse(visit.body) as { count: number }).count;
      },
      { what: 'another node' },
    );
    assert.ok(Number(count) > 1);
    provider.failing = undefined;
  });

  test('the log says who came and went, and no secret', () => {
    const told = lines.join('\n');
    const events = lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
    const alice = events.find(
      ({ event, subject }) => event === 'gateway.signed-in' && subject === 'alice',
    );
    assert.deepEqual(alice.roles, ['customer', 'teller']);
    assert.ok(
      events.some(({ event, subject }) => event === 'gateway.role-missing' && subject === 'bob'),
    );
    assert.doesNotMatch(told, /front:secret/);
    assert.doesNotMatch(told, /eyJ[A-Za-z0-9_-]{20}/, 'nor a token');
  });
});
