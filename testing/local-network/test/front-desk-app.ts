import { defineApp, endpointsOf, key, s, table } from '@concordat/app';

const payment = s.object({
  amount: s.integer(),
  participant: s.string(),
  issuer: s.string(),
  subject: s.string(),
  roles: s.array(s.string()),
});
const tables = {
  /** Payments by id, each with whoever ordered it: the participant, and its end user as it says. */
  payments: table({ key: key.string(), value: payment }),
};
const endpoint = endpointsOf(tables);

export default defineApp({
  title: 'Front desk',
  tables,
  endpoints: {
    order: endpoint('POST /payments/{id}', {
      access: {
        // The front office is believed about its own tellers, and nobody else is.
        when: ({ name, endUser }) =>
          name === 'front-office' && endUser?.roles.includes('teller') === true,
      },
      body: s.object({ amount: s.integer() }),
      response: s.object({ by: s.string(), count: s.integer() }),
      handler: (
        { params, body },
        { tables: { payments: all }, caller: { name, endUser }, fail },
      ) => {
        if (endUser === undefined) return fail('NoEndUser', 403, 'an end user orders');
        const { issuer, subject, roles } = endUser;
        all.put(params.id, { ...body, participant: name, issuer, subject, roles: [...roles] });
        return { by: subject, count: all.count() };
      },
    }),
    show: endpoint('GET /payments/{id}', {
      access: 'anyone',
      response: payment,
      handler: ({ params }, { tables: { payments: all }, fail }) =>
        all.get(params.id) ?? fail('NoPayment', 404, 'there is none'),
    }),
    whoami: endpoint('GET /whoami', {
      access: 'anyone',
      response: s.object({ name: s.string(), subject: s.optional(s.string()) }),
      handler: (_, { caller: { name, endUser } }) =>
        endUser === undefined ? { name } : { name, subject: endUser.subject },
    }),
  },
});
