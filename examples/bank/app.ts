import { type Caller, defineApp, endpointsOf, key, s, table } from '@concordat/app';

/** Money is a whole number of cents: floating point loses some. */
const amount = s.integer({ min: 1, max: 1_000_000_000_00, description: 'cents' });
const accountId = s.string({ pattern: /^[a-z0-9-]{1,40}$/ });

const account = s.object({
  /** Actor id of the owner. */
  owner: s.string(),
  ownerName: s.string(),
  /** Cents. */
  balance: s.integer({ min: 0 }),
  /** Entries of its statement so far. */
  entries: s.integer({ min: 0 }),
});

/** A payment, with its properties in the order in which its claims digest is made. */
const payment = s.object({
  from: s.string(),
  to: s.string(),
  amount,
  reference: s.string(),
});

const entry = s.object({
  number: s.integer(),
  /** Milliseconds since 1970, by the clock of the node that executed it. */
  time: s.integer(),
  payment,
  /** Cents, after it. */
  balance: s.integer(),
});

const tables = {
  accounts: table({ key: key.string(), value: account }),
  /** The entries of each account, in their order: an account's are a prefix of the keys. */
  statements: table({ key: key.tuple(key.string(), key.integer()), value: entry }),
  /** Cents that came in over the counter, by teller. */
  deposits: table({ key: key.string(), value: s.integer({ min: 0 }) }),
};

const endpoint = endpointsOf(tables);
const page = { token: s.optional(s.string()) };

/** Where money comes from when it is paid in over the counter. */
const counter = 'counter';

const mayRead = (owner: string, caller: Caller): boolean =>
  owner === caller.id || caller.roles.includes('audit');

export default defineApp({
  title: 'bank',
  description: 'Accounts, transfers and an auditor.',
  tables,
  endpoints: {
    openAccount: endpoint('PUT /accounts/{id}', {
      access: 'participants',
      params: { id: accountId },
      status: 201,
      response: s.object({ id: s.string(), balance: s.integer() }),
      handler({ params: { id } }, { tables, caller, fail }) {
        if (id === counter || tables.accounts.has(id)) {
          return fail('AccountTaken', 409, `there is an account ${id} already`);
        }
        const opened = { owner: caller.id, ownerName: caller.name, balance: 0, entries: 0 };
        tables.accounts.put(id, opened);
        return { id, balance: 0 };
      },
    }),

    readAccount: endpoint('GET /accounts/{id}', {
      access: 'participants',
      response: s.object({ id: s.string(), balance: s.integer() }),
      handler({ params: { id } }, { tables, caller, fail }) {
        const found = tables.accounts.get(id);
        // Who may not read an account does not learn whether there is one.
        if (!found || !mayRead(found.owner, caller)) {
          return fail('NoSuchAccount', 404, `you have no account ${id}`);
        }
        return { id, balance: found.balance };
      },
    }),

    readStatement: endpoint('GET /accounts/{id}/statement', {
      access: 'participants',
      query: page,
      response: s.page(entry),
      handler({ params: { id }, query: { token } }, { tables, caller, fail }) {
        const found = tables.accounts.get(id);
        if (!found || !mayRead(found.owner, caller)) {
          return fail('NoSuchAccount', 404, `you have no account ${id}`);
        }
        const { items, ...rest } = tables.statements.page({ prefix: [id], limit: 50, token });
        return { items: items.map(([, value]) => value), ...rest };
      },
    }),

    deposit: endpoint('POST /accounts/{id}/deposits', {
      access: { roles: ['teller'] },
      body: s.object({ amount }),
      response: s.object({ id: s.string(), amount: s.integer() }),
      handler({ params: { id }, body }, { tables, caller, now, fail }) {
        const to = tables.accounts.get(id);
        if (!to) return fail('NoSuchAccount', 404, `there is no account ${id}`);
        const balance = to.balance + body.amount;
        const paid = { from: counter, to: id, amount: body.amount, reference: caller.name };
        const number = to.entries + 1;
        tables.accounts.put(id, { ...to, balance, entries: number });
        tables.statements.put([id, number], { number, time: now(), payment: paid, balance });
        const before = tables.deposits.get(caller.name) ?? 0;
        tables.deposits.put(caller.name, before + body.amount);
        return { id, amount: body.amount };
      },
    }),

    transfer: endpoint('POST /transfers', {
      access: 'participants',
      body: s.object({
        from: accountId,
        to: accountId,
        amount,
        reference: s.optional(s.string({ maxLength: 140 })),
      }),
      response: payment,
      handler({ body }, { tables, caller, now, digest, setClaims, fail }) {
        const from = tables.accounts.get(body.from);
        const to = tables.accounts.get(body.to);
        if (!from || from.owner !== caller.id) {
          return fail('NotYourAccount', 403, `you have no account ${body.from}`);
        }
        if (!to) return fail('NoSuchAccount', 404, `there is no account ${body.to}`);
        if (body.from === body.to) return fail('SameAccount', 400, 'both accounts are the same');
        if (from.balance < body.amount) {
          return fail('NotCovered', 409, `the balance is ${from.balance}`);
        }
        const paid = {
          from: body.from,
          to: body.to,
          amount: body.amount,
          reference: body.reference ?? '',
        };
        const book = (id: string, { ...held }: typeof from, change: number) => {
          const balance = held.balance + change;
          const number = held.entries + 1;
          tables.accounts.put(id, { ...held, balance, entries: number });
          tables.statements.put([id, number], { number, time: now(), payment: paid, balance });
        };
        book(body.from, from, -body.amount);
        book(body.to, to, body.amount);
        // The receipt of this transaction proves this very answer to anyone, offline.
        setClaims(digest(JSON.stringify(paid)));
        return paid;
      },
    }),

    listAccounts: endpoint('GET /audit/accounts', {
      access: { roles: ['audit'] },
      query: page,
      response: s.page(s.object({ id: s.string(), ownerName: s.string(), balance: s.integer() })),
      handler({ query: { token } }, { tables }) {
        const { items, ...rest } = tables.accounts.page({ limit: 100, token });
        const rows = items.map(([id, { ownerName, balance }]) => ({ id, ownerName, balance }));
        return { items: rows, ...rest };
      },
    }),

    checkBooks: endpoint('GET /audit/books', {
      access: { roles: ['audit'] },
      response: s.object({ deposited: s.integer(), held: s.integer(), balanced: s.boolean() }),
      handler(_request, { tables }) {
        let deposited = 0;
        for (const [, cents] of tables.deposits.scan()) deposited += cents;
        let held = 0;
        for (const [, { balance }] of tables.accounts.scan()) held += balance;
        return { deposited, held, balanced: deposited === held };
      },
    }),
  },
});
