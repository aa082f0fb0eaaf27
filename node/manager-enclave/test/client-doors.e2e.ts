import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { connect as connectNet } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { reportData, type Verdict, verifyEvidence, virtualVerifier } from '@concordat/attestation';
import { createSigningKey, issueCertificate, sha256, toPem } from '@concordat/crypto';
import { canonicalJson, maxMessageBytes } from '@concordat/governance';
import { fromHex, toDigest } from '@concordat/std';
import { AdminServer } from '../admin-server.ts';
import { ApplicationListener } from '../application-listener.ts';
import { judgeClient } from '../client-identity.ts';
import { EvidenceDesk } from '../evidence-desk.ts';
import { ReceiptDesk } from '../receipt-desk.ts';
import type { StreamEvents } from '../worker-link.ts';
import {
  entropyOf,
  newNetwork,
  type Organisation,
  organisation,
  type TestNode,
} from './fixture.ts';

const member = organisation('member');
const stranger = organisation('stranger');
const expired = organisation('expired', 3_600_000);
const staffKey = createSigningKey(entropyOf('staff')(32));
const staff = toPem(
  issueCertificate({
    subject: { commonName: 'someone' },
    publicKeySpki: staffKey.publicKeySpki,
    issuer: { certificateDer: member.der, key: member.key },
    serial: Uint8Array.of(3),
    notBeforeMs: Date.now() - 1000,
    notAfterMs: Date.now() + 3_600_000,
    isCa: false,
    usages: ['clientAuth'],
  }),
);

/** What the node's worker proved. */
const worker: Verdict = {
  platform: 'virtual',
  measurement: 'b'.repeat(64),
  reportData: toDigest(new Uint8Array(32)),
  tcb: 'virtual-1',
  debug: false,
  platformKey: 'c'.repeat(64),
};

const streams: { events: StreamEvents; received: string; ended: boolean; closed: boolean }[] = [];
/** What the worker says to data: false asks the client to wait. */
let takes = true;
let directory: string;
let node: TestNode;
let application: ApplicationListener;
let admin: AdminServer;
const appPath = (): string => join(directory, 'app.sock');
const adminPath = (): string => join(directory, 'admin.sock');

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'doors-'));
  const { first } = await newNetwork([member, expired]);
  node = first;
  const credentials = {
    key: node.identity.signing.toPkcs8Pem(),
    certificate: node.administration.node(node.id)?.certificate as string,
  };
  const judge = (socket: TLSSocket) =>
    judgeClient(socket, node.administration.committedConstitution, Date.now());
  application = new ApplicationListener({
    path: appPath(),
    credentials,
    judge,
    worker: {
      openStream: (_identity, events) => {
        const stream = { events, received: '', ended: false, closed: false };
        streams.push(stream);
        return {
          data: (bytes) => {
            stream.received += Buffer.from(bytes).toString();
            return takes;
          },
          end: () => {
            stream.ended = true;
          },
          close: () => {
            stream.closed = true;
          },
        };
      },
    },
  });
  await application.listen();
  admin = new AdminServer({
    path: adminPath(),
    credentials,
    node,
    judge,
    desks: {
      governance: node.governance,
      receipts: new ReceiptDesk(node),
      evidence: new EvidenceDesk(node, () => [worker]),
      connections: () => application.connections,
    },
  });
  await admin.listen();
});

after(async () => {
  application.stop();
  admin.stop();
  await rm(directory, { recursive: true });
});

async function dial(path: string, who?: { key: string; cert: string }): Promise<TLSSocket> {
  const socket = connect({
    socket: connectNet(path),
    ca: node.network.certificate,
    servername: 'localhost',
    ...who,
  });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  return socket;
}

const as = ({ key, pem }: Organisation) => ({ key: key.toPkcs8Pem(), cert: pem });

async function readAll(socket: TLSSocket): Promise<string> {
  let text = '';
  socket.on('data', (data) => {
    text += data;
  });
  await once(socket, 'close');
  return text;
}

async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; waited < 400 && !condition(); waited++) await pause(5);
  assert(condition());
}

/** Sends raw bytes as a member over the administrative channel and reads the answer's start. */
async function raw(text: string, who = as(member)): Promise<string> {
  const socket = await dial(adminPath(), who);
  socket.write(text);
  const [data] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return data.toString();
}

interface Answer {
  readonly status: number;
  readonly code: string | undefined;
  readonly text: string;
}

async function ask(
  path: string,
  options: { method?: string; type?: string; body?: Uint8Array } = {},
): Promise<Answer> {
  const socket = await dial(adminPath(), as(member));
  const { method = 'GET', body, type = 'application/cose' } = options;
  const request = httpsRequest({
    createConnection: () => socket,
    method,
    path,
    ...(body && { headers: { 'content-type': type, 'content-length': body.length } }),
  });
  request.on('error', () => undefined);
  request.end(body);
  const [response] = await once(request, 'response');
  let text = '';
  for await (const part of response) text += part;
  socket.destroy();
  const code = text.startsWith('{') ? JSON.parse(text).error?.code : undefined;
  return { status: response.statusCode, code, text };
}

test('clients with no, a foreign or an expired certificate are told so, on both ports', async () => {
  for (const [who, code] of [
    [undefined, 'CLIENT_CERTIFICATE_REQUIRED'],
    [as(stranger), 'UNKNOWN_ACTOR'],
    [as(expired), 'CLIENT_CERTIFICATE_EXPIRED'],
  ] as const) {
    for (const path of [appPath(), adminPath()]) {
      const socket = await dial(path, who);
      socket.write('GET /node/state HTTP/1.1\r\nhost: x\r\n\r\n');
      const answer = await readAll(socket);
      assert.match(answer, /^HTTP\/1.1 401/);
      assert(answer.includes(code), answer);
    }
  }
  assert.equal(streams.length, 0);
});

test('garbage and half-open connections disturb nobody', async () => {
  const sockets = [appPath(), adminPath()].flatMap((path) => {
    const garbage = connectNet(path);
    garbage.on('error', () => undefined);
    garbage.write('not TLS at all\n'.repeat(100));
    const silent = connectNet(path);
    silent.on('error', () => undefined);
    return [garbage, silent];
  });
  const health = await ask('/node/health');
  assert.equal(health.status, 200);
  for (const socket of sockets) socket.destroy();
});

test('bytes of a client reach the worker unread, and back, until either ends', async () => {
  const socket = await dial(appPath(), as(member));
  socket.write('hello');
  await until(() => streams.at(-1)?.received === 'hello');
  const stream = streams.at(-1) as (typeof streams)[number];
  stream.events.onData(Buffer.from('answer'));
  const [data] = (await once(socket, 'data')) as [Buffer];
  assert.equal(data.toString(), 'answer');
  assert.equal(application.connections, 1);
  socket.end();
  await until(() => stream.ended && stream.closed);
  await until(() => application.connections === 0);
});

test('a client is read no further while the worker has no room or asks for a pause', async () => {
  const socket = await dial(appPath(), as(member));
  takes = false;
  socket.write('one');
  await until(() => streams.at(-1)?.received === 'one');
  const stream = streams.at(-1) as (typeof streams)[number];
  socket.write('two');
  await pause(30);
  assert.equal(stream.received, 'one');
  stream.events.onPause();
  takes = true;
  stream.events.onDrain();
  await pause(30);
  assert.equal(stream.received, 'one');
  stream.events.onResume();
  await until(() => stream.received === 'onetwo');
  socket.destroy();
});

test('staff of an organisation comes in as it, also a second time', async () => {
  for (let visit = 0; visit < 2; visit++) {
    const who = { key: staffKey.toPkcs8Pem(), cert: staff + member.pem };
    const answer = await raw('GET /node/health HTTP/1.1\r\nhost: x\r\n\r\n', who);
    assert.match(answer, /^HTTP\/1.1 200/);
  }
});

test('the administrative channel answers what it is asked', async () => {
  const state = JSON.parse((await ask('/node/state')).text);
  assert.equal(state.role, 'leader');
  const network = JSON.parse((await ask('/node/network')).text);
  assert.equal(network.networkId, node.network.id);
  assert.match((await ask('/node/metrics')).text, /concordat_ledger_height \d/);
  const { transaction_id } = JSON.parse((await ask('/node/commit')).text);
  const receipt = JSON.parse((await ask(`/node/receipt?transaction_id=${transaction_id}`)).text);
  assert.equal(receipt.node_id, node.id);
});

test('requests that make no sense are refused by name', async () => {
  assert.equal((await ask('/nothing')).code, 'NOT_FOUND');
  assert.equal((await ask('/node/state', { method: 'DELETE' })).code, 'METHOD_NOT_ALLOWED');
  assert.equal((await ask('/node/receipt?transaction_id=x')).code, 'INVALID_PARAMETER');
  assert.equal((await ask('/gov/proposals/none')).code, 'PROPOSAL_NOT_FOUND');
  const body = Buffer.from('no cose');
  const post = { method: 'POST', body };
  assert.equal(
    (await ask('/gov/messages', { ...post, type: 'text/plain' })).code,
    'UNSUPPORTED_MEDIA_TYPE',
  );
  assert.equal((await ask('/gov/messages', post)).code, 'MALFORMED_MESSAGE');
  const huge = { method: 'POST', body: Buffer.alloc(maxMessageBytes + 1) };
  assert.equal((await ask('/gov/messages', huge)).code, 'PAYLOAD_TOO_LARGE');
});

test('request targets and headers that are no HTTP end in 4xx, never in a fault', async () => {
  for (const text of [
    'GET // HTTP/1.1\r\nhost: x\r\n\r\n',
    'GET http://[ HTTP/1.1\r\nhost: x\r\n\r\n',
    'GET https://elsewhere.example/node/state HTTP/1.1\r\nhost: x\r\n\r\n',
    'nonsense\r\n\r\n',
    `GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`,
    'POST /gov/messages HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n',
  ]) {
    assert.match(await raw(text), /^HTTP\/1.1 4\d\d/, text.slice(0, 60));
  }
  assert.equal((await ask('/node/health')).status, 200);
});

test('one actor cannot take every event stream', async () => {
  const watching: TLSSocket[] = [];
  for (let n = 0; n < 16; n++) {
    const socket = await dial(adminPath(), as(member));
    socket.write('GET /gov/events HTTP/1.1\r\nhost: x\r\n\r\n');
    await once(socket, 'data');
    watching.push(socket);
  }
  assert.equal((await ask('/gov/events')).code, 'OVERLOADED');
  for (const socket of watching) socket.destroy();
});

test('an actor that was removed is cut off in the middle of what it does', async () => {
  const socket = await dial(appPath(), as(member));
  socket.resume();
  await until(() => application.connections === 1);
  application.cutOff(({ actorId }) => actorId === stranger.actorId);
  assert.equal(socket.destroyed, false);
  application.cutOff(({ actorId }) => actorId === member.actorId);
  await once(socket, 'close');
  const watcher = await dial(adminPath(), as(member));
  watcher.write('GET /gov/events HTTP/1.1\r\nhost: x\r\n\r\n');
  await once(watcher, 'data');
  admin.cutOff(({ actorId }) => actorId === member.actorId);
  await once(watcher, 'close');
});

test('evidence is given to anybody, bound to the nonce, key and workers', async () => {
  const nonce = 'd'.repeat(64);
  const given = async (query: string) => {
    const socket = await dial(adminPath());
    socket.write(`GET /node/evidence${query} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
    return readAll(socket);
  };
  const text = await given(`?nonce=${nonce}`);
  assert.match(text, /^HTTP\/1.1 200/);
  const { statement, evidence } = JSON.parse(text.slice(text.indexOf('\r\n\r\n')));
  const { measurement, platform } = worker;
  assert.deepEqual(statement, {
    type: 'concordat.node-evidence.v1',
    nonce,
    networkId: node.network.id,
    nodeId: node.id,
    publicKey: Buffer.from(node.identity.signing.publicKeySpki).toString('hex'),
    workers: [{ measurement, platform }],
  });
  const verdict = verifyEvidence(Buffer.from(evidence, 'base64'), {
    atMs: Date.now(),
    verifiers: [virtualVerifier],
  });
  const bound = reportData({
    domain: 'client',
    networkId: node.network.id,
    publicKeySpki: fromHex(statement.publicKey) as Uint8Array,
    ledgerRoot: sha256(Buffer.from(canonicalJson(statement))),
    epoch: 0,
  });
  assert.deepEqual('reportData' in verdict && Buffer.from(verdict.reportData), bound);
  for (const query of ['', '?nonce=', '?nonce=zz', `?nonce=${nonce}0`]) {
    assert.match(await given(query), /^HTTP\/1.1 400(.|\s)*INVALID_PARAMETER/);
  }
});
