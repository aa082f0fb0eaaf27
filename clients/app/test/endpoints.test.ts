import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  type AnswerError,
  type AppClient,
  createClient,
  defineApp,
  type Endpoint,
  endpointsOf,
  fail,
  key,
  openApiOf,
  s,
  type TestedApp,
  table,
  testApp,
} from '@concordat/app';
import type { NetworkClient } from '@concordat/sdk';
import { describeApp } from '../runtime/describe.ts';
import bank from './bank.ts';
import entries from './entries.ts';

const tables = { notes: table({ key: key.string(), value: s.string() }) };
const endpoint = endpointsOf(tables);
const put = endpoint('PUT /notes/{id}', {
  access: 'participants',
  body: s.object({ text: s.string(), how: s.enum(['keep', 'fail', 'throw', 'lie', 'later']) }),
  response: s.object({ length: s.integer() }),
  async handler({ params, body: { text, how } }, { tables: { notes }, setClaims, digest }) {
    notes.put(params.id, text);
    setClaims(digest(text));
    if (how === 'later') await Promise.resolve();
    if (how === 'fail') fail('NotToday', 409, 'no', { until: 1 });
    if (how === 'throw') throw new Error('a mistake');
    return { length: how === 'lie' ? 0.5 : text.length };
  },
});
const app = defineApp({
  tables,
  endpoints: {
    put,
    guarded: endpoint('POST /guarded', {
      access: {
        group: 'members',
        roles: ['a', 'b'],
        when: ({ name }) => name !== 'mallory',
      },
      response: s.array(s.string()),
      handler: (_, { caller }) => [caller.name, ...caller.roles],
    }),
    tokens: endpoint('POST /tokens', {
      access: {
        group: ['members', 'participants'],
        token: true,
        when: ({ token }) => token?.payload.aud === 'here',
      },
      response: s.string(),
      handler: (_, { caller }) => `${caller.name} ${caller.token?.keyIssuer}`,
    }),
    desk: endpoint('POST /desk', {
      access: {
        when: ({ name, endUser }) => name === 'bank' && endUser?.roles.includes('teller') === true,
      },
      response: s.string(),
      handler: (_, { caller: { endUser, staff } }) =>
        `${endUser?.issuer} ${endUser?.subject}${staff ? ` ${staff.name} ${staff.serial}` : ''}`,
    }),
    wait: endpoint('GET /forever', { access: 'anyone', handler: () => {} }),
    writes: endpoint('POST /reads', {
      access: 'anyone',
      mode: 'read',
      handler: (_, context) => {
        // A mode that is asked for is the mode there is, whatever casts say.
        (context.tables.notes as unknown as { put(key: string, value: string): void }).put(
          'a',
          'b',
        );
      },
    }),
  },
});

suite('an application in the process of its test', () => {
  test('keeps what a success wrote, and nothing of any other end', async () => {
    const tested = testApp(app);
    const call = (id: string, how: 'keep' | 'fail' | 'throw' | 'lie' | 'later') =>
      tested.call('PUT /notes/{id}', { params: { id }, body: { text: 'abc', how } });
    const kept = await call('a', 'keep');
    assert.deepEqual([kept.status, kept.body, kept.wrote], [200, { length: 3 }, true]);
    assert.equal(kept.claims?.length, 32);
    assert.equal((await call('b', 'later')).wrote, true);
    await assert.rejects(call('c', 'fail'), (error: AnswerError) => {
      assert.deepEqual([error.status, error.code, error.details], [409, 'NotToday', { until: 1 }]);
      return true;
    });
    await assert.rejects(call('d', 'throw'), { message: 'a mistake' });
    await assert.rejects(call('e', 'lie'), /PUT \/notes\/\{id\} answers what its schema/);
    assert.deepEqual(
      [...tested.tables.notes.scan()].map(([id]) => id),
      ['a', 'b'],
    );
  });

  test('executes calls one after another, whenever they are made', async () => {
    const tested = testApp(app);
    const calls = Array.from({ length: 20 }, (_, at) =>
      tested.call('PUT /notes/{id}', {
        params: { id: 'x' },
        body: { text: `${at}`, how: at % 3 === 0 ? 'fail' : 'later' },
      }),
    );
    await Promise.allSettled(calls);
    assert.equal(tested.tables.notes.get('x'), '19');
  });

  test('asks for group, roles and condition', async () => {
    const tested = testApp(app);
    const call = (caller: object) => tested.call('POST /guarded', {}, { caller });
    const member = { kinds: ['member'] as const };
    await assert.rejects(call({ roles: ['a'] }), { code: 'POLICY_NOT_MET', status: 401 });
    await assert.rejects(call(member), { code: 'AuthorizationFailed', status: 403 });
    const mallory = { ...member, roles: ['a'], name: 'mallory' };
    await assert.rejects(call(mallory), { code: 'AuthorizationFailed' });
    const { body } = await call({ ...member, roles: ['x', 'b'], name: 'bob' });
    assert.deepEqual(body, ['bob', 'x', 'b']);
  });

  test('asks for a token beside the certificate', async () => {
    const tested = testApp(app);
    const token = (aud: string) => ({ keyIssuer: 'https://i', header: {}, payload: { aud } });
    const call = (caller: object) => tested.call('POST /tokens', {}, { caller });
    assert.equal((await call({ name: 'bob', token: token('here') })).body, 'bob https://i');
    await assert.rejects(call({ token: token('there') }), { code: 'AuthorizationFailed' });
    await assert.rejects(call({}), { code: 'POLICY_NOT_MET', status: 401 });
    await assert.rejects(call({ kinds: [], token: token('here') }), { code: 'POLICY_NOT_MET' });
    const policies = describeApp(app).metadata.endpoints['/tokens']?.post as Record<
      string,
      unknown
    >;
    assert.deepEqual(policies.authn_policies, [
      { all_of: ['member_cert', 'jwt'] },
      { all_of: ['user_cert', 'jwt'] },
    ]);
  });

  test('sees for whom the caller says it asks, and decides whose word it takes', async () => {
    const tested = testApp(app);
    const call = (caller: object) => tested.call('POST /desk', {}, { caller });
    const endUser = { issuer: 'https://i', subject: 'u1', roles: ['teller'] };
    assert.equal((await call({ name: 'bank', endUser })).body, 'https://i u1');
    const staff = { name: 'Eve', serial: '0a' };
    assert.equal((await call({ name: 'bank', endUser, staff })).body, 'https://i u1 Eve 0a');
    await assert.rejects(call({ name: 'bank' }), { code: 'AuthorizationFailed' });
    await assert.rejects(call({ name: 'other', endUser }), { code: 'AuthorizationFailed' });
    const clerk = { ...endUser, roles: ['clerk'] };
    await assert.rejects(call({ name: 'bank', endUser: clerk }), { code: 'AuthorizationFailed' });
  });

  test('cannot write where it said that it reads', async () => {
    const tested = testApp(app);
    await assert.rejects(tested.call('POST /reads'), /read-only/);
    assert.equal(tested.tables.notes.count(), 0);
  });

  test('knows the transactions before, by their seqnos and what they wrote', async () => {
    const tested = testApp(entries);
    const at = { topic: 'a', number: 1 };
    const add = 'PUT /topics/{topic}/{number}';
    const first = await tested.call(add, { params: at, body: { text: 'one' } });
    const other = { topic: 'a', number: 2 };
    await tested.call(add, { params: other, body: { text: 'two' } });
    await assert.rejects(tested.call(add, { params: at, body: { text: 'no' } }));
    await tested.call('DELETE /topics/{topic}/{number}', { params: at });
    const written = async (params: typeof at) =>
      (await tested.call('GET /topics/{topic}/{number}/written', { params })).body;
    assert.deepEqual(await written(at), { version: null, seqnos: [1, 3], upTo: 3 });
    assert.deepEqual(await written(other), { version: 2, seqnos: [2], upTo: 3 });
    const { transactionId } = first;
    const past = await tested.call('GET /past', {}, { transactionId });
    assert.deepEqual(past.body.entries, [{ number: 1, text: 'one' }]);
    const { body } = await tested.call('GET /range', { query: { from: 1, to: 3 } });
    assert.deepEqual(body, [
      { id: '2.1', texts: ['one'] },
      { id: '2.2', texts: ['two'] },
      { id: '2.3', texts: [] },
    ]);
    const late = tested.call('GET /range', { query: { from: 1, to: 4 } });
    await assert.rejects(late, { code: 'PastNotReady', status: 202 });
    await assert.rejects(tested.call('GET /past'), { code: 'INVALID_PARAMETER' });
    const gone = tested.call('GET /past', {}, { transactionId: '2.9' });
    await assert.rejects(gone, { code: 'TRANSACTION_NOT_FOUND' });
  });

  test('takes clock and entropy from its test', async () => {
    const tested = testApp(bank, { now: () => 5, random: () => 0.5 });
    const { body } = await tested.call('POST /draws');
    assert.deepEqual([body.at, body.number], [5, 5]);
    const again = await testApp(bank, { now: () => 5, random: () => 0.5 }).call('POST /draws');
    assert.equal(again.body.id, body.id);
  });
});

suite('a definition', () => {
  const define = (...endpoints: Endpoint[]) => {
    const named = endpoints.map((one, at) => [`e${at}`, one]);
    return () => defineApp({ tables: {}, endpoints: Object.fromEntries(named) });
  };
  const at = (route: string, more: object = {}) =>
    endpointsOf({})(route as 'GET /', {
      access: 'anyone',
      handler: () => {},
      ...more,
    }) as unknown as Endpoint;

  test('is refused where its paths or endpoints cannot be served', () => {
    for (const [code, endpoints] of [
      ['PATHS_COLLIDE', [at('GET /a/{x}'), at('GET /a/{y}')]],
      ['PATHS_COLLIDE', [at('GET /a/{x}'), at('PUT /a/{y}')]],
      ['PATHS_COLLIDE', [at('GET /a'), at('GET /a')]],
      ['PATH_INVALID', [at('GET /app/x')]],
      ['PATH_INVALID', [at('GET /api')]],
      ['PATH_INVALID', [at('GET /a//b')]],
      ['PATH_INVALID', [at('GET /a/../b')]],
      ['PATH_INVALID', [at('GET /a b')]],
      ['PATH_INVALID', [at('GET /{x}/{x}')]],
      ['PATH_INVALID', [at('GET /x{x}')]],
      ['PATH_INVALID', [at('GET /{}')]],
      ['PATH_INVALID', [at('GET a')]],
      ['ENDPOINT_INVALID', [at('HEAD /a')]],
      ['ENDPOINT_INVALID', [at('GET /a', { body: s.json() })]],
      ['ENDPOINT_INVALID', [at('GET /a', { status: 404 })]],
      ['ENDPOINT_INVALID', [at('GET /a', { mode: 'both' })]],
      ['ENDPOINT_INVALID', [at('GET /a', { params: { x: s.string() } })]],
      ['ENDPOINT_INVALID', [at('GET /{x}', { params: { x: s.bytes() } })]],
      ['ENDPOINT_INVALID', [at('GET /a', { query: { x: s.object({}) } })]],
      ['ENDPOINT_INVALID', [at('GET /a', { access: 'nobody' })]],
      ['ENDPOINT_INVALID', [at('GET /a', { access: [] })]],
      ['ENDPOINT_INVALID', [at('GET /a', { handler: undefined })]],
      ['ENDPOINT_INVALID', []],
    ] as const) {
      assert.throws(define(...endpoints), { code }, JSON.stringify(endpoints));
    }
    assert.throws(
      () => defineApp({ tables: { 'a b': tables.notes }, endpoints: { e: at('GET /') } }),
      {
        code: 'TABLE_INVALID',
      },
    );
    define(at('GET /'), at('PUT /'), at('GET /a/{x}'), at('GET /a/b'))();
  });

  test('gives an OpenAPI document with every endpoint, its parameters, bodies and answers', () => {
    const { openapi, info, paths } = openApiOf(bank);
    assert.deepEqual([openapi, info.title, info.version], ['3.1.0', 'A bank', '1.0.0']);
    const deposit = paths['/accounts/{id}/deposits/{number}']?.post as Record<string, unknown>;
    assert.deepEqual(deposit.parameters, [
      { name: 'id', in: 'path', required: true, schema: { type: 'string' } },
      {
        name: 'number',
        in: 'path',
        required: true,
        schema: { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER },
      },
    ]);
    assert.deepEqual(Object.keys(deposit.responses as object), ['204', 'default']);
    assert.deepEqual(Object.keys(paths['/accounts/{id}'] ?? {}), ['put', 'get']);
    const operations = Object.values(paths).flatMap((methods) => Object.values(methods));
    const ids = operations.map((one) => (one as { operationId: string }).operationId);
    assert.deepEqual(ids.sort(), Object.keys(bank.endpoints).sort());
    // It is JSON as it stands.
    assert.deepEqual(JSON.parse(JSON.stringify(paths)), paths);
  });
});

// What calls take and give, checked by the compiler.
export async function typed(one: AppClient<typeof bank>, tested: TestedApp<typeof bank>) {
  {
    const { body } = await one.call('GET /accounts/{id}', { params: { id: 'a' } });
    const balance: number = body.balance;
    const listed = await one.call('GET /accounts');
    const next: string | undefined = listed.body.next;
    await one.call('GET /accounts', { query: { limit: 5, token: next } });
    // @ts-expect-error: there is no such route
    await one.call('GET /nothing');
    // @ts-expect-error: the parameter is missing
    await one.call('GET /accounts/{id}');
    // @ts-expect-error: the parameter has another name
    await one.call('GET /accounts/{id}', { params: { name: 'a' } });
    const params = { id: 'a', number: balance };
    // @ts-expect-error: the body is missing
    await one.call('POST /accounts/{id}/deposits/{number}', { params });
    // @ts-expect-error: the amount is a number
    await one.call('POST /accounts/{id}/deposits/{number}', { params, body: { amount: '1' } });
    await one.call('POST /accounts/{id}/deposits/{number}', {
      // @ts-expect-error: the parameter is a number
      params: { id: 'a', number: 'b' },
      body: { amount: 1 },
    });
    // @ts-expect-error: a query has no such property
    await one.call('GET /accounts', { query: { size: 5 } });
    const none = await one.call('POST /accounts/{id}/deposits/{number}', {
      params,
      body: { amount: 1 },
    });
    const nothing: undefined = none.body;
    // @ts-expect-error: an answer has no such property
    (await one.call('POST /draws')).body.other;
    void nothing;
    const { wrote } = await tested.call('GET /accounts/{id}', { params: { id: 'a' } });
    // @ts-expect-error: the parameter is missing
    await tested.call('GET /accounts/{id}', { params: {} });
    void (wrote satisfies boolean);
  }
}
export const overNetwork = (client: NetworkClient): AppClient<typeof bank> => createClient(client);
export const returns = endpoint('GET /returns', {
  access: 'anyone',
  response: s.object({ text: s.string() }),
  // @ts-expect-error: the answer is of another kind
  handler: () => ({ text: 1 }),
});
export const names = endpoint('GET /a/{b}/{c}', {
  access: 'anyone',
  params: { c: s.integer() },
  handler({ params, query, body }) {
    const parts: [string, number] = [params.b, params.c];
    // @ts-expect-error: the path has no such parameter
    params.d;
    // @ts-expect-error: it has no query
    query.x;
    const none: undefined = body;
    void [parts, none];
  },
});
export const past = endpoint('GET /past', {
  access: 'anyone',
  mode: 'historical',
  handler(_, { past, tables }) {
    const text: string | undefined = past.tables.notes.get('a');
    // @ts-expect-error: the past is not written
    past.tables.notes.put('a', 'b');
    // @ts-expect-error: nor is the present, from here
    tables.notes.put('a', text ?? '');
  },
});
export const present = endpoint('PUT /past', {
  access: 'anyone',
  // @ts-expect-error: what writes does not see the past
  handler(_, { pastRange }) {
    pastRange(1, 2);
  },
});
// @ts-expect-error: there is no such method
endpoint('HEAD /a', { access: 'anyone', handler: () => {} });
// @ts-expect-error: who may call has to be said
endpoint('GET /a', { handler: () => {} });
