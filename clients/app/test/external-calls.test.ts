import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AnswerError,
  type CallsContext,
  DefinitionError,
  defineApp,
  endpointsOf,
  fail,
  key,
  s,
  table,
  testApp,
} from '@concordat/app';

const tables = {
  orders: table({ key: key.string(), value: s.object({ price: s.number(), by: s.string() }) }),
  limits: table({ key: key.string(), value: s.number() }),
};
const endpoint = endpointsOf(tables);
const body = s.object({ of: s.string(), amount: s.integer({ min: 1 }) });

const priceOf = async (
  { external, idempotencyKey }: CallsContext<typeof tables>,
  of: string,
): Promise<number> => {
  const headers = { 'idempotency-key': idempotencyKey };
  const answer = await external('rates', { path: `/rates/${of}`, headers });
  if (answer.status === 404) fail('NoSuchRate', 404, `nobody trades ${of}`);
  return (answer.json() as { price: number }).price;
};

const app = defineApp({
  title: 'orders',
  tables,
  endpoints: {
    order: endpoint('POST /orders/{id}', {
      access: { group: 'participants', roles: ['trader'] },
      body,
      response: s.object({ price: s.number(), key: s.string() }),
      async calls({ body }, context) {
        const limit = context.tables.limits.get(body.of) ?? 100;
        return { price: (await priceOf(context, body.of)) * body.amount, limit };
      },
      handler({ params }, { tables, caller, called, idempotencyKey }) {
        const { price, limit } = called;
        if (price > limit) fail('TooDear', 409, `more than ${limit}`);
        tables.orders.put(params.id, { price, by: caller.name });
        return { price, key: idempotencyKey };
      },
    }),
    quietly: endpoint('POST /quietly', {
      access: 'anyone',
      response: s.string(),
      calls: ({ body: _body }, { external }) =>
        external('rates').then(
          () => 'answered',
          (error: { code: string }) => error.code,
        ),
      handler: (_request, { called }) => called,
    }),
    odd: endpoint('POST /odd', {
      access: 'anyone',
      body: s.object({ what: s.string() }),
      response: s.json(),
      calls: ({ body }) =>
        ({
          date: new Date(0),
          bytes: new Uint8Array(1),
          map: new Map(),
          big: 1n,
          hole: [1, undefined],
          deep: { list: [1, { at: Number.NaN }] },
          fine: { a: [1, 'b', null, true, { c: undefined }] },
        })[body.what] as unknown,
      handler: (_request, { called }) => called ?? null,
    }),
    put: endpoint('PUT /limits/{of}', {
      access: 'anyone',
      body: s.number(),
      handler({ params, body }, { tables }) {
        tables.limits.put(params.of, body);
      },
    }),
  },
});

const rates = (price: number) => ({
  rates: () => ({ body: { price } }),
});
const trader = { name: 'tess', roles: ['trader'] };

test('calls are made before the handler, which gets what they returned', async () => {
  const asked: unknown[] = [];
  const tested = testApp(app, {
    caller: trader,
    systems: {
      rates: (request) => {
        asked.push(request);
        return { body: { price: 7 } };
      },
    },
  });
  const given = { params: { id: 'a' }, body: { of: 'eur', amount: 3 } };
  const { body } = await tested.call('POST /orders/{id}', given, {
    idempotencyKey: 'k'.repeat(64),
  });
  assert.deepEqual(body, { price: 21, key: 'k'.repeat(64) });
  assert.deepEqual(asked, [{ path: '/rates/eur', headers: { 'idempotency-key': 'k'.repeat(64) } }]);
  assert.deepEqual(tested.tables.orders.get('a'), { price: 21, by: 'tess' });
  const { body: other } = await tested.call('POST /orders/{id}', given);
  assert.match(other.key, /^[0-9a-f]{64}$/);
});

test('calls see committed state, and whoever may not call the endpoint has none made', async () => {
  const tested = testApp(app, { caller: trader, systems: rates(7) });
  await tested.call('PUT /limits/{of}', { params: { of: 'eur' }, body: 20 });
  const given = { params: { id: 'a' }, body: { of: 'eur', amount: 3 } };
  const code = (error: unknown) => error instanceof AnswerError && error.code;
  await assert.rejects(
    tested.call('POST /orders/{id}', given),
    (error) => code(error) === 'TooDear',
  );
  assert.equal(tested.tables.orders.get('a'), undefined);
  let asked = 0;
  const counting = testApp(app, {
    systems: {
      rates: () => {
        asked += 1;
        return { status: 404 };
      },
    },
  });
  const stranger = { caller: { name: 'sam', roles: ['clerk'] } };
  await assert.rejects(
    counting.call('POST /orders/{id}', given, stranger),
    (error) => code(error) === 'AuthorizationFailed',
  );
  await assert.rejects(
    counting.call(
      'POST /orders/{id}',
      { ...given, body: { of: 'eur', amount: 0 } },
      { caller: trader },
    ),
    (error) => code(error) === 'InvalidInput',
  );
  assert.equal(asked, 0);
  await assert.rejects(
    counting.call('POST /orders/{id}', given, { caller: trader }),
    (error) => code(error) === 'NoSuchRate',
  );
  assert.equal(asked, 1);
});

test('a call that fails is an error of the function, or the answer', async () => {
  const tested = testApp(app, { caller: trader });
  const { body } = await tested.call('POST /quietly');
  assert.equal(body, 'EXTERNAL_SYSTEM_NOT_LISTED');
  const failing = testApp(app, {
    caller: trader,
    systems: {
      rates: () => {
        throw Object.assign(new Error('late'), { code: 'EXTERNAL_TIMEOUT' });
      },
    },
  });
  const given = { params: { id: 'a' }, body: { of: 'eur', amount: 3 } };
  await assert.rejects(failing.call('POST /orders/{id}', given), {
    code: 'EXTERNAL_TIMEOUT',
    status: 504,
  });
});

test('what calls return is what JSON brings back as it is', async () => {
  const tested = testApp(app);
  for (const what of ['date', 'bytes', 'map', 'big', 'hole', 'deep']) {
    await assert.rejects(tested.call('POST /odd', { body: { what } }), TypeError, what);
  }
  const { body } = await tested.call('POST /odd', { body: { what: 'fine' } });
  assert.deepEqual(body, { a: [1, 'b', null, true, {}] });
  const none = await tested.call('POST /odd', { body: { what: 'none' } });
  assert.equal(none.body, null);
});

test('only endpoints that write make calls', () => {
  const calls = async () => 1;
  const handler = () => undefined;
  for (const route of ['GET /a'] as const) {
    const wrong = endpoint(route, { access: 'anyone', calls, handler });
    assert.throws(() => defineApp({ tables, endpoints: { wrong } }), DefinitionError);
  }
  const odd = endpoint('POST /a', { access: 'anyone', calls: 7 as never, handler });
  assert.throws(() => defineApp({ tables, endpoints: { odd } }), DefinitionError);
});
