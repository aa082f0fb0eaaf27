import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LedgerQuestions } from '../ledger-questions.ts';
import type { NodeContext } from '../node-context.ts';
import type { ReceiptDesk } from '../receipt-desk.ts';

/** What is answered about the history of so many views. */
function historyOf(views: number) {
  const all = Array.from({ length: views }, (_, at) => ({ view: at + 1, firstSeqno: at * 1_000 }));
  const node = { log: { committedViews: () => all } } as unknown as NodeContext;
  const questions = new LedgerQuestions(node, {} as ReceiptDesk, {
    endorsed: () => Uint8Array.of(7),
  });
  const about = { subject: 'viewHistory', view: 0, seqno: 0 } as const;
  return questions.answer({ kind: 'question', id: 5, ...about });
}

test('a history of views is answered whole, or refused where a worker could not take it', async () => {
  const short = await historyOf(1_000);
  assert.equal(short.code, undefined);
  assert.equal(JSON.parse(Buffer.from(short.bytes).toString()).length, 1_000);
  const long = await historyOf(200_000);
  assert.equal(long.code, 'PAYLOAD_TOO_LARGE');
  assert.ok(long.bytes.length < 100);
});
