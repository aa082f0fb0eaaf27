import { defineApp, endpointsOf, key, s, table } from '@concordat/app';

/** A blinded record: see blind.ts. */
const tag = s.string({ pattern: /^[0-9a-f]{64}$/, description: 'HMAC-SHA-256, hex' });

const match = s.object({
  number: s.integer(),
  /** Milliseconds since 1970, by the clock of the node that executed it. */
  time: s.integer(),
  by: s.string(),
  /** How many others held a matching record. */
  others: s.integer(),
});

const tables = {
  /** Who holds which record: a record's holders are a prefix of the keys. The value is a name. */
  holders: table({ key: key.tuple(key.string(), key.string()), value: s.string() }),
  /** The same the other way round: a member's records are a prefix of the keys. */
  records: table({ key: key.tuple(key.string(), key.string()), value: s.integer() }),
  /** Every match there was, in order. */
  matches: table({ key: key.integer(), value: match }),
  /** For each holder, who asked about which of its records. */
  asked: table({
    key: key.tuple(key.string(), key.integer()),
    value: s.object({ tag, by: s.string(), time: s.integer() }),
  }),
};

const endpoint = endpointsOf(tables);
const desk = { roles: ['fraud-desk'] };
const page = { token: s.optional(s.string()) };

export default defineApp({
  title: 'fraud-list',
  description: 'Members match blinded records; nobody sees another one’s list.',
  tables,
  endpoints: {
    addRecords: endpoint('POST /records', {
      access: desk,
      body: s.object({ tags: s.array(tag, { minItems: 1, maxItems: 1_000 }) }),
      response: s.object({ added: s.integer() }),
      handler({ body }, { tables, caller, now }) {
        let added = 0;
        for (const one of body.tags) {
          if (tables.holders.has([one, caller.id])) continue;
          tables.holders.put([one, caller.id], caller.name);
          tables.records.put([caller.id, one], now());
          added += 1;
        }
        return { added };
      },
    }),

    listRecords: endpoint('GET /records', {
      access: desk,
      query: page,
      response: s.page(tag),
      handler({ query: { token } }, { tables, caller }) {
        const prefix = [caller.id] as const;
        const { items, ...rest } = tables.records.page({ prefix, limit: 100, token });
        return { items: items.map(([[, one]]) => one), ...rest };
      },
    }),

    removeRecord: endpoint('DELETE /records/{tag}', {
      access: desk,
      params: { tag },
      handler({ params }, { tables, caller, fail }) {
        if (!tables.records.has([caller.id, params.tag])) {
          return fail('NoSuchRecord', 404, 'you hold no such record');
        }
        tables.records.delete([caller.id, params.tag]);
        tables.holders.delete([params.tag, caller.id]);
      },
    }),

    matchRecord: endpoint('POST /matches', {
      access: desk,
      body: s.object({ tag }),
      response: s.object({ others: s.integer(), members: s.array(s.string()) }),
      handler({ body }, { tables, caller, now, fail }) {
        // Whoever asks shows a record of its own first: a list cannot be probed from outside.
        if (!tables.records.has([caller.id, body.tag])) {
          return fail('NoSuchRecord', 404, 'match a record that you hold yourself');
        }
        const [last] = tables.matches.scan({ reverse: true, limit: 1 });
        const number = (last?.[0] ?? 0) + 1;
        const time = now();
        const members: string[] = [];
        for (const [[, holder], name] of tables.holders.scan({ prefix: [body.tag] })) {
          if (holder === caller.id) continue;
          members.push(name);
          tables.asked.put([holder, number], { tag: body.tag, by: caller.name, time });
        }
        const others = members.length;
        tables.matches.put(number, { number, time, by: caller.name, others });
        return { others, members: members.sort() };
      },
    }),

    listAsked: endpoint('GET /asked', {
      access: desk,
      query: page,
      response: s.page(s.object({ tag, by: s.string(), time: s.integer() })),
      handler({ query: { token } }, { tables, caller }) {
        const prefix = [caller.id] as const;
        const { items, ...rest } = tables.asked.page({ prefix, limit: 100, token });
        return { items: items.map(([, value]) => value), ...rest };
      },
    }),

    listMatches: endpoint('GET /audit/matches', {
      access: { roles: ['audit'] },
      query: page,
      response: s.page(match),
      handler({ query: { token } }, { tables }) {
        const { items, ...rest } = tables.matches.page({ limit: 100, token });
        return { items: items.map(([, value]) => value), ...rest };
      },
    }),
  },
});
