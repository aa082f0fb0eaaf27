import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { describe, it, type TestContext } from 'node:test';
import { errorBody } from '@concordat/api';
import { createSigningKey, nodeIdOf } from '@concordat/crypto';
import { NetworkClient, type NetworkOptions, type NodeAddresses, SdkError } from '@concordat/sdk';
import { evidenceAnswer, type Lies, pinned } from './fake-evidence.ts';
import {
  FakeNetwork,
  type FakeServer,
  freeAddress,
  startNode,
  startPlain,
  valid,
} from './fake-network.ts';

const network = new FakeNetwork();

/** What the application port of one node was asked. */
interface Asked {
  readonly node: number;
  readonly method: string | undefined;
  readonly key: string | undefined;
}

/** Nodes that hear each other by being in one process. */
class Cluster {
  leader = 0;
  readonly asked: Asked[] = [];
  /** How node `at` answers an application; default 200. */
  serve: (at: number, request: IncomingMessage, response: ServerResponse) => void = (
    _at,
    _request,
    response,
  ) => {
    response.setHeader('x-ms-ccf-transaction-id', '2.7');
    response.end('{"ok":true}');
  };
  /** What node `at` says of the network; default the truth. */
  tell: (at: number) => unknown = () => this.state();
  /** What streams of events carry. */
  watch: (response: ServerResponse, since: string | null) => void = () => {};
  /** How node `at` lies in its evidence. */
  lies: (at: number) => Lies = () => ({});
  readonly nodes: {
    key: ReturnType<typeof createSigningKey>;
    admin: FakeServer;
    app: FakeServer;
  }[] = [];
  #client: NetworkClient | undefined;

  async add(): Promise<void> {
    const at = this.nodes.length;
    const key = createSigningKey(randomBytes(32));
    const tls = network.nodeCredentials(valid, key);
    const admin = await startNode({
      network,
      tls,
      hearsAnybody: true,
      handle: this.#admin(at, key),
    });
    const app = await startNode({
      network,
      tls,
      handle: (request, response) => {
        const header = request.headers['concordat-idempotency-key'];
        this.asked.push({ node: at, method: request.method, key: header as string | undefined });
        request.resume();
        this.serve(at, request, response);
      },
    });
    this.nodes.push({ key, admin, app });
  }

  #admin(at: number, key: ReturnType<typeof createSigningKey>): RequestListener {
    return (request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'https://node');
      const nonce = searchParams.get('nonce') as string;
      if (pathname === '/gov/events') {
        response.flushHeaders();
        this.watch(response, searchParams.get('since'));
        return;
      }
      if (pathname === '/node/commit') {
        response.end(JSON.stringify({ transaction_id: '2.4' }));
        return;
      }
      const answer =
        pathname === '/node/evidence' ? evidenceAnswer(key, nonce, this.lies(at)) : this.tell(at);
      response.end(JSON.stringify(answer));
    };
  }

  state() {
    return {
      status: 'ok',
      networkId: 'f'.repeat(64),
      networkCertificate: network.certificate,
      leader: this.id(this.leader),
      nodes: this.nodes.map(({ admin, app }, at) => ({
        nodeId: this.id(at),
        status: 'trusted',
        adminAddress: admin.address,
        applicationAddresses: [app.address],
      })),
    };
  }

  id(at: number): string | undefined {
    const key = this.nodes[at]?.key;
    return key && nodeIdOf(key.publicKeySpki);
  }

  client(options: Partial<NetworkOptions> = {}): NetworkClient {
    this.#client = new NetworkClient({
      nodes: this.nodes.map(({ admin }) => admin.address),
      networkCertificate: network.certificate,
      identity: network.member,
      timeoutMs: 60_000,
      attemptTimeoutMs: 2_000,
      ...options,
    });
    return this.#client;
  }

  async stop(): Promise<void> {
    this.#client?.close();
    await Promise.all(this.nodes.flatMap(({ admin, app }) => [admin.close(), app.close()]));
  }
}

async function start(t: TestContext, count = 3): Promise<Cluster> {
  const cluster = new Cluster();
  for (let at = 0; at < count; at++) await cluster.add();
  t.after(() => cluster.stop());
  return cluster;
}

const write = { method: 'POST', json: {} } as const;

const refuse = (response: ServerResponse, code: Parameters<typeof errorBody>[0], status = 503) => {
  response.statusCode = status;
  response.end(JSON.stringify(errorBody(code)));
};

describe('a client of a network', () => {
  it('sends writes to the leader and spreads reads over all nodes', async (t) => {
    const cluster = await start(t);
    cluster.leader = 1;
    const client = cluster.client({ nodes: [cluster.nodes[2]?.admin.address as string] });
    for (let at = 0; at < 6; at++) {
      assert.equal((await client.request('/w', write)).transactionId, '2.7');
      await client.request('/r');
    }
    const writers = cluster.asked.filter(({ method }) => method === 'POST');
    assert.deepEqual(new Set(writers.map(({ node }) => node)), new Set([1]));
    assert.equal(new Set(writers.map(({ key }) => key)).size, 6);
    const readers = cluster.asked.filter(({ method }) => method === 'GET');
    assert.deepEqual(new Set(readers.map(({ node }) => node)), new Set([0, 1, 2]));
    assert.ok(readers.every(({ key }) => key === undefined));
  });

  it('repeats a write under the same key elsewhere when its outcome is unknown', async (t) => {
    const cluster = await start(t);
    for (const fault of [
      (response: ServerResponse) => response.destroy(),
      (response: ServerResponse) => refuse(response, 'TRANSACTION_UNKNOWN'),
      (response: ServerResponse) => refuse(response, 'TRANSACTION_LOST'),
      () => {},
    ]) {
      cluster.asked.length = 0;
      cluster.serve = (at, _request, response) => {
        if (at === 0) fault(response);
        else response.end('{}');
      };
      const client = cluster.client();
      await client.request('/w', write);
      client.close();
      assert.equal(cluster.asked.length, 2);
      assert.equal(cluster.asked[0]?.key, cluster.asked[1]?.key);
      assert.ok(cluster.asked[0]?.key);
      assert.notEqual(cluster.asked[1]?.node, 0);
    }
  });

  it('never repeats a write without a key whose outcome is unknown', async (t) => {
    const cluster = await start(t);
    cluster.serve = (_at, _request, response) => response.destroy();
    const client = cluster.client();
    const once = { ...write, idempotencyKey: 'none' } as const;
    await assert.rejects(client.request('/w', once), { code: 'CONNECTION_LOST' });
    cluster.serve = () => {};
    await assert.rejects(client.request('/w', { ...once, timeoutMs: 2_000 }), { code: 'TIMEOUT' });
    assert.equal(cluster.asked.length, 2);
    cluster.serve = (at, _request, response) => {
      if (at === cluster.asked.at(0)?.node) refuse(response, 'NODE_STOPPING');
      else response.end('{}');
    };
    await client.request('/w', once);
  });

  it('follows the leader when it changes, and does without one that is gone', async (t) => {
    const cluster = await start(t);
    const client = cluster.client();
    await client.request('/w', write);
    await cluster.nodes[0]?.app.close();
    await cluster.nodes[0]?.admin.close();
    cluster.leader = 2;
    for (let at = 0; at < 5; at++) await client.request('/w', write);
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    cluster.asked.length = 0;
    cluster.serve = (at, _request, response) => {
      if (cluster.asked.length === 1) refuse(response, 'OVERLOADED');
      else response.end(`{"by":${at}}`);
    };
    for (let at = 0; at < 8; at++) await client.request('/w', write);
    assert.equal(cluster.asked.at(-1)?.node, 2);
    cluster.nodes.shift();
  });

  it('does without nodes that accept connections and never speak', async (t) => {
    const cluster = await start(t);
    const silent = await startPlain(() => {});
    t.after(() => silent.close());
    const client = cluster.client({
      nodes: [cluster.nodes[1]?.admin.address as string, silent.address],
    });
    assert.equal((await client.request('/r')).status, 200);
  });

  it('says nothing to a node that runs other code, and is served by the others', async (t) => {
    const cluster = await start(t);
    cluster.lies = (at) => (at === 0 ? { measurement: 'c3'.repeat(32) } : {});
    const client = cluster.client({ attestation: { pinned } });
    for (let at = 0; at < 6; at++) {
      await client.request('/w', write);
      await client.request('/r');
    }
    assert.ok(cluster.asked.every(({ node }) => node !== 0));
    assert.equal(cluster.asked.length, 12);
    cluster.lies = () => ({ measurement: 'c3'.repeat(32) });
    const late = cluster.client({ attestation: { pinned }, timeoutMs: 3_000 });
    await assert.rejects(late.request('/r'), (error) => {
      assert.ok(error instanceof SdkError && error.code === 'NO_NODE', String(error));
      const nodes = error.details.nodes as Record<string, string>;
      assert.deepEqual(new Set(Object.values(nodes)), new Set(['EVIDENCE_REFUSED']));
      return true;
    });
    assert.equal(cluster.asked.length, 12);
    client.close();
  });

  it('outlives nodes that tell nonsense of the network', async (t) => {
    const cluster = await start(t, 2);
    const [first] = cluster.nodes;
    for (const lie of [
      null,
      'x',
      { ...cluster.state(), nodes: {} },
      { ...cluster.state(), nodes: Array(1_025).fill({}) },
      { ...cluster.state(), nodes: [{ status: 'trusted', adminAddress: 7 }] },
      {
        ...cluster.state(),
        nodes: [{ status: 'trusted', adminAddress: 'x', applicationAddresses: 'y' }],
      },
      { ...cluster.state(), networkCertificate: new FakeNetwork('other').certificate },
      { ...cluster.state(), networkCertificate: 7 },
      { ...cluster.state(), nodes: [], leader: { x: 1 } },
    ]) {
      cluster.tell = (at) => (at === 0 ? lie : cluster.state());
      const named: NodeAddresses = {
        admin: first?.admin.address as string,
        application: first?.app.address as string,
      };
      const client = cluster.client({ nodes: [named, cluster.nodes[1]?.admin.address as string] });
      assert.equal((await client.request('/r')).status, 200, JSON.stringify(lie)?.slice(0, 80));
      client.close();
    }
  });

  it('gives up in time, saying why', async (t) => {
    const cluster = await start(t, 2);
    cluster.serve = (_at, _request, response) => refuse(response, 'OVERLOADED');
    const client = cluster.client({ timeoutMs: 2_000 });
    await assert.rejects(client.request('/w', write), { code: 'OVERLOADED' });
    assert.ok(cluster.asked.length > 2 && cluster.asked.length < 40, `${cluster.asked.length}`);
    const nobody = new NetworkClient({
      nodes: [await freeAddress()],
      networkCertificate: network.certificate,
      timeoutMs: 300,
    });
    await assert.rejects(nobody.request('/r'), { code: 'NO_NODE' });
    await assert.rejects(
      nobody.read((admin) => admin.state()),
      { code: 'NO_NODE' },
    );
    nobody.close();
    await assert.rejects(nobody.request('/r'), { code: 'CLOSED' });
  });

  it('passes on at once what another node would say as well', async (t) => {
    const cluster = await start(t);
    cluster.serve = (_at, _request, response) => refuse(response, 'NOT_FOUND', 404);
    await assert.rejects(cluster.client().request('/w', write), { code: 'NOT_FOUND' });
    assert.equal(cluster.asked.length, 1);
  });

  it('tells of a write whose first answer is not kept only its transaction', async (t) => {
    const cluster = await start(t);
    cluster.serve = (_at, _request, response) => {
      response.statusCode = 409;
      const body = errorBody('REQUEST_ALREADY_EXECUTED', undefined, { transactionId: '2.9' });
      response.end(JSON.stringify(body));
    };
    const { answerLost, transactionId, status } = await cluster.client().request('/w', write);
    assert.deepEqual(
      { answerLost, transactionId, status },
      {
        answerLost: true,
        transactionId: '2.9',
        status: 200,
      },
    );
  });

  it('stops when its caller gives up', async (t) => {
    const cluster = await start(t);
    cluster.serve = () => {};
    const signal = AbortSignal.timeout(100);
    const client = cluster.client({ attemptTimeoutMs: 5_000 });
    await assert.rejects(client.request('/w', { ...write, signal }), { code: 'CLOSED' });
  });
});

describe('the events of a network', () => {
  const line = (seqno: number, what: number): string =>
    `event: e\ndata: ${JSON.stringify({ transactionId: `2.${seqno}`, timeMs: 0, event: { what } })}\n\n`;

  it('go on at another node, where they left off, and none comes twice', async (t) => {
    const cluster = await start(t);
    const asked: unknown[] = [];
    cluster.watch = (response, since) => {
      asked.push(since);
      response.write(
        asked.length === 1
          ? line(5, 0) + line(7, 1) + line(7, 2)
          : // The whole of the last transaction again, and one more; this one began further back.
            line(5, 0) + line(7, 1) + line(7, 2) + line(7, 3) + line(8, 4),
      );
      if (asked.length < 3) setTimeout(() => response.destroy(), 20);
    };
    const abort = new AbortController();
    const told: unknown[] = [];
    for await (const event of cluster.client().events({ signal: abort.signal })) {
      told.push((event.event as unknown as { what: number }).what);
      if (told.length === 5) abort.abort();
    }
    assert.deepEqual(told, [0, 1, 2, 3, 4]);
    assert.deepEqual(asked, ['4', '6']);
  });

  it('end with an error when no node is left, and at once when the caller is done', async (t) => {
    const cluster = await start(t, 1);
    cluster.watch = (response) => response.end('nonsense\n');
    const client = cluster.client({ timeoutMs: 300 });
    const all = client.events();
    cluster.tell = () => ({ error: { code: 'NODE_STOPPING', message: 'stops' } });
    await assert.rejects(all.next(), SdkError);
  });
});
