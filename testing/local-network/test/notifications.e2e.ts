import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import type { EventLine } from '@concordat/api';
import type { GovernanceEvent } from '@concordat/governance';
import { type AdminClient, NetworkClient } from '@concordat/sdk';
import { parseTransactionId } from '@concordat/std';
import { LocalNetwork, type LocalNode, patienceMs, waitUntil } from '../index.ts';

type Line = EventLine<GovernanceEvent>;

let network: LocalNetwork;
let vn1: LocalNode;
let vn2: LocalNode;
let vn3: LocalNode;

before(async () => {
  network = await LocalNetwork.start({ policies: { snapshotBlocks: 20 } });
  [vn1, vn2, vn3] = network.nodes as [LocalNode, LocalNode, LocalNode];
});

after(() => network?.end());

async function as<Result>(node: LocalNode, call: (admin: AdminClient) => Promise<Result>) {
  const admin = await network.admin(node);
  return call(admin).finally(() => admin.close());
}

const firstDelay = 5;
let delay = firstDelay;

/** A policy is changed by the votes of the first two members; the seqno of the deciding vote. */
async function change(): Promise<number> {
  delay += 1;
  const action = { name: 'set_policy', args: { name: 'maxBatchDelayMs', value: delay } } as const;
  const { proposalId } = await as(vn1, (admin) => admin.propose([action]));
  await as(vn1, (admin) => admin.vote(proposalId, true));
  const { transactionId } = await as(vn3, (admin) => admin.vote(proposalId, true));
  return seqnoOf(transactionId);
}

const seqnoOf = (id: string): number => parseTransactionId(id)?.seqno as number;

/** Events from after a seqno, up to and with the one that changes the constitution at another. */
async function eventsBetween(node: LocalNode, since: number, last: number): Promise<Line[]> {
  return as(node, async (admin) => {
    const lines: Line[] = [];
    const signal = AbortSignal.timeout(patienceMs);
    for await (const line of admin.events({ since, signal })) {
      lines.push(line);
      const isLast = line.event.event === 'constitution-changed';
      if (isLast && seqnoOf(line.transactionId) >= last) return lines;
    }
    throw new Error(`node ${node.name} told ${lines.length} events, not the one of ${last}`);
  });
}

test('every node tells the whole of governance from the beginning, with who did what', async () => {
  const last = await change();
  const told = await eventsBetween(vn1, 0, last);
  for (const node of [vn2, vn3]) assert.deepEqual(await eventsBetween(node, 0, last), told);
  const seqnos = told.map(({ transactionId }) => seqnoOf(transactionId));
  assert.deepEqual(
    seqnos,
    seqnos.toSorted((a, b) => a - b),
  );
  assert.equal(seqnos[0], 1);
  const kinds = new Set(told.map(({ event }) => event.event));
  for (const kind of ['actor-added', 'node-changed', 'epoch-begun', 'proposal'] as const) {
    assert.ok(kinds.has(kind), `no event says ${kind}`);
  }
  const own = told.filter((line) => line.event.event === 'proposal').slice(-3);
  const deeds = own.map(({ event }) => event.event === 'proposal' && event.by?.type);
  assert.deepEqual(deeds, ['proposal', 'vote', 'vote']);
  const states = own.map(({ event }) => event.event === 'proposal' && event.proposal.state);
  assert.deepEqual(states, ['open', 'open', 'accepted']);
});

test('a reader that comes again hears what it missed and nothing else', async () => {
  const first = await change();
  const last = await change();
  const told = await eventsBetween(vn2, first, last);
  assert.ok(told.every(({ transactionId }) => seqnoOf(transactionId) > first));
  assert.equal(told.filter(({ event }) => event.event === 'proposal').length, 3);
  // The last id a stream gave is one way to say it.
  const admin = await network.admin(vn2);
  const stop = new AbortController();
  const stream = await admin.connection.stream({
    path: '/gov/events',
    headers: { 'last-event-id': `1.${first}` },
    signal: stop.signal,
  });
  let text = '';
  const given = (): unknown[] =>
    [...text.matchAll(/^data: (.*)\n/gm)].map(([, json]) => JSON.parse(json as string));
  for await (const part of stream) {
    text += String(part);
    if (given().length >= told.length) break;
  }
  stop.abort();
  admin.close();
  const data = given();
  assert.deepEqual(data.slice(0, told.length), told);
});

test('a watch goes on at another node when its own is killed, without a gap or a repetition', async () => {
  const identity = await network.identity(vn1.organisation);
  const client = new NetworkClient({
    nodes: network.nodes.map((node) => `127.0.0.1:${node.ports.admin}`),
    networkCertificate: network.certificate,
    identity,
  });
  const before = await change();
  const heard: string[] = [];
  const stop = new AbortController();
  const watching = (async () => {
    for await (const { event } of client.events({ since: before, signal: stop.signal })) {
      if (event.event === 'proposal') heard.push(`${event.proposal.proposalId} ${event.by?.type}`);
    }
  })();
  const expected: number[] = [];
  for (let round = 0; round < 4; round++) {
    expected.push(await change());
    if (round === 1) {
      // Whichever node tells: two of three go on after the one is killed.
      await vn2.kill();
      await network.leader();
    }
  }
  vn2.start();
  await waitUntil(() => heard.length >= 12, { what: '12 events', seen: () => heard });
  stop.abort();
  await watching;
  client.close();
  assert.equal(heard.length, 12, heard.join('\n'));
  assert.equal(new Set(heard.map((line) => line.split(' ')[0])).size, 4);
});

test('concordat network watch tells votes by name, of the past and as they happen', async () => {
  await change();
  const directory = mkdtempSync(join(tmpdir(), 'concordat-watch-'));
  const certificate = join(directory, 'network.pem');
  writeFileSync(certificate, network.certificate);
  const { certificateFile, keyFile } = network.sandbox.layout.identity(vn1.organisation);
  const main = join(import.meta.dirname, '../../../clients/cli/main.ts');
  const options = [
    '--address',
    `127.0.0.1:${vn1.ports.admin}`,
    '--network-certificate',
    certificate,
  ];
  options.push('--certificate', certificateFile, '--key', keyFile);
  const watch = spawn(process.execPath, [main, 'network', 'watch', '--since', '0', ...options], {
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const ended = new Promise((resolve) => watch.once('exit', resolve));
  createInterface({ input: watch.stdout }).on('line', (line) => lines.push(line));
  watch.stderr.on('data', (part) => lines.push(`error: ${part}`));
  const told = (what: string, count: number) =>
    waitUntil(() => lines.filter((line) => line.includes(what)).length >= count, {
      what: `${count} times "${what}"`,
      seen: () => lines.join('\n'),
    });
  try {
    const decided = '(set_policy): accepted';
    await told(decided, delay - firstDelay);
    await change();
    await told(decided, delay - firstDelay);
    const names = await as(vn1, (admin) => admin.constitution());
    const nameOf = async (node: LocalNode) => {
      const { actorId } = await network.identity(node.organisation);
      return names.constitution.actors.find((actor) => actor.actorId === actorId)?.name;
    };
    const [first, third] = [await nameOf(vn1), await nameOf(vn3)];
    assert.ok(first && third);
    const votes = lines.filter((line) => line.includes('set_policy')).slice(-3);
    const told3 = votes.map((line) => line.replace(/^\S+ \S+ +\S+ +/, ''));
    const [, id] = /proposal ([0-9a-f]+)/.exec(told3[0] ?? '') ?? [];
    assert.deepEqual(told3, [
      `${first} opened proposal ${id} (set_policy)`,
      `${first} accepted proposal ${id} (set_policy)`,
      `${third} accepted proposal ${id} (set_policy): accepted`,
    ]);
    const actor = lines.find((line) => line.includes(' is an actor'));
    assert.match(actor ?? '', / {2}\d+\.1 +/, 'the genesis is told');
    assert.equal(new Set(lines).size, lines.length, 'nothing is told twice');
  } finally {
    watch.kill('SIGINT');
    assert.equal(await ended, 0, lines.join('\n'));
    rmSync(directory, { recursive: true, force: true });
  }
});

test('what cannot be meant is refused, and streams are limited', async () => {
  await as(vn1, async (admin) => {
    const ask = (query: string, headers: Record<string, string> = {}) =>
      admin.connection.request({ path: `/gov/events${query}`, headers });
    for (const query of ['?since=-1', '?since=x', '?since=99999999999999']) {
      const { status, body } = await ask(query);
      assert.equal(status, 400);
      assert.equal(JSON.parse(body.toString()).error.code, 'INVALID_PARAMETER');
    }
    assert.equal((await ask('', { 'last-event-id': 'abc' })).status, 400);
  });
  const admins: AdminClient[] = [];
  const stop = new AbortController();
  try {
    const open = async () => {
      const admin = await network.admin(vn1);
      admins.push(admin);
      return admin.connection.stream({ path: '/gov/events', signal: stop.signal });
    };
    const streams = [];
    for (let count = 0; count < 16; count++) streams.push(await open());
    assert.ok(streams.every(({ statusCode }) => statusCode === 200));
    await assert.rejects(open(), { code: 'OVERLOADED' });
  } finally {
    stop.abort();
    for (const admin of admins) admin.close();
  }
});
