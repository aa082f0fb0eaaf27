import { defineApp, endpointsOf, fail, key, s, table } from '@concordat/app';

const account = s.object({ owner: s.string({ maxLength: 100 }), balance: s.integer({ min: 0 }) });

const tables = {
  accounts: table({ key: key.string(), value: account }),
  journal: table({
    key: key.tuple(key.string(), key.integer()),
    value: s.object({ amount: s.integer(), memo: s.optional(s.string()) }),
    public: true,
  }),
};
const endpoint = endpointsOf(tables);

export default defineApp({
  title: 'A bank',
  tables,
  endpoints: {
    open: endpoint('PUT /accounts/{id}', {
      access: 'participants',
      body: s.object({ owner: s.string({ minLength: 1 }) }),
      response: account,
      status: 201,
      handler({ params, body }, { tables }) {
        if (tables.accounts.has(params.id)) fail('AccountExists', 409, 'the account is open');
        const opened = { owner: body.owner, balance: 0 };
        tables.accounts.put(params.id, opened);
        return opened;
      },
    }),
    show: endpoint('GET /accounts/{id}', {
      access: 'anyone',
      response: account,
      handler: ({ params }, { tables }) =>
        tables.accounts.get(params.id) ?? fail('NoSuchAccount', 404, `there is no ${params.id}`),
    }),
    list: endpoint('GET /accounts', {
      access: { group: 'anyone', roles: ['auditor'] },
      query: {
        prefix: s.optional(s.string()),
        limit: s.optional(s.integer({ min: 1, max: 100 })),
        token: s.optional(s.string()),
      },
      response: s.page(s.object({ id: s.string(), balance: s.integer() })),
      handler({ query: { prefix = '', limit = 10, token } }, { tables }) {
        const { items, next } = tables.accounts.page({ prefix, limit, token });
        const shown = items.map(([id, { balance }]) => ({ id, balance }));
        return { items: shown, next };
      },
    }),
    deposit: endpoint('POST /accounts/{id}/deposits/{number}', {
      access: 'participants',
      params: { number: s.integer({ min: 1 }) },
      body: s.object({ amount: s.integer({ min: 1 }), memo: s.optional(s.string()) }),
      handler({ params, body }, { tables }) {
        const found = tables.accounts.get(params.id);
        tables.journal.put([params.id, params.number], body);
        if (!found) fail('NoSuchAccount', 404, 'there is none');
        tables.accounts.put(params.id, { ...found, balance: found.balance + body.amount });
      },
    }),
    statement: endpoint('GET /accounts/{id}/journal', {
      access: ['members', 'participants'],
      response: s.object({ count: s.integer(), amounts: s.array(s.integer()) }),
      handler({ params }, { tables }) {
        const range = { prefix: [params.id] as const };
        const amounts = [...tables.journal.scan({ ...range, reverse: true, limit: 3 })].map(
          ([, { amount }]) => amount,
        );
        return { count: tables.journal.count(range), amounts };
      },
    }),
    draw: endpoint('POST /draws', {
      access: 'anyone',
      response: s.object({
        id: s.string(),
        at: s.integer(),
        number: s.integer(),
        caller: s.string(),
      }),
      handler: (_, { random, now, caller, setClaims, digest }) => {
        setClaims(digest('a draw'));
        return { id: random.uuid(), at: now(), number: random.integer(1, 6), caller: caller.name };
      },
    }),
  },
});
