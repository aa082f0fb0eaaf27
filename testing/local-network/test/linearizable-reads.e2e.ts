import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type ApplicationClient, type KeyValueClient, SdkError } from '@concordat/sdk';
import { LocalNetwork, type LocalNode, waitUntil } from '../index.ts';

let network: LocalNetwork;
const open: { close(): void }[] = [];

before(async () => {
  network = await LocalNetwork.start({ record: true });
});

after(async () => {
  for (const client of open) client.close();
  await network?.end();
});

async function keyvalue(node: LocalNode): Promise<KeyValueClient> {
  const client = await network.keyvalue(node);
  open.push(client);
  return client;
}

async function application(node: LocalNode): Promise<ApplicationClient> {
  const client = await network.application(node);
  open.push(client);
  return client;
}

const numberIn = (value: Buffer | undefined): number => Number(value?.toString() ?? -1);

/** Writes until a node takes it: for the time after a change of leaders. */
async function writeAt(client: KeyValueClient, key: string, value: string): Promise<void> {
  const attempt = async (): Promise<boolean> => {
    try {
      await client.promises.put(key, Buffer.from(value));
      return true;
    } catch (error) {
      if (error instanceof SdkError && !client.frames.isClosed) return false;
      throw error;
    }
  };
  await waitUntil(attempt, { what: `a write of ${key}` });
}

test('what was written through one node is read from every other one at once, 1,000 times', async (t) => {
  const clients = await Promise.all(network.nodes.map(keyvalue));
  let stale = 0;
  const startedMs = performance.now();
  for (let round = 1; round <= 1_000; round++) {
    const writer = round % clients.length;
    await clients[writer]?.promises.put('counter', Buffer.from(`${round}`));
    const others = clients.filter((_, at) => at !== writer);
    const reads = others.map(async ({ promises }) => {
      const committed = promises.get('counter');
      const fresh = promises.get('counter', 'linearizable');
      if (numberIn(await committed) !== round) stale += 1;
      return numberIn(await fresh);
    });
    assert.deepEqual(await Promise.all(reads), [round, round]);
  }
  const tookMs = Math.round(performance.now() - startedMs);
  t.diagnostic(`${stale} of 2,000 committed reads beside them were stale; ${tookMs} ms`);
});

test('the same holds over HTTP and JSON-RPC, through any node', async () => {
  const clients = await Promise.all(network.nodes.map(application));
  const consistency = 'linearizable';
  for (let round = 1; round <= 60; round++) {
    const writer = clients[round % clients.length] as ApplicationClient;
    await writer.request('/kv/http', { method: 'PUT', body: `${round}` });
    for (const client of clients) {
      const { body, json } = await client.request('/kv?prefix=http', { consistency });
      const { entries } = json as { entries: { value: string }[] };
      const value = Buffer.from(entries[0]?.value ?? '', 'base64');
      assert.equal(numberIn(value), round, body.toString());
      const call = { jsonrpc: '2.0', id: 1, method: 'eth_blockNumber', params: [] };
      const answer = await client.request('/eth', { json: call, consistency });
      assert.match((answer.json as { result: string }).result, /^0x/);
    }
  }
});

test('a node that does not hear of commits answers nothing older than them', async (t) => {
  const leader = await network.leader();
  const [follower] = (await network.followers()) as [LocalNode];
  const [writer, reader] = [await keyvalue(leader), await keyvalue(follower)];
  const way = network.proxies.find(({ name }) => name === `${follower.name} node`);
  assert.ok(way);
  let stale = 0;
  for (let round = 1; round <= 100; round++) {
    way.held = true;
    const reads: Promise<number>[] = [];
    try {
      await writer.promises.put('lag', Buffer.from(`${round}`));
      for (const kind of ['committed', 'linearizable'] as const) {
        reads.push(reader.promises.get('lag', kind).then(numberIn));
      }
      await reads[0];
    } finally {
      way.held = false;
    }
    const [committed, fresh] = await Promise.all(reads);
    assert.equal(fresh, round);
    if (committed !== round) stale += 1;
  }
  t.diagnostic(`${stale} of 100 committed reads beside them were stale`);
  assert.ok(stale > 0, 'the blocks did not reach the node before the question');
});

test('a leader that was stopped does not answer from before its successor, when it wakes', async (t) => {
  const clients = new Map<LocalNode, KeyValueClient>();
  for (const node of network.nodes) clients.set(node, await keyvalue(node));
  for (let round = 1; round <= 3; round++) {
    const former = await network.leader();
    const other = network.nodes.find((node) => node !== former) as LocalNode;
    const [reader, writer] = [clients.get(former), clients.get(other)] as KeyValueClient[];
    await writeAt(writer as KeyValueClient, 'stopped', `before ${round}`);
    former.signal('manager', 'SIGSTOP');
    let reads: Promise<string>[];
    try {
      await writeAt(writer as KeyValueClient, 'stopped', `after ${round}`);
      // Asked after the write was acknowledged: nothing older may come back.
      reads = Array.from({ length: 50 }, async () => {
        try {
          return `${await reader?.promises.get('stopped', 'linearizable')}`;
        } catch (error) {
          return (error as SdkError).code;
        }
      });
      await new Promise((resolve) => setTimeout(resolve, 50));
    } finally {
      former.signal('manager', 'SIGCONT');
    }
    const answers = new Set(await Promise.all(reads));
    t.diagnostic(`round ${round}: ${[...answers].join(', ')}`);
    for (const answer of answers) {
      assert.ok(
        ['LEADER_UNKNOWN', 'READ_NOT_CONFIRMED', `after ${round}`].includes(answer),
        answer,
      );
    }
    const isAnswered = async (): Promise<boolean> => {
      try {
        const value = await reader?.promises.get('stopped', 'linearizable');
        assert.equal(`${value}`, `after ${round}`);
        return true;
      } catch (error) {
        if (error instanceof SdkError && !reader?.frames.isClosed) return false;
        throw error;
      }
    };
    await waitUntil(isAnswered, { what: 'it to answer again' });
  }
});

test('a leader without followers refuses, while a committed read is answered; it recovers', async () => {
  const leader = await network.leader();
  const followers = await network.followers();
  const client = await keyvalue(leader);
  const http = await application(leader);
  await client.promises.put('alone', Buffer.from('1'));
  for (const node of followers) node.signal('manager', 'SIGSTOP');
  try {
    const outcome = http.connection.request({
      path: '/kv/alone',
      headers: { 'concordat-consistency': 'linearizable' },
    });
    assert.equal(`${await client.promises.get('alone')}`, '1');
    const { status, headers, body } = await outcome;
    assert.equal(status, 503, body.toString());
    assert.equal(headers['retry-after'], '1');
    assert.match(body.toString(), /LEADER_UNKNOWN|READ_NOT_CONFIRMED/);
  } finally {
    for (const node of followers) node.signal('manager', 'SIGCONT');
  }
  const again = async (): Promise<boolean> => {
    try {
      return `${await client.promises.get('alone', 'linearizable')}` === '1';
    } catch {
      return false;
    }
  };
  await waitUntil(again, { what: 'a linearizable read' });
});
