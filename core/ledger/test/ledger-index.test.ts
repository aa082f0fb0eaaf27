import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { type Digest, type Height, type Seqno, toDigest, type View } from '@concordat/std';
import {
  HistoryTree,
  historyPageBytes,
  historyPageOf,
  LedgerIndex,
  neededPage,
  pageBlocks,
} from '../index.ts';
import { refusal } from './fixture.ts';

const sha256 = (bytes: string | Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** A deterministic stream of numbers in [0, 1) (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

interface Block {
  readonly root: Digest;
  readonly view: number;
  readonly count: number;
  readonly firstSeqno: number;
}

/** All of a ledger, said plainly: the whole tree and a list of blocks. */
class Plain {
  readonly tree = new HistoryTree();
  readonly blocks: Block[] = [];
  #made = 0;

  get nextSeqno(): number {
    const last = this.blocks.at(-1);
    return last === undefined ? 1 : last.firstSeqno + last.count;
  }

  next(view: number, count: number): Block {
    const root = toDigest(sha256(`root ${this.#made++}`));
    const block = { root, view, count, firstSeqno: this.nextSeqno };
    this.tree.append(root);
    this.blocks.push(block);
    return block;
  }

  truncate(after: number): void {
    this.tree.restore({ size: after });
    this.blocks.length = after;
  }

  locate(seqno: number): { height: number; index: number } | undefined {
    const at = this.blocks.findLastIndex(({ firstSeqno }) => firstSeqno <= seqno);
    const block = this.blocks[at];
    if (block === undefined || seqno >= block.firstSeqno + block.count) return undefined;
    return { height: at + 1, index: seqno - block.firstSeqno };
  }

  headers(page: number) {
    return this.blocks.slice(page * pageBlocks, (page + 1) * pageBlocks).map((block, at) => ({
      height: (page * pageBlocks + at + 1) as Height,
      firstSeqno: block.firstSeqno as Seqno,
      count: block.count,
      blockRoot: block.root,
    }));
  }
}

function add(index: LedgerIndex, { root, view, count }: Block): void {
  index.history.append(root);
  index.append({ view: view as View, count });
}

/** An index beside the plain ledger, and whoever keeps its pages. */
class Pair {
  readonly plain = new Plain();
  index = new LedgerIndex();
  readonly kept = new Map<number, Uint8Array>();
  committed = 0;
  view = 1;
  loads = 0;

  grow(blocks: number, random: () => number = () => 0.5): void {
    for (let i = 0; i < blocks; i++) {
      if (random() < 0.01) this.view += 1 + Math.floor(random() * 3);
      add(this.index, this.plain.next(this.view, 1 + Math.floor(random() * 5)));
    }
  }

  commit(height: number): void {
    this.index.commit(height);
    this.committed = Math.max(this.committed, height);
    for (const { page, bytes } of this.index.takeCompletedPages()) this.kept.set(page, bytes);
  }

  truncate(after: number): void {
    this.index.truncate(after);
    this.plain.truncate(after);
  }

  /** Asks until no page is missing any more. */
  ask<Answer>(question: () => Answer): Answer {
    for (;;) {
      try {
        return question();
      } catch (error) {
        const page = neededPage(error);
        if (page === undefined) throw error;
        this.loads++;
        assert.ok(this.loads < 10_000, 'a page is asked for again and again');
        this.index.loadPage(page, this.kept.get(page)!);
      }
    }
  }

  check(random: () => number): void {
    const { plain, index } = this;
    const size = plain.blocks.length;
    assert.equal(index.lastHeight, size);
    assert.equal(index.nextSeqno, plain.nextSeqno);
    assert.equal(index.committedHeight, this.committed);
    const committedNext = plain.blocks[this.committed]?.firstSeqno ?? plain.nextSeqno;
    assert.equal(index.committedSeqno, committedNext - 1);
    assert.equal(index.lastView, plain.blocks.at(-1)?.view ?? 0);
    assert.deepEqual(index.history.rootBranch(), plain.tree.rootBranch());
    for (let i = 0; i < 12 && size > 0; i++) {
      const height = 1 + Math.floor(random() * size);
      const block = plain.blocks[height - 1]!;
      assert.equal(index.viewAt(height), block.view);
      assert.equal(index.viewOfSeqno(block.firstSeqno + block.count - 1), block.view);
      assert.equal(
        this.ask(() => index.firstSeqnoAt(height)),
        block.firstSeqno,
      );
      const seqno = 1 + Math.floor(random() * (plain.nextSeqno - 1));
      assert.deepEqual(
        this.ask(() => index.locate(seqno)),
        plain.locate(seqno),
      );
      assert.deepEqual(
        this.ask(() => index.history.leaf(height - 1)),
        block.root,
      );
      const upTo = height + Math.floor(random() * (size - height + 1));
      assert.deepEqual(
        this.ask(() => index.history.proof(height - 1, upTo)),
        plain.tree.proof(height - 1, upTo),
      );
    }
    assert.equal(index.viewAt(size + 1), undefined);
    assert.equal(index.viewAt(0), undefined);
    assert.equal(index.firstSeqnoAt(size + 1), undefined);
    assert.equal(index.locate(plain.nextSeqno), undefined);
    assert.equal(index.locate(0), undefined);
    assert.equal(index.viewOfSeqno(plain.nextSeqno), undefined);
  }
}

test('it answers as the whole tree does, over growth, rollback and commit across pages', () => {
  for (let seed = 1; seed <= 2; seed++) {
    const random = seeded(seed);
    const pair = new Pair();
    while (pair.plain.blocks.length < pageBlocks * 9) {
      pair.grow(Math.floor(random() * 2500), random);
      const uncommitted = pair.plain.blocks.length - pair.committed;
      if (random() < 0.5) pair.truncate(pair.committed + Math.floor(random() * (uncommitted + 1)));
      const left = pair.plain.blocks.length - pair.committed;
      if (random() < 0.7) pair.commit(pair.committed + Math.floor(random() * (left + 1)));
      pair.check(random);
      // And on from a summary, as a node does that was given a snapshot.
      if (random() < 0.15 && pair.committed > 0) {
        const summary = pair.index.summary(pair.committed);
        pair.truncate(pair.committed);
        pair.index = LedgerIndex.fromSummary(summary);
        assert.deepEqual(pair.index.summary(pair.committed), summary);
        pair.check(random);
      }
    }
    assert.ok(pair.loads > 10);
    const views = pair.index.viewStarts();
    for (const { view, fromHeight, firstSeqno } of views) {
      const block = pair.plain.blocks[fromHeight - 1]!;
      assert.deepEqual([block.view, block.firstSeqno], [view, firstSeqno]);
      assert.notEqual(pair.plain.blocks[fromHeight - 2]?.view, view);
    }
  }
});

test('a page is handed out once its last block is committed, and says what its blocks say', () => {
  const pair = new Pair();
  pair.grow(pageBlocks * 2 + 10, seeded(3));
  pair.commit(pageBlocks - 1);
  assert.equal(pair.kept.size, 0);
  pair.commit(pageBlocks);
  assert.deepEqual([...pair.kept.keys()], [0]);
  pair.commit(pageBlocks * 2 + 10);
  assert.deepEqual([...pair.kept.keys()], [0, 1]);
  assert.deepEqual(pair.index.takeCompletedPages(), []);
  assert.equal(pair.index.completedPages, 2);
  for (const [page, bytes] of pair.kept) {
    assert.equal(bytes.length, historyPageBytes);
    assert.deepEqual(Buffer.from(bytes), historyPageOf(pair.plain.headers(page)));
  }
});

/** A ledger of which only the newest pages are in memory. */
function long(): Pair {
  const pair = new Pair();
  pair.grow(pageBlocks * 7 + 100, seeded(5));
  pair.commit(pageBlocks * 7 + 50);
  return pair;
}

test('questions about a page that is not in memory name it; views need none', () => {
  const { index, plain } = long();
  const asked = (question: () => unknown): number | undefined => {
    try {
      question();
      return undefined;
    } catch (error) {
      return neededPage(error);
    }
  };
  for (const page of [0, 1, 2]) {
    const height = page * pageBlocks + 17;
    const { firstSeqno, view } = plain.blocks[height - 1]!;
    assert.equal(
      asked(() => index.firstSeqnoAt(height)),
      page,
    );
    assert.equal(
      asked(() => index.locate(firstSeqno)),
      page,
    );
    assert.equal(
      asked(() => index.history.leaf(height - 1)),
      page,
    );
    assert.equal(
      asked(() => index.history.proof(height - 1, height)),
      page,
    );
    assert.equal(index.viewAt(height), view);
    assert.equal(index.viewOfSeqno(firstSeqno), view);
  }
  for (const page of [3, 4, 5, 6, 7]) {
    assert.equal(
      asked(() => index.history.proof(page * pageBlocks + 5, plain.blocks.length)),
      undefined,
    );
  }
});

test('a page that is flipped, cut, extended, another one or not due is refused', () => {
  const { index, kept } = long();
  const bytes = kept.get(1)!;
  const load = (page: number, changed: Uint8Array): string =>
    refusal(() => index.loadPage(page, changed));
  for (let at = 0; at < bytes.length; at += 997) {
    assert.equal(load(1, bytes.with(at, bytes[at]! ^ 1)), 'WRONG_PAGE');
    assert.equal(load(1, bytes.subarray(0, at)), 'WRONG_PAGE');
  }
  assert.equal(load(1, Buffer.concat([bytes, Buffer.of(0)])), 'WRONG_PAGE');
  assert.equal(load(0, bytes), 'WRONG_PAGE');
  assert.equal(load(7, bytes), 'WRONG_PAGE');
  assert.equal(load(99, bytes), 'WRONG_PAGE');
  assert.equal(load(1, bytes), 'accepted');
  assert.equal(load(1, bytes), 'accepted');
  assert.equal(load(6, kept.get(6)!), 'accepted');
});

test('only a few loaded pages stay, the ones asked for last', () => {
  const pair = new Pair();
  pair.grow(pageBlocks * 14);
  pair.commit(pageBlocks * 14);
  const { index, kept } = pair;
  const here = (page: number): boolean =>
    refusal(() => index.firstSeqnoAt(page * pageBlocks + 1)) === 'accepted' &&
    refusal(() => index.history.leaf(page * pageBlocks)) === 'accepted';
  for (const page of [0, 1, 2, 3]) index.loadPage(page, kept.get(page)!);
  assert.ok(here(0));
  index.loadPage(4, kept.get(4)!);
  assert.deepEqual([0, 1, 2, 3, 4].map(here), [true, false, true, true, true]);
});

test('a node that begins with a summary releases the pages it loaded, and loads them again', () => {
  const pair = long();
  pair.truncate(pair.committed);
  pair.index = LedgerIndex.fromSummary(pair.index.summary(pair.committed));
  const random = seeded(9);
  for (let page = 0; page < 6; page++) {
    pair.index.loadPage(3, pair.kept.get(3)!);
    pair.grow(pageBlocks);
    pair.commit(pair.plain.blocks.length);
    pair.check(random);
  }
});

test('every node makes the same summary of a height, whatever lies above it', () => {
  const pair = long();
  const { plain, index } = pair;
  for (const height of [
    pageBlocks * 7 + 50,
    pageBlocks * 7,
    pageBlocks * 7 - 1,
    pageBlocks * 6 + 1,
  ]) {
    const other = new LedgerIndex();
    for (const block of plain.blocks.slice(0, height)) add(other, block);
    other.commit(height);
    assert.deepEqual(index.summary(height), other.summary(height));
    const again = LedgerIndex.fromSummary(index.summary(height));
    assert.deepEqual(again.history.root(), other.history.root());
    assert.equal(again.committedHeight, height);
    assert.equal(again.lastHeight, height);
    assert.deepEqual(again.takeCompletedPages(), []);
  }
  assert.throws(() => index.summary(pageBlocks * 7 + 51), { name: 'AssertionError' });
  assert.throws(() => index.summary(0), { name: 'AssertionError' });
});

test('a summary has one form: cut, extended or inconsistent ones are refused', () => {
  const pair = new Pair();
  pair.grow(pageBlocks * 2 + 3, seeded(11));
  pair.commit(pageBlocks * 2 + 3);
  const bytes = pair.index.summary(pair.committed);
  const views = pair.index.viewStarts().length;
  assert.ok(views > 2);
  const read = (changed: Uint8Array): string =>
    refusal(() => {
      assert.deepEqual(
        Buffer.from(LedgerIndex.fromSummary(changed).summary(pair.committed)),
        changed,
      );
    });
  for (let at = 0; at < bytes.length; at++) assert.equal(read(bytes.subarray(0, at)), 'MALFORMED');
  assert.equal(read(Buffer.concat([bytes, Buffer.of(0)])), 'MALFORMED');
  // Numbers are bound to their neighbours. (How many transactions whole pages have is not said.)
  const pagesAt = 28 + views * 24;
  const blocksAt = pagesAt + 2 * 72;
  const numbers: number[] = [];
  for (let at = 0; at < 16; at++) numbers.push(at);
  for (let page = 0; page < 2; page++) {
    for (let at = 0; at < 6; at++) numbers.push(pagesAt + page * 72 + 64 + at);
  }
  for (let block = 0; block < 3; block++) {
    for (let at = 0; at < 3; at++) numbers.push(blocksAt + block * 36 + 32 + at);
  }
  for (const at of numbers) {
    assert.equal(read(Buffer.from(bytes.with(at, bytes[at]! ^ 0x40))), 'MALFORMED', `byte ${at}`);
  }
  for (let at = 16; at < blocksAt + 108; at++) {
    for (const bit of [1, 0x80]) {
      const code = read(Buffer.from(bytes.with(at, bytes[at]! ^ bit)));
      assert.ok(code === 'accepted' || code === 'MALFORMED', code);
    }
  }
});

test('docs/format/snapshot.md: a summary and a page have these bytes', () => {
  const index = new LedgerIndex();
  const roots = [1, 2, 3].map((n) => toDigest(Buffer.alloc(32, n)));
  for (const [at, view] of [1, 1, 4].entries()) {
    index.history.append(roots[at]!);
    index.append({ view: view as View, count: at + 1 });
  }
  index.commit(3);
  const expected = [
    '4343445448495331',
    '0000000000000003',
    '0000000000000007',
    '00000002',
    '000000000000000100000000000000010000000000000001',
    '000000000000000400000000000000030000000000000004',
    `${'01'.repeat(32)}00000001`,
    `${'02'.repeat(32)}00000002`,
    `${'03'.repeat(32)}00000003`,
  ].join('');
  assert.equal(index.summary(3).toString('hex'), expected);

  const page = historyPageOf(
    Array.from({ length: pageBlocks }, (_, at) => ({
      height: (pageBlocks + at + 1) as Height,
      firstSeqno: (9000 + at * 2) as Seqno,
      count: 2,
      blockRoot: toDigest(Buffer.alloc(32, at)),
    })),
  );
  assert.equal(page.length, 147_480);
  assert.equal(
    page.subarray(0, 32).toString('hex'),
    '434344545041473100000000000000010000000000002328' + '0000000200000002',
  );
  assert.equal(
    page.subarray(24 + 4 * 4096, 24 + 4 * 4096 + 64).toString('hex'),
    '00'.repeat(32) + '01'.repeat(32),
  );
  assert.equal(
    sha256(page).toString('hex'),
    'e3c9e046d20e7a451cb642676d0d246a559f9ee9ad154c85e8fc89696444c957',
  );
});

test('committed blocks are not taken back, and blocks beyond the end are not committed', () => {
  const { index, committed } = long();
  assert.throws(() => index.truncate(committed - 1), { name: 'AssertionError' });
  assert.throws(() => index.commit(pageBlocks * 7 + 101), { name: 'AssertionError' });
  assert.throws(() => index.append({ view: 9 as View, count: 1 }), { name: 'AssertionError' });
});
