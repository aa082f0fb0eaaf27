import { defineApp, endpointsOf, key, s, table } from '@concordat/app';

/** What the ledger holds. Private tables are read inside the enclaves only. */
const tables = {
  counters: table({
    key: key.string(),
    value: s.object({ count: s.integer(), lastBy: s.string() }),
  }),
};

const endpoint = endpointsOf(tables);

const counter = s.object({ name: s.string(), count: s.integer(), lastBy: s.string() });

export default defineApp({
  title: 'counter',
  tables,
  endpoints: {
    listCounters: endpoint('GET /counters', {
      access: 'participants',
      query: { token: s.optional(s.string()) },
      response: s.page(counter),
      handler({ query }, { tables }) {
        const { items, ...rest } = tables.counters.page({ limit: 100, token: query.token });
        return { items: items.map(([name, value]) => ({ name, ...value })), ...rest };
      },
    }),

    readCounter: endpoint('GET /counters/{name}', {
      access: 'participants',
      response: counter,
      handler({ params: { name } }, { tables, fail }) {
        const found = tables.counters.get(name);
        if (!found) return fail('NoSuchCounter', 404, `nobody has counted ${name} yet`);
        return { name, ...found };
      },
    }),

    count: endpoint('POST /counters/{name}', {
      access: 'participants',
      body: s.object({ by: s.integer({ min: 1, max: 1_000 }) }),
      response: counter,
      handler({ params: { name }, body }, { tables, caller }) {
        const count = (tables.counters.get(name)?.count ?? 0) + body.by;
        tables.counters.put(name, { count, lastBy: caller.name });
        return { name, count, lastBy: caller.name };
      },
    }),
  },
});
