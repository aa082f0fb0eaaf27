import { defineApp, endpointsOf, key, s, table } from '@concordat/app';
import { byRank, refusalOf } from './rules.ts';

const amount = s.integer({ min: 1, max: 1_000_000_000_00, description: 'cents' });
const auctionId = s.string({ pattern: /^[a-z0-9-]{1,40}$/ });
const thirtyDaysSeconds = 30 * 24 * 3_600;

const auction = s.object({
  item: s.string(),
  seller: s.string(),
  sellerName: s.string(),
  minimum: amount,
  /** Milliseconds since 1970. */
  closesAt: s.integer(),
  /** Bids so far, replaced ones included. */
  bids: s.integer(),
});

const revealed = s.object({ bidder: s.string(), amount, number: s.integer() });

/** How an auction ended, its properties in the order in which the claims digest is made. */
const result = s.object({
  auction: s.string(),
  item: s.string(),
  seller: s.string(),
  winner: s.nullable(s.string()),
  price: s.nullable(s.integer()),
  bids: s.array(revealed),
});

const tables = {
  auctions: table({ key: key.string(), value: auction }),
  /** Sealed: by auction and bidder. Nothing answers with another one’s before the close. */
  bids: table({ key: key.tuple(key.string(), key.string()), value: revealed }),
  /** Public: everyone who has the ledger can read how auctions ended. */
  results: table({ key: key.string(), value: result, public: true }),
};

const endpoint = endpointsOf(tables);

export default defineApp({
  title: 'auction',
  description: 'Sealed bids, opened for all when the auction closes.',
  tables,
  endpoints: {
    openAuction: endpoint('PUT /auctions/{id}', {
      access: 'participants',
      params: { id: auctionId },
      body: s.object({
        item: s.string({ minLength: 1, maxLength: 200 }),
        minimum: amount,
        seconds: s.integer({ min: 1, max: thirtyDaysSeconds }),
      }),
      status: 201,
      response: s.object({ auction: s.string(), closesAt: s.integer() }),
      handler({ params: { id }, body }, { tables, caller, now, fail }) {
        if (tables.auctions.has(id)) return fail('AuctionTaken', 409, `there is a ${id} already`);
        const closesAt = now() + body.seconds * 1_000;
        const { item, minimum } = body;
        const { id: seller, name: sellerName } = caller;
        tables.auctions.put(id, { item, seller, sellerName, minimum, closesAt, bids: 0 });
        return { auction: id, closesAt };
      },
    }),

    readAuction: endpoint('GET /auctions/{id}', {
      access: 'participants',
      response: s.object({
        item: s.string(),
        seller: s.string(),
        minimum: amount,
        closesAt: s.integer(),
        state: s.enum(['open', 'ended', 'closed']),
      }),
      handler({ params: { id } }, { tables, now, fail }) {
        const found = tables.auctions.get(id);
        if (!found) return fail('NoSuchAuction', 404, `there is no auction ${id}`);
        const { item, sellerName, minimum, closesAt } = found;
        const timed = now() < closesAt ? ('open' as const) : ('ended' as const);
        const state = tables.results.has(id) ? ('closed' as const) : timed;
        return { item, seller: sellerName, minimum, closesAt, state };
      },
    }),

    bid: endpoint('PUT /auctions/{id}/bid', {
      access: 'participants',
      body: s.object({ amount }),
      response: s.object({ auction: s.string(), bidder: s.string(), amount, number: s.integer() }),
      handler({ params: { id }, body }, { tables, caller, now, digest, setClaims, fail }) {
        const found = tables.auctions.get(id);
        if (!found) return fail('NoSuchAuction', 404, `there is no auction ${id}`);
        const refused = refusalOf({
          amount: body.amount,
          minimum: found.minimum,
          isSeller: caller.id === found.seller,
          nowMs: now(),
          closesAtMs: found.closesAt,
        });
        if (refused) return fail(refused.code, 409, refused.message);
        const number = found.bids + 1;
        tables.auctions.put(id, { ...found, bids: number });
        // A second bid of the same bidder takes the place of the first, and its rank.
        tables.bids.put([id, caller.id], { bidder: caller.name, amount: body.amount, number });
        const answer = { auction: id, bidder: caller.name, amount: body.amount, number };
        // The bidder can prove later that this bid was taken, should a result not have it.
        setClaims(digest(JSON.stringify(answer)));
        return answer;
      },
    }),

    readOwnBid: endpoint('GET /auctions/{id}/bid', {
      access: 'participants',
      response: revealed,
      handler({ params: { id } }, { tables, caller, fail }) {
        const own = tables.bids.get([id, caller.id]);
        return own ?? fail('NoBid', 404, `you have not bid on ${id}`);
      },
    }),

    closeAuction: endpoint('POST /auctions/{id}/close', {
      access: 'participants',
      response: result,
      handler({ params: { id } }, { tables, now, digest, setClaims, fail }) {
        const found = tables.auctions.get(id);
        if (!found) return fail('NoSuchAuction', 404, `there is no auction ${id}`);
        if (tables.results.has(id)) return fail('Closed', 409, `${id} is closed already`);
        if (now() < found.closesAt) return fail('TooEarly', 409, 'bids are still taken');
        const bids = [...tables.bids.scan({ prefix: [id] })].map(([, bid]) => bid).sort(byRank);
        const [best] = bids;
        const ended = {
          auction: id,
          item: found.item,
          seller: found.sellerName,
          winner: best?.bidder ?? null,
          price: best?.amount ?? null,
          bids,
        };
        tables.results.put(id, ended);
        setClaims(digest(JSON.stringify(ended)));
        return ended;
      },
    }),

    readResult: endpoint('GET /auctions/{id}/result', {
      access: 'participants',
      response: result,
      handler({ params: { id } }, { tables, fail }) {
        return tables.results.get(id) ?? fail('NotClosed', 404, `${id} has no result yet`);
      },
    }),
  },
});
