import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AnswerError, type AppClient, buildBundle, createClient, openApiOf } from '@concordat/app';
import { type BundleJson, deployApplication } from '@concordat/cli';
import { FakeSystem } from '@concordat/conformance';
import { LocalNetwork, waitUntil } from '@concordat/local-network';
import {
  type AdminClient,
  type ApplicationClient,
  type ReceiptJson,
  verifyReceipt,
} from '@concordat/sdk';
import entries from './entries.ts';

type Client = AppClient<typeof entries>;

/** Asks again while the past is being read. */
const patiently = <T>(ask: () => Promise<T>): Promise<T> =>
  waitUntil<T>(
    () =>
      ask().catch((error) => {
        assert.ok(['PastNotReady', 'PAST_NOT_READY'].includes(error.code), String(error));
        return undefined as never;
      }),
    { what: 'the past' },
  );

/** An application with types on three real nodes, deployed by vote. */
suite('an application with types on three nodes', { concurrency: false }, () => {
  let network: LocalNetwork;
  let members: AppClient<typeof entries>;
  const connections: ApplicationClient[] = [];
  const admins: AdminClient[] = [];
  const clients: Client[] = [];
  const client = (at: number): Client => clients[at % clients.length] as Client;

  before(async () => {
    network = await LocalNetwork.start({
      workerImage: 'application',
      adapters: { javascript: { maxRequestMs: 4_000, maxMemoryMebibytes: 300 } },
    });
    for (const node of network.nodes) {
      connections.push(await network.application(node));
      admins.push(await network.admin(node));
    }
    clients.push(...connections.map((connection) => createClient<typeof entries>(connection)));
    const [first] = network.nodes;
    assert.ok(first);
    const asMember = await network.application(first, first.organisation);
    connections.push(asMember);
    members = createClient<typeof entries>(asMember);
  });
  after(async () => {
    for (const connection of connections) connection.connection.close();
    for (const admin of admins) admin.close();
    await network?.end();
  });

  test('is built, voted in, and answers everywhere', async () => {
    const { bytes } = await buildBundle(fileURLToPath(new URL('entries.ts', import.meta.url)));
    const bundle = JSON.parse(Buffer.from(bytes).toString('utf8')) as BundleJson;
    const { proposalId } = await deployApplication(admins[0] as AdminClient, { bundle });
    for (const admin of admins) {
      if ((await admin.vote(proposalId, true)).state !== 'open') break;
    }
    for (const [at] of network.nodes.entries()) {
      const answers = () =>
        client(at)
          .call('GET /topics/{topic}/count', { params: { topic: 'none' } })
          .then(
            ({ body }) => body.count === 0,
            () => false,
          );
      await waitUntil(answers, { what: 'the application on every node' });
    }
    const { json } = await (connections[1] as ApplicationClient).request('/app/api');
    const told = Object.keys((json as { paths: object }).paths).sort();
    assert.deepEqual(
      Object.keys(openApiOf(entries).paths).filter(
        (path) => !told.includes(path) && !told.includes(`/app${path}`),
      ),
      [],
    );
  });

  test('calls a system that the constitution lists, and every node has what it heard', async () => {
    const system = await FakeSystem.open((request, answer, body) => {
      const { topic } = JSON.parse(body) as { topic: string };
      const { url, headers } = request;
      if (url === '/quotes/404') answer.writeHead(404).end();
      else answer.end(JSON.stringify({ text: `${topic} ${url} ${headers['idempotency-key']}` }));
    });
    try {
      const args = { ...system.entry({ name: 'quotes' }) };
      const [first] = admins;
      const proposed = await first?.propose([{ name: 'set_external_system', args }]);
      for (const admin of admins) {
        if ((await admin.vote(proposed?.proposalId ?? '', true)).state !== 'open') break;
      }
      await network.level();
      const quote = (at: number, number: number) =>
        client(at).call('POST /topics/{topic}/{number}/quote', {
          params: { topic: 'quoted', number },
        });
      for (const at of [0, 1, 2]) {
        const { body } = await quote(at, at);
        assert.equal(body.text, `quoted /quotes/${at} ${body.key}`);
        assert.equal(body.known, false);
      }
      assert.equal((await quote(1, 0)).body.known, true);
      await assert.rejects(quote(2, 404), { code: 'NoQuote', status: 404 });
      assert.equal(system.asked.length, 5);
      for (const connection of connections) {
        const options = { consistency: 'linearizable' } as const;
        const { json } = await connection.request('/app/topics/quoted/count', options);
        assert.deepEqual(json, { count: 3 });
      }
    } finally {
      system.close();
    }
  });

  test('gives pages on every node while others write, delete and are refused', async () => {
    const topic = 'a/ topic';
    const put = (at: number, number: number, text = `${number}`) =>
      client(at).call('PUT /topics/{topic}/{number}', {
        params: { topic, number },
        body: { text },
      });
    const steady = Array.from({ length: 60 }, (_, at) => (at - 30) * 10);
    await Promise.all(steady.map((number, at) => put(at, number)));
    // From here on every node shows all of them.
    for (const [at] of network.nodes.entries()) {
      const query = { params: { topic } };
      await client(at).call('GET /topics/{topic}/count', query, { consistency: 'linearizable' });
    }
    await assert.rejects(
      put(1, 0),
      (error) => error instanceof AnswerError && error.status === 409,
    );
    let isOver = false;
    let writes = 0;
    const writing = (async () => {
      for (; !isOver; writes++) {
        const number = ((writes * 7) % 590) - 299;
        if (number % 10 === 0) continue;
        await put(writes, number).catch((error) => assert.equal(error.code, 'EntryExists'));
        if (writes % 2 === 0) {
          await client(writes + 1).call('DELETE /topics/{topic}/{number}', {
            params: { topic, number },
          });
        }
      }
    })();
    for (let round = 0; round < 6; round++) {
      const seen: number[] = [];
      let token: string | undefined;
      do {
        // Each page from another node: a token is good for all of them.
        const { body } = await client(seen.length + round).call('GET /topics/{topic}', {
          params: { topic },
          query: { token, limit: 7 },
        });
        seen.push(...body.items.map(({ number }) => number));
        token = body.next;
      } while (token !== undefined);
      assert.deepEqual(
        seen.filter((number) => number % 10 === 0),
        steady,
      );
      assert.deepEqual(
        seen,
        [...new Set(seen)].sort((a, b) => a - b),
      );
    }
    isOver = true;
    await writing;
    assert.ok(writes > 10, `${writes} writes`);
  });

  test('shows its past: versions, the transactions of a key, one of them, a range, with receipts', async () => {
    const params = { topic: 'past', number: 1 };
    const add = (number: number, text: string) =>
      client(number).call('PUT /topics/{topic}/{number}', {
        params: { topic: 'past', number },
        body: { text },
      });
    const { transactionId } = await add(1, 'first');
    const seqno = Number(transactionId?.split('.')[1]);
    await client(1).call('DELETE /topics/{topic}/{number}', { params });
    await add(1, 'second');
    for (const [at] of network.nodes.entries()) {
      const written = await waitUntil(
        async () => {
          const { body } = await client(at).call('GET /topics/{topic}/{number}/written', {
            params,
          });
          return body.seqnos.length === 3 && body;
        },
        { what: 'the index of every node' },
      );
      assert.equal(written.seqnos[0], seqno);
      assert.equal(written.version, written.seqnos[2]);
      const asked = () => client(at).call('GET /past', {}, { transactionId });
      const { body } = await patiently(asked);
      assert.deepEqual([body.id, body.entries], [transactionId, [{ number: 1, text: 'first' }]]);
      const { networkCertificate } = network.sandbox;
      const verdict = verifyReceipt(body.receipt as ReceiptJson, networkCertificate);
      assert.ok(verdict.ok && verdict.transactionId === transactionId, JSON.stringify(verdict));
      const query = { from: seqno, to: written.seqnos[2] as number };
      const range = await patiently(() => client(at).call('GET /range', { query }));
      const texts = range.body.filter(({ texts: { length } }) => length > 0);
      assert.deepEqual(
        texts.map(({ texts: [text] }) => text),
        ['first', 'second'],
      );
    }
  });

  test('knows who presents a token of an issuer that was voted in', async () => {
    const issuer = 'https://tokens.example';
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1' }] };
    const action = { name: 'set_jwt_issuer', args: { issuer, jwks } };
    const { proposalId } = await (admins[0] as AdminClient).propose([action] as never);
    for (const admin of admins) {
      if ((await admin.vote(proposalId, true)).state !== 'open') break;
    }
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const nbf = Math.floor(Date.now() / 1_000) - 60;
    const exp = nbf + 660;
    const text = `${part({ alg: 'ES256', kid: 'k1' })}.${part({ iss: issuer, sub: 'eve', nbf, exp })}`;
    const key = { key: privateKey, dsaEncoding: 'ieee-p1363' } as const;
    const signature = sign('sha256', Buffer.from(text), key).toString('base64url');
    const headers = { authorization: `Bearer ${text}.${signature}` };
    for (const [at] of network.nodes.entries()) {
      let seen: unknown;
      const ask = () => client(at).call('GET /subject', {}, { headers });
      const { body } = await waitUntil(
        () =>
          ask().catch((error) => {
            seen = error.message;
            return undefined;
          }),
        {
          what: 'the issuer on every node',
          seen: () => seen,
        },
      );
      assert.deepEqual([body.subject, body.issuer], ['eve', issuer]);
      await assert.rejects(client(at).call('GET /subject'), { code: 'POLICY_NOT_MET' });
    }
  });

  test('moves what it scans in one transaction, and makes receipts of claims', async () => {
    const params = { topic: 'a/ topic', to: 'b' };
    const before = await client(0).call(
      'GET /topics/{topic}/count',
      { params },
      { consistency: 'linearizable' },
    );
    const { body, transactionId } = await members.call('POST /topics/{topic}/moves/{to}', {
      params,
    });
    assert.equal(body.moved, before.body.count);
    for (const [at] of network.nodes.entries()) {
      const count = async (topic: string) =>
        (
          await client(at).call(
            'GET /topics/{topic}/count',
            { params: { topic } },
            { consistency: 'linearizable' },
          )
        ).body.count;
      assert.deepEqual([await count('a/ topic'), await count('b')], [0, body.moved]);
    }
    assert.match(String(transactionId), /^\d+\.\d+$/);
    await assert.rejects(client(0).call('POST /topics/{topic}/moves/{to}', { params }), {
      code: 'POLICY_NOT_MET',
    });
  });
});
