import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { fromUtf8, utf8 } from '@concordat/std';
import { PreparationLine } from '../preparation-line.ts';
import type { Submission } from '../submission.ts';

interface Group {
  readonly texts: readonly string[];
  readonly done: (prepared?: readonly Uint8Array[]) => void;
}

/** A line whose groups are answered when the test says so. */
function lineOf({ batchSize = 10, isThere = (): boolean => true } = {}) {
  const groups: Group[] = [];
  const admitted: string[] = [];
  const line = new PreparationLine({
    adapterId: 'words',
    preparation: { maxBytes: 10, prepare: (raw) => raw },
    preparer: {
      prepare: (_adapter, raws, done) => {
        if (!isThere()) return false;
        groups.push({ texts: raws.map((raw) => fromUtf8(raw)), done });
        return true;
      },
    },
    batchSize: () => batchSize,
    admit: ({ raw }: Submission, prepared) => {
      admitted.push(fromUtf8(raw) + (prepared === undefined ? '' : `=${fromUtf8(prepared)}`));
    },
  });
  const add = (...texts: readonly string[]) => {
    for (const text of texts) line.add({ raw: utf8(text) } as Submission);
  };
  const answer = (at: number) => groups[at]?.done(groups[at]?.texts.map(utf8));
  return { line, groups, admitted, add, answer };
}

const numbers = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, at) => `${from + at}`);
const prepared = (texts: readonly string[]): string[] => texts.map((text) => `${text}=${text}`);

async function turns(count: number): Promise<void> {
  for (let left = count; left > 0; left--) await turn();
}

describe('requests that are prepared before they are admitted', () => {
  it('are admitted in the order of receipt, whichever group is answered first', async () => {
    const { groups, admitted, add, answer, line } = lineOf();
    add(...numbers(25));
    assert.equal(line.length, 25);
    await turns(2);
    assert.deepEqual(
      groups.map(({ texts }) => texts.length),
      [10, 10, 5],
    );
    answer(2);
    answer(1);
    assert.deepEqual(admitted, []);
    answer(0);
    assert.deepEqual(admitted, prepared(numbers(25)));
    assert.equal(line.length, 0);
  });

  it('go the same way when they come while others are under way, few or many', async () => {
    const { groups, admitted, add, answer } = lineOf();
    add(...numbers(10));
    await turns(2);
    add('10');
    await turns(2);
    assert.equal(groups.length, 2);
    answer(1);
    answer(0);
    assert.deepEqual(admitted, prepared(numbers(11)));
  });

  it('are admitted without when they are few and nothing is under way', async () => {
    const { groups, admitted, add } = lineOf();
    add('a', 'b');
    await turns(2);
    assert.deepEqual(admitted, ['a', 'b']);
    assert.equal(groups.length, 0);
  });

  it('are admitted as they are, a few a turn and in order, when their group was lost', async () => {
    const { groups, admitted, add, answer, line } = lineOf({ batchSize: 100 });
    add(...numbers(150));
    await turns(2);
    answer(1);
    groups[0]?.done();
    const [first, second] = [numbers(100), numbers(50, 100)];
    assert.deepEqual(admitted, first.slice(0, 32));
    await turns(10);
    assert.deepEqual(admitted, [...first, ...prepared(second)]);
    assert.equal(line.length, 0);
  });

  it('are admitted as they are, a few a turn and in order, while nobody prepares', async () => {
    let isThere = false;
    const { admitted, add, answer, groups } = lineOf({ batchSize: 100, isThere: () => isThere });
    add(...numbers(100));
    await turn();
    assert.equal(admitted.length, 32);
    isThere = true;
    await turns(3);
    assert.equal(groups.length, 1);
    answer(0);
    assert.deepEqual(admitted, [...numbers(32), ...prepared(numbers(68, 32))]);
  });

  it('stay in their order when nobody prepares any more while a group is under way', async () => {
    let isThere = true;
    const { admitted, add, answer, line } = lineOf({ isThere: () => isThere });
    add(...numbers(10));
    await turns(2);
    isThere = false;
    add(...numbers(10, 10));
    await turns(20);
    assert.deepEqual(admitted, []);
    answer(0);
    await turns(5);
    assert.deepEqual(admitted, [...prepared(numbers(10)), ...numbers(10, 10)]);
    assert.equal(line.length, 0);
  });

  it('keep their place when they are too long to be prepared, or nothing was made of them', async () => {
    const { groups, admitted, add, answer } = lineOf();
    const long = 'longer than ten';
    add('a', long, 'b', 'c', 'd');
    await turns(2);
    assert.deepEqual(groups[0]?.texts, ['a', '', 'b', 'c', 'd']);
    answer(0);
    assert.deepEqual(admitted, ['a=a', long, 'b=b', 'c=c', 'd=d']);
  });

  it('wait here when enough groups are under way', async () => {
    const { groups, admitted, add, answer, line } = lineOf();
    add(...numbers(1_000));
    await turns(10);
    assert.equal(groups.length, 8);
    assert.equal(line.length, 1_000);
    for (let at = 0; at < 100; at++) {
      answer(at);
      await turns(2);
      assert.ok(groups.length <= at + 9);
    }
    assert.deepEqual(admitted, prepared(numbers(1_000)));
  });

  it('are given up in their order at once, whoever has them; what follows is admitted', async () => {
    const { groups, admitted, add, answer, line } = lineOf();
    add(...numbers(95));
    await turns(3);
    answer(1);
    const given = line.takeAll().map(({ raw }) => fromUtf8(raw));
    assert.deepEqual(given, numbers(95));
    assert.equal(line.length, 0);
    add(...numbers(10, 95));
    await turns(2);
    for (let at = 0; at < groups.length; at++) answer(at);
    await turns(2);
    assert.deepEqual(admitted, prepared(numbers(10, 95)));
    assert.equal(line.length, 0);
  });
});
