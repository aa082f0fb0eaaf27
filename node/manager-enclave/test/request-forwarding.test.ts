import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { encodeIdentity } from '@concordat/bridge';
import { BinaryWriter, CodedError, type NodeId, toNodeId, utf8 } from '@concordat/std';
import { ManagerError } from '../errors.ts';
import { RequestForwarding } from '../request-forwarding.ts';
import { FakeLink } from './fixture.ts';

const leaderId = toNodeId('aa'.repeat(32));
const actorId = 'cc'.repeat(32);
const identity = encodeIdentity({
  actorId,
  name: 'actor',
  kinds: ['participant'],
  roles: [],
  subject: 'actor',
  serial: '01',
  isStaff: true,
  fingerprint: 'dd'.repeat(32),
  certificate: 'PEM',
});

/** One node's forwarding over a channel that a test answers. */
function forwarding(
  answer: (body: Uint8Array) => Promise<Uint8Array> = async () => new Uint8Array(),
  over: { leader?: NodeId | undefined; connected?: boolean } = {},
) {
  const link = new FakeLink(1);
  const actors = new Set([actorId]);
  const parts = new RequestForwarding({
    channel: {
      connected: () => over.connected ?? true,
      request: async (_node, _kind, body) => Buffer.from(await answer(body)),
    },
    feed: { link: (source) => (source === 1 ? link.asLink() : undefined) },
    leader: () => ('leader' in over ? over.leader : leaderId),
    maySpeak: (who) => actors.has(who.actorId),
  });
  return { forwarding: parts, link, actors };
}

/** What the worker was answered. */
async function reply(link: FakeLink): Promise<Record<string, unknown>> {
  for (let turn = 0; turn < 20 && link.sent.length === 0; turn++) await nextTurn();
  const [sent] = link.sent;
  if (!sent?.ok) {
    return { ok: false, ...JSON.parse(Buffer.from(sent?.reply as Uint8Array).toString()) };
  }
  return sent;
}

test('a request travels to the leader’s worker and its answer back', async () => {
  const leader = forwarding();
  const follower = forwarding((body) => leader.forwarding.execute(leaderId, Buffer.from(body)));
  follower.forwarding.forward(1, 5, identity, utf8('request'));
  await nextTurn();
  const [forwarded] = leader.link.sent;
  assert.equal(forwarded?.kind, 'forwarded');
  assert.deepEqual(Buffer.from(forwarded?.request as Uint8Array).toString(), 'request');
  assert.deepEqual(forwarded?.identity, Buffer.from(identity));
  leader.forwarding.replied(forwarded?.id as number, { ok: true, height: 9, reply: utf8('done') });
  const answer = await reply(follower.link);
  assert.equal(answer.id, 5);
  assert.equal(answer.height, 9);
  assert.equal(Buffer.from(answer.reply as Uint8Array).toString(), 'done');
});

test('without a leader in reach the request was never taken: LEADER_UNKNOWN', async () => {
  for (const over of [{ leader: undefined }, { connected: false }]) {
    const { forwarding: parts, link } = forwarding(undefined, over);
    parts.forward(1, 5, identity, utf8('r'));
    assert.equal((await reply(link)).code, 'LEADER_UNKNOWN');
  }
});

test('a way that breaks leaves the outcome unknown, a refusal of the leader is passed on', async () => {
  for (const [error, code] of [
    [new ManagerError('CHANNEL_FAILED', 'x'), 'TRANSACTION_UNKNOWN'],
    [new ManagerError('PEER_TIMEOUT', 'x'), 'TRANSACTION_UNKNOWN'],
    [new TypeError('x'), 'TRANSACTION_UNKNOWN'],
    [new CodedError('OVERLOADED', 'x'), 'OVERLOADED'],
    [new CodedError('NOT_LEADER', 'x'), 'NOT_LEADER'],
  ] as const) {
    const { forwarding: parts, link } = forwarding(() => Promise.reject(error));
    parts.forward(1, 5, identity, utf8('r'));
    assert.equal((await reply(link)).code, code);
  }
});

test('an answer cut short is no answer', async () => {
  const { forwarding: parts, link } = forwarding(async () => Uint8Array.of(1, 2));
  parts.forward(1, 5, identity, utf8('r'));
  assert.equal((await reply(link)).code, 'TRANSACTION_UNKNOWN');
});

test('a worker speaks only for actors that are connected to it', async () => {
  const { forwarding: parts, link } = forwarding();
  link.serves = false;
  parts.forward(1, 5, identity, utf8('r'));
  assert.equal((await reply(link)).code, 'FORBIDDEN');
});

const bodyOf = (source: number, who: Uint8Array): Buffer =>
  new BinaryWriter().u16(source).bytes(who).raw(utf8('r')).take();

test('the leader executes nothing for an actor that was removed', async () => {
  const { forwarding: parts, link, actors } = forwarding();
  void parts.execute(leaderId, bodyOf(1, identity));
  assert.equal(link.sent.length, 1);
  actors.clear();
  await assert.rejects(parts.execute(leaderId, bodyOf(1, identity)), { code: 'ACTOR_REMOVED' });
  assert.equal(link.sent.length, 1);
});

test('requests that are malformed or for no worker here are refused by name', async () => {
  const { forwarding: parts } = forwarding();
  for (const body of [
    Buffer.alloc(0),
    Buffer.alloc(3),
    bodyOf(1, utf8('{}')),
    bodyOf(1, utf8('no json')),
  ]) {
    await assert.rejects(parts.execute(leaderId, body), { name: 'DecodeError' });
  }
  await assert.rejects(parts.execute(leaderId, bodyOf(2, identity)), {
    code: 'WORKER_UNAVAILABLE',
  });
});

test('no more requests wait than a node can hold', async () => {
  const { forwarding: parts } = forwarding();
  const body = bodyOf(1, identity);
  for (let n = 0; n < 16_384; n++) void parts.execute(leaderId, body);
  await assert.rejects(parts.execute(leaderId, body), { code: 'OVERLOADED' });
});
