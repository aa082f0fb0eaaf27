import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ChannelToManager, encodeIdentity, formatEnclaveArguments } from '@concordat/bridge';
import { utf8 } from '@concordat/std';
import { type LedgerAdapter, runWorker, WorkerError } from '../index.ts';
import { type BridgeOptions, FakeBridge } from './fake-bridge.ts';

const adapter: LedgerAdapter = {
  id: 'toy',
  tables: [{ name: 'toy/words', kind: 'hash' }],
  endpoints: [
    {
      kind: 'http',
      path: '/word',
      methods: ['POST'],
      handle: async ({ body }, actor, host) => {
        const answer = await host.submit(body, actor);
        return { status: answer.ok ? 200 : 409, body: JSON.stringify(answer) };
      },
    },
  ],
  configure: () => {},
  admit: (raw) => ({ ok: true, transaction: raw }),
  execute: (set, batch) =>
    batch.map(({ transaction }) => {
      set.table('toy/words').set('word', transaction as Uint8Array);
      set.endTransaction();
      return { ok: true, result: 'written' };
    }),
};

async function open(t: TestContext, options: BridgeOptions = {}) {
  const bridge = await FakeBridge.open(options);
  t.after(() => bridge.close());
  const args = formatEnclaveArguments({ bridgeDirectory: bridge.directory, worker: 1 });
  return { bridge, ended: runWorker([adapter], args) };
}

const refusedWith = (code: string) => (error: unknown) =>
  error instanceof WorkerError && error.code === code;

describe('a worker enclave on its bridge', () => {
  it('attests itself, serves a client, and stops when the host asks', async (t) => {
    const done = Promise.withResolvers<string>();
    const seen: string[] = [];
    const answer = (message: ChannelToManager, bridge: FakeBridge): void => {
      seen.push(message.kind);
      if (message.kind === 'evidence') begin(bridge);
      if (message.kind === 'batch') {
        const { batch } = message;
        bridge.send({ kind: 'sealed', batch, view: 3, height: 9, firstSeqno: 40 });
        bridge.send({ kind: 'committed', height: 9 });
      }
      if (message.kind === 'streamData') done.resolve(Buffer.from(message.data).toString());
    };
    const { bridge, ended } = await open(t, { onMessage: answer });
    const response = await done.promise;
    assert.match(response, /^HTTP\/1\.1 200 OK/);
    assert.match(response, /"transactionId":"3\.40"/);
    assert.equal(seen[0], 'evidence');
    bridge.shutDown();
    await ended;
    assert.ok(bridge.logs.some(({ event }) => event === 'worker.started'));
  });

  function begin(bridge: FakeBridge): void {
    const identity = { name: 'a', kinds: [], roles: [], subject: 'a' };
    const hex = 'd'.repeat(64);
    const presented = { serial: '', isStaff: false, fingerprint: hex, certificate: '' };
    const record = encodeIdentity({ ...identity, actorId: hex, ...presented });
    bridge.send({ kind: 'configure', json: utf8('{"adapters":{},"policies":{}}') });
    bridge.send({ kind: 'role', leader: true, view: 3, json: utf8('{}') });
    bridge.send({ kind: 'start' });
    bridge.send({ kind: 'streamOpen', id: 1, identity: record });
    const data = utf8('POST /word HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi');
    bridge.send({ kind: 'streamData', id: 1, data });
  }

  for (const [what, options] of [
    ['that another machine vouches for', { foreignManager: true }],
    ['whose evidence is over another key', { unboundManager: true }],
    ['that speaks before it is attested', { hastyManager: true }],
  ] as const) {
    it(`gives nothing to a manager ${what}`, async (t) => {
      const seen: string[] = [];
      const onMessage = ({ kind }: ChannelToManager) => seen.push(kind);
      const { ended } = await open(t, { ...options, onMessage });
      await assert.rejects(ended, refusedWith('EVIDENCE_REFUSED'));
      assert.deepEqual(
        seen.filter((kind) => kind !== 'evidence'),
        [],
      );
    });
  }

  it('ends when the host has no evidence for it', async (t) => {
    const { ended } = await open(t, { noEvidence: true });
    await assert.rejects(ended, refusedWith('HOST_REFUSED'));
  });

  it('ends when it is told to run an adapter its image does not hold', async (t) => {
    const { ended } = await open(t, { adapters: ['other'] });
    await assert.rejects(ended, refusedWith('INVALID_START'));
  });

  it('says to manager and host why it cannot go on, before it ends', async (t) => {
    const last: ChannelToManager[] = [];
    const onMessage = (message: ChannelToManager, bridge: FakeBridge) => {
      last.push(message);
      if (message.kind === 'evidence') {
        bridge.send({ kind: 'configure', json: utf8('no json') });
        // What comes after is not acted on.
        bridge.send({ kind: 'role', leader: true, view: 3, json: utf8('{}') });
      }
      if (message.kind === 'failed') bridge.dropManager();
    };
    const { bridge, ended } = await open(t, { onMessage });
    await assert.rejects(ended, refusedWith('PROTOCOL'));
    assert.deepEqual(
      last.map(({ kind }) => kind),
      ['evidence', 'failed'],
    );
    const { code, message } = last[1] as { code: string; message: string };
    assert.equal(code, 'WorkerError PROTOCOL');
    const ending = () => bridge.logs.find(({ event }) => event === 'worker.ended');
    // It is on its way to the fake host, which shares this process.
    for (let waited = 0; !ending() && waited < 60_000; waited += 10) await sleep(10);
    const line = ending();
    assert.deepEqual([line?.error, line?.why], [code, message]);
    assert.equal(message, 'the configuration is not JSON');
  });

  it('ends although the manager takes no note of why', async (t) => {
    const onMessage = ({ kind }: ChannelToManager, bridge: FakeBridge) => {
      if (kind === 'evidence') bridge.send({ kind: 'configure', json: utf8('no json') });
    };
    const { ended } = await open(t, { onMessage });
    await assert.rejects(ended, refusedWith('PROTOCOL'));
  });

  it('ends when the manager goes', async (t) => {
    const onMessage = ({ kind }: ChannelToManager, bridge: FakeBridge) => {
      if (kind === 'evidence') bridge.dropManager();
    };
    const { ended } = await open(t, { onMessage });
    await assert.rejects(ended, refusedWith('CONNECTION_LOST'));
  });
});
