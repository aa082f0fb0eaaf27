import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeInnerReply,
  encodeInnerRequest,
  type InnerRequest,
  idempotencyKeyHeader,
  sealedPaths,
} from '@concordat/api';
import { encodeIdentity, nobodyId, type OpenRequest } from '@concordat/bridge';
import { openReply } from '@concordat/crypto';
import { type ActorId, emptyBytes, utf8 } from '@concordat/std';
import { Accounts } from '../accounts.ts';
import type { HttpRequest, HttpResponse } from '../adapter.ts';
import type { Dispatcher } from '../dispatcher.ts';
import { defaultLimits } from '../limits.ts';
import { SealedDoor } from '../sealed-door.ts';

const actorId = 'ab'.repeat(32) as ActorId;
const identity = encodeIdentity({
  ...{ actorId, name: 'aurora', kinds: ['member'], roles: [], certificate: '' },
  ...{ subject: 'aurora', serial: '01', isStaff: false, fingerprint: actorId },
});
const secret = new Uint8Array(32).fill(7);
const sealed = new Uint8Array(200).fill(9);
const ephemeral = sealed.subarray(9, 74);
const digest = 'cd'.repeat(32);

/** A door whose manager opens everything as this request of the actor, and what it asked. */
function doorFor(inner: Partial<InnerRequest>, answer: HttpResponse) {
  const asked: HttpRequest[] = [];
  const keyFor: string[] = [];
  const accounts = new Accounts();
  const dispatcher = {
    find: () => ({
      handle: async (request: HttpRequest) => {
        asked.push(request);
        return answer;
      },
    }),
  } as unknown as Dispatcher;
  const request = { method: 'GET', target: '/app/x', headers: [], body: emptyBytes, ...inner };
  const payload = encodeInnerRequest(request);
  const door: SealedDoor = new SealedDoor({
    ...{ dispatcher, accounts, limits: defaultLimits },
    ask: ({ id }: OpenRequest) => {
      const opened = { identity, payload, secret, digest, createdAtMs: 1 };
      queueMicrotask(() => door.opened({ kind: 'opened', id, message: '', ...opened }));
    },
    requestKey: async ({ actorId: who }) => {
      keyFor.push(who);
      return utf8('key');
    },
    nowMs: () => 0,
    random: (bytes) => new Uint8Array(bytes).fill(3),
    log: () => {},
  });
  const ask = async () => {
    const { body = '', status, headers } = await door.answer(sealed, false);
    assert.equal(status, 200);
    assert.deepEqual(Object.keys(headers ?? {}), ['content-type']);
    const bytes = typeof body === 'string' ? utf8(body) : body;
    return decodeInnerReply(openReply({ secret, ephemeral }, bytes));
  };
  return { door, ask, asked, keyFor, accounts };
}

const codeIn = (body: Uint8Array): string => JSON.parse(Buffer.from(body).toString()).error.code;

test('a request inside is answered inside, and keyed by its message if it has no key of its own', async () => {
  const body = utf8('done');
  const { ask, asked, accounts } = doorFor({}, { status: 201, headers: { 'X-A': 'b' }, body });
  const reply = await ask();
  assert.deepEqual([reply.status, reply.headers], [201, [['x-a', 'b']]]);
  assert.deepEqual(Buffer.from(reply.body), Buffer.from(body));
  assert.equal(asked[0]?.headers[idempotencyKeyHeader], `sealed-${digest}`);
  assert.equal(accounts.of(actorId).requests, 0);
});

test('an answer whose headers do not fit is refused inside: nothing of it is said in the clear', async () => {
  for (const value of ['x'.repeat(70_000), '\ud800']) {
    const { ask } = doorFor({}, { status: 200, headers: { long: value }, body: 'written' });
    const { status, body } = await ask();
    if (value.length > 1) assert.deepEqual([status, codeIn(body)], [500, 'INTERNAL_ERROR']);
  }
});

test('no request inside names what belongs to a connection, or names a header twice', async () => {
  const names = ['connection', 'content-length', 'expect', 'host', 'te', 'transfer-encoding'];
  const bad = [...names, 'upgrade', 'X-Upper', 'a:b', 'a\r\nb', ' a', ''];
  const headers = [
    ...bad.map((name) => [[name, '1']]),
    [
      ['a', '1'],
      ['a', '2'],
    ],
    [['a', '1\r\nb: 2']],
  ];
  for (const named of headers as unknown as InnerRequest['headers'][]) {
    const { ask, asked } = doorFor({ headers: named }, { status: 200 });
    const { status, body } = await ask();
    assert.deepEqual([status, codeIn(body)], [400, 'SEALED_REQUEST_MALFORMED'], `${named}`);
    assert.equal(asked.length, 0);
  }
  for (const target of [
    '//app/x',
    '/app/../x',
    'http://x/app',
    '/app/x\r\ny',
    '/a%2e%2e/',
    '/%00',
  ]) {
    const { ask, asked } = doorFor({ target }, { status: 200 });
    await ask();
    assert.equal(asked.length, target === '/a%2e%2e/' ? 1 : 0, target);
  }
});

test('the request key is asked for on the account of whose connection it is', async () => {
  const { door, keyFor } = doorFor({}, { status: 200 });
  const asked = { method: 'GET', path: sealedPaths.key, type: undefined };
  await door.before(asked, { actorId });
  await door.before(asked, { actorId: nobodyId as ActorId });
  assert.deepEqual(keyFor, [actorId, nobodyId]);
});
