import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OpenedBlock } from '@concordat/ledger';
import { type Height, toHeight } from '@concordat/std';
import { WorkerFeed } from '../worker-feed.ts';
import { FakeLink } from './fixture.ts';

const opened = (height: number, source: number): OpenedBlock =>
  ({
    header: { height, source, view: 1, firstSeqno: height, timeMs: 0 },
    transactions: [],
  }) as unknown as OpenedBlock;

function feedOf(...sources: number[]) {
  const feed = new WorkerFeed();
  const links = sources.map((source) => new FakeLink(source));
  for (const link of links) feed.add(link.asLink());
  return { feed, links: links as [FakeLink, FakeLink] };
}

const told = (link: FakeLink): string[] =>
  link.sent.map((message) => {
    const blocks = message.blocks as { height: Height; speculative: boolean }[] | undefined;
    const what =
      blocks?.map((b) => `${b.height}${b.speculative ? '?' : ''}`).join() ?? message.height;
    return `${message.kind} ${what}`;
  });

const h = toHeight;

test('blocks made elsewhere are handed over once, when they commit, in one message', () => {
  const { feed, links } = feedOf(1);
  for (const height of [1, 2, 3]) feed.opened(opened(height, 1));
  assert.deepEqual(told(links[0]), []);
  feed.committed(h(1), h(2));
  feed.committed(h(3), h(3));
  assert.deepEqual(told(links[0]), ['applied 1,2', 'applied 3']);
});

test('a worker is only told the height of blocks it executed itself', () => {
  const { feed, links } = feedOf(1);
  for (const height of [1, 2, 3]) feed.sealedHere(h(height), 1);
  feed.committed(h(1), h(3));
  assert.deepEqual(told(links[0]), ['committed 3']);
});

test('blocks of two workers and of governance go to whom they belong', () => {
  const { feed, links } = feedOf(1, 2);
  feed.opened(opened(1, 1));
  feed.opened(opened(2, 2));
  feed.opened(opened(3, 0));
  feed.opened(opened(4, 1));
  feed.committed(h(1), h(4));
  assert.deepEqual(told(links[0]), ['applied 1,4']);
  assert.deepEqual(told(links[1]), ['applied 2']);
});

test('own blocks and those of an earlier leader keep their order', () => {
  const { feed, links } = feedOf(1);
  feed.sealedHere(h(1), 1);
  feed.opened(opened(2, 1));
  feed.sealedHere(h(3), 1);
  feed.committed(h(1), h(3));
  assert.deepEqual(told(links[0]), ['committed 1', 'applied 2', 'committed 3']);
});

test('a new leader has its worker take up what is not committed, and take it back again', () => {
  const { feed, links } = feedOf(1, 2);
  for (const height of [3, 4, 5]) feed.opened(opened(height, 1));
  feed.giveSpeculatively();
  assert.deepEqual(told(links[0]), ['applied 3?', 'applied 4?', 'applied 5?']);
  feed.rollback(h(3));
  feed.committed(h(3), h(3));
  assert.deepEqual(told(links[0]).slice(3), ['rollback 3', 'committed 3']);
  assert.deepEqual(told(links[1]), [], 'a worker that is not concerned hears nothing');
});

test('a worker hears when all is committed up to a block that was taken back, whoever made it', () => {
  const { feed, links } = feedOf(1, 2);
  for (const height of [3, 4]) feed.sealedHere(h(height), 1);
  feed.rollback(h(2));
  feed.opened(opened(3, 0));
  feed.committed(h(3), h(3));
  assert.deepEqual(told(links[0]), ['rollback 2']);
  feed.opened(opened(4, 2));
  feed.committed(h(4), h(4));
  assert.deepEqual(told(links[0]), ['rollback 2', 'committed 4']);
  assert.deepEqual(told(links[1]), ['applied 4']);
  feed.opened(opened(5, 0));
  feed.committed(h(5), h(5));
  assert.equal(told(links[0]).length, 2, 'once');
});

test('what a follower held and never gave is dropped silently', () => {
  const { feed, links } = feedOf(1);
  feed.opened(opened(1, 1));
  feed.opened(opened(2, 1));
  feed.rollback(h(1));
  feed.opened(opened(2, 1));
  feed.committed(h(1), h(2));
  assert.deepEqual(told(links[0]), ['applied 1,2']);
});

test('blocks of a worker this node does not run disturb nobody', () => {
  const { feed, links } = feedOf(1);
  feed.opened(opened(1, 7));
  feed.opened(opened(2, 1));
  feed.committed(h(1), h(2));
  assert.deepEqual(told(links[0]), ['applied 2']);
});

test('what a leader changes in a worker by vote stands between the batches before and after it', () => {
  const { feed, links } = feedOf(1);
  feed.sealedHere(h(1), 1);
  feed.placedHere(opened(2, 1));
  feed.sealedHere(h(3), 1);
  assert.deepEqual(told(links[0]), ['applied 2?', 'rollback 2']);
  feed.committed(h(1), h(3));
  assert.deepEqual(told(links[0]).slice(2), ['committed 3']);
});

test('what was changed in a worker by vote is taken back with its block', () => {
  const { feed, links } = feedOf(1, 2);
  feed.placedHere(opened(2, 1));
  feed.placedHere(opened(2, 2));
  feed.rollback(h(1));
  for (const link of links) {
    assert.deepEqual(told(link), ['applied 2?', 'rollback 2', 'rollback 1']);
  }
  feed.opened(opened(2, 1));
  feed.committed(h(2), h(2));
  assert.deepEqual(told(links[0]).slice(3), ['applied 2', 'committed 2']);
});

test('one block may concern several workers', () => {
  const { feed, links } = feedOf(1, 2);
  for (const source of [1, 2]) feed.opened(opened(1, source));
  for (const source of [1, 2]) feed.opened(opened(2, source));
  feed.committed(h(1), h(1));
  feed.giveSpeculatively();
  feed.committed(h(2), h(2));
  for (const link of links)
    assert.deepEqual(told(link), ['applied 1', 'applied 2?', 'committed 2']);
});
