import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Borrower } from '../executor.ts';
import { ExecutorPool } from '../executor-pool.ts';
import { forkOf } from '../fork.ts';
import { OwnExecutor } from '../own-engine.ts';

class Reader implements Borrower {
  isExecuting = false;
  handedBack = 0;

  handBack(): void {
    this.handedBack += 1;
  }
}

const fork = forkOf('shanghai', 1n);

describe('executors of chains', () => {
  const lendTo = (pool: ExecutorPool, count: number): Reader[] =>
    Array.from({ length: count }, () => {
      const reader = new Reader();
      pool.lend(fork, reader);
      return reader;
    });

  it('are one each for the first sixteen; then the one lent longest ago is handed on', () => {
    const pool = new ExecutorPool((rules) => new OwnExecutor(rules));
    const readers = lendTo(pool, 16);
    assert.equal(pool.size, 16);
    assert.ok(readers.every(({ handedBack }) => handedBack === 0));
    lendTo(pool, 2);
    assert.equal(pool.size, 16);
    const backs = readers.map(({ handedBack }) => handedBack);
    assert.deepEqual(backs, [1, 1, ...new Array(14).fill(0)]);
  });

  it('are not taken from chains that execute: more are made then, and fewer kept no more', () => {
    const pool = new ExecutorPool((rules) => new OwnExecutor(rules));
    const readers = lendTo(pool, 16);
    for (const reader of readers) reader.isExecuting = true;
    lendTo(pool, 1);
    assert.equal(pool.size, 17);
    assert.ok(readers.every(({ handedBack }) => handedBack === 0));
    (readers[5] as Reader).isExecuting = false;
    const other = forkOf('byzantium', 7n);
    const executor = pool.lend(other, new Reader());
    assert.equal(readers[5]?.handedBack, 1);
    assert.equal(pool.size, 17);
    assert.equal(executor.fork, other);
  });
});
