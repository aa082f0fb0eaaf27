import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  decodeInnerReply,
  encodeInnerRequest,
  type InnerRequest,
  sealedPaths,
  sealedReplyMediaType,
  sealedRequestMediaType,
} from '@concordat/api';
import { openReply, sha256 } from '@concordat/crypto';
import { createKeyvalueAdapter } from '@concordat/keyvalue';
import { toActorId, toHex, utf8 } from '@concordat/std';
import { type Actor, identityOf, nobodyId } from '@concordat/worker-enclave';
import { createFakeActor, createFakeNode, type FakeNode } from '../index.ts';

const nobody: Actor = { actorId: toActorId(nobodyId), name: '', kinds: [], roles: [] };
const alice = createFakeActor('alice');
const bob = createFakeActor('bob');
const secret = sha256(utf8('exported'));
const startMs = Date.UTC(2026, 0, 1);

interface Sent {
  readonly by?: Actor;
  readonly atMs?: number;
  readonly inner: Omit<InnerRequest, 'body'> & { readonly body?: string };
  /** Tells messages of the same content apart. */
  readonly number: number;
}

/** A manager that takes what is sealed for what it says, and a clock that a test sets. */
async function nodeOf(t: TestContext, limits = {}) {
  const clock = { nowMs: startMs };
  const node = await createFakeNode(createKeyvalueAdapter(), {
    actor: nobody,
    timeMs: () => clock.nowMs,
    limits,
    open: (sealed) => {
      const text = Buffer.from(sealed.subarray(74)).toString();
      const { by = alice, atMs = startMs, inner, number } = JSON.parse(text) as Sent;
      const payload = encodeInnerRequest({ ...inner, body: utf8(inner.body ?? '') });
      const digest = toHex(sha256(utf8(`${number} ${JSON.stringify(inner)}`)));
      return { identity: identityOf(by), payload, secret, digest, createdAtMs: atMs };
    },
  });
  t.after(() => node.close());
  return { node, clock };
}

async function send(node: FakeNode, sent: Sent) {
  const head = Buffer.alloc(74, 4);
  const response = await fetch(node.url + sealedPaths.request, {
    method: 'POST',
    headers: { 'content-type': sealedRequestMediaType },
    body: Buffer.concat([head, utf8(JSON.stringify(sent))]),
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  if (response.headers.get('content-type') !== sealedReplyMediaType) {
    return { status: response.status, text: bytes.toString(), isSealed: false };
  }
  const to = { secret, ephemeral: head.subarray(9) };
  const { status, body } = decodeInnerReply(openReply(to, bytes));
  return { status, text: Buffer.from(body).toString(), isSealed: true };
}

const put = (key: string, body: string, headers: [string, string][] = []) => ({
  ...{ method: 'PUT', target: `/kv/${key}`, headers, body },
});
const read = { method: 'GET', target: '/kv/a', headers: [] };
let reads = 0;
const stored = async (node: FakeNode, atMs: number) =>
  (await send(node, { inner: read, number: 1_000 + reads++, atMs })).text;

test('a copy that comes after another write changes nothing, with a key of its own or without', async (t) => {
  const { node } = await nodeOf(t);
  for (const headers of [[], [['concordat-idempotency-key', 'mine']]] as [string, string][][]) {
    const first = { inner: put('a', 'first', headers), number: 1 };
    const answer = await send(node, first);
    assert.deepEqual([answer.status, answer.isSealed], [headers.length > 0 ? 204 : 201, true]);
    await send(node, { inner: put('a', 'second'), number: 2 + headers.length });
    assert.equal((await send(node, first)).status, answer.status, 'answered as the first');
    assert.equal(await stored(node, startMs), 'second');
  }
});

test('the answer to a copy is not dropped before copies end: neither by time, nor by a clock that is turned back', async (t) => {
  const { node, clock } = await nodeOf(t);
  const first = { inner: put('a', 'first'), number: 1 };
  await send(node, first);
  for (const minutes of [4.9, 5.1, 9, 11, 30]) {
    clock.nowMs = startMs + minutes * 60_000;
    await send(node, { inner: put('a', `at ${minutes}`), number: minutes, atMs: clock.nowMs });
    const copy = await send(node, first);
    if (minutes > 10) assert.match(copy.text, /SEALED_REQUEST_EXPIRED/, `${minutes} minutes`);
    assert.equal(await stored(node, clock.nowMs), `at ${minutes}`);
  }
  // Its host turns the clock back: the ledger's time does not follow.
  clock.nowMs = startMs;
  assert.match((await send(node, first)).text, /SEALED_REQUEST_EXPIRED/);
  assert.equal(await stored(node, startMs), 'at 30');
});

test('a write ahead of the ledger’s time waits for nobody: it is refused', async (t) => {
  const { node } = await nodeOf(t);
  const early = { inner: put('a', 'x'), number: 1, atMs: startMs + 61_000 };
  assert.match((await send(node, early)).text, /SEALED_REQUEST_TOO_EARLY/);
  const soon = { inner: put('a', 'x'), number: 2, atMs: startMs + 59_000 };
  assert.equal((await send(node, soon)).status, 201);
});

test('whose it is says the manager: keys of two signers are two keys', async (t) => {
  const { node } = await nodeOf(t);
  const headers: [string, string][] = [['concordat-idempotency-key', 'same']];
  const inner = put('a', 'x', headers);
  assert.equal((await send(node, { inner, by: alice, number: 1 })).status, 201);
  assert.equal((await send(node, { inner, by: bob, number: 2 })).status, 204);
  assert.equal((await send(node, { inner, by: alice, number: 3 })).status, 201);
});

test('one signer has so many requests unanswered, whoever carries them', async (t) => {
  const { node } = await nodeOf(t, { maxRequestsPerActor: 0 });
  const answer = await send(node, { inner: read, number: 1 });
  assert.deepEqual([answer.status, answer.isSealed], [503, true]);
});

test('what does not open is said in the clear, and holds nobody up', async (t) => {
  const node = await createFakeNode(createKeyvalueAdapter(), { actor: nobody });
  t.after(() => node.close());
  const answer = await send(node, { inner: read, number: 1 });
  assert.deepEqual([answer.status, answer.isSealed], [400, false]);
  assert.match(answer.text, /SEALED_REQUEST_UNREADABLE/);
});
