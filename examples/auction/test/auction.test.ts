import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { testApp } from '@concordat/app';
import app from '../app.ts';

const as = (name: string) => ({ caller: { name } });
const params = { id: 'vase' };

/** An auction of ten seconds by the gallery, with a clock that the test sets. */
async function auction() {
  const clock = { ms: 1_000_000 };
  const tested = testApp(app, { now: () => clock.ms });
  const { call } = tested;
  const body = { item: 'A vase', minimum: 100, seconds: 10 };
  await call('PUT /auctions/{id}', { params, body }, as('gallery'));
  const bid = (name: string, amount: number) =>
    call('PUT /auctions/{id}/bid', { params, body: { amount } }, as(name));
  const close = () => call('POST /auctions/{id}/close', { params }, as('kim'));
  return { ...tested, clock, bid, close };
}

test('the highest bid wins once the time is over, and all bids are revealed then', async () => {
  const { call, clock, bid, close } = await auction();
  await bid('iris', 120);
  await bid('jonas', 150);
  await bid('kim', 110);
  clock.ms += 10_000;
  const { body, claims } = await close();
  assert.deepEqual([body.winner, body.price], ['jonas', 150]);
  assert.deepEqual(
    body.bids.map(({ bidder }) => bidder),
    ['jonas', 'iris', 'kim'],
  );
  const { body: result } = await call('GET /auctions/{id}/result', { params }, as('iris'));
  assert.deepEqual(result, body);
  const digest = createHash('sha256').update(JSON.stringify(result)).digest();
  assert.deepEqual(Buffer.from(claims ?? []), digest);
});

test('before the close nothing tells anybody, the seller included, of the bids', async () => {
  const { call, bid } = await auction();
  await bid('iris', 12_345);
  const read = await call('GET /auctions/{id}', { params }, as('gallery'));
  assert.deepEqual(Object.keys(read.body), ['item', 'seller', 'minimum', 'closesAt', 'state']);
  await assert.rejects(call('GET /auctions/{id}/result', { params }, as('gallery')), {
    code: 'NotClosed',
  });
  await assert.rejects(call('GET /auctions/{id}/bid', { params }, as('gallery')), {
    code: 'NoBid',
  });
  const own = await call('GET /auctions/{id}/bid', { params }, as('iris'));
  assert.equal(own.body.amount, 12_345);
});

test('no bid is taken once the time is over, and no auction closes before', async () => {
  const { clock, bid, close } = await auction();
  await assert.rejects(close(), { code: 'TooEarly' });
  clock.ms += 10_000;
  await assert.rejects(bid('iris', 200), { code: 'TooLate' });
  await close();
  await assert.rejects(close(), { code: 'Closed' });
});

test('among equal bids the earlier one wins; who bids again gives its place away', async () => {
  const { clock, bid, close } = await auction();
  await bid('iris', 150);
  await bid('jonas', 150);
  await bid('iris', 150);
  clock.ms += 10_000;
  assert.equal((await close()).body.winner, 'jonas');
});

test('sellers do not bid, and nobody below the minimum', async () => {
  const { bid, tables } = await auction();
  await assert.rejects(bid('gallery', 200), { code: 'OwnAuction' });
  await assert.rejects(bid('iris', 99), { code: 'TooLow' });
  assert.equal(tables.bids.count(), 0);
});

test('an auction without bids has no winner', async () => {
  const { call, clock, close } = await auction();
  clock.ms += 10_000;
  const { body } = await close();
  assert.deepEqual([body.winner, body.price, body.bids], [null, null, []]);
  const again = { params, body: { item: 'Another', minimum: 1, seconds: 1 } };
  await assert.rejects(call('PUT /auctions/{id}', again, as('gallery')), { code: 'AuctionTaken' });
});

test('auctions whose names begin alike keep their bids apart', async () => {
  const { call, clock, bid, close } = await auction();
  const body = { item: 'Another vase', minimum: 1, seconds: 10 };
  await call('PUT /auctions/{id}', { params: { id: 'vase-2' }, body }, as('gallery'));
  await call(
    'PUT /auctions/{id}/bid',
    { params: { id: 'vase-2' }, body: { amount: 999 } },
    as('kim'),
  );
  await bid('iris', 100);
  clock.ms += 10_000;
  assert.deepEqual((await close()).body.bids, [{ bidder: 'iris', amount: 100, number: 1 }]);
});
