import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { frontOffice } from '@concordat/cli';
import {
  AdminClient,
  ApplicationClient,
  createOrganisation,
  type Identity,
  type SdkError,
} from '@concordat/sdk';
import { LocalNetwork, type LocalNode, patienceMs, WriteLoad, waitUntil } from '../index.ts';
import { faultyStaff, openTcp, openTls } from './false-client.ts';

let network: LocalNetwork;
let vn1: LocalNode;
let member: Identity;
let load: WriteLoad;

before(async () => {
  network = await LocalNetwork.start({ elections: 'patient' });
  [vn1] = network.nodes as [LocalNode];
  member = await network.identity(vn1.organisation);
  // Others are served all the while.
  load = new WriteLoad(network, { inFlight: 2, patienceMs });
  await load.progress(20);
});

after(async () => {
  await load?.stop();
  await network?.end();
});

/** Others go on, through every node, and no process had to be launched anew. */
async function othersAreServed(): Promise<void> {
  for (const node of network.nodes) await load.progress(20, node);
  for (const node of network.nodes) {
    assert.equal(node.log('enclaves.launched').length, 1, `${node.name} relaunched its enclaves`);
    assert.ok(node.isUp);
  }
  assert.deepEqual(Object.fromEntries(load.failures), {}, 'no write of others failed');
}

const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'SERVED',
    (error: SdkError) => error.code,
  );

/** What the administrative and the application channel answer this identity. */
async function answersTo(identity: Identity | undefined): Promise<string[]> {
  const as = { networkCertificate: network.certificate, ...(identity && { identity }) };
  const admin = new AdminClient({ ...as, address: `127.0.0.1:${vn1.ports.admin}` });
  const application = new ApplicationClient({
    ...as,
    address: `127.0.0.1:${vn1.ports.application}`,
  });
  const codes = [await codeOf(admin.state()), await codeOf(application.request('/kv'))];
  admin.close();
  application.close();
  return codes;
}

const both = (code: string): string[] => [code, code];

test('clients without a valid certificate of an actor are refused by code', async () => {
  assert.deepEqual(await answersTo(member), both('SERVED'));
  assert.deepEqual(await answersTo(faultyStaff(member, {})), both('SERVED'));
  assert.deepEqual(await answersTo(undefined), both('CLIENT_CERTIFICATE_REQUIRED'));
  const foreign = createOrganisation({ name: vn1.organisation });
  assert.deepEqual(await answersTo(foreign), both('UNKNOWN_ACTOR'));
  const expired = faultyStaff(member, { fromHours: -3, untilHours: -1 });
  assert.deepEqual(await answersTo(expired), both('CLIENT_CERTIFICATE_EXPIRED'));
  const early = faultyStaff(member, { fromHours: 1 });
  assert.deepEqual(await answersTo(early), both('CLIENT_CERTIFICATE_NOT_YET_VALID'));
  const server = faultyStaff(member, { usage: 'serverAuth' });
  assert.deepEqual(await answersTo(server), both('CLIENT_CERTIFICATE_INVALID'));
  const lookalike = faultyStaff(foreign, {});
  assert.deepEqual(await answersTo(lookalike), both('UNKNOWN_ACTOR'));
  const forged = await answersTo(faultyStaff(member, { forged: true }));
  for (const code of forged) assert.match(code, /^(CLIENT_CERTIFICATE_INVALID|UNKNOWN_ACTOR)$/);
  await othersAreServed();
});

test('who is no member neither proposes nor votes, and staff not for its organisation', async () => {
  const action = {
    name: 'set_policy',
    args: { name: 'maxBatchTransactions', value: 50 },
  } as const;
  const proposer = await network.admin(vn1);
  const { proposalId } = await proposer.propose([action]);
  proposer.close();
  const office = await network.admin(vn1, frontOffice);
  assert.equal(await codeOf(office.propose([action])), 'NOT_A_MEMBER');
  assert.equal(await codeOf(office.vote(proposalId, true)), 'NOT_A_MEMBER');
  const address = `127.0.0.1:${vn1.ports.admin}`;
  const staff = new AdminClient({
    address,
    networkCertificate: network.certificate,
    identity: faultyStaff(member, {}),
  });
  assert.match(await codeOf(staff.vote(proposalId, true)), /^(UNKNOWN_ACTOR|BAD_SIGNATURE)$/);
  for (const bytes of [Buffer.alloc(0), randomBytes(500), Buffer.alloc(70_000)]) {
    assert.match(await codeOf(office.submit(bytes)), /^(MALFORMED_MESSAGE|BAD_SIGNATURE)$/);
  }
  // The refusal may overtake what is still being sent, and the end of the connection the refusal.
  const oversized = await codeOf(office.submit(Buffer.alloc(4_000_000)));
  assert.match(oversized, /^(PAYLOAD_TOO_LARGE|CONNECTION_LOST)$/);
  assert.deepEqual(
    (await office.proposal(proposalId)).votes.map(({ accept }) => accept),
    [],
  );
  office.close();
  staff.close();
  await othersAreServed();
});

/** What is sent to a listener that expects TLS, and then not followed up. */
const rawGarbage: readonly Buffer[] = [
  Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n\r\n'),
  randomBytes(100_000),
  Buffer.alloc(100_000),
  // A TLS record header that announces more than will come.
  Buffer.from('16030140000100', 'hex'),
  Buffer.from('1603010005010000010000', 'hex'),
  Buffer.from('ffffffff'.repeat(64), 'hex'),
];

/** What is sent inside a finished TLS connection. */
const innerGarbage: readonly Buffer[] = [
  randomBytes(50_000),
  Buffer.from('ffffffff01', 'hex'),
  Buffer.from('0000000001', 'hex'),
  Buffer.from('00000001ff00000001ff00000001ff', 'hex'),
  Buffer.from(`GET /kv HTTP/1.1\r\nx: ${'y'.repeat(200_000)}\r\n\r\n`),
  Buffer.from('PUT /kv/a HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\nabc'),
  Buffer.from('POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzzzz\r\n'),
  Buffer.from(
    'GET /kv/stream HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: concordat-stream/1\r\n\r\n\xff\xff\xff\xff',
    'latin1',
  ),
];

const listeners = (): number[] => [vn1.ports.node, vn1.ports.admin, vn1.ports.application];

test('garbage on every listener, before and inside TLS, harms nobody else', async () => {
  const sockets: Socket[] = [];
  for (const port of listeners()) {
    for (const bytes of rawGarbage) {
      const socket = await openTcp(port);
      socket.write(bytes);
      sockets.push(socket);
    }
    for (const bytes of innerGarbage) {
      for (const identity of [undefined, createOrganisation({ name: 'nobody' }), member]) {
        const socket = await openTls(port, identity);
        socket.write(bytes);
        sockets.push(socket);
      }
    }
  }
  await othersAreServed();
  for (const socket of sockets) socket.end();
  await othersAreServed();
  for (const socket of sockets) socket.destroy();
});

test('half-open, silent and slow connections on every listener harm nobody else', async () => {
  const sockets: Socket[] = [];
  for (const port of listeners()) {
    for (let i = 0; i < 40; i++) sockets.push(await openTcp(port));
    for (let i = 0; i < 10; i++) {
      const half = await openTcp(port);
      half.end(Buffer.from('160301', 'hex'));
      sockets.push(half, await openTls(port, member));
    }
  }
  const slow = await Promise.all(
    [vn1.ports.admin, vn1.ports.application].map((port) => openTls(port, member)),
  );
  for (const byte of 'GET /kv HTTP/1.1\r\n') {
    for (const socket of slow) socket.write(byte);
    await sleep(20);
  }
  await othersAreServed();
  for (const socket of [...sockets, ...slow]) socket.destroy();
  await othersAreServed();
});

test('connections cut in the middle of everything harm nobody else', async () => {
  for (const port of listeners()) {
    for (let i = 0; i < 20; i++) {
      const socket = await openTls(port, member);
      socket.write(randomBytes(1 + i * 50));
      socket.destroy();
    }
  }
  const cut = new WriteLoad(network, { inFlight: 64, prefix: 'cut/', patienceMs: 100 });
  await waitUntil(() => cut.answered >= 400, { what: 'writes that are cut' });
  const stopping = cut.stop();
  await othersAreServed();
  await stopping;
});
