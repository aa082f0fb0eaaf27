import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PastTransactionView } from '@concordat/worker-enclave';
import { PastFetcher } from '../past-fetcher.ts';
import { privateTable } from '../tables.ts';

const mebibyte = 1024 * 1024;

/** A ledger whose transactions have values of a size; tells how often each was read. */
function openLedger(bytes: number) {
  const reads = new Map<number, number>();
  const readPast = ({ from }: { readonly from: number }) => {
    reads.set(from, (reads.get(from) ?? 0) + 1);
    const writes = [{ table: privateTable, key: '\x01mk', value: new Uint8Array(bytes) }];
    const found: PastTransactionView = { seqno: from, view: 2, writes, receipt: new Uint8Array(2) };
    return Promise.resolve([found]);
  };
  let nowMs = 0;
  const past = new PastFetcher(
    () => ({ readPast }),
    () => nowMs,
  );
  const pass = (ms: number): void => {
    nowMs += ms;
  };
  return { past, reads, pass };
}

test('a state larger than all that are kept is there when it is asked for again', async () => {
  const { past, reads, pass } = openLedger(20 * mebibyte);
  await past.state(7);
  pass(1_000);
  await past.state(7);
  assert.equal(reads.get(7), 1);
  await past.state(8);
  await past.state(7);
  assert.equal(reads.get(7), 2, 'the older one made room');
});

test('states that come together are kept within their bounds', async () => {
  const { past, reads, pass } = openLedger(mebibyte);
  const all = Array.from({ length: 50 }, (_, at) => at + 1);
  await Promise.all(all.map((seqno) => past.state(seqno)));
  const newest = all.toReversed().slice(0, 7);
  for (const seqno of newest) await past.state(seqno);
  for (const seqno of newest) assert.equal(reads.get(seqno), 1, `${seqno} is kept`);
  await past.state(1);
  assert.equal(reads.get(1), 2, 'the first one is not');
  pass(61_000);
  await past.state(50);
  assert.equal(reads.get(50), 2, 'nor is any for ever');
});
