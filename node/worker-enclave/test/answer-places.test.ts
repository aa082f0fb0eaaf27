import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { concatBytes, DecodeError } from '@concordat/std';
import { AnswerPlaces } from '../answer-places.ts';

const block = (height: number) => ({
  height,
  view: 2,
  firstSeqno: height * 10,
  timeMs: 0,
  count: 10,
});

/** Places of blocks 1, 2, ... with three answers each, of which the first are dropped. */
function filled(blocks: number, first = 0): AnswerPlaces {
  const places = new AnswerPlaces();
  for (let height = 1; height <= blocks; height++) {
    places.committed(block(height), { first: Math.min(first, height * 3 - 1), next: height * 3 });
  }
  return places;
}

const bytesOf = (places: AnswerPlaces): Uint8Array => concatBytes(...places.freeze().parts());

describe('places of kept answers', () => {
  it('find the block of every answer that is kept, and of no other', () => {
    const places = filled(1_000, 100);
    for (let number = 100; number < 3_000; number++) {
      assert.equal(places.find(number)?.height, Math.floor(number / 3) + 1);
    }
    for (const number of [0, 99, 3_000, 1e9]) assert.equal(places.find(number), undefined);
  });

  it('go one by one, without a copy of all that stay', () => {
    const places = filled(200_000);
    const sinceMs = performance.now();
    for (let height = 200_001; height <= 202_000; height++) {
      places.committed(block(height), { first: (height - 200_000) * 3, next: height * 3 });
    }
    const tookMs = performance.now() - sinceMs;
    assert.ok(tookMs < 500, `2,000 blocks took ${tookMs} ms`);
    assert.equal(places.find(5_999), undefined);
    assert.equal(places.find(6_000)?.height, 2_001);
    assert.equal(places.freeze().bytes, 200_000 * 32);
  });

  it('travel with a snapshot, as they were when it was frozen', () => {
    const places = filled(5_000, 10);
    const frozen = places.freeze();
    places.committed(block(5_001), { first: 14_000, next: 15_003 });
    const bytes = concatBytes(...frozen.parts());
    assert.equal(bytes.length, frozen.bytes);
    const other = new AnswerPlaces();
    other.restore(bytes, { first: 10, next: 15_000 });
    assert.equal(other.find(10)?.height, 4);
    assert.equal(other.find(14_999)?.height, 5_000);
    assert.deepEqual(bytesOf(other), bytes);
  });

  it('are refused cut short, out of order, or for other answers than the table keeps', () => {
    const bytes = bytesOf(filled(4));
    const range = { first: 0, next: 12 };
    const swapped = concatBytes(bytes.subarray(32, 64), bytes.subarray(0, 32), bytes.subarray(64));
    const cases: [Uint8Array, { first: number; next: number }][] = [
      [bytes.subarray(0, bytes.length - 1), range],
      [bytes.subarray(32), range],
      [swapped, range],
      [concatBytes(bytes, bytes.subarray(96)), range],
      [bytes, { first: 0, next: 9 }],
      [new Uint8Array(0), range],
    ];
    for (const [forged, kept] of cases) {
      const places = filled(2);
      assert.throws(() => places.restore(forged, kept), DecodeError);
      assert.equal(places.find(5)?.height, 2);
    }
    new AnswerPlaces().restore(new Uint8Array(0), { first: 7, next: 7 });
  });
});
