import { defineApp, endpointsOf, fail, key, s, table } from '@concordat/app';

const tables = {
  /** Entries by their topic, then by their number. */
  entries: table({
    key: key.tuple(key.string(), key.integer()),
    value: s.object({ text: s.string(), by: s.string() }),
    public: true,
    indexed: true,
  }),
};
const endpoint = endpointsOf(tables);
const entry = s.object({ number: s.integer(), text: s.string() });

export default defineApp({
  title: 'Entries',
  tables,
  endpoints: {
    add: endpoint('PUT /topics/{topic}/{number}', {
      access: 'participants',
      params: { number: s.integer() },
      body: s.object({ text: s.string({ maxLength: 1_000 }) }),
      handler({ params: { topic, number }, body }, { tables, caller, setClaims, digest }) {
        if (tables.entries.has([topic, number])) fail('EntryExists', 409, 'the number is taken');
        tables.entries.put([topic, number], { text: body.text, by: caller.id });
        setClaims(digest(body.text));
      },
    }),
    remove: endpoint('DELETE /topics/{topic}/{number}', {
      access: 'participants',
      params: { number: s.integer() },
      handler: ({ params: { topic, number } }, { tables }) => {
        tables.entries.delete([topic, number]);
      },
    }),
    read: endpoint('GET /topics/{topic}', {
      access: 'anyone',
      query: { token: s.optional(s.string()), limit: s.optional(s.integer({ min: 1 })) },
      response: s.page(entry),
      handler({ params, query }, { tables }) {
        const { items, next } = tables.entries.page({ prefix: [params.topic], ...query });
        return { items: items.map(([[, number], { text }]) => ({ number, text })), next };
      },
    }),
    count: endpoint('GET /topics/{topic}/count', {
      access: 'anyone',
      response: s.object({ count: s.integer() }),
      handler: ({ params }, { tables }) => ({
        count: tables.entries.count({ prefix: [params.topic] }),
      }),
    }),
    subject: endpoint('GET /subject', {
      access: { group: 'participants', token: true },
      response: s.object({ caller: s.string(), subject: s.string(), issuer: s.string() }),
      handler: (_, { caller: { name, token } }) => ({
        caller: name,
        subject: String(token?.payload.sub),
        issuer: String(token?.keyIssuer),
      }),
    }),
    written: endpoint('GET /topics/{topic}/{number}/written', {
      access: 'anyone',
      params: { number: s.integer() },
      response: s.object({
        version: s.nullable(s.integer()),
        seqnos: s.array(s.integer()),
        upTo: s.integer(),
      }),
      handler: ({ params: { topic, number } }, { tables: { entries } }) => ({
        version: entries.versionOf([topic, number]) ?? null,
        seqnos: entries.seqnosOf([topic, number]),
        upTo: entries.indexedUpTo,
      }),
    }),
    quote: endpoint('POST /topics/{topic}/{number}/quote', {
      access: 'participants',
      params: { number: s.integer() },
      response: s.object({ text: s.string(), key: s.string(), known: s.boolean() }),
      async calls({ params: { topic, number } }, { external, tables, idempotencyKey }) {
        const answer = await external('quotes', {
          method: 'POST',
          path: `/quotes/${number}`,
          headers: { 'idempotency-key': idempotencyKey },
          body: { topic },
        });
        if (answer.status === 404) fail('NoQuote', 404, `nobody said anything of ${number}`);
        return {
          ...(answer.json() as { text: string }),
          known: tables.entries.has([topic, number]),
        };
      },
      handler({ params: { topic, number } }, { tables, caller, called, idempotencyKey }) {
        tables.entries.put([topic, number], { text: called.text, by: caller.name });
        return { ...called, key: idempotencyKey };
      },
    }),
    past: endpoint('GET /past', {
      access: 'anyone',
      mode: 'historical',
      response: s.object({ id: s.string(), entries: s.array(entry), receipt: s.json() }),
      handler: (_, { past }) => ({
        id: past.transactionId,
        entries: past.tables.entries.entries().map(([[, number], { text }]) => ({ number, text })),
        receipt: past.receipt,
      }),
    }),
    range: endpoint('GET /range', {
      access: 'anyone',
      query: { from: s.integer({ min: 1 }), to: s.integer({ min: 1 }) },
      response: s.array(s.object({ id: s.string(), texts: s.array(s.string()) })),
      handler: ({ query: { from, to } }, { pastRange }) =>
        pastRange(from, to).map(({ transactionId, tables: { entries } }) => ({
          id: transactionId,
          texts: entries.entries().map(([, { text }]) => text),
        })),
    }),
    moveAll: endpoint('POST /topics/{topic}/moves/{to}', {
      access: 'members',
      response: s.object({ moved: s.integer() }),
      handler({ params: { topic, to } }, { tables: { entries } }) {
        let moved = 0;
        // Writes while it scans, ahead of the scan as well, when `to` comes after.
        for (const [[, number], value] of entries.scan({ prefix: [topic] })) {
          entries.delete([topic, number]);
          entries.put([to, number], value);
          moved += 1;
        }
        return { moved };
      },
    }),
  },
});
