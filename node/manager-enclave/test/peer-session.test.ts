import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { frameBuilder } from '@concordat/bridge';
import { BinaryWriter, CodedError, utf8 } from '@concordat/std';
import { ManagerError } from '../errors.ts';
import { createNodeIdentity } from '../node-identity.ts';
import type { Challenge, PeerPolicy, PeerRole } from '../peer-policy.ts';
import { PeerSession } from '../peer-session.ts';
import { entropyOf } from './fixture.ts';
import { tlsPair } from './tls-pair.ts';

const alice = createNodeIdentity(entropyOf('alice'), Date.now());
const bob = createNodeIdentity(entropyOf('bob'), Date.now());

/** A policy that lets everyone in and remembers what it was asked. */
function policyOf(role: PeerRole = 'peer', over: Partial<PeerPolicy> = {}) {
  const seen = {
    proofs: 0,
    consensus: [] as string[],
    faults: 0,
    closed: [] as Error[],
    established: 0,
  };
  const policy: PeerPolicy = {
    challenge: () => ({
      role,
      networkId: 'ab'.repeat(32),
      ledgerRoot: new Uint8Array(32),
      epoch: 1,
    }),
    prove: async (challenge: Challenge) => {
      seen.proofs += 1;
      return utf8(`evidence for ${challenge.role}`);
    },
    admit: () => undefined,
    onConsensus: (_session, message) => seen.consensus.push(message.toString()),
    onTurn: () => undefined,
    onRequest: async (_session, kind, body) => utf8(`${kind}:${body.toString()}`),
    onFault: () => {
      seen.faults += 1;
    },
    onEstablished: () => {
      seen.established += 1;
    },
    onClosed: (_session, error) => seen.closed.push(error),
    ...over,
  };
  return { policy, seen };
}

/** Two sessions that have accepted each other. */
async function sessions(called = policyOf(), dialling = policyOf()) {
  const [client, server] = await tlsPair(alice, bob);
  const there = new PeerSession(server, called.policy, { side: 'accepted' });
  const here = new PeerSession(client, dialling.policy, { side: 'dialled' });
  await Promise.all([here.ready, there.ready]);
  return { here, there, called: called.seen, dialling: dialling.seen };
}

/** A raw end that speaks to a session whatever a test likes. */
async function stranger(policy = policyOf(), handshakeTimeoutMs = 10_000) {
  const [client, server] = await tlsPair(alice, bob);
  const session = new PeerSession(server, policy.policy, { side: 'accepted', handshakeTimeoutMs });
  client.resume();
  return { client, session, seen: policy.seen };
}

const frame = (type: number, ...parts: Uint8Array[]): Buffer => {
  const builder = frameBuilder.begin(type);
  for (const part of parts) builder.raw(part);
  return Buffer.concat(builder.finish());
};

const challengeFrame = (role: string): Buffer =>
  frame(
    1,
    new BinaryWriter().text(role).text('ab'.repeat(32)).raw(new Uint8Array(32)).u64(0).take(),
  );

const closing = async (session: PeerSession): Promise<Error> =>
  session.ready.then(
    () => assert.fail('established'),
    (error: Error) => error,
  );

/** What a session ended with, once it has ended. */
async function ended(seen: { closed: Error[] }): Promise<Error> {
  for (let waited = 0; waited < 200 && seen.closed.length === 0; waited++) await pause(5);
  return seen.closed[0] as Error;
}

test('both sides prove themselves, then exchange consensus messages and requests', async () => {
  const { here, there, called } = await sessions();
  assert.equal(here.peer.nodeId, bob.nodeId);
  assert.equal(there.peer.nodeId, alice.nodeId);
  here.sendConsensus([utf8('one '), utf8('message')]);
  assert.equal(String(await here.request('echo', utf8('x'), 1000)), 'echo:x');
  assert.equal(String(await there.request('echo', utf8('y'), 1000)), 'echo:y');
  assert.deepEqual(called.consensus, ['one message']);
  here.close();
});

test('large messages may follow the handshake at once', async () => {
  const { here, called } = await sessions();
  here.sendConsensus([Buffer.alloc(5 * 1024 * 1024, 'a')]);
  await here.request('echo', utf8('x'), 2000);
  assert.equal(called.consensus[0]?.length, 5 * 1024 * 1024);
  here.close();
});

test('a peer that answers probes stays, however often it is probed', async () => {
  const { here, there, called } = await sessions();
  for (let round = 0; round < 10; round++) {
    here.probe();
    await here.request('echo', utf8('x'), 1_000);
  }
  for (let round = 0; round < 4; round++) {
    here.probe();
    await pause(20);
  }
  assert.ok(here.established && there.established);
  assert.deepEqual(called.consensus, [], 'a probe is nothing to who is above');
  here.close();
});

test('a peer that falls silent is given up after a few probes', async () => {
  const [client, server] = await tlsPair(alice, bob);
  const dialling = policyOf();
  const there = new PeerSession(server, policyOf().policy, { side: 'accepted' });
  const here = new PeerSession(client, dialling.policy, { side: 'dialled' });
  await Promise.all([here.ready, there.ready]);
  // As behind a way that is cut: bytes leave, and nothing comes.
  client.pause();
  for (let probes = 0; probes < 5; probes++) {
    assert.ok(here.established, `given up after ${probes} probes`);
    here.probe();
    await pause(5);
  }
  assert.equal(here.established, false);
  assert.match((await ended(dialling.seen)).message, /no sign of life/);
  there.close();
});

test('who is refused learns the code, and who refuses proves nothing', async () => {
  const called = policyOf('peer', {
    admit: () => {
      throw new ManagerError('UNLISTED_MEASUREMENT', 'unknown code');
    },
  });
  const [client, server] = await tlsPair(alice, bob);
  const there = new PeerSession(server, called.policy, { side: 'accepted' });
  const here = new PeerSession(client, policyOf().policy, { side: 'dialled' });
  const error = await closing(here);
  assert(error instanceof CodedError);
  assert.equal(error.code, 'UNLISTED_MEASUREMENT');
  await closing(there);
  assert.equal(called.seen.proofs, 0);
});

test('a peer that does not finish the handshake is told so and cut off', async () => {
  const { session, seen } = await stranger(policyOf(), 30);
  const error = await closing(session);
  assert.equal((error as CodedError).code, 'PEER_TIMEOUT');
  await ended(seen);
  assert.equal(session.established, false);
});

test('whoever sends more than a handshake before it is admitted is cut off', async () => {
  const { client, session } = await stranger();
  // The announced length is within the limit of admitted peers, so only counting stops it.
  const head = Buffer.alloc(5);
  head.writeUInt32BE(60 * 1024 * 1024, 0);
  head[4] = 2;
  client.write(head);
  for (let n = 0; n < 10; n++) client.write(Buffer.alloc(64 * 1024));
  assert.equal(((await closing(session)) as CodedError).code, 'CHANNEL_REFUSED');
});

for (const [what, bytes] of [
  ['garbage', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ['an empty frame', Buffer.alloc(4)],
  ['a proof before its challenge', frame(2, utf8('evidence'))],
  ['a consensus message before it is admitted', frame(10, utf8('message'))],
  ['a request before it is admitted', frame(11, Buffer.alloc(40))],
  ['an unknown role', challengeFrame('leader')],
  ['a challenge twice', Buffer.concat([challengeFrame('peer'), challengeFrame('peer')])],
  ['a challenge cut short', frame(1, Buffer.alloc(7))],
  ['a challenge that goes on', Buffer.concat([frame(1, Buffer.alloc(200))])],
  ['acceptance twice', Buffer.concat([challengeFrame('peer'), frame(4), frame(4)])],
  ['a refusal that is none', frame(3, Buffer.from([0, 200]))],
] as const) {
  test(`a peer that sends ${what} is cut off, and nothing else happens`, async () => {
    const { client, session, seen } = await stranger();
    client.write(bytes);
    const error = await closing(session);
    assert(error instanceof CodedError, String(error));
    assert.deepEqual(seen.consensus, []);
    assert.equal(seen.established, 0);
    assert.equal(seen.proofs, 0);
  });
}

test('evidence is made once a session, and only for who was admitted', async () => {
  const { called, dialling, here } = await sessions();
  assert.equal(called.proofs, 1);
  assert.equal(dialling.proofs, 1);
  here.close();
});

test('a refused request carries its code; a fault of ours says nothing and ends nothing', async () => {
  const called = policyOf('peer', {
    onRequest: async (_session, kind) => {
      if (kind === 'coded') throw new ManagerError('NODE_TOO_EARLY', 'wait');
      throw new SyntaxError('secret text');
    },
  });
  const { here } = await sessions(called);
  await assert.rejects(here.request('coded', utf8(''), 1000), { code: 'NODE_TOO_EARLY' });
  await assert.rejects(here.request('plain', utf8(''), 1000), {
    code: 'INTERNAL_ERROR',
    message: 'the request failed',
  });
  assert.equal(called.seen.faults, 1);
  assert.equal(here.established, true);
  here.close();
});

test('a newcomer has few requests open at a time, the others are turned away', async () => {
  const answered = Promise.withResolvers<Uint8Array>();
  const called = policyOf('peer', { onRequest: () => answered.promise });
  const { here } = await sessions(called, policyOf('joiner'));
  const asked = Array.from({ length: 6 }, () => here.request('join', utf8(''), 1000));
  const turnedAway = await Promise.allSettled(asked.slice(4));
  for (const outcome of turnedAway) {
    assert.equal(outcome.status === 'rejected' && outcome.reason.code, 'OVERLOADED');
  }
  answered.resolve(utf8('welcome'));
  assert.equal((await Promise.all(asked.slice(0, 4))).length, 4);
  here.close();
});

test('an answer that is not what it should be ends the request, not the node', async () => {
  const { client, session } = await stranger();
  client.write(Buffer.concat([challengeFrame('peer'), frame(2, utf8('e')), frame(4)]));
  await session.ready;
  const waiting = session.request('leader', utf8(''), 1000);
  const id = Buffer.alloc(4);
  id.writeUInt32BE(1);
  client.write(frame(12, id, Buffer.from([0]), utf8('not json')));
  await assert.rejects(waiting, { code: 'CHANNEL_FAILED' });
  client.write(frame(12, Buffer.alloc(2)));
  await assert.rejects(session.request('leader', utf8(''), 1000), { code: 'TRUNCATED' });
});

test('a request without an answer ends in time, and closing ends those that wait', async () => {
  const called = policyOf('peer', { onRequest: () => new Promise(() => undefined) });
  const { here } = await sessions(called);
  await assert.rejects(here.request('x', utf8(''), 20), { code: 'PEER_TIMEOUT' });
  const waiting = here.request('x', utf8(''), 10_000);
  here.close();
  await assert.rejects(waiting, { code: 'CHANNEL_FAILED' });
  await assert.rejects(here.request('x', utf8(''), 1000), { code: 'CHANNEL_FAILED' });
});

test('a connection that is reset ends those who asked with a code, and says why above', async () => {
  const [client, server] = await tlsPair(alice, bob);
  const silent = policyOf('peer', { onRequest: () => new Promise(() => undefined) });
  const dialling = policyOf();
  const there = new PeerSession(server, silent.policy, { side: 'accepted' });
  const here = new PeerSession(client, dialling.policy, { side: 'dialled' });
  await Promise.all([here.ready, there.ready]);
  const waiting = ['one', 'two'].map((kind) => here.request(kind, utf8(''), 60_000));
  // What Node makes of a reset by the other end: an error of the system, with a code of its own.
  client.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
  for (const outcome of await Promise.allSettled(waiting)) {
    assert(outcome.status === 'rejected');
    assert(outcome.reason instanceof ManagerError, String(outcome.reason));
    assert.equal(outcome.reason.code, 'CHANNEL_FAILED');
    assert.match(outcome.reason.message, /ECONNRESET/);
  }
  assert.match((await ended(dialling.seen)).message, /ECONNRESET/);
  assert.equal(here.waitingRequests, 0);
  await assert.rejects(here.request('x', utf8(''), 1_000), { code: 'CHANNEL_FAILED' });
  there.close();
});

test('a peer that is refused later is heard no more', async () => {
  const { here, there, called } = await sessions();
  there.refuse('NODE_NOT_ADMITTED', 'removed');
  here.sendConsensus([utf8('still there')]);
  const error = await new Promise<Error>((resolve) => {
    here.request('x', utf8(''), 1000).catch(resolve);
  });
  assert.equal((error as CodedError).code, 'NODE_NOT_ADMITTED');
  assert.deepEqual(called.consensus, []);
});

test('a socket without a certificate is no peer', async () => {
  const { policy } = policyOf();
  const bare = { getPeerX509Certificate: () => undefined } as unknown as TLSSocket;
  assert.throws(() => new PeerSession(bare, policy, { side: 'accepted' }), {
    code: 'CHANNEL_REFUSED',
  });
});
