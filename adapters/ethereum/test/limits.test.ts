import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryTables } from '../state-source.ts';
import { apply, executorOn, plainBlock, put, slotIn, unsignedFields } from './execution.ts';
import { code } from './wallet.ts';

const sender = new Uint8Array(20).fill(0xaa);
const contract = new Uint8Array(20).fill(0xc0);
const self = 'c0'.repeat(20);

async function spend(runtime: Uint8Array, gasLimit: number, fork = 'prague') {
  const tables = memoryTables();
  put(tables, sender, {});
  put(tables, contract, { code: runtime });
  const fields = { ...unsignedFields, gasLimit: BigInt(gasLimit), to: contract };
  const executor = executorOn(tables, { fork });
  const applied = await apply(executor, tables, { from: sender, fields }, plainBlock);
  return { applied, slot0: slotIn(tables, contract, 0n) };
}

test('an endless loop ends when its gas is spent', async () => {
  const { applied } = await spend(code('5b 6000 56'), 1_000_000);
  assert.deepEqual([applied.status, applied.gasUsed, applied.error], [0, 1_000_000, 'out of gas']);
});

test('a contract that calls itself for ever ends by gas, after hundreds of frames', async () => {
  // Each frame counts itself in slot 0 first; the count of what succeeded stays.
  const body = code(`6000 54 6001 01 6000 55  6000 6000 6000 6000 6000 73${self} 5a f1 00`);
  const { applied, slot0 } = await spend(body, 30_000_000);
  assert.equal(applied.status, 1);
  assert.ok(slot0 > 300n && slot0 < 1_024n, `depth ${slot0}`);
});

test('before EIP-150 recursion stops at 1,024 calls below the first', async () => {
  // Offers the callee all but 50,000 gas, so that the depth and not the gas is what ends it.
  const body = code(
    `6000 54 6001 01 6000 55  6000 6000 6000 6000 6000 73${self} 62 00c350 5a 03 f1 00`,
  );
  const { applied, slot0 } = await spend(body, 30_000_000, 'homestead');
  assert.equal(applied.status, 1);
  assert.ok(slot0 <= 1_025n && slot0 > 400n, `depth ${slot0}`);
});

test('memory beyond what gas affords is refused before it is allocated', async () => {
  const before = process.memoryUsage().arrayBuffers;
  for (const offset of ['63 ffffffff', `7f${'ff'.repeat(32)}`, '64 ffffffffff', '62 ffffff']) {
    const { applied } = await spend(code(`6001 ${offset} 52 00`), 200_000);
    assert.deepEqual([applied.status, applied.gasUsed], [0, 200_000], offset);
  }
  assert.ok(process.memoryUsage().arrayBuffers - before < 32 * 1024 * 1024);
});

test('a contract that grows its memory in a loop ends by gas', async () => {
  const { applied } = await spend(code('5b 59 51 50 6000 56'), 30_000_000);
  assert.deepEqual([applied.status, applied.gasUsed], [0, 30_000_000]);
});

test('a contract that fills its stack for ever overflows it', async () => {
  const { applied } = await spend(code('5b 6001 6000 56'), 1_000_000);
  assert.equal(applied.error, 'stack overflow');
});

test('a call of the KZG precompile without a proof fails, and its caller goes on', async () => {
  const { applied, slot0 } = await spend(
    code('6007 6000 55  6040 6000 60c0 6000 6000 600a 61ffff f1 6000 55 00'),
    200_000,
  );
  assert.equal(applied.status, 1);
  assert.equal(slot0, 0n);
});

test('a call of a BLS12-381 precompile with two points succeeds, and its caller goes on', async () => {
  // BLS12-381 G1 addition of two points at infinity (128 zero bytes each) is infinity.
  const { applied, slot0 } = await spend(
    code('6080 6000 610100 6000 6000 600b 61ffff f1 6000 55 00'),
    200_000,
  );
  assert.equal(applied.status, 1);
  assert.equal(slot0, 1n);
});
