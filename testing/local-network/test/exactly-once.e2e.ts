import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { frontOffice } from '@concordat/cli';
import { type ApplicationAnswer, NetworkClient, newIdempotencyKey, SdkError } from '@concordat/sdk';
import { run } from '../commands.ts';
import { LocalNetwork, measurementOfImage, patienceMs, waitUntil } from '../index.ts';

const source = `
const number = (bytes) => bytes === undefined ? 0 : Number(ccf.bufToStr(bytes));
const add = (map, key) => {
  const count = number(map.get(ccf.strToBuf(key))) + 1;
  map.set(ccf.strToBuf(key), ccf.strToBuf(String(count)));
  return count;
};
export function count(request) {
  const { id } = request.body.json();
  const times = add(ccf.kv.times, id);
  return { body: { times, total: add(ccf.kv.totals, 'all') } };
}
export function read(request) {
  const times = {};
  ccf.kv.times.forEach((value, key) => { times[ccf.bufToStr(key)] = number(value); });
  return { body: { times, total: number(ccf.kv.totals.get(ccf.strToBuf('all'))) } };
}
`;

const endpoint = (js_function: string, mode: string) => ({
  js_module: 'counting.js',
  js_function,
  mode,
  authn_policies: ['user_cert'],
  forwarding_required: 'sometimes',
  redirection_strategy: 'none',
  openapi: {},
});

const bundle = {
  metadata: {
    endpoints: {
      '/counts': { post: endpoint('count', 'readwrite'), get: endpoint('read', 'readonly') },
    },
  },
  modules: [{ name: 'counting.js', module: source }],
};

const rounds = 4;
const writers = 8;
/** Between an answer and the next write: the ledger that every node reads again stays short. */
const pauseMs = 50;

/** What one write was told. */
interface Told {
  readonly key: string;
  readonly answer: ApplicationAnswer | undefined;
}

suite('writes of a network client while leaders are killed', { concurrency: false }, () => {
  let network: LocalNetwork;
  let directory: string;
  let client: NetworkClient;
  const told = new Map<string, Told>();
  let running = true;
  let writing: Promise<unknown>;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'concordat-once-'));
    const file = join(directory, 'bundle.json');
    writeFileSync(file, JSON.stringify(bundle));
    network = await LocalNetwork.start({
      workerImage: 'application',
      genesisData: { javascript: file },
    });
    const { manager, worker } = network.images;
    client = new NetworkClient({
      nodes: network.nodes.map(({ host, ports }) => `${host}:${ports.admin}`),
      networkCertificate: network.certificate,
      identity: await network.identity(frontOffice),
      timeoutMs: patienceMs,
      attemptTimeoutMs: 3_000,
      attestation: {
        pinned: {
          code: [
            { measurement: await measurementOfImage(manager), role: 'manager' },
            { measurement: await measurementOfImage(worker), role: 'worker' },
          ],
          platforms: ['virtual'],
        },
      },
    });
  });

  after(async () => {
    running = false;
    await writing?.catch(() => undefined);
    client?.close();
    await network?.end();
    rmSync(directory, { recursive: true, force: true });
  });

  const send = (id: string, key: string): Promise<ApplicationAnswer> =>
    client.request('/app/counts', { json: { id }, idempotencyKey: key });

  async function write(writer: number): Promise<void> {
    for (let at = 0; running; at++) {
      const [id, key] = [`${writer}-${at}`, newIdempotencyKey()];
      try {
        told.set(id, { key, answer: await send(id, key) });
      } catch (error) {
        if (!(error instanceof SdkError)) throw error;
        told.set(id, { key, answer: undefined });
      }
      await sleep(pauseMs);
    }
  }

  test('a node that does not run pinned code is not asked', async () => {
    const { manager } = network.images;
    const other = new NetworkClient({
      nodes: network.nodes.map(({ host, ports }) => `${host}:${ports.admin}`),
      networkCertificate: network.certificate,
      identity: await network.identity(frontOffice),
      timeoutMs: 2_000,
      attestation: {
        pinned: {
          code: [
            { measurement: await measurementOfImage(manager), role: 'manager' },
            { measurement: '0'.repeat(64), role: 'worker' },
          ],
          platforms: ['virtual'],
        },
      },
    });
    const allAreRefused = async (): Promise<boolean> => {
      const error = await other.request('/app/counts').then(
        () => assert.fail('a node was asked'),
        (thrown: unknown) => thrown,
      );
      assert.ok(error instanceof SdkError, String(error));
      const codes = Object.values((error.details.nodes ?? {}) as Record<string, string>);
      return codes.length === 3 && codes.every((code) => code === 'EVIDENCE_REFUSED');
    };
    await waitUntil(allAreRefused, { what: 'the evidence of every node to be refused' });
    other.close();
  });

  test('a command with a file of pinned code asks only a node that runs it', async () => {
    const [node] = network.nodes;
    const { manager, worker } = network.images;
    const codeOf = async (image: string, role: string) => ({
      measurement: await measurementOfImage(image),
      role,
    });
    const code = [await codeOf(manager, 'manager'), await codeOf(worker, 'worker')];
    const ask = (platforms: readonly string[]): string => {
      const file = join(directory, 'pinned.json');
      writeFileSync(file, JSON.stringify({ code, platforms }));
      const { layout } = network.sandbox;
      const { certificateFile, keyFile } = layout.identity(frontOffice);
      const main = join(import.meta.dirname, '../../../clients/cli/concordat.mjs');
      const address = `${node?.host}:${node?.ports.admin}`;
      const who = ['--certificate', certificateFile, '--key', keyFile];
      const where = ['--address', address, '--network-certificate', layout.networkCertificate];
      return run(
        process.execPath,
        main,
        'network',
        'show',
        ...where,
        ...who,
        '--pinned-code',
        file,
      );
    };
    assert.match(ask(['virtual']), /vn1/);
    assert.throws(() => ask(['sev-snp']), /EVIDENCE_REFUSED|not trusted/);
  });

  test('each takes effect once, and one that is sent again is answered as at first', async (t) => {
    writing = Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
    for (let round = 0; round < rounds; round++) {
      const before = told.size;
      await waitUntil(() => told.size > before + 50, { what: 'writes' });
      const leader = await network.leader();
      const formerId = leader.status?.nodeId as string;
      // At another moment of a batch each time.
      await sleep(Math.random() * 50);
      leader.signal(round % 2 === 0 ? 'manager' : 'worker-1', 'SIGKILL');
      await leader.rejoined(formerId);
    }
    running = false;
    await writing;
    const { json } = await client.request('/app/counts', { consistency: 'linearizable' });
    const { times, total } = json as { times: Record<string, number>; total: number };
    const answered = [...told].filter(([, { answer }]) => answer);
    t.diagnostic(`${answered.length} of ${told.size} writes answered over ${rounds} kills`);
    assert.equal(answered.length, told.size);
    for (const [id, count] of Object.entries(times))
      assert.equal(count, 1, `${id} ran ${count} times`);
    assert.equal(total, told.size);
    assert.deepEqual(new Set(Object.keys(times)), new Set(told.keys()));
    const totals = answered.map(
      ([, { answer }]) => (answer?.json as { total: number } | undefined)?.total,
    );
    assert.equal(new Set(totals).size, totals.length);
    const transactions = answered.map(([, { answer }]) => answer?.transactionId);
    assert.equal(new Set(transactions).size, totals.length);
    for (const [id, { key, answer }] of answered.slice(-200)) {
      const again = await send(id, key);
      assert.deepEqual(again.json, answer?.json);
      assert.equal(again.transactionId, answer?.transactionId);
    }
    const [, { answer }] = answered.at(-1) as [string, Told];
    await client.receipt(answer?.transactionId as string);
  });
});
