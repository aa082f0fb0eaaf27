import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { auditLedger } from '@concordat/auditor';
import { type BundleJson, deployApplication } from '@concordat/cli';
import { type FakeAnswer, FakeSystem } from '@concordat/conformance';
import { type AdminClient, type ApplicationClient, SdkError } from '@concordat/sdk';
import { anotherSecond, freePort, LocalNetwork, RecordingProxy, waitUntil } from '../index.ts';

const source = `
const orders = ccf.kv.orders;
export async function orderCalls(request) {
  const { id, of, system = 'rates' } = request.body.json();
  const { status, body } = await concordat.external(system, {
    method: 'POST',
    path: '/rates/' + of,
    headers: { 'idempotency-key': request.idempotencyKey },
    body: { id, secret: 'marker-of-the-call' },
  });
  return { status, ...body.json() };
}
export function order(request) {
  const { id } = request.body.json();
  orders.set(ccf.strToBuf(id), ccf.jsonCompatibleToBuf(request.called));
  return { body: request.called };
}
export function plain(request) {
  orders.set(ccf.strToBuf(request.body.json().id), ccf.jsonCompatibleToBuf('plain'));
  return { body: true };
}
export function read(request) {
  const found = orders.get(ccf.strToBuf(request.params.id));
  return found === undefined ? { statusCode: 404, body: {} } : { body: ccf.bufToJsonCompatible(found) };
}
`;

const endpoint = (js_function: string, mode: string, concordat_calls?: string) => ({
  js_module: 'orders.js',
  js_function,
  mode,
  authn_policies: ['user_cert'],
  ...(concordat_calls !== undefined && { concordat_calls }),
});

const bundle: BundleJson = {
  metadata: {
    endpoints: {
      '/orders': { post: endpoint('order', 'readwrite', 'orderCalls') },
      '/plain': { post: endpoint('plain', 'readwrite') },
      '/orders/{id}': { get: endpoint('read', 'readonly') },
    },
  },
  modules: [{ name: 'orders.js', module: source }],
};

const answerOfSystem = 'marker-of-the-answer';
let hasHung = false;
const rates: FakeAnswer = (request, answer) => {
  if (request.url === '/rates/hang') return;
  if (request.url === '/rates/hang-once' && !hasHung) {
    hasHung = true;
    return;
  }
  if (request.url === '/rates/large') answer.end('a'.repeat(100_000));
  else {
    const key = request.headers['idempotency-key'];
    answer.end(JSON.stringify({ rate: 7, key, note: answerOfSystem }));
  }
};

/** An application of three organisations calls a system that their constitution lists. */
suite('systems outside of the network', { concurrency: false }, () => {
  let network: LocalNetwork;
  let system: FakeSystem;
  /** Between the hosts and the system: what passes here is what a host has spliced. */
  let proxy: RecordingProxy;
  let proxyPort: number;
  let changes = 0;
  const clients: ApplicationClient[] = [];
  const admins: AdminClient[] = [];

  before(async () => {
    system = await FakeSystem.open(rates);
    proxyPort = await freePort();
    proxy = await RecordingProxy.open('system', proxyPort, system.port);
    network = await LocalNetwork.start({
      workerImage: 'application',
      adapters: { javascript: { maxRequestMs: 4_000, maxMemoryMebibytes: 300 } },
    });
    for (const node of network.nodes) {
      clients.push(await network.application(node));
      admins.push(await network.admin(node));
    }
    const { proposalId } = await deployApplication(admins[1] as AdminClient, { bundle });
    await decide(proposalId);
    await waitUntil(
      () =>
        clients[0]?.request('/plain', { json: { id: 'first' } }).then(
          () => true,
          () => false,
        ) ?? false,
      { what: 'the application' },
    );
  });

  after(async () => {
    for (const one of clients) one.connection.close();
    for (const one of admins) one.close();
    proxy?.close();
    system?.close();
    await network?.end();
  });

  const decide = async (proposalId: string): Promise<void> => {
    for (const admin of admins) {
      if ((await admin.vote(proposalId, true)).state !== 'open') return;
    }
  };
  const change = async (
    name: 'set_external_system' | 'remove_external_system',
    args: Record<string, unknown>,
  ): Promise<void> => {
    if (name === 'remove_external_system') await anotherSecond();
    const proposed = await (admins[0] as AdminClient).propose([{ name, args }]);
    await decide(proposed.proposalId);
    await network.level();
  };
  const list = (given: Record<string, unknown> = {}): Promise<void> => {
    const origin = `https://localhost:${proxyPort}`;
    // The same message twice within a second is refused as a replay.
    changes += 1;
    const maxCalls = 20 + changes;
    return change('set_external_system', { ...system.entry({ origin, maxCalls }), ...given });
  };
  const order = async (at: number, body: Record<string, unknown>) => {
    const client = clients[at] as ApplicationClient;
    return (await client.request('/orders', { json: body })).json as Record<string, unknown>;
  };
  const codeOf = async (promise: Promise<unknown>): Promise<string> => {
    try {
      await promise;
    } catch (error) {
      assert.ok(error instanceof SdkError, String(error));
      return error.code;
    }
    return 'answered';
  };
  const readAll = (id: string) =>
    Promise.all(
      clients.map(async (client) => {
        const options = { consistency: 'linearizable' } as const;
        return (await client.request(`/orders/${id}`, options)).json;
      }),
    );

  test('a system that is not listed is not called', async () => {
    assert.equal(await codeOf(order(0, { id: 'early', of: 'eur' })), 'EXTERNAL_SYSTEM_NOT_LISTED');
    assert.equal(system.asked.length, 0);
  });

  test('one that is listed by vote is called once for a request, wherever it was sent, and every node has what it answered', async () => {
    await list();
    const { constitution } = await (admins[2] as AdminClient).constitution();
    assert.equal(constitution.externalSystems?.[0]?.name, 'rates');
    for (const at of [0, 1, 2]) {
      const before = system.asked.length;
      const id = `order-${at}`;
      const answered = await order(at, { id, of: 'eur' });
      assert.equal(answered.rate, 7);
      assert.match(String(answered.key), /^[0-9a-f]{64}$/);
      assert.equal(system.asked.length, before + 1);
      assert.deepEqual(await readAll(id), [answered, answered, answered]);
    }
    assert.deepEqual(JSON.parse(system.asked[0]?.body ?? ''), {
      id: 'order-0',
      secret: 'marker-of-the-call',
    });
  });

  test('the hosts carried nothing that can be read', async () => {
    const passed = Buffer.concat(proxy.streams);
    assert.ok(passed.length > 3_000, `${passed.length} bytes`);
    for (const marker of ['marker-of-the-call', answerOfSystem, '/rates/', 'idempotency-key']) {
      assert.ok(!passed.includes(marker), marker);
    }
  });

  test('a wrong certificate, a wrong name and no system at all are told apart', async () => {
    const other = await FakeSystem.open(rates, ['other.example']);
    try {
      await list({ origin: `https://localhost:${other.port}` });
      const wrongName = await codeOf(order(1, { id: 'x', of: 'eur' }));
      assert.equal(wrongName, 'EXTERNAL_CERTIFICATE_REFUSED');
      assert.equal(other.asked.length, 0);
    } finally {
      other.close();
    }
    await list({ certificates: [] });
    const wrongAuthority = await codeOf(order(1, { id: 'x', of: 'eur' }));
    assert.equal(wrongAuthority, 'EXTERNAL_CERTIFICATE_REFUSED');
    await list({ origin: `https://localhost:${await freePort()}` });
    assert.equal(await codeOf(order(1, { id: 'x', of: 'eur' })), 'EXTERNAL_UNREACHABLE');
    await list({ origin: 'https://no-such-host.invalid:443' });
    assert.equal(await codeOf(order(1, { id: 'x', of: 'eur' })), 'EXTERNAL_UNREACHABLE');
    await list({ adapters: ['ethereum'] });
    assert.equal(await codeOf(order(1, { id: 'x', of: 'eur' })), 'EXTERNAL_SYSTEM_NOT_LISTED');
  });

  test('a system that hangs or answers too much costs the call and writes nothing', async () => {
    await list({ timeoutMs: 500 });
    assert.equal(await codeOf(order(2, { id: 'x', of: 'hang' })), 'EXTERNAL_TIMEOUT');
    await list({ timeoutMs: 15_000, maxAnswerBytes: 1_000 });
    assert.equal(await codeOf(order(2, { id: 'x', of: 'large' })), 'EXTERNAL_ANSWER_TOO_LARGE');
    const client = clients[0] as ApplicationClient;
    await assert.rejects(client.request('/orders/x', { consistency: 'linearizable' }));
  });

  test('other requests are answered while calls hang', async (t) => {
    await list({ timeoutMs: 15_000 });
    const client = clients[0] as ApplicationClient;
    const timed = async (path = '/plain'): Promise<number[]> => {
      const times: number[] = [];
      for (let at = 0; at < 60; at++) {
        const beganMs = performance.now();
        await client.request(path, { json: { id: `timed-${at}`, of: 'eur' } });
        times.push(performance.now() - beganMs);
      }
      return times.sort((a, b) => a - b);
    };
    const calling = await timed('/orders');
    const alone = await timed();
    const before = system.asked.length;
    const hanging = Array.from({ length: 8 }, () => codeOf(order(1, { id: 'x', of: 'hang' })));
    await waitUntil(() => system.asked.length >= before + 8, { what: 'eight calls under way' });
    const ended = Promise.race(hanging);
    await Promise.race([client.request('/plain', { json: { id: 'beside' } }), ended]).then((one) =>
      assert.notEqual(typeof one, 'string', 'it was answered before any of the calls ended'),
    );
    const beside = await timed();
    await change('remove_external_system', { name: 'rates' });
    for (const code of await Promise.all(hanging)) {
      assert.match(code, /^EXTERNAL_(SYSTEM_NOT_LISTED|TIMEOUT)$/);
    }
    const told = (times: number[]) =>
      `p50 ${times[30]?.toFixed(1)}, most ${times[59]?.toFixed(1)} ms`;
    t.diagnostic(`each with a call ${told(calling)}`);
    t.diagnostic(`alone ${told(alone)}; beside eight hanging calls ${told(beside)}`);
  });

  test('a system that is removed by vote while it is called is cut off at once', async () => {
    await list({ timeoutMs: 15_000 });
    const before = system.asked.length;
    const hanging = codeOf(order(1, { id: 'x', of: 'hang' }));
    await waitUntil(() => system.asked.length > before, { what: 'the call' });
    await change('remove_external_system', { name: 'rates' });
    assert.equal(await hanging, 'EXTERNAL_SYSTEM_NOT_LISTED');
    await waitUntil(() => system.open === 0, { what: 'no connection left' });
    assert.equal(await codeOf(order(0, { id: 'x', of: 'eur' })), 'EXTERNAL_SYSTEM_NOT_LISTED');
  });

  test('when the leader is lost during a call the client may ask again, and a keyed request is called again with its key', async () => {
    await list({ timeoutMs: 15_000 });
    const { name: leader } = await network.leader();
    const at = network.nodes.findIndex(({ name }) => name !== leader);
    const client = clients[at] as ApplicationClient;
    const before = system.asked.length;
    const lost = codeOf(client.request('/orders', { json: { id: 'again', of: 'hang' } }));
    const keyed = client.request('/orders', {
      json: { id: 'keyed', of: 'hang-once' },
      idempotencyKey: 'order-of-today',
    });
    await waitUntil(() => system.asked.length >= before + 2, { what: 'both calls' });
    await network.node(leader).kill();
    const code = await lost;
    assert.ok(['TRANSACTION_UNKNOWN', 'TRANSACTION_LOST'].includes(code), code);
    const { key } = (await keyed).json as { key: string };
    const keys = system.asked.filter(({ line }) => line.endsWith('hang-once'));
    assert.ok(keys.length >= 2, `${keys.length} calls`);
    assert.deepEqual(new Set(keys.map((one) => one.key)), new Set([key]));
    assert.equal((await order(at, { id: 'again', of: 'eur' })).rate, 7);
  });

  test('the votes about it are executed anew by an auditor without a defect', async () => {
    const other = network.nodes.find(({ isUp }) => isUp);
    await network.stop();
    const report = await auditLedger({
      directory: other?.ledgerDirectory ?? '',
      networkCertificate: network.certificate,
    });
    assert.deepEqual(
      report.classes.filter(({ first }) => first),
      [],
    );
  });
});
