import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Store } from '@concordat/kv';
import { concatBytes } from '@concordat/std';
import { LedgerPlaces } from '../ledger-places.ts';
import { encodeHead, type HeadRecord } from '../records.ts';
import { ethereumTables, tableNames } from '../tables.ts';

/** A ledger in which chains grow. */
class Growth {
  readonly places = new LedgerPlaces();
  readonly #store = new Store(ethereumTables);
  #layer = 0;

  get view() {
    return this.#store.committed();
  }

  /** A batch commits that leaves these heads: number, and transactions in that block. */
  batch(
    [view, firstSeqno]: readonly [number, number],
    heads: Readonly<Record<string, readonly [number, number]>>,
  ): void {
    this.#layer += 1;
    const set = this.#store.begin(this.#layer);
    for (const [space, [number, transactions]] of Object.entries(heads)) {
      set.table(tableNames.heads).set(space, encodeHead(headOf(number, transactions)));
    }
    set.takeWriteSet();
    set.finish();
    this.#store.commit(this.#layer);
    const count = 9;
    this.places.learn({ height: this.#layer, view, firstSeqno, timeMs: 0, count }, this.view);
  }
}

const headOf = (number: number, transactions: number): HeadRecord => ({
  number,
  transactions,
  hash: new Uint8Array(32),
  timestamp: 0,
  gasUsed: 0,
  gasLimit: 0,
  baseFee: 0n,
  logs: 0,
  bloom: new Uint8Array(256),
});

const memoryOf = (places: LedgerPlaces): Uint8Array => concatBytes(...places.freeze().parts());

suite('Places in the ledger', () => {
  test('a block belongs to the batch it was committed with, whatever other chains did', () => {
    const { places } = grown();
    assert.equal(places.transactionId('aaaa', { number: 0, index: 0, leaf: 1 }), '2.101');
    assert.equal(places.transactionId('aaaa', { number: 2, index: 7, leaf: 4 }), '2.114');
    assert.equal(places.transactionId('aaaa', { number: 3, index: 2 ** 30, leaf: 0 }), '2.110');
    assert.equal(places.transactionId('aaaa', { number: 4, index: 0, leaf: 0 }), '3.200');
    assert.equal(places.transactionId('bbbb', { number: 4, index: 0, leaf: 2 }), '2.122');
    assert.equal(places.transactionId('cccc', { number: 0, index: 0, leaf: 0 }), undefined);
  });

  test('a replay adds to its one block batch by batch', () => {
    const { places } = grown();
    assert.equal(places.transactionId('rrrr', { number: 9_000, index: 0, leaf: 0 }), '2.110');
    assert.equal(places.transactionId('rrrr', { number: 9_000, index: 4, leaf: 1 }), '2.111');
    assert.equal(places.transactionId('rrrr', { number: 9_000, index: 5, leaf: 0 }), '2.120');
    assert.equal(places.transactionId('rrrr', { number: 9_000, index: 8, leaf: 0 }), '3.200');
  });

  test('what was frozen restores to the same places, and goes on to the same', () => {
    const growth = grown();
    const frozen = growth.places.freeze();
    const memory = memoryOf(growth.places);
    assert.equal(frozen.bytes, memory.length);
    const restored = new LedgerPlaces();
    restored.restore(memory, growth.view);
    assert.deepEqual(memoryOf(restored), memory);
    growth.batch([4, 300], { aaaa: [5, 1], rrrr: [9_000, 12] });
    restored.learn({ height: 9, view: 4, firstSeqno: 300, timeMs: 0, count: 9 }, growth.view);
    assert.deepEqual(memoryOf(restored), memoryOf(growth.places));
    assert.deepEqual(concatBytes(...frozen.parts()), memory, 'what was frozen did not move on');
  });

  test('many places make parts of bounded length', () => {
    const growth = new Growth();
    for (let number = 0; number < 45_000; number++) {
      growth.batch([1, number + 1], { aaaa: [number, 1] });
    }
    const parts = [...growth.places.freeze().parts()];
    assert(parts.every(({ length }) => length <= 480_000));
    assert.equal(memoryOf(growth.places).length, 4 + 8 + 45_000 * 24);
  });

  test('a memory that is cut, extended, out of order or of other chains is refused', () => {
    const { places, view } = grown();
    const memory = Buffer.from(memoryOf(places));
    const refused = { name: 'DecodeError' };
    const restore = (bytes: Uint8Array) => new LedgerPlaces().restore(bytes, view);
    for (let length = 0; length < memory.length; length++) {
      assert.throws(() => restore(memory.subarray(0, length)), refused, `${length} bytes`);
    }
    assert.throws(() => restore(concatBytes(memory, Uint8Array.of(0))), refused);
    const flipped = (at: number, to: number): Buffer => {
      const bytes = Buffer.from(memory);
      bytes[at] = to;
      return bytes;
    };
    // The first chain's name, its first position, and its second seqno.
    for (const bytes of [flipped(4, 0x7a), flipped(12, 0x01), flipped(51, 0)]) {
      assert.throws(() => restore(bytes), refused);
    }
    assert.throws(() => restore(flipped(3, 2)), refused, 'fewer chains than have a head');
    assert.throws(() => new LedgerPlaces().restore(memory, new Growth().view), refused);
  });
});

function grown(): Growth {
  const growth = new Growth();
  growth.batch([2, 100], { aaaa: [0, 0] });
  growth.batch([2, 110], { aaaa: [3, 2], rrrr: [9_000, 5] });
  growth.batch([2, 120], { bbbb: [4, 1], rrrr: [9_000, 8] });
  growth.batch([3, 200], { aaaa: [4, 1], rrrr: [9_000, 10] });
  return growth;
}
