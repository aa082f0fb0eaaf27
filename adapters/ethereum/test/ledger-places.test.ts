import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { LedgerPlaces } from '../ledger-places.ts';

const batch = (view: number, firstSeqno: number) => ({
  height: 1,
  view,
  firstSeqno,
  timeMs: 0,
  count: 9,
});

suite('Places in the ledger', () => {
  test('a position belongs to the last batch that began at or before it', () => {
    const places = new LedgerPlaces();
    places.add(5, batch(2, 100));
    places.add(6, batch(2, 103));
    places.add(9, batch(3, 200));
    assert.equal(places.transactionId(5, 1), '2.101');
    assert.equal(places.transactionId(8, 4), '2.107');
    assert.equal(places.transactionId(9, 0), '3.200');
    assert.equal(places.transactionId(1_000, 0), '3.200');
  });

  test('what was committed before anything was learned has no known place', () => {
    const places = new LedgerPlaces();
    assert.equal(places.transactionId(0, 0), undefined);
    places.add(5, batch(2, 100));
    assert.equal(places.transactionId(4, 0), undefined);
  });
});
