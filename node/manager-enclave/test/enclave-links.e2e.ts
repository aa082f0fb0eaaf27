import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect as connectNet, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'node:tls';
import {
  type ChannelToManager,
  type ChannelToWorker,
  type ControlToEnclave,
  type ControlToHost,
  decodeChannelToWorker,
  decodeControlToHost,
  encodeChannelToManager,
  encodeControlToEnclave,
  FrameConnection,
} from '@concordat/bridge';
import { utf8 } from '@concordat/std';
import { ControlLink } from '../control-link.ts';
import { ManagerError } from '../errors.ts';
import { createNodeIdentity } from '../node-identity.ts';
import { type WorkerEvents, WorkerLink } from '../worker-link.ts';
import { entropyOf } from './fixture.ts';

const manager = createNodeIdentity(entropyOf('manager'), Date.now());
const worker = createNodeIdentity(entropyOf('worker'), Date.now());

async function socketPath(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'links-'));
  context.after(() => rm(directory, { recursive: true }));
  return join(directory, 's.sock');
}

async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; waited < 400 && !condition(); waited++) await pause(5);
  assert(condition());
}

/** A manager's link with a worker at the other end that a test speaks for. */
async function workerPair(context: TestContext, verify: () => void = () => undefined) {
  const path = await socketPath(context);
  const seen = { batches: [] as number[], closed: [] as (Error | undefined)[] };
  const nothing = (): void => undefined;
  const events: WorkerEvents = {
    onBatch: (batch) => seen.batches.push(batch),
    onGenesisBatch: nothing,
    onForward: nothing,
    onForwardedReply: nothing,
    onReadBarrier: nothing,
    onQuestion: nothing,
    onPast: nothing,
    onOpen: nothing,
    onExternal: nothing,
    onProgram: nothing,
    onSnapshot: nothing,
    onLog: nothing,
    onClose: (error) => seen.closed.push(error),
  };
  const credentials = {
    key: manager.signing.toPkcs8Pem(),
    certificate: manager.selfSignedCertificate,
  };
  const link = new WorkerLink(1, { credentials, evidence: utf8('evidence'), verify }, events);
  const connected = link.connect(path);
  connected.catch(nothing);
  await pause(20);
  const received: ChannelToWorker[] = [];
  const socket = connect({
    socket: connectNet(path),
    key: worker.signing.toPkcs8Pem(),
    cert: worker.selfSignedCertificate,
    rejectUnauthorized: false,
  });
  const far = new FrameConnection(socket, {
    onFrame: (frame) => received.push(decodeChannelToWorker(frame)),
    onClose: nothing,
  });
  context.after(() => {
    far.close();
    link.stop();
  });
  const say = (message: ChannelToManager): boolean => far.send(encodeChannelToManager(message));
  return { link, connected, seen, received, say };
}

const attested = async (context: TestContext) => {
  const pair = await workerPair(context);
  pair.say({ kind: 'evidence', bytes: utf8('evidence') });
  await pair.connected;
  return pair;
};

const batch = (number: number): ChannelToManager => ({
  kind: 'batch',
  batch: number,
  transactions: [{ publicWrites: new Uint8Array(), privateWrites: utf8('x') }],
});

test('a worker that is attested is heard', async (context) => {
  const { seen, say } = await attested(context);
  say(batch(4));
  await until(() => seen.batches.length === 1);
});

test('a worker that speaks before it is attested, or whose evidence does not hold, is cut off', async (context) => {
  const early = await workerPair(context);
  early.say(batch(1));
  await assert.rejects(early.connected, { code: 'WORKER_REFUSED' });
  const forged = await workerPair(context, () => {
    throw new ManagerError('EVIDENCE_INVALID', 'forged');
  });
  forged.say({ kind: 'evidence', bytes: utf8('evidence') });
  await assert.rejects(forged.connected, { code: 'EVIDENCE_INVALID' });
  assert.deepEqual([...early.seen.batches, ...forged.seen.batches], []);
});

test('a worker counts as ready once it has acted on everything that moves its state', async (context) => {
  const { link, say } = await attested(context);
  assert.equal(link.ready, true);
  link.send({ kind: 'role', leader: true, view: 1, json: utf8('{}') });
  link.send({ kind: 'rollback', height: 3 });
  assert.equal(link.ready, false);
  say({ kind: 'ready' });
  await pause(20);
  assert.equal(link.ready, false);
  const settled = link.settled();
  say({ kind: 'ready' });
  await settled;
  assert.equal(link.ready, true);
  link.refuse(7, 'BUSY');
  assert.equal(link.ready, false);
});

test('a worker that says ready without a reason, or attests twice, is cut off', async (context) => {
  for (const message of [{ kind: 'ready' }, { kind: 'evidence', bytes: utf8('x') }] as const) {
    const { seen, say } = await attested(context);
    say(message);
    await until(() => seen.closed.length === 1);
    assert.equal((seen.closed[0] as ManagerError).code, 'WORKER_REFUSED');
  }
});

test('an identity is served while it is connected and shortly after, others are not', async (context) => {
  const { link } = await attested(context);
  const nothing = (): void => undefined;
  const events = {
    onData: nothing,
    onEnd: nothing,
    onReset: nothing,
    onPause: nothing,
    onResume: nothing,
    onDrain: nothing,
  };
  assert.equal(link.served(utf8('someone')), false);
  const stream = link.openStream(utf8('someone'), events);
  assert.equal(link.served(utf8('someone')), true);
  assert.equal(link.served(utf8('someone else')), false);
  stream.close();
  assert.equal(link.served(utf8('someone')), true);
});

/** A control link with a host at the other end that a test speaks for. */
async function hostPair(context: TestContext) {
  const path = await socketPath(context);
  const heard: ControlToHost[] = [];
  const seen = { synced: [] as number[], faults: 0, closed: 0 };
  const server = createServer();
  server.listen(path);
  await once(server, 'listening');
  const nothing = (): void => undefined;
  const link = new ControlLink((options) => new FrameConnection(connectNet(path), options), {
    onStart: nothing,
    onSynced: (height) => seen.synced.push(height),
    onTruncated: nothing,
    onGenesisData: nothing,
    onApprove: nothing,
    onShutdown: nothing,
    onEarlierSynced: nothing,
    onFault: () => {
      seen.faults += 1;
    },
    onClose: () => {
      seen.closed += 1;
    },
  });
  const [socket] = await once(server, 'connection');
  const far = new FrameConnection(socket, {
    onFrame: (frame) => heard.push(decodeControlToHost(frame)),
    onClose: nothing,
  });
  context.after(() => {
    far.close();
    server.close();
  });
  const say = (message: ControlToEnclave): boolean => far.send(encodeControlToEnclave(message));
  return { link, heard, seen, say, socket };
}

test('blocks come in parts, and more of them than were asked for are a fault of the host', async (context) => {
  const { link, say } = await hostPair(context);
  const [one, two, three] = ['1', '2', '3'].map(utf8) as [Uint8Array, Uint8Array, Uint8Array];
  const read = link.read(1, 2, 100);
  say({ kind: 'entries', request: 1, last: false, blocks: [one] });
  say({ kind: 'entries', request: 1, last: true, blocks: [two] });
  assert.deepEqual(
    (await read).map(String),
    [one, two].map((b) => String(Buffer.from(b))),
  );
  const many = link.read(1, 2, 100);
  say({ kind: 'entries', request: 2, last: true, blocks: [one, two, three] });
  await assert.rejects(many, { code: 'HOST_FAULT' });
  const failed = link.read(1, 2, 100);
  say({ kind: 'done', request: 3, error: 'LEDGER_DAMAGED: torn' });
  await assert.rejects(failed, { code: 'HOST_FAULT' });
});

test('answers of the wrong kind are faults of the host, answers to nothing are ignored', async (context) => {
  const { link, say, seen } = await hostPair(context);
  const record = link.getRecord('progress');
  say({ kind: 'done', request: 1 });
  await assert.rejects(record, { code: 'HOST_FAULT' });
  const evidence = link.attest(new Uint8Array(32));
  say({ kind: 'record', request: 2 });
  await assert.rejects(evidence, { code: 'HOST_FAULT' });
  say({ kind: 'evidence', request: 99, bytes: utf8('x') });
  say({ kind: 'synced', height: 5 });
  await until(() => seen.synced.length === 1);
  const kept = link.putRecord('x', utf8('y'));
  say({ kind: 'entries', request: 3, last: true, blocks: [] });
  await assert.rejects(kept, { code: 'CONTROL_CLOSED' });
});

test('a host that sends nonsense or goes away ends what waits', async (context) => {
  const { link, seen, socket } = await hostPair(context);
  const waiting = link.sealingKey();
  socket.write(Buffer.from([0, 0, 0, 2, 250, 1]));
  await assert.rejects(waiting, { code: 'CONTROL_CLOSED' });
  assert.equal(seen.closed, 1);
});
